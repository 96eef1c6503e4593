# minigan learn 4.3: What is used when there is no batch
import numpy as np


def update(running_mean, running_var, x, momentum):
    """Return both, moved towards the batch x by its share ``momentum``. The variance is the unbiased one, as in PyTorch."""
    return (1 - momentum) * running_mean + momentum * x.mean(0), (1 - momentum) * running_var + momentum * x.var(
        0, ddof=1
    )
