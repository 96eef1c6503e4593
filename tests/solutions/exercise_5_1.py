# minigan learn 5.1: The best belief
import numpy as np


def best_belief(p, q):
    """Where real pictures have density p and forgeries q: the D in [0, 1] with the largest p log D + q log(1 - D)."""
    return p / (p + q)
