"""What D is shown instead of the plain images: by formula, differentiable, and the same from the same generator."""

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, gan, nn
from minigan.gan import DiffAugment, InstanceNoise
from minigan.gan.augment import POLICIES
from minigan.gradcheck import check_grad
from minigan.tensor import Tensor, grad

SHAPE = (6, 3, 16, 8)


@pytest.fixture
def values(rng):
    return rng.uniform(-1, 1, SHAPE)


def rng_of(seed):
    return np.random.default_rng(seed)


# ---- instance noise -------------------------------------------------------------------------------------------------


def test_instance_noise_is_added(tensor, values):
    seen = InstanceNoise(0.3)(tensor(values), rng_of(1), 1).numpy()
    np.testing.assert_allclose(seen, values + 0.3 * rng_of(1).standard_normal(SHAPE), rtol=1e-15)


@pytest.mark.parametrize(("step", "std"), [(0, 0.5), (1, 0.4), (4, 0.1), (5, 0.0), (9, 0.0)])
def test_instance_noise_falls_linearly_to_nothing(tensor, values, step, std):
    seen = InstanceNoise(0.5, steps=5)(tensor(values), rng_of(1), step).numpy()
    np.testing.assert_allclose(seen, values + std * rng_of(1).standard_normal(SHAPE), rtol=1e-12)


def test_without_steps_it_does_not_fall(tensor, values):
    first, late = (InstanceNoise(0.5)(tensor(values), rng_of(1), step).numpy() for step in (1, 10**6))
    np.testing.assert_array_equal(first, late)


@pytest.mark.parametrize("noise", [InstanceNoise(0.0), InstanceNoise(0.5, steps=5)])
def test_no_noise_is_the_images_themselves(tensor, values, noise):
    x, rng = tensor(values), rng_of(1)
    assert noise(x, rng, 5) is x
    assert rng.random() == rng_of(1).random()  # and nothing was drawn


# ---- DiffAugment: each policy by its formula ------------------------------------------------------------------------


def colored(x, rng):
    brightness, saturation, contrast = (rng.random(len(x)).reshape(-1, 1, 1, 1) for _ in range(3))
    x = x + (brightness - 0.5)
    grey = x.mean(axis=1, keepdims=True)
    x = (x - grey) * (2 * saturation) + grey
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    return (x - mean) * (contrast + 0.5) + mean


def translated(x, rng):
    downs, rights = rng.integers(-2, 3, len(x)), rng.integers(-1, 2, len(x))  # an eighth of 16 and of 8
    y = np.zeros_like(x)
    for n, c, i, j in np.ndindex(x.shape):
        a, b = i - downs[n], j - rights[n]
        if 0 <= a < x.shape[2] and 0 <= b < x.shape[3]:
            y[n, c, i, j] = x[n, c, a, b]
    return y


def cut_out(x, rng):
    """The square's centre is anywhere in the image, borders included, so up to three quarters of it lie outside."""
    middles = rng.integers(0, x.shape[2] + 1, len(x)), rng.integers(0, x.shape[3] + 1, len(x))
    y = x.copy()
    for n, _, i, j in np.ndindex(x.shape):
        if -4 <= i - middles[0][n] < 4 and -2 <= j - middles[1][n] < 2:
            y[n, :, i, j] = 0
    return y


FORMULAS = {"color": colored, "translation": translated, "cutout": cut_out}


def test_every_policy_has_a_formula_here():
    assert POLICIES.keys() == FORMULAS.keys()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMULAS)
def test_values(tensor, values, name, seed):
    seen = DiffAugment(name)(tensor(values), rng_of(seed), 1).numpy()
    np.testing.assert_allclose(seen, FORMULAS[name](values, rng_of(seed)), rtol=1e-12, atol=1e-15)
    assert not np.allclose(seen, values)


def test_policies_are_applied_in_the_order_they_are_named(tensor, values):
    rng = rng_of(1)
    expected = colored(cut_out(values, rng), rng)
    np.testing.assert_allclose(DiffAugment("cutout,color")(tensor(values), rng_of(1), 1).numpy(), expected, rtol=1e-12)
    assert DiffAugment() == DiffAugment("color,translation,cutout")


def test_a_grey_picture_keeps_its_saturation(tensor, values):
    """One channel is its own mean: only brightness and contrast are left."""
    x = values[:, :1]
    brightness, _, contrast = (rng.reshape(-1, 1, 1, 1) for rng in rng_of(1).random((3, len(x))))
    mean = x.mean((1, 2, 3), keepdims=True)
    expected = (x - mean) * (contrast + 0.5) + mean + brightness - 0.5
    np.testing.assert_allclose(DiffAugment("color")(tensor(x), rng_of(1), 1).numpy(), expected, rtol=1e-10)


class Fixed:
    """A generator whose every draw is the same: the limits of what the policies do."""

    def __init__(self, share):
        self.share = share

    def random(self, shape):
        return np.full(shape, self.share)

    def integers(self, low, high, size):
        return np.full(size, low + int(self.share * (high - low)))


def test_in_the_middle_nothing_changes_but_what_is_cut_out(tensor, values):
    middle = Fixed(0.5)  # brightness + 0, saturation and contrast x 1, moved by 0
    np.testing.assert_allclose(DiffAugment("color,translation")(tensor(values), middle, 1).numpy(), values, rtol=1e-12)
    cut = DiffAugment("cutout")(tensor(values), middle, 1).numpy()
    assert (cut[:, :, 4:12, 2:6] == 0).all()  # half of each side, in the middle
    assert np.count_nonzero(cut) == values.size * 3 // 4


def test_cutout_at_a_corner(tensor, values):
    cut = DiffAugment("cutout")(tensor(values), Fixed(0.0), 1).numpy()
    assert (cut[:, :, :4, :2] == 0).all()
    assert np.count_nonzero(cut) == values.size * 15 // 16


def test_images_too_small_to_be_moved_stay(tensor, rng):
    x = rng.standard_normal((4, 1, 3, 3))
    np.testing.assert_array_equal(DiffAugment("translation")(tensor(x), rng, 1).numpy(), x)


AUGMENTATIONS = {**{name: DiffAugment(name) for name in FORMULAS}, "all": DiffAugment(), "noise": InstanceNoise(0.2)}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_generator_decides(tensor, values, name):
    one, again, other = (AUGMENTATIONS[name](tensor(values), rng_of(seed), 1).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_image_has_its_own_draw(tensor, values, name):
    seen = AUGMENTATIONS[name](tensor(values[[0, 0, 0, 0]]), rng_of(1), 1).numpy()
    assert any(not np.array_equal(seen[0], image) for image in seen[1:])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_dtype_stays_and_the_images_are_untouched(tensor, values, name):
    x = tensor(values, np.float32)
    before = np.array(x.numpy())
    assert AUGMENTATIONS[name](x, rng_of(1), 1).dtype == np.float32
    np.testing.assert_array_equal(x.numpy(), before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients(tensor, rng, name):
    x = tensor(rng.standard_normal((2, 3, 4, 4) if name == "color" else (2, 1, 8, 8)))
    check_grad(lambda x: AUGMENTATIONS[name](x, rng_of(1), 1), x, order=2)


@pytest.mark.parametrize(
    ("policy", "unknown"),
    [("", "''"), ("colour", "'colour'"), ("color, cutout", "' cutout'"), ("a,color,b", "'a', 'b'")],
)
def test_unknown_policies_are_refused(policy, unknown):
    with pytest.raises(InputError, match=f"DiffAugment: unknown {unknown}; choose of color, translation, cutout"):
        DiffAugment(policy)


# ---- in training ----------------------------------------------------------------------------------------------------


def test_d_sees_everything_augmented_and_g_feels_it():
    """Real images, fakes, and the fakes again for G; G's gradient goes through the augmentation."""

    class Watching(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(16, 1, rng=rng_of(0))
            self.seen = []

        def forward(self, x):
            self.seen.append(np.array(x.numpy()))
            return self.linear(x.reshape(len(x), -1))

    calls = []

    def halved(x, rng, step):
        calls.append(step)
        return x * 0.5

    generator, discriminator = nn.Sequential(nn.Linear(3, 16, rng=rng_of(1)), nn.Reshape(1, 4, 4)), Watching()
    trainer = trainer_of(
        generator, discriminator, z_dim=3, rng=rng_of(2), augment=[halved, halved], objective=gan.Wasserstein()
    )
    z = rng_of(2).standard_normal((2, 3)).astype(np.float32)
    fake = generator(Tensor(z))
    gradients = {}
    trainer.optimizers["g"].update = lambda backend, params, grads: gradients.update(g=grads[0])
    real = np.ones((2, 1, 4, 4), np.float32)
    list(trainer.steps([real]))
    assert calls == [1] * 6
    for seen, plain in zip(discriminator.seen, (real, fake.numpy(), fake.numpy()), strict=True):
        np.testing.assert_allclose(seen, plain / 4, rtol=1e-6)
    (expected,) = grad(-discriminator(generator(Tensor(z)) * 0.25).mean(), generator.parameters()[:1])
    np.testing.assert_allclose(gradients["g"], expected.numpy(), rtol=1e-5)
