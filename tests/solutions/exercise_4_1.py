# minigan learn 4.1: Forward
import numpy as np


def normalise(x, eps):
    """xhat = (x - mean) / sqrt(var + eps), mean and (biased) variance over the batch, for each of the columns of x."""
    return (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
