# minigan learn 7.2: How near, in decibels
import numpy as np


def psnr(picture, truth):
    """The range is 2."""
    return 10 * np.log10(2**2 / ((picture - truth) ** 2).mean())
