# minigan learn 3.2: Looking: a convolution in loops
import numpy as np


def conv2d(x, w, stride, padding):
    """y[n,f,i,j] = sum over c, a, b of x[n, c, s*i + a - p, s*j + b - p] * w[f,c,a,b], zeros around the picture.

    x (N, C, H, W), w (F, C, kh, kw) -> y (N, F, oh, ow). np.pad helps; so does one einsum for each place (i, j).
    """
    x = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    kh, kw = w.shape[2:]
    oh, ow = (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1
    y = np.empty((len(x), len(w), oh, ow))
    for i in range(oh):
        for j in range(ow):
            seen = x[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            y[:, :, i, j] = np.einsum("ncab,fcab->nf", seen, w)
    return y
