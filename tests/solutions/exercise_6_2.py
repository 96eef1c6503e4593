# minigan learn 6.2: Between real and forged
import numpy as np


def between(real, fake, rng):
    """For each pair of pictures (N, C, H, W) a point on the line between them: share * real + (1 - share) * fake, the
    share drawn from U(0, 1), one for each picture.
    """
    share = rng.random((len(real), 1, 1, 1))
    return share * real + (1 - share) * fake
