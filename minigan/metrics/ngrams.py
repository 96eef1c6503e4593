"""How alike two sets of texts are: by the runs of n characters in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError

BEGIN, END = "\x02", "\x03"  # stand at a text's ends, so that how texts begin and end counts


def ngrams(texts: Iterable[str], n: int, *, ends: bool = True) -> Counter[str]:
    """How often each run of ``n`` characters occurs; with ``ends``, those at a text's ends count with the end.

    >>> len(ngrams(["ab"], 3)), len(ngrams(["abc"], 3, ends=False))
    (2, 1)
    """
    marked = (BEGIN + text + END if ends else text for text in texts)
    return Counter(text[i : i + n] for text in marked for i in range(len(text) - n + 1))


def ngram_divergence(texts: Iterable[str], others: Iterable[str], n: int, *, ends: bool = True) -> float:
    """The Jensen-Shannon divergence of their n-grams in bits, 0 (the same) to 1 (none in common).

    As in Gulrajani et al. 2017, arXiv:1704.00028. It depends on how many texts there are, as rare runs are met by
    chance: compare equal counts. Raises InputError where one has no run of n characters.
    """
    found, expected = ngrams(texts, n, ends=ends), ngrams(others, n, ends=ends)
    if not found or not expected:
        raise InputError(f"ngram_divergence: there is no run of {n} characters in one of them")
    return jensen_shannon(found, expected)


def jensen_shannon(found: Counter[Any], expected: Counter[Any]) -> float:
    """(KL(p || m) + KL(q || m)) / 2 in bits, with m = (p + q) / 2, for what was counted to be distributed as p and q.

    Nothing at all is as far as can be, 1, from anything.

    >>> jensen_shannon(Counter("aab"), Counter("aab")), jensen_shannon(Counter("a"), Counter("b"))
    (0.0, 1.0)
    """
    if not found or not expected:
        return float(bool(found) != bool(expected))
    kinds: Sequence[Hashable] = list(found.keys() | expected.keys())
    p, q = (np.array([counts[kind] for kind in kinds], np.float64) / counts.total() for counts in (found, expected))
    m = (p + q) / 2
    kept = (np.sum(side[side > 0] * np.log2(side[side > 0] / m[side > 0])) for side in (p, q))
    return float(sum(kept) / 2)
