"""CUDA kernels (*.cu), and how they are compiled and launched (launch.py)."""
