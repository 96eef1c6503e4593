# minigan learn 7.1: Three guesses
import numpy as np


def best_guesses(values):
    """The mean and the median."""
    return values.mean(), np.median(values)
