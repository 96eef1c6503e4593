# minigan learn 2.2: The adjoint of a running sum
import numpy as np


def cumsum_adjoint(g):
    """y = np.cumsum(x) adds up x from the left. Return A^T g. Which y does the first x have a part in? The last?"""
    return np.cumsum(g[::-1])[::-1]
