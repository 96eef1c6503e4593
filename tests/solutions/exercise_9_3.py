# minigan learn 9.3: How alike are two texts?
from collections import Counter

import numpy as np


def divergence(texts, others, n):
    """Count, divide, compare."""
    p, q = (Counter(text[i : i + n] for text in side for i in range(len(text) - n + 1)) for side in (texts, others))
    total = 0.0
    for one, sums in ((p, sum(p.values())), (q, sum(q.values()))):
        for run, count in one.items():
            m = (p[run] / sum(p.values()) + q[run] / sum(q.values())) / 2
            total += count / sums * np.log2(count / sums / m) / 2
    return total
