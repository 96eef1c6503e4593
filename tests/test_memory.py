"""What a run takes is told before it starts, and is right within a factor of two."""

import tracemalloc
import warnings

import numpy as np
import pytest

from minigan import cli, gan
from minigan.commands import memory
from minigan.gan.memory import available, memory_needed


@pytest.mark.parametrize(
    ("model", "size", "width", "batch"),
    [("dcgan", 64, 16, 16), ("wgan_gp", 64, 16, 16), ("sngan", 32, 16, 16), ("self_conditioned", (64, 96), 16, 16)],
)
def test_the_rule_of_thumb(model, size, width, batch):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        networks = gan.build({"model": model, "image_size": size, "channels": 3, "width": width}, rng())
        z_dim = gan.MODELS[model].z_dim
        settings = {"n_critic": 1, "penalties": [replaced(p) for p in gan.MODELS[model].penalties]}
        trainer = gan.MODELS[model].trainer(*networks, z_dim=z_dim, rng=rng(), **settings)
        height, wide = size if isinstance(size, tuple) else (size, size)
        real = rng().uniform(-1, 1, (batch, height, wide, 3)).astype(np.float32).transpose(0, 3, 1, 2)
        for _ in range(2):
            tracemalloc.reset_peak()
            trainer.step(real)
        taken = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert 0.5 * taken < memory_needed(trainer, batch).total < 2 * taken


def replaced(penalty):
    return type(penalty)()  # in every step


def rng():
    return np.random.default_rng(0)


def test_labels_are_told_where_there_are_any():
    networks = gan.build({"model": "cgan", "classes": 3, "width": 4}, rng())
    trainer = gan.MODELS["cgan"].trainer(*networks, z_dim=100, rng=rng())
    one, two = (memory_needed(trainer, batch, labels=True) for batch in (8, 16))
    assert one.networks == two.networks and two.batch == pytest.approx(2 * one.batch, abs=1)


def test_of_another_game_nothing_is_told():
    networks = gan.build({"model": "pix2pix", "width": 4}, rng())
    with pytest.raises(TypeError, match="knows the game of two players, not a Paired"):
        memory_needed(gan.PAIRED["pix2pix"].trainer(*networks, rng=rng()), 4)


def test_nothing_is_drawn_and_no_statistics_move():
    networks = gan.build({"model": "dcgan", "width": 4}, rng())
    trainer = gan.MODELS["dcgan"].trainer(*networks, z_dim=100, rng=rng())
    before = trainer.arrays(), repr(trainer.facts())
    memory_needed(trainer, 8)
    assert repr(trainer.facts()) == before[1]
    assert all(np.array_equal(before[0][name], array) for name, array in trainer.arrays().items())


def test_another_game_is_refused():
    with pytest.raises(TypeError, match="memory_needed knows the game of two players, not a NoneType"):
        memory_needed(type("Trainer", (), {"game": None})(), 8)


def test_much_is_told_and_too_much_is_warned_of(tmp_path, monkeypatch, capsys):
    argv = ["train", "--model", "dcgan", "--steps", "1", "--width", "2", "--batch-size", "8", "--out"]
    assert cli.main([*argv, str(tmp_path / "little")]) == 0
    assert "memory" not in capsys.readouterr().err
    monkeypatch.setattr(memory, "MUCH", 1)
    assert cli.main([*argv, str(tmp_path / "much")]) == 0
    assert "this will take some " in capsys.readouterr().err
    monkeypatch.setattr(memory, "available", lambda: 1)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main([*argv, str(tmp_path / "too-much"), "--quiet"]) == 0
    assert "0 MB are free: choose a smaller --width or --batch-size" in capsys.readouterr().err


def test_what_is_free_is_known_or_not():
    assert available() is None or available() > 0
