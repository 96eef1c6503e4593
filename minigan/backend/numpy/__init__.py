"""The ideas behind the fast CPU backend, one a file.

threads.py      a pool that hands out cache-sized tiles, with BLAS held at one thread meanwhile
blas.py         the BLAS that NumPy runs on: its product, and its number of threads
scratch.py      buffers that are used again instead of page-faulted afresh
im2col.py       convolution as a matrix product, a cache-sized tile at a time
filtering.py    convolution with fewer multiplications (Winograd, Toom-Cook)
norm.py         batch norm and its leaky ReLU in two passes over memory
elementwise.py  activations and sums
optim.py        Adam over every parameter in one go
"""
