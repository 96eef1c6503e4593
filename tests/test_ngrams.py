"""The n-gram divergence by hand, and Markov chains by their counts."""

import math

import numpy as np
import pytest

from minigan import metrics
from minigan.errors import InputError
from minigan.metrics.ngrams import ngrams


def test_by_hand():
    # "ab" has the bigrams ^a ab b$, "a" has ^a a$: p = 1/3 each, q = 1/2 each, one in common
    kl_p = math.log2((1 / 3) / (5 / 12)) / 3 + 2 / 3
    kl_q = math.log2((1 / 2) / (5 / 12)) / 2 + 1 / 2
    assert metrics.ngram_divergence(["ab"], ["a"], 2) == pytest.approx((kl_p + kl_q) / 2)
    assert (
        metrics.ngram_divergence(["ab"], ["ab"], 2) == 0 and metrics.ngram_divergence(["a"], ["b"], 1, ends=False) == 1
    )


def test_ends_count_unless_they_do_not():
    assert metrics.ngram_divergence(["ab"], ["ba"], 1) == 0 < metrics.ngram_divergence(["ab"], ["ba"], 2)
    assert sorted(ngrams(["aba"], 2, ends=False).items()) == [("ab", 1), ("ba", 1)]
    with pytest.raises(InputError, match="no run of 3"):
        metrics.ngram_divergence(["ab"], ["abc"], 3, ends=False)


def test_nothing_is_far_from_anything():
    from collections import Counter

    assert [metrics.jensen_shannon(Counter(a), Counter(b)) for a, b in (("", "a"), ("a", ""), ("", ""))] == [1, 1, 0]


def test_it_depends_on_the_count():
    rng = np.random.default_rng(0)
    few, many = ([["".join(rng.choice(list("abcd"), 4)) for _ in range(n)] for _ in (0, 1)] for n in (20, 2000))
    assert metrics.ngram_divergence(*few, 3) > 10 * metrics.ngram_divergence(*many, 3)


def test_chains_follow_their_counts():
    rng = np.random.default_rng(0)
    chain = metrics.MarkovChain(["ab", "ab", "ac", "b"], 1)
    drawn = ["".join(chain.sample(rng, 9)) for _ in range(4000)]
    assert set(drawn) == {"ab", "ac", "b"}
    assert [drawn.count(word) / 4000 for word in ("ab", "ac", "b")] == pytest.approx([0.5, 0.25, 0.25], abs=0.03)


def test_letters_by_themselves_and_sequences_without_an_end():
    rng = np.random.default_rng(0)
    letters = metrics.MarkovChain(["aab"], 0, ends=False).sample(rng, 6000)
    assert len(letters) == 6000 and letters.count("a") / 6000 == pytest.approx(2 / 3, abs=0.03)
    for order in (1, 2, 3):  # c leads nowhere: anew
        assert "".join(metrics.MarkovChain(["abc"], order, ends=False).sample(rng, 7)) == "abcabca"
    assert metrics.MarkovChain([[(60, 4), (62, 2)]], 2).sample(rng, 9) == [(60, 4), (62, 2)]


def test_what_cannot_be_counted():
    with pytest.raises(InputError, match="order = -1"):
        metrics.MarkovChain(["a"], -1)
    with pytest.raises(InputError, match="no sequence"):
        metrics.MarkovChain([], 1)
