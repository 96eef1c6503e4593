"""Sequences: choices, and how alike two texts are."""

import numpy as np

from ... import metrics
from .exercise import Exercise, Wrong, close


def gumbel(answer):
    rng = np.random.default_rng(0)
    logits, u = np.array([0.0, 1.0, -1.0, 0.3]), rng.uniform(1e-9, 1, (4000, 4))
    found = np.asarray(answer.choose(logits, u))
    if found.shape != (4000,):
        raise Wrong(f"choose gives an array {found.shape}, expected a number for each of the 4000 rows of u")
    close(found, (logits - np.log(-np.log(u))).argmax(1), "choose(logits, u)")


def try_and_see(answer):
    rng = np.random.default_rng(1)
    for logits in (np.array([0.0, 1.0, -1.0]), np.array([2.0, 2.0])):
        p = np.exp(logits) / np.exp(logits).sum()
        chosen = rng.choice(len(p), 50, p=p)
        verdicts = rng.standard_normal(50)
        expected = (verdicts[:, None] * (np.eye(len(p))[chosen] - p)).mean(0)
        close(answer.try_and_see(logits, chosen, verdicts), expected, f"try_and_see of logits {logits}")


def alike(answer):
    for texts, others, n in ((["anna", "hanna"], ["anna", "otto"], 2), (["abab"], ["abab"], 3), (["aa"], ["bb"], 1)):
        expected = metrics.ngram_divergence(texts, others, n, ends=False)
        close(answer.divergence(texts, others, n), expected, f"divergence({texts}, {others}, {n})")


EXERCISES = (
    Exercise("9.1", "The noise first", '''
import numpy as np


def choose(logits, u):
    """``logits`` (K,) and ``u`` (N, K), uniform between 0 and 1. Return N numbers of classes, each drawn from
    softmax(logits), each by its row of ``u``: add Gumbel noise to the logits.
    """
    return ...
''', gumbel),
    Exercise("9.2", "Try and see", '''
import numpy as np


def try_and_see(logits, chosen, verdicts):
    """``chosen`` (N,) are classes drawn from softmax(logits), and ``verdicts`` (N,) what they got. Return the guess at
    the derivative of the average verdict by the logits (K,): the mean of verdict times d log p_chosen / d logits.
    """
    return ...
''', try_and_see),
    Exercise("9.3", "How alike are two texts?", '''
from collections import Counter

import numpy as np


def divergence(texts, others, n):
    """The Jensen-Shannon divergence, in bits, of the runs of ``n`` letters in two lists of texts: the mean of
    sum p log2(p / m) and of sum q log2(q / m), where m is half of p + q, and 0 log 0 is 0.
    """
    return ...
''', alike),
)  # fmt: skip
