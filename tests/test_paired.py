"""The paired game, its models, and what makes a network fit for pictures of any size."""

import math

import numpy as np
import pytest
from test_capture import needs_cupy

from minigan import InputError, gan, nn, ops
from minigan.gan.models.paired import PatchGAN, Residual
from minigan.restoration import TASKS
from minigan.tensor import Tensor, grad

SMALL = {"dncnn": 4, "drunet": 4, "srgan": 4, "pix2pix": 2, "context_encoder": 2}


def build(name, task=None, **settings):
    own = (
        {"width": SMALL[name], "d_width": 4}
        | ({"source_channels": TASKS[task].source_channels} if task else {})
        | settings
    )
    return gan.build({"model": name, **own}, np.random.default_rng(0))


def trainer_of(name, alone=False, **settings):
    generator, discriminator = build(name, source_channels=3)
    return gan.PAIRED[name].trainer(
        generator, None if alone else discriminator, rng=np.random.default_rng(1), **settings
    )


def batches(count, scale=1, side=16):
    rng = np.random.default_rng(2)
    for _ in range(count):
        x = rng.uniform(-1, 1, (2, 3, side, side)).astype(np.float32)
        yield x, x[:, :, ::scale, ::scale]


# ---- the game --------------------------------------------------------------------------------------------------------


def test_alone_it_is_the_l1_term_and_nothing_else():
    trainer = trainer_of("dncnn", alone=True, l1_weight=3.0)
    (batch,) = batches(1)
    made = gan.translate(trainer.game.generator, batch[1])
    (record,) = trainer.steps([batch])
    assert trainer.game.networks.keys() == {"generator"} and trainer.optimizers.keys() == {"g"}
    assert record.g_loss == pytest.approx(3 * np.abs(made - batch[0]).mean(), rel=1e-5)
    assert record.psnr == pytest.approx(10 * math.log10(4 / ((made - batch[0]) ** 2).mean()), rel=1e-5)
    assert math.isnan(trainer.game.lead(record.values))


@pytest.mark.parametrize("name", SMALL)
class TestCaptured:
    pytestmark = needs_cupy

    def test_captured_is_eager(self, name):
        """Of a size at which networks mirror the border, till the second step that measures."""
        records, scale = [], 4 if name == "srgan" else 1
        for capture in (True, False):
            networks = (network.to("cupy") for network in build(name, source_channels=3))
            trainer = gan.PAIRED[name].trainer(*networks, rng=np.random.default_rng(1), capture=capture)
            place = trainer.game.backend
            on_device = [tuple(map(place.asarray, batch)) for batch in batches(11, scale, side=20)]
            records.append([record.as_dict() for record in trainer.steps(on_device)])
            assert trainer.capture_reason == ("" if capture else "capture = False")
        assert repr(records[0]) == repr(records[1])


def test_the_discriminator_is_told_the_source():
    _, discriminator = build("dncnn")
    (target, source), (_, other) = batches(2)
    logits = [discriminator(Tensor(target), Tensor(given)).numpy() for given in (source, other)]
    assert logits[0].shape == (2, 4) and not np.allclose(*logits)


def test_a_smaller_source_is_enlarged_for_it():
    rng = np.random.default_rng(0)
    discriminator, x = PatchGAN(6, 4, 2, rng), Tensor(rng.standard_normal((1, 3, 16, 16)).astype(np.float32))
    small = Tensor(rng.standard_normal((1, 3, 4, 4)).astype(np.float32))
    enlarged = ops.resize(small, (16, 16), mode="bilinear")
    np.testing.assert_allclose(discriminator(x, small).numpy(), discriminator(x, enlarged).numpy(), rtol=1e-5)


def test_what_was_changed_is_judged():
    """Beside the source, whose mask is not a part of the picture."""
    rng = np.random.default_rng(0)
    discriminator = PatchGAN(7, 4, 2, rng)
    discriminator.network = nn.Sequential()
    picture, source = (Tensor(rng.uniform(-1, 1, (1, channels, 8, 8))) for channels in (3, 4))
    seen = discriminator(picture, source).numpy().reshape(7, 8, 8)
    np.testing.assert_array_equal(seen[:4], source.numpy()[0])
    np.testing.assert_allclose(seen[4:], 4 * (picture.numpy() - source.numpy()[:, :3])[0])


@pytest.mark.parametrize("settings", [{"objective": gan.Hinge()}, {"penalties": [gan.R1()]}, {"n_critic": 2}])
def test_settings_of_the_adversary_need_one(settings):
    generator, _ = build("dncnn")
    with pytest.raises(InputError, match="of a game with a discriminator: give one"):
        gan.Paired(generator, rng=np.random.default_rng(0), **settings)


@pytest.mark.parametrize("weight", [0, -1, math.inf, math.nan])
def test_a_weight_that_is_none(weight):
    with pytest.raises(InputError, match="l1_weight"):
        trainer_of("dncnn", l1_weight=weight)


def test_penalties_are_added():
    trainer = trainer_of("dncnn", penalties=[gan.R1()], objective=gan.Hinge())
    (record,) = trainer.steps(batches(1))
    assert record.penalty > 0 and {"d_loss", "g_loss", "l1"} <= record.values.keys()


# ---- the networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gan.PAIRED)
def test_it_learns(name):
    scale = 4 if name == "srgan" else 1
    trainer = trainer_of(name, alone=True, g_lr=3e-3)
    rng, steps = np.random.default_rng(0), 30
    smooth = np.cumsum(rng.uniform(-0.3, 0.3, (2, 3, 16, 16)), axis=3).clip(-1, 1).astype(np.float32)
    noisy = (smooth[:, :, ::scale, ::scale] + rng.normal(0, 0.2, smooth[:, :, ::scale, ::scale].shape)).astype("f")
    records = list(trainer.steps([(smooth, noisy)] * steps))
    assert records[-1].g_loss < 0.9 * records[0].g_loss


@pytest.mark.parametrize("name", gan.PAIRED)
@pytest.mark.parametrize("size", [(16, 16), (7, 10), (1, 5), (33, 18)])
def test_any_size(name, size):
    generator, _ = build(name, source_channels=3)
    scale = 4 if name == "srgan" else 1
    made = gan.translate(generator, np.zeros((1, 3, *size), np.float32))
    assert made.shape == (1, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("name", gan.PAIRED)
def test_no_output_depends_on_more_than_its_reach(name):
    """The gradient of a pixel is the picture of what it looks at."""
    model, side = gan.PAIRED[name], 2 * gan.PAIRED[name].reach + 2 * gan.PAIRED[name].step
    generator, _ = build(name, source_channels=3)
    x = Tensor(np.random.default_rng(0).uniform(-1, 1, (1, 3, side, side)).astype(np.float32), requires_grad=True)
    y, middle = generator(x), side // 2 // model.step * model.step
    scale = y.shape[2] // side
    for first in (0, model.step - 1):  # the first and the last pixel of a cell
        at = middle + first
        (seen,) = grad(y[:, :, at * scale, at * scale].sum(), [x], retain_graph=True)
        rows = np.flatnonzero(np.abs(seen.numpy()).sum(axis=(0, 1, 3)))
        assert at - model.reach <= rows.min() < at < rows.max() <= at + model.reach


def test_a_residual_changes_only_what_is_missing():
    body = nn.Conv2d(4, 3, 1)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, 5, 5)).astype(np.float32)
    x[:, 3] = 0
    x[0, 3, 2, 2] = 1
    changed = np.abs(Residual(body, 3)(Tensor(x)).numpy() - x[:, :3]).sum(axis=1)[0] > 0
    assert changed.sum() == 1 and changed[2, 2]


def test_grey_is_taken_for_every_colour():
    body = nn.Conv2d(1, 3, 1)
    nn.init.constant_(body.weight, 0)
    nn.init.constant_(body.bias, 0)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 1, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(Residual(body, 3)(Tensor(x)).numpy(), np.repeat(x, 3, axis=1))


def test_another_number_of_channels_is_refused():
    with pytest.raises(InputError, match="a source of 2 channels, for a picture of 3"):
        Residual(nn.Conv2d(2, 3, 1), 3)(Tensor(np.zeros((1, 2, 4, 4), np.float32)))


@pytest.mark.parametrize("settings", [{"width": -1}, {"depth": 0}, {"shuffle": 0}, {"blocks": 3}])
def test_settings_that_do_not_fit(settings):
    with pytest.raises(InputError, match="dncnn"):
        gan.build({"model": "dncnn", **settings}, np.random.default_rng(0))


def test_a_scale_that_srgan_does_not_have():
    with pytest.raises(InputError, match="scale 5 is not one of 1, 2, 3, 4"):
        build("srgan", scale=5)


@pytest.mark.parametrize("sources", [np.zeros((3, 4, 4)), np.zeros((0, 3, 4, 4))])
def test_translate_wants_pictures(sources):
    with pytest.raises(InputError, match="translate: sources are"):
        gan.translate(build("dncnn")[0], sources)
