# minigan learn 7.2: How near, in decibels
import numpy as np


def psnr(picture, truth):
    """A byte minus a byte is a byte again, from 0 to 255."""
    return 10 * np.log10(255**2 / ((picture.astype(float) - truth) ** 2).mean())
