"""The pictures of a run: what they show is what happened, and watching does not change it."""

import numpy as np
import pytest
from PIL import Image

from minigan import cli, gan, grad, nn
from minigan.commands.watch import frame_steps, toy_trainer
from minigan.data.mixtures import ring_of_gaussians
from minigan.study import watch
from minigan.tensor import Tensor


@pytest.fixture
def game(rng):
    """A trainer, a batch and latents: small, and with everything that has a state of its own."""
    g, d = gan.build({"model": "dcgan", "width": 4, "z_dim": 6}, rng)
    trainer = gan.MODELS["dcgan"].trainer(g, d, z_dim=6, rng=np.random.default_rng(1))
    real = Tensor(rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32))
    return trainer, real, Tensor(rng.standard_normal((4, 6)).astype(np.float32))


def test_a_probe_sees_every_layer_with_a_weight(game):
    trainer, real, z = game
    glimpse = watch.probe(trainer, real, z)
    assert [layer.name for layer in glimpse.layers] == ["G.0", "G.4", "G.7", "D.0", "D.2", "D.6"]
    for layer in glimpse.layers:
        assert layer.activation.shape == layer.gradient.shape and layer.norm > 0
    assert glimpse.layers[2].activation.shape == (1, 28, 28)
    assert 0 < glimpse.d_real < 1 and 0 < glimpse.d_fake < 1 and glimpse.step == 0
    np.testing.assert_array_equal(glimpse.layers[3].weight, trainer.game.discriminator[0].weight.numpy())


def test_a_probe_sees_spectrally_normalised_layers(rng):
    g, d = gan.build({"model": "sngan", "width": 4, "image_size": 28, "channels": 1, "z_dim": 6}, rng)
    trainer = gan.MODELS["sngan"].trainer(g, d, z_dim=6, rng=rng)
    images, z = rng.uniform(-1, 1, (2, 1, 28, 28)).astype(np.float32), rng.standard_normal((2, 6)).astype(np.float32)
    layers = watch.probe(trainer, Tensor(images), Tensor(z)).layers
    assert {"D.blocks.0.conv1", "D.head", "G.2.body.3"} <= {layer.name for layer in layers}
    assert all(layer.norm > 0 for layer in layers)


def test_the_norms_are_the_gradients_of_each_players_own_loss(game):
    trainer, real, z = game
    norms = {layer.name: layer.norm for layer in watch.probe(trainer, real, z).layers}
    fake = trainer.game.generator(z)
    fake_logits, real_logits = trainer.game.discriminator(fake), trainer.game.discriminator(real)
    of_g = grad(
        trainer.game.objective.g_loss(fake_logits, real_logits), [trainer.game.generator[0].weight], retain_graph=True
    )
    of_d = grad(trainer.game.objective.d_loss(real_logits, fake_logits), [trainer.game.discriminator[0].weight])
    for name, (gradient,) in (("G.0", of_g), ("D.0", of_d)):
        assert norms[name] == pytest.approx(np.linalg.norm(gradient.numpy()), rel=1e-4)


def test_watching_changes_nothing(game):
    trainer, real, z = game
    before, facts = trainer.arrays(), trainer.facts()
    watch.probe(trainer, real, z)
    watch.draw_walks(trainer, z.numpy(), steps=3)
    after = trainer.arrays()
    assert trainer.facts() == facts
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert trainer.game.generator.training and all(p.grad is None for p in trainer.game.generator.parameters())


def test_pictures_are_pictures(game):
    trainer, real, z = game
    glimpses = [watch.probe(trainer, real, z)]
    trainer.step(real)
    glimpses.append(watch.probe(trainer, real, z))
    pictures = [
        watch.draw_layers(glimpses[0]),
        watch.draw_layers(glimpses[1]),
        watch.draw_norms(glimpses),
        watch.draw_walks(trainer, z.numpy(), steps=3),
    ]
    for picture in pictures:
        assert picture.dtype == np.uint8 and picture.shape[2] == 3 and min(picture.shape[:2]) > 200
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20  # something is drawn
    assert pictures[0].shape == pictures[1].shape  # frames of one animation
    assert not np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize(
    ("shape", "size"),
    [((4, 3, 3), (7, 7)), ((5, 2, 2, 3), (8, 15)), ((100,), (10, 10)), ((1, 50), (8, 8)), ((500, 30), (30, 30))],
)
def test_mosaic(shape, size):
    values = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    picture = watch.mosaic(values)
    assert picture.shape == size
    assert picture[0, 0] == 1.0
    assert set(picture[np.isfinite(picture)]) <= set(values.reshape(-1))


def test_the_plane(rng):
    trainer = toy_trainer(rng, np.random.default_rng(1), nn.Linear(1, 1).backend)
    mixture = ring_of_gaussians()
    real, z = mixture.sample(50, rng), rng.standard_normal((70, 2))
    pictures = [
        watch.draw_plane(trainer, mixture, real, z, beliefs) for beliefs in ([], [(1, 0.6, 0.4), (2, 0.7, 0.3)])
    ]
    assert pictures[0].shape == pictures[1].shape and not np.array_equal(*pictures)


@pytest.mark.parametrize(("steps", "frames"), [(100, 6), (3, 40), (10, 1), (1, 1)])
def test_frames_begin_and_end_with_the_training(steps, frames):
    at = frame_steps(steps, frames)
    assert steps in at and min(at) == 0 and len(at) <= max(frames, 2)


def frames(path):
    with Image.open(path) as image:
        assert image.format == "GIF"
        return image.n_frames


def test_watch_digits(tmp_path, capsys):
    argv = ["watch", str(tmp_path / "new"), "--steps", "2", "--frames", "2", "--batch-size", "4", "--width", "4"]
    assert cli.main(argv) == 0
    assert "layers.gif, walks.gif, gradient-norms.png" in capsys.readouterr().out
    assert frames(tmp_path / "new" / "layers.gif") == frames(tmp_path / "new" / "walks.gif") == 2
    for name in ("layers.png", "walks.png", "gradient-norms.png"):
        with Image.open(tmp_path / "new" / name) as image:
            image.load()


def test_watch_toy(tmp_path):
    assert cli.main(["watch", str(tmp_path), "--model", "toy", "--steps", "3", "--frames", "2"]) == 0
    assert frames(tmp_path / "toy.gif") == 2


def test_watch_two_kinds(tmp_path):
    for kind in "ab":
        (tmp_path / kind).mkdir()
        for number in range(4):
            Image.new("RGB", (70, 80), (number * 40, 0, 90)).save(tmp_path / kind / f"{number}.png")
    argv = ["--a", str(tmp_path / "a"), "--b", str(tmp_path / "b"), "--steps", "1", "--batch-size", "2", "--width", "2"]
    assert cli.main(["watch", str(tmp_path / "out"), "--model", "cyclegan", *argv]) == 0
    assert cli.main(["watch", str(tmp_path / "one"), "--model", "cyclegan", *argv, "--batch-size", "1"]) == 0
    assert frames(tmp_path / "out" / "exchanges.gif") == 2 and (tmp_path / "out" / "exchanges.png").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["out", "--model", "cyclegan", "--a", "x"], "cyclegan learns from pictures of two kinds: name two folders"),
        (["out", "--a", "x"], "--a x does nothing with this model: choose cyclegan"),
        (["out", "--model", "nope"], "unknown model 'nope': choose toy or one of gan, dcgan"),
        (["out", "--model", "cgan"], "cgan is conditional"),
        (["out", "--model", "nope"], "gan, dcgan, wgan, wgan_gp, sngan, self_conditioned, pix2pix"),
        (["./out", "--model", "dncnn", "--task", "denoise", "--data", "."], "OUT ./out lies in the folder of pictures"),
        (["out", "--batch-size", "1"], "--batch-size 1: batch norm needs at least 2 images"),
        (["file/below"], "cannot write to the output folder file/below"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert cli.main(["watch", *argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
