"""Moving pictures side by side with PyTorch: MoCoGAN with both of its judges, VGAN with one, R1 on each."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402 (needs torch)
from harness import Lockstep  # noqa: E402

from minigan import gan, nn, optim  # noqa: E402

FRAMES, JUDGED, SIDE, BATCH = 3, 2, 8, 4
MOTION = {"model": "mocogan", "z_dim": 9, "state": 4, "noise": 1}  # and 2 numbers of content
SETTINGS = {
    "mocogan": MOTION,
    "mocogan of two things": MOTION | {"things": 2},
    "vgan": {"model": "vgan", "z_dim": 5},
}


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def r1(logits, x):
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * slope.square().flatten(1).sum(1).mean()


def some(side, clips):
    times = side.rng.integers(0, FRAMES, (len(clips), JUDGED))
    return clips[torch.arange(len(clips))[:, None], torch.from_numpy(times)]


def step(side, real, clusters):
    image = getattr(side.discriminator, "image", None)
    fake = side.generator(side.sample_z(len(real)), clusters)

    def judged(judge, real, fake):
        real = real.detach().requires_grad_(True)
        real_logits = judge(real, clusters)
        return bce(real_logits, 1.0) + bce(judge(fake.detach(), clusters), 0.0), r1(real_logits, real)

    losses = {}
    losses["d_loss"], slope = judged(side.discriminator, real, fake)
    losses["penalty"] = slope * FRAMES
    if image is not None:
        losses["d_image_loss"], slope = judged(image, some(side, real), some(side, fake))
        losses["penalty"] = losses["penalty"] + slope
    side.update("d", sum(losses.values()))
    made = {"g_loss": bce(side.discriminator(fake, clusters), 1.0)}
    if image is not None:
        made["g_image_loss"] = bce(image(some(side, fake), clusters), 1.0)
    side.update("g", sum(made.values()))
    return losses | made


def make_game(name, dtype=np.float64):
    architecture = {
        "image_size": SIDE,
        "frames": FRAMES,
        "width": 4,
        "clusters": [2, 1, 3],
        **SETTINGS[name],
    }
    networks = [network.to(dtype=dtype) for network in gan.build(architecture, np.random.default_rng(0))]
    adam = {"lr": 2e-4, "betas": (0.0, 0.99)}
    optimizers = {who: optim.Adam(n.parameters(), **adam) for who, n in zip("gd", networks, strict=True)}
    rng, penalties = np.random.default_rng(1), [gan.R1(gamma=1.0)]
    model = gan.MODELS[architecture["model"]]
    trainer = model.trainer(
        *networks, z_dim=architecture["z_dim"], rng=rng, penalties=penalties, optimizers=optimizers, ema=None
    )
    return Lockstep(trainer, step)


def batches(count, dtype=np.float64):
    rng = np.random.default_rng(3)  # with others a unit lies within float32's rounding of its kink, see test_games.py
    for _ in range(count):
        still = rng.standard_normal((BATCH, 1, 1, SIDE, SIDE))
        clips = np.tanh(still + 0.5 * rng.standard_normal((BATCH, FRAMES, 1, SIDE, SIDE))).astype(dtype)
        yield clips, rng.integers(0, 3, BATCH)


@pytest.mark.parametrize("name", SETTINGS)
def test_float64(name):
    game = make_game(name)
    for batch in batches(50):
        game.step(*batch)
        if game.count < 3 or game.count % 10 == 0:
            game.compare(1e-10 if game.count == 1 else 1e-8)
    assert game.count == 50


@pytest.mark.parametrize("name", SETTINGS)
def test_float32(name):
    game = make_game(name, np.float32)
    for batch in batches(10, np.float32):
        game.step(*batch)
    game.compare(1e-3)


@pytest.mark.parametrize("fault", ["frames", "state"])
def test_what_is_wrong_is_noticed(monkeypatch, fault):
    if fault == "frames":  # the last ones, in place of those that were drawn
        monkeypatch.setattr(gan.Video, "some", lambda self, clips: clips[:, [-1] * self.frames])
    else:  # forgotten from frame to frame
        forward = nn.GRUCell.forward
        monkeypatch.setattr(nn.GRUCell, "forward", lambda self, x, h: forward(self, x))
    game = make_game("mocogan")
    (batch,) = batches(1)
    game.step(*batch)
    with pytest.raises(AssertionError, match="loss"):
        game.compare(1e-10)
