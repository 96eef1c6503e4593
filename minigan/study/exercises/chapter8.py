"""Without pairs."""

import numpy as np

from .exercise import Exercise, Wrong, close


def both_lines(answer):
    for a, b in (((-1.0, 0.0), (0.0, 1.0)), ((1.0, 3.0), (2.0, 6.0)), ((0.0, 10.0), (5.0, 4.0))):
        found = answer.both_lines(a, b)
        if len(found) != 2:
            raise Wrong(f"both_lines({a}, {b}) is {found!r}, expected two pairs (slope, offset)")
        lines = sorted((tuple(map(float, line)) for line in found), reverse=True)
        for slope, offset in lines:
            ends = sorted(slope * x + offset for x in a)
            close(np.array(ends), np.array(sorted(b)), f"the heap that slope {slope}, offset {offset} makes of {a}")
        if abs(lines[0][0] + lines[1][0]) > 1e-9:
            raise Wrong(f"both_lines({a}, {b}): the slopes are {lines[0][0]} and {lines[1][0]}: one rises, one falls")


def returns(answer):
    rng = np.random.default_rng(0)
    pictures = rng.uniform(-1, 1, (6, 1, 4, 4))
    mean = np.broadcast_to(pictures.mean(0), pictures.shape)
    close(answer.returns(pictures, pictures), 1.0, "returns, where all comes back")
    close(answer.returns(pictures, mean), 0.0, "returns, where the mean picture comes back for each")
    nearly = pictures + 0.1
    expected = 1 - 0.1 / np.abs(pictures - pictures.mean(0)).mean()
    close(answer.returns(pictures, nearly), expected, "returns, where all comes back a little brighter")


def fakes(answer):
    kept: list[int] = []
    shown, rng = [], np.random.default_rng(0)
    for fake in range(400):
        shown.append(answer.show(kept, fake, 10, rng))
        if len(kept) > 10:
            raise Wrong(f"after {fake + 1} fakes, {len(kept)} are kept, expected at most 10")
    if shown[:10] != list(range(10)):
        raise Wrong(f"of the first ten, {shown[:10]} are shown: until there are so many, each is shown and kept")
    late = [fake == made for made, fake in enumerate(shown) if made >= 10]
    if not 0.4 < np.mean(late) < 0.6:
        raise Wrong(f"{np.mean(late):.0%} of those shown are new: toss a coin for each")
    if len({*kept, *shown}) != 400 or len(set(kept)) != 10:
        raise Wrong("some fake is neither kept nor was it ever shown: whichever is shown from the kept makes its place")


EXERCISES = (
    Exercise("8.1", "Both are right", '''
def both_lines(a, b):
    """Heap a is spread evenly from a[0] to a[1], heap b from b[0] to b[1]. Return the two lines (slope, offset) that
    turn the one heap into the other, as a list.
    """
    return ...
''', both_lines),
    Exercise("8.2", "What returns", '''
import numpy as np


def returns(pictures, back):
    """How much of ``pictures`` (N, C, H, W) comes back: 1 less the mean distance |back - picture|, as a share of the
    mean distance of the pictures from their mean picture.
    """
    return ...
''', returns),
    Exercise("8.3", "Earlier fakes", '''
def show(kept, fake, size, rng):
    """``kept`` is a list of earlier fakes, ``rng`` a NumPy generator. Return what the detective is shown for ``fake``:
    itself, as long as fewer than ``size`` are kept, and it is kept then. After that, in half of the cases itself, in
    the others one of those kept, which it replaces.
    """
    return ...
''', fakes),
)  # fmt: skip
