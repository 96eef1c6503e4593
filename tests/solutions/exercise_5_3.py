# minigan learn 5.3: Who still has a slope?
import numpy as np


def slopes(logits):
    """Of G's two losses the derivative with respect to each logit l: (minimax, non-saturating), that is, of
    log(1 - sigmoid(l)) and of -log sigmoid(l). Look at both where G is losing: at l = -6.
    """
    s = 1 / (1 + np.exp(-logits))
    return -s, s - 1
