# minigan learn 9.2: Try and see
import numpy as np


def try_and_see(logits, chosen, verdicts):
    """d log p_k / d logits is the one-hot k less p."""
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return (verdicts[:, None] * (np.eye(len(p))[chosen] - p)).mean(0)
