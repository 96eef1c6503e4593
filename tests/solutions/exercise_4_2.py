# minigan learn 4.2: Backward: three ways
import numpy as np


def normalise_vjp(g, x, eps):
    """The gradient of x for the gradient g of ``normalise(x, eps)``. x moves the result, the mean and the spread."""
    r = 1 / np.sqrt(x.var(0) + eps)
    xhat = (x - x.mean(0)) * r
    return r * (g - g.mean(0) - xhat * (g * xhat).mean(0))
