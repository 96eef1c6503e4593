"""python -m minigan: what the commands write, and that they write the same again."""

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, contents, python, write_digits
from PIL import Image

from minigan import __version__, cli, gan
from minigan.checkpoint import read_model, save_model
from minigan.commands import train
from minigan.commands.arguments import objective

ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 6, "width": 4}


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model file in the current folder, which is empty otherwise."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    save_model(path, gan.build(ARCHITECTURE, np.random.default_rng(0))[0], ARCHITECTURE)
    return path


def run(*argv):
    return cli.main([str(arg) for arg in argv])


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image).astype(int)


@pytest.mark.parametrize(
    ("argv", "out", "shape"),
    [
        (["sample"], "samples.png", (8, 8)),
        (["sample", "-n", "5", "--out", "five.png"], "five.png", (2, 3)),
        (["interpolate"], "interpolation.png", (8, 10)),
        (["interpolate", "--rows", "2", "--steps", "3"], "interpolation.png", (2, 3)),
    ],
)
def test_pictures_from_the_model_file_alone(model, capsys, argv, out, shape):
    assert run(argv[0], model, *argv[1:]) == 0
    assert pixels(out).shape == (shape[0] * 30 + 2, shape[1] * 30 + 2)
    shown = capsys.readouterr()
    assert out in shown.out and shown.err == ""
    assert {path.name for path in contents(".")} == {out, model.name}


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_the_seed_decides(model, command):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(command, model, "--seed", seed, "--out", name)
    assert (model.parent / "a").read_bytes() == (model.parent / "b").read_bytes()
    assert not np.array_equal(pixels("a"), pixels("c"))


def test_samples_are_the_generators(model):
    run("sample", model, "-n", "4", "--seed", "9")
    generator, _ = gan.build(ARCHITECTURE, np.random.default_rng(0))
    images = gan.generate(generator, np.random.default_rng(9).standard_normal((4, 6)))
    expected = np.rint(images[2, 0] * 127.5 + 127.5)  # the third stands first in the second row
    np.testing.assert_array_equal(pixels("samples.png")[32:60, 2:30], expected)


def test_many_samples_go_on_where_they_were_stopped(model, capsys):
    assert run("sample", model, "-n", "1002", "--into", "many") == 0
    whole = Path("many/samples-00001.npz").read_bytes()
    Path("many/samples-00001.npz").unlink()
    assert run("sample", model, "-n", "1002", "--into", "many") == 0
    assert "in 2 files, 1 of which were there" in capsys.readouterr().out
    assert Path("many/samples-00001.npz").read_bytes() == whole
    for told, why in (("half", "is damaged"), ("[3]", "is damaged"), ('{"seed": 1}', "was begun with")):
        Path("many/samples.json").write_text(told)
        assert run("sample", model, "-n", "1002", "--into", "many") == 2 and why in capsys.readouterr().err
    assert run("sample", model, "--class", "3", "--into", "new") == 2 and not Path("new").exists()


def test_a_picture_of_more_than_anybody_looks_at_is_refused(model, capsys):
    assert run("sample", model, "-n", "100001") == 2
    assert "-n 100001: one picture shows at most 100,000 samples" in capsys.readouterr().err


def test_digits_are_bundled_unless_that_names_a_folder_with_a_model(model):
    assert run("sample", "digits", "-n", "4") == 0
    bundled = pixels("samples.png")
    assert bundled.shape == (62, 62) and bundled.std() > 50
    own = model.parent / "digits"
    own.mkdir()
    assert run("sample", "digits", "-n", "4") == 0  # no model in there
    np.testing.assert_array_equal(pixels("samples.png"), bundled)
    model.rename(own / "model.safetensors")
    assert run("sample", "digits", "-n", "4") == 0
    assert not np.array_equal(pixels("samples.png"), bundled)


def test_backends_agree(model, backend):
    run("sample", model, "-n", "4", "--backend", backend.name, "--out", "here.png")
    run("sample", model, "-n", "4", "--backend", "reference", "--out", "there.png")
    assert np.abs(pixels("here.png") - pixels("there.png")).max() <= 1


def test_gradcheck_tells_by_its_exit_code(capsys, monkeypatch):
    assert run("gradcheck", "--only", "tanh") == 0
    assert "tanh" in capsys.readouterr().out
    from minigan.ops.elementwise import Tanh

    monkeypatch.setattr(Tanh, "vjp", lambda self, g, y, x: (lambda: g * (1 - y),))
    assert run("gradcheck", "--only", "tanh") == 1


@pytest.mark.parametrize(
    ("argv", "code", "shown"),
    [(["--version"], 0, f"minigan {__version__}"), (["--help"], 0, "interpolate"), (["sample", "--help"], 0, "MODEL")],
)
def test_information(capsys, argv, code, shown):
    with pytest.raises(SystemExit) as caught:
        run(*argv)
    assert caught.value.code == code
    assert shown in capsys.readouterr().out


def test_models_are_listed(capsys):
    assert run("models") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in gan.MODELS)


def test_python_m_minigan_hands_on_the_exit_code(tmp_path):
    done = python("-m", "minigan", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"minigan {__version__}")
    done = python("-m", "minigan", "sample", "none", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("error: none:")
    assert (ROOT / "minigan" / "__main__.py").exists()


def test_the_models_own_penalty_can_be_made_stronger_and_rarer():
    args = train_arguments("--gamma", "3", "--penalty-every", "4")
    assert train.penalties(args) == (gan.R1(gamma=3.0, every=4),)
    args = train_arguments("--penalty", "r2", "--penalty", "dragan", "--gamma", "2")
    assert train.penalties(args) == (gan.R2(gamma=2.0), gan.Dragan())
    assert train.penalties(train_arguments()) == gan.MODELS["self_conditioned"].penalties


def train_arguments(*argv):
    parser = argparse.ArgumentParser()
    train.add(parser.add_subparsers())
    args = parser.parse_args(["train", *argv])
    args.model = args.model or "self_conditioned"
    return args


def test_oblong_images_and_runs_from_before_there_were_clusters(tmp_path, monkeypatch):
    """Nothing but --resume is needed to go on with a run of the former default, the DCGAN."""
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "digits", count=240, height=28, width=20)
    small = ["--data", "digits", "--batch-size", "8", "--width", "2", "--quiet"]
    for name, model in (("new", []), ("old", ["--model", "dcgan"])):
        assert cli.main(["train", *small, *model, "--steps", "2", "--out", name]) == 0
        assert cli.main(["train", *small, "--steps", "4", "--out", name, "--resume"]) == 0
    architecture = read_model("new/model.safetensors")[0]
    assert architecture["model"] == "self_conditioned" and architecture["image_size"] == [28, 20]
    assert sum(architecture["clusters"]) == 240 and len(architecture["clusters"]) == 2
    assert read_model("old/model.safetensors")[0]["model"] == "dcgan"


@pytest.mark.parametrize("model", ["dcgan", "acgan"])
def test_label_smoothing_changes_nothing_else_of_a_models_objective(model):
    own = gan.MODELS[model].objective
    args = Namespace(model=model, objective=None, label_smoothing=0.1)
    smooth = gan.NonSaturating(label_smoothing=0.1)
    assert objective(args, own) == (replace(own, base=smooth) if model == "acgan" else smooth)
    args = Namespace(model=model, objective="hinge", label_smoothing=None)
    assert objective(args, own) == (replace(own, base=gan.Hinge()) if model == "acgan" else gan.Hinge())


@pytest.mark.parametrize(("encoding", "name"), [("ascii", "m\u00f6del"), ("utf-8", "m\udce4del")])
def test_what_the_terminal_cannot_say_is_no_reason_to_fail(tmp_path, encoding, name):
    """Fr\u00e9chet under an ASCII locale; a path whose bytes are no UTF-8."""
    generator, _ = gan.build(ARCHITECTURE, np.random.default_rng(0))
    save_model(tmp_path / f"{name}.safetensors", generator, ARCHITECTURE)
    code = (
        "import sys; from minigan import cli; sys.stdout.reconfigure(encoding=sys.argv[1], errors='strict');"
        "sys.stderr.reconfigure(encoding=sys.argv[1], errors='strict'); print('before', flush=True);"
        "import glob; sys.exit(cli.main(['sample', *glob.glob('*.safetensors'), '--out', sys.argv[2]]))"
    )
    for out, code_of in ((f"{name}.png", 0), (f"{name}.jpg", 2)):
        done = python("-c", code, encoding, out, cwd=tmp_path)
        assert done.returncode == code_of, done.stderr
        assert "Traceback" not in done.stderr and "\\" in (done.stdout if code_of == 0 else done.stderr)
    assert cli.main(["explain", "conv2d"]) == 0
