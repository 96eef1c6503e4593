"""The kernels as plain textbook loops, compiled by Numba: the most readable form of each, and the fastest on a CPU.

compile.py      what makes machine code of a loop
norm.py         batch norm and its leaky ReLU
activation.py   the leaky ReLU and its gate, softplus, sigmoid
filtering.py    the transforms of minimal filtering
im2col.py       the windows of an image side by side, and back
resample.py     sums over windows, and their adjoint
optim.py        Adam, SGD, RMSprop, and the average of a network
backend.py      the NumPy backend with these in the place of its own

In each file the loops come first, the formula and its indices and nothing else; below them stands who hands them their
tiles. A call works on many thousand numbers and lets go of the interpreter lock for as long.
"""
