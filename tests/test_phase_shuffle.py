"""Phase shuffle: sample by sample as its formula says, its adjoint, and who draws."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import nn, ops
from minigan.errors import InputError
from minigan.tensor import Tensor

SHIFTS = np.array([2, 0, -1, -2])


def moved(x, shifts):
    """y[n, c, i] = x[n, c, i - shifts[n]], mirrored at both ends, by a list of places."""
    length = x.shape[2]
    y = np.empty_like(x)
    for n, c, i in np.ndindex(x.shape):
        place = i - shifts[n]
        place = -place if place < 0 else 2 * (length - 1) - place if place >= length else place
        y[n, c, i] = x[n, c, place]
    return y


@pytest.mark.parametrize("length", [3, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(tensor, rng, length, dtype):
    x = rng.standard_normal((4, 2, length)).astype(dtype)
    y = ops.phase_shuffle(tensor(x, dtype), SHIFTS, 2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), moved(x, SHIFTS))


def test_gradients_are_pytorchs(backend, rng):
    torch = pytest.importorskip("torch")
    places = np.arange(6) + 2 - SHIFTS[:, None]

    def theirs(x):
        wide = torch.nn.functional.pad(x, (2, 2), mode="reflect")
        return wide.gather(2, torch.from_numpy(places)[:, None].expand(4, 3, 6)) ** 2

    x = rng.standard_normal((4, 3, 6))
    assert_twins(lambda x: ops.phase_shuffle(x, SHIFTS, 2) ** 2, theirs, x, backend=backend)


def test_the_layer_moves_while_training_only_by_its_own_generator(tensor, rng):
    x = rng.standard_normal((64, 1, 9))
    layer = nn.PhaseShuffle(3, rng=np.random.default_rng(5))
    expected = np.random.default_rng(5).integers(-3, 4, 64)
    np.testing.assert_array_equal(layer(tensor(x)).numpy(), moved(x, expected))
    assert set(expected) == set(range(-3, 4))
    again = layer(tensor(x)).numpy()
    assert not np.array_equal(again, moved(x, expected))  # anew each time
    np.testing.assert_array_equal(layer.eval()(tensor(x)).numpy(), x)
    np.testing.assert_array_equal(nn.PhaseShuffle(0)(tensor(x)).numpy(), x)
    assert repr(nn.PhaseShuffle(3)) == "PhaseShuffle(3)"


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda x: ops.phase_shuffle(x, np.array([0, 1]), 2), r"shifts \(N,\) whole numbers"),
        (lambda x: ops.phase_shuffle(x, np.zeros(4), 2), r"shifts \(N,\) whole numbers"),
        (lambda x: ops.phase_shuffle(x, [0, 0, 0, 0], 2), r"shifts \(N,\) whole numbers"),
        (lambda x: ops.phase_shuffle(x[0], SHIFTS, 2), r"must be \(N, C, L\)"),
        (lambda x: ops.phase_shuffle(x, SHIFTS, 1), "shifts from -2 to 2 must not exceed reach = 1"),
        (lambda x: ops.phase_shuffle(x, SHIFTS, 5), "reach = 5 must be less than the 5 samples"),
        (lambda x: ops.phase_shuffle(x, SHIFTS, -1), "reach = -1 must be"),
        (lambda x: nn.PhaseShuffle(1.5), "PhaseShuffle: reach = 1.5"),
    ],
)
def test_bad_input_says_what_is_wrong(call, said):
    with pytest.raises(InputError, match=said):
        call(Tensor(np.ones((4, 2, 5))))
