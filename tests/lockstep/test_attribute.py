"""The attribute game and its networks, side by side with PyTorch: the losses as one writes them there, 50 steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from harness import Lockstep  # noqa: E402

from minigan import gan  # noqa: E402
from minigan.data.attributes import Category, Number, columns_of  # noqa: E402

ATTRIBUTES = [Category("hair", ("black", "red")), Number("age", 20, 80, 3)]
EVERY = 4  # steps between two of R1


def step(side, x, own, wanted, asked):
    count = step.count = step.count + 1
    generator, discriminator = side.generator, side.discriminator

    def judged(seen, shares):
        parts = columns_of(ATTRIBUTES)
        return sum(F.cross_entropy(seen[:, part], shares[:, part]) for part in parts) / len(parts)

    y = generator(x, wanted * asked, own)
    real = x.clone().requires_grad_()
    of_x, of_y = discriminator(real, own), discriminator(y.detach(), wanted)
    losses = {
        "d_loss": F.softplus(-of_x[:, 0]).mean() + F.softplus(of_y[:, 0]).mean(),
        "d_judged": judged(of_x[:, 1:], own),
        "d_doubt": 0.6 * judged(of_y[:, 1:], own),
    }
    if count % EVERY == 0:
        (slope,) = torch.autograd.grad(of_x[:, 0].sum(), real, create_graph=True)
        losses["penalty"] = EVERY * slope.square().sum((1, 2, 3)).mean() / 2
    side.update("d", sum(losses.values()))

    of_y = discriminator(y, wanted)
    of_g = {
        "g_loss": F.softplus(-of_y[:, 0]).mean(),
        "g_judged": judged(of_y[:, 1:], wanted),
        "back": 5 * (generator(y, own * asked, wanted) - x).abs().mean(),
        "change": side.change_weight * (y - x).abs().mean(),
        "coarse": 0.7 * F.avg_pool2d(y - x, 4).abs().mean(),
        "g_seen": F.cross_entropy(generator.see(x)[:, 2:], own[:, 2:]),
    }
    side.update("g", sum(of_g.values()))
    return losses | of_g


def make_game(dtype=np.float64, change_weight=0.3):
    told = [one.as_dict() for one in ATTRIBUTES]
    architecture = {"model": "attribute", "attributes": told, "image_size": 16, "channels": 1, "width": 2, "d_width": 2}
    networks = (network.to("numpy", dtype) for network in gan.build(architecture, np.random.default_rng(0)))
    trainer = gan.EDITORS["attribute"].trainer(
        *networks, attributes=ATTRIBUTES, rng=np.random.default_rng(1), penalties=[gan.R1(gamma=1.0, every=EVERY)],
        change_weight=change_weight, coarse_weight=0.7, doubt_weight=0.6,
    )  # fmt: skip
    step.count = 0
    game = Lockstep(trainer, step)
    game.twin.change_weight = 0.3
    return game


def batches(count, dtype):
    rng = np.random.default_rng(2)
    for _ in range(count):
        x = rng.uniform(-1, 1, (2, 1, 16, 16))
        own, wanted = (
            np.concatenate([ATTRIBUTES[0].encode([hair, "red"]), ATTRIBUTES[1].encode(rng.uniform(20, 80, 2))], axis=1)
            for hair in ("red", "black")
        )
        asked = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])
        yield tuple(a.astype(dtype) for a in (x, own, np.where(asked, wanted, own), asked))


def test_float64():
    game = make_game()
    for batch in batches(50, np.float64):
        game.step(*batch)
        if game.count in (1, 10, 50):
            game.compare(1e-10 if game.count == 1 else 1e-7)


def test_float32():
    game = make_game(np.float32)
    for batch in batches(10, np.float32):
        game.step(*batch)
    game.compare_losses(1e-3)


def test_another_weight_is_noticed():
    game = make_game(change_weight=0.301)
    (batch,) = batches(1, np.float64)
    game.step(*batch)
    with pytest.raises(AssertionError, match="loss change"):
        game.compare(1e-10)
