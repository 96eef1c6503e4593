# minigan learn 3.3: Stamping: its adjoint
import numpy as np


def conv2d_input(g, w, hw, stride, padding):
    """The gradient of conv2d's x, a picture of hw = (H, W): each g[n,f,i,j] stamps w[f] onto the place it looked at.

    g (N, F, oh, ow), w (F, C, kh, kw) -> (N, C, H, W). Stamp onto a padded picture, then cut off the padding.
    """
    n, _, oh, ow = g.shape
    c, kh, kw = w.shape[1:]
    x = np.zeros((n, c, hw[0] + 2 * padding, hw[1] + 2 * padding))
    for i in range(oh):
        for j in range(ow):
            rows, columns = slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw)
            x[:, :, rows, columns] += np.einsum("nf,fcab->ncab", g[:, :, i, j], w)
    return x[:, :, padding : padding + hw[0], padding : padding + hw[1]]
