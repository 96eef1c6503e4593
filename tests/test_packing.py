"""PacGAN: a detective who sees several samples at once."""

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, gan, nn
from minigan.gan import Packed
from minigan.tensor import Tensor


class Watching(nn.Module):
    def forward(self, x):
        self.seen = np.array(x.numpy())
        return x.reshape(len(x), -1).sum(1, keepdims=True)


@pytest.mark.parametrize("shape", [(6, 2), (6, 3, 4, 5)])
@pytest.mark.parametrize("pac", [1, 2, 3, 6])
def test_samples_side_by_side_in_the_channels(tensor, rng, shape, pac):
    x = rng.standard_normal(shape)
    inner = Watching()
    logits = Packed(inner, pac)(tensor(x))
    packs = [np.concatenate(list(x[start : start + pac]), axis=0) for start in range(0, 6, pac)]
    np.testing.assert_array_equal(inner.seen, packs)
    assert logits.shape == (6 // pac, 1)


def test_the_inner_networks_parameters_are_its_own(rng):
    inner = nn.Linear(4, 1, rng=rng)
    packed = Packed(inner, 2)
    assert packed.parameters() == inner.parameters()
    assert list(packed.state_dict()) == ["discriminator.weight", "discriminator.bias"]


def test_a_batch_that_cannot_be_packed_is_refused(rng):
    with pytest.raises(InputError, match="Packed: a batch of 7 cannot be packed in groups of 2"):
        Packed(nn.Linear(4, 1, rng=rng), 2)(Tensor(np.zeros((7, 2), np.float32)))


@pytest.mark.parametrize("pac", [0, -2, 2.0])
def test_no_pack_is_refused(pac):
    with pytest.raises(InputError, match=f"Packed: pac = {pac} must be a whole number of at least 1"):
        Packed(Watching(), pac)


def test_it_trains_with_a_penalty_too(rng):
    """The slope is taken with respect to every sample of a pack."""
    generator = nn.Linear(3, 2, rng=rng)
    inner = nn.Linear(4, 1, bias=False, rng=rng)
    trainer = trainer_of(generator, Packed(inner, 2), z_dim=3, rng=rng, penalties=[gan.R1(gamma=2.0)])
    w = np.array(inner.weight.numpy(), np.float64)
    before = inner.state_dict()["weight"]
    (record,) = trainer.steps([rng.standard_normal((6, 2)).astype(np.float32)])
    # Each sample meets its own half of the weights, so the mean over samples of |slope|^2 is |w|^2 / 2.
    assert record.penalty == pytest.approx((w**2).sum() / 2, rel=1e-5)
    assert np.isfinite([record.d_loss, record.g_loss]).all()
    assert not np.array_equal(inner.state_dict()["weight"], before)
