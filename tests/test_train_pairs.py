"""train --task, evaluate --task and examples/restore.py: from a folder of pictures to a network and a table."""

import json

import numpy as np
import pytest
from commands import ROOT, python
from PIL import Image
from test_restore_command import scene

from minigan import checkpoint, gan
from minigan.cli import main
from minigan.data import degrade
from minigan.data.paired import split
from minigan.restoration import TASKS
from minigan.restoration.judge import JUDGED, baselines, cases, crops, drawings, score

RNG = np.random.default_rng
LITTLE = ["--crop", "16", "--batch-size", "2", "--width", "2", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(8):
        Image.fromarray(scene(72, 80, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    folder, colours = tmp_path_factory.mktemp("sheets"), np.concatenate([scene(64, 512), scene(64, 512, 1)])
    Image.fromarray(colours).save(folder / "color.png")
    Image.fromarray(colours.max(axis=2)).save(folder / "black.png")
    return folder


def run(*argv):
    return main([*map(str, argv)])


def train(model, task, data, out, *more):
    return run("train", "--model", model, "--task", task, "--data", data, "--out", out, *LITTLE, *more)


@pytest.mark.parametrize(
    "model, task", [("dncnn", "denoise"), ("drunet", "denoise"), ("pix2pix", "derain"), ("srgan", "enlarge"),
                    ("srgan", "inpaint"), ("pix2pix", "enlarge"), ("context_encoder", "inpaint"),
                    ("pix2pix", "colorize")]
)  # fmt: skip
def test_a_task_is_trained(photos, tmp_path, model, task, capsys):
    assert train(model, task, photos, tmp_path / "run", "--steps", 2) == 0
    architecture, _ = checkpoint.read_model(tmp_path / "run" / "model.safetensors")
    assert (architecture["model"], architecture["task"]) == (model, task)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert {"d_loss", "g_loss", "l1", "psnr", "d_real", "d_fake"} <= json.loads(lines[-1]).keys()
    with Image.open(tmp_path / "run" / "pairs.png") as picture:
        assert picture.size == (9 * 18 + 2, 2 * 18 + 2)  # source, result, truth, three pairs in a row
    mask = ["--mask", tmp_path / "mask.png"] if task == "inpaint" else []
    Image.fromarray(np.eye(72, 80, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    out = tmp_path / "restored.png"
    assert run("restore", photos / "0.png", "--model", tmp_path / "run", "--out", out, *mask, "--quiet") == 0
    with Image.open(out) as picture:
        assert picture.size == (80 * TASKS[task].scale, 72 * TASKS[task].scale)


def test_gamma_is_the_weight_of_r1(photos, tmp_path):
    told = []
    for gamma in (1, 4):
        out = tmp_path / f"run-{gamma}"
        assert train("dncnn", "denoise", photos, out, "--steps", 1, "--penalty", "r1", "--gamma", gamma) == 0
        told.append(json.loads((out / "metrics.jsonl").read_text().splitlines()[0])["penalty"])
    assert told[1] == pytest.approx(4 * told[0]) and told[0] > 0


def test_gamma_does_nothing_without_r1(photos, tmp_path, capsys):
    assert train("dncnn", "denoise", photos, tmp_path / "run", "--steps", 1, "--gamma", 4) == 2
    assert "--gamma 4.0 does nothing without R1 or R2: add --penalty r1" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--checkpoint-every", "--decay-from", "--n-critic"])
def test_what_would_never_come_is_refused(photos, tmp_path, option, capsys):
    assert train("dncnn", "denoise", photos, tmp_path / "run", "--steps", 3, option, 9) == 2
    assert f"{option} 9" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_it_is_resumed_bit_for_bit(photos, tmp_path):
    assert train("dncnn", "denoise", photos, tmp_path / "whole", "--steps", 5) == 0
    assert train("dncnn", "denoise", photos, tmp_path / "parts", "--steps", 3) == 0
    assert train("dncnn", "denoise", photos, tmp_path / "parts", "--steps", 5, "--resume") == 0
    for name in ("metrics.jsonl", "model.safetensors", "pairs.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_adversary_starts_from_the_network_without_one(photos, tmp_path, capsys):
    assert train("dncnn", "denoise", photos, tmp_path / "l1", "--steps", 2, "--no-adversary") == 0
    first = json.loads((tmp_path / "l1" / "metrics.jsonl").read_text().splitlines()[0])
    assert first.keys() - {"precision"} == {"step", "g_loss", "g_grad", "psnr"}
    slow = ["--g-lr", 1e-12, "--l1-weight", 20]
    out = tmp_path / "sharp"
    assert train("dncnn", "denoise", photos, out, "--steps", 1, "--start-from", tmp_path / "l1", *slow) == 0
    own, start = (checkpoint.read_model(tmp_path / name / "model.safetensors")[1] for name in ("sharp", "l1"))
    for name, array in start.items():
        np.testing.assert_allclose(own[name], array, atol=1e-9)
    assert train("pix2pix", "denoise", photos, tmp_path / "x", "--start-from", tmp_path / "l1") == 2
    assert "its model is dncnn, here pix2pix" in capsys.readouterr().err


def test_drawings_are_coloured_and_judged(sheets, tmp_path, capsys):
    data = ["--data", sheets / "color.png"]
    given = ["--source", sheets / "black.png", "--steps", 2]
    assert train("pix2pix", "colorize", sheets / "color.png", tmp_path / "run", *given) == 0
    capsys.readouterr()
    table = tmp_path / "table.json"
    argv = ["--task", "colorize", *data, "--drawings", sheets / "black.png", "--json", table, "--quiet"]
    assert run("evaluate", tmp_path / "run", *argv) == 0
    rows = json.loads(table.read_text())["tables"]["drawings"]
    assert list(rows) == ["as it is", "best constant colour", "minigan, pix2pix"]
    assert all(0 < row["L1"] < 255 for row in rows.values())


@pytest.mark.parametrize("task", ["denoise", "enlarge", "inpaint"])
def test_a_network_is_judged_beside_what_was_there(photos, tmp_path, task, capsys):
    model = TASKS[task].model
    assert train(model, task, photos, tmp_path / "run", "--steps", 1) == 0
    capsys.readouterr()
    assert run("evaluate", tmp_path / "run", "--task", task, "--data", photos, "--no-baselines", "--quiet") == 0
    shown = capsys.readouterr().out
    assert shown.count("1 pictures of") == len(JUDGED[task]) and f"\nminigan, {model} " in shown


@pytest.mark.parametrize(
    "argv, message",
    [
        (["-n", 10], "-n 10 does nothing with --task"),
        (["--class", 3], "--class 3: --task judges by all that --data shows"),
        (["--json", "no/table.json"], "there is no folder no: make it first"),
        (["--json", "../table.json"], "lies in the folder of pictures"),
        (["--drawings", "."], "--drawings . does nothing with --task denoise"),
        (["--task", "colorize"], "--task colorize begins with drawings"),
    ],
)
def test_what_is_not_judged_is_told_before_any_work(argv, message, photos, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data = tmp_path if "../table.json" in argv else photos
    assert run("evaluate", "--task", "denoise", "--data", data, *argv) == 2
    told = capsys.readouterr()
    assert message in told.err and not told.out


def test_watch_draws_pairs(photos, tmp_path, capsys):
    argv = ["--model", "dncnn", "--task", "denoise", "--data", photos, "--steps", 2, "--frames", 3, "--width", 2]
    assert run("watch", tmp_path / "film", *argv, "--batch-size", 2) == 0
    with Image.open(tmp_path / "film" / "pairs.gif") as film:
        assert film.n_frames > 1 and film.size == (9 * 50 + 2, 2 * 50 + 2)
    assert run("watch", tmp_path / "other", "--model", "dncnn") == 2
    assert "say which way, --task, and name a folder, --data" in capsys.readouterr().err


REFUSED = {
    "no task": (["--model", "pix2pix"], "say which way, --task denoise|derain|enlarge|inpaint|colorize"),
    "no data": (["--model", "pix2pix", "--task", "denoise"], "name a folder of good ones, --data DIR"),
    "a task for noise": (
        ["--model", "dcgan", "--task", "denoise"],
        "--task denoise does nothing with a model that does not restore pictures",
    ),
    "latents": (["--model", "pix2pix", "--task", "denoise", "--z-dim", "3"], "--z-dim 3 does nothing with a model"),
    "a class": (["--model", "pix2pix", "--task", "denoise", "--class", "cat"], "--class cat: pix2pix learns from"),
    "an adversary's": (
        ["--model", "pix2pix", "--task", "denoise", "--data", "x", "--no-adversary", "--objective", "hinge"],
        "--objective hinge does nothing beside --no-adversary",
    ),
    "sources": (
        ["--model", "pix2pix", "--task", "denoise", "--data", "x", "--source", "y"],
        "--source y does nothing where the damage is done to --data",
    ),
    "a crop": (["--model", "srgan", "--task", "enlarge", "--crop", "30"], "--crop 30 is no multiple of 4"),
    "too small a crop": (["--model", "dncnn", "--task", "denoise", "--crop", "11"], "judges no less than 12 pixels"),
    "parts of a batch": (
        ["--model", "dncnn", "--task", "denoise", "--crop", "16", "--batch-size", "3", "--accumulate", "2"],
        "--batch-size 3 cannot be worked on in --accumulate 2 parts",
    ),
    "too large a crop": (
        ["--model", "dncnn", "--task", "denoise", "--crop", "100"],
        "0.png is 80x72 pixels, smaller than the crops of 100, and 6 more are: leave",
    ),
}


@pytest.mark.parametrize("argv, message", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_a_line(argv, message, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = ["--data", photos] if "--crop" in argv else []
    assert run("train", *argv, *data, "--quiet") == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_model_of_pictures_draws_none_of_noise(photos, tmp_path, capsys):
    architecture = {"model": "dncnn", "task": "denoise", "width": 2}
    checkpoint.save_model(tmp_path / "m.safetensors", gan.build(architecture, RNG(0))[0], architecture)
    assert run("sample", tmp_path / "m.safetensors", "--out", tmp_path / "x.png") == 2
    assert "turns pictures into pictures, and draws none of noise" in capsys.readouterr().err


# ---- the judge -------------------------------------------------------------------------------------------------------


def test_the_damage_does_not_depend_on_the_other_pictures():
    pictures = {str(seed): scene(48, 48, seed) for seed in range(3)}
    noise = degrade.GaussianNoise(25, 25)
    both = [case.given for case in cases("denoise", noise, pictures, 0)]
    first = [case.given for case in cases("denoise", noise, {"0": pictures["0"]}, 0)]
    np.testing.assert_array_equal(both[0], first[0])
    other = [case.given for case in cases("denoise", noise, pictures, 1)]
    assert not np.array_equal(both[0], other[0])


def test_rain_is_judged_at_what_is_not_trained_on():
    trained = TASKS["derain"].degrade.degradations
    for judged in JUDGED["derain"].values():
        for setting in ("angles", "densities"):
            low, high = getattr(judged, setting)
            ranges = [getattr(rain, setting) for rain in trained]
            assert all(high < first or last < low for first, last in ranges)
            assert min(ranges)[0] < low and high < max(ranges)[1]  # but between them


def test_holes_are_judged_inside():
    found = list(cases("inpaint", JUDGED["inpaint"]["hole 24x24 in 64x64"], {"a": scene(64, 64)}, 0))
    (case,) = found
    assert case.where.sum() == 24 * 24
    perfect = score("inpaint", found * 4, lambda case: case.truth)
    off = score("inpaint", found * 4, lambda case: np.where(case.where[:, :, None], case.truth // 2, case.truth))
    assert perfect["PSNR in the hole"] > 50 > off["PSNR in the hole"] and off["patch distance"] > 1


def test_one_picture_without_any_error_makes_no_mean_infinite():
    white = np.full((64, 64, 3), 255, np.uint8)  # on which rain is not to be seen
    found = list(cases("derain", JUDGED["derain"]["much rain"], {"a": white, "b": scene(64, 64)}, 0))
    alone, both = (score("derain", some, lambda case: case.given)["PSNR"] for some in (found[1:], found))
    assert alone < both < alone + 60


def test_the_best_constant_colour():
    truth = np.zeros((8, 8, 3), np.uint8)
    truth[:4], truth[4:] = 255, (200, 40, 40)
    found = list(drawings({"a": truth}, {"a": np.full((8, 8, 1), 255, np.uint8)}))
    rows = {name: score("colorize", found, method)["L1"] for name, method in baselines("colorize", found).items()}
    assert rows == {"as it is": pytest.approx((55 + 215 + 215) / 3), "best constant colour": 0}


def test_crops_are_spread_evenly():
    whole = np.arange(100 * 80).reshape(100, 80)
    found = list(crops(whole, 64))
    assert len(found) == 9 and {cut.shape for cut in found} == {(64, 64)}
    assert found[0][0, 0] == 0 and found[-1][-1, -1] == whole[-1, -1]
    assert len(list(crops(whole[:64, :64], 64))) == 1


def test_each_eighth_photo_is_held_out(photos, tmp_path):
    """What evaluate judges by is what train has not seen."""
    names = sorted(path.name for path in photos.iterdir())
    learned, held = split(names, 8)
    assert held == ["7.png"] and len(learned) == 7


def test_the_example_wants_photos_to_look_at(tmp_path):
    Image.fromarray(scene(64, 64)).save(tmp_path / "one.png")
    done = python(ROOT / "examples" / "restore.py", "--dry-run", "--data", tmp_path, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "1 photos; at least 8, of which one is only looked at" in done.stderr


def test_the_example_runs(photos, tmp_path):
    done = python(
        ROOT / "examples" / "restore.py", "--dry-run", "--quiet", "--threads", 1, "--data", photos, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "L1 alone: " in done.stdout and "with an adversary: " in done.stdout
    made = {path.name for path in (tmp_path / "out" / "restore").iterdir()}
    assert made == {"model.safetensors", "sharp.safetensors", "step-00002.png", "step-00004.png"}
