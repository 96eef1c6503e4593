"""What knows only the last few symbols: the baseline of every model of sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..errors import InputError

EDGE = None  # stands before a sequence's beginning, and at its end


class MarkovChain:
    """P(next symbol | the last ``order`` symbols), counted in sequences; 0 draws each by itself (Markov 1913).

    The beginning is seen: before it stands a mark, as often as ``order``. So is the end, unless ``ends`` is false:
    then a sequence is drawn as long as is asked for.

    >>> MarkovChain(["abab"], 1).sample(np.random.default_rng(0), longest=5)[0]
    'a'
    """

    def __init__(self, sequences: Iterable[Sequence[Hashable]], order: int, *, ends: bool = True) -> None:
        if order < 0:
            raise InputError(f"MarkovChain: order = {order} must be at least 0")
        self.order, self.ends = order, ends
        counts: dict[tuple[Any, ...], Counter[Any]] = {}
        for sequence in sequences:
            marked = [EDGE] * order + list(sequence) + [EDGE] * ends
            for i in range(order, len(marked)):
                counts.setdefault(tuple(marked[i - order : i]), Counter())[marked[i]] += 1
        if not counts:
            raise InputError("MarkovChain: there is no sequence to count in")
        self.next = {state: (list(found), list(accumulate(found.values()))) for state, found in counts.items()}

    def sample(self, rng: np.random.Generator, longest: int) -> list[Any]:
        """One sequence, of at most so many symbols. Where nothing has ever followed, it begins anew."""
        drawn: list[Any] = []
        state: tuple[Any, ...] = (EDGE,) * self.order
        while len(drawn) < longest:
            if state not in self.next:
                state = (EDGE,) * self.order
            symbols, sums = self.next[state]
            symbol = symbols[int(np.searchsorted(sums, rng.integers(sums[-1]), side="right"))]
            if symbol is EDGE:
                break
            drawn.append(symbol)
            state = (*state, symbol)[1:] if self.order else ()
        return drawn
