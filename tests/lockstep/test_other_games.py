"""Games of other players and turns, side by side with PyTorch: pairs with a reconstruction, and a cycle of two."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402 (needs torch)
from harness import NETWORKS, Lockstep  # noqa: E402
from other_games import GAMES, Told, batches  # noqa: E402

from minigan import gan  # noqa: E402

NETWORKS[Told] = lambda self, x, source: self.network(torch.cat([source, x], dim=1))


def paired_step(side, target, source):
    bce = F.binary_cross_entropy_with_logits
    fake = side.generator(source)
    real_logits, fake_logits = side.discriminator(target, source), side.discriminator(fake.detach(), source)
    d_loss = bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits))
    side.update("d", d_loss)
    fooled = bce(side.discriminator(fake, source), torch.ones_like(fake_logits))
    l1 = 10 * F.l1_loss(fake, target)
    side.update("g", fooled + l1)
    return {"d_loss": d_loss, "g_loss": fooled, "l1": l1}


class Buffer:
    """The image pool of CycleGAN's authors: earlier fakes instead of new ones, every second time."""

    def __init__(self, size):
        self.size, self.kept = size, []

    def show(self, fakes, rng):
        shown = []
        for fake in fakes.detach():
            if len(self.kept) < self.size:
                self.kept.append(fake)
            elif rng.random() < 0.5:
                slot = rng.integers(self.size)
                fake, self.kept[slot] = self.kept[slot], fake
            shown.append(fake)
        return torch.stack(shown)


def cycle_step(buffer=50, identity_weight=0.0):
    pools = Buffer(buffer), Buffer(buffer)

    def step(side, a, b):
        ab, ba, judge_a, judge_b = side.networks.values()
        fake_a, fake_b = ba(b), ab(a)
        losses = {}
        players = (("d_a", judge_a, a, fake_a, pools[0]), ("d_b", judge_b, b, fake_b, pools[1]))
        for turn, judge, real, fake, pool in players:
            shown = pool.show(fake, side.rng)
            losses[f"{turn}_loss"] = ((judge(real) - 1).square().mean() + judge(shown).square().mean()) / 2
            side.update(turn, losses[f"{turn}_loss"])
        losses["g_loss"] = ((judge_a(fake_a) - 1).square().mean() + (judge_b(fake_b) - 1).square().mean()) / 2
        losses["cycle"] = 10 * (F.l1_loss(ba(fake_b), a) + F.l1_loss(ab(fake_a), b))
        if identity_weight:
            losses["identity"] = identity_weight * (F.l1_loss(ba(a), a) + F.l1_loss(ab(b), b))
        side.update("g", losses["g_loss"] + losses["cycle"] + losses.get("identity", 0))
        return losses

    return step


STEPS = {"paired": lambda: paired_step, "cycle": cycle_step, "cycle_of_few": lambda: cycle_step(6, 5.0)}


def make_game(name, dtype=np.float64, **settings):
    return Lockstep(gan.Trainer(GAMES[name](dtype=dtype, **settings)), STEPS[name]())


@pytest.mark.parametrize("name", GAMES)
def test_float64(name):
    game = make_game(name)
    for batch in batches(50, np.float64):
        game.step(*batch)
        game.compare(1e-10 if game.count == 1 else 1e-8)


@pytest.mark.parametrize("name", GAMES)
def test_float32(name):
    game = make_game(name, np.float32)
    for batch in batches(10):
        game.step(*batch)
    game.compare(1e-3)


@pytest.mark.parametrize("name", GAMES)
def test_another_weight_is_noticed(name):
    game = make_game(name, weight=10.01)
    (batch,) = batches(1, np.float64)
    game.step(*batch)
    with pytest.raises(AssertionError, match=r"loss (l1|cycle)"):
        game.compare(1e-10)
