"""Sounds from a folder of WAV files to files that play: both models, told the label or not; and the example."""

import numpy as np
import pytest
import small_models
from small_sounds import SECONDS, folder_of, hum, read, write

from examples import speech_gan
from minigan import cli, data, gan, media
from minigan.checkpoint import read_model
from minigan.cli import user_errors
from minigan.errors import InputError
from minigan.gan.models.wavegan import quarterings
from minigan.tensor import Tensor, grad

NAMES = ["specgan", "wavegan"]
SMALL = ["--steps", "2", "--batch-size", "4", "--width", "2", "--threads", "1", "--quiet"]
PAUSE = round(media.sounds.PAUSE * 8000)


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def runs(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in NAMES:
        assert run("train", "--model", name, "--data", words, *SMALL, "--out", folder / name) == 0
    return folder


# ---- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("name", NAMES)
def test_from_z_to_sounds_to_logits(name, classes):
    """With labels or without; and D's gradient reaches every parameter of G."""
    architecture = small_models.architecture(name)
    del architecture["classes"]
    generator, discriminator = gan.build(
        architecture | ({} if classes is None else {"classes": classes}), np.random.default_rng(0)
    )
    given = () if classes is None else (np.array([0, 1, 2, 2]),)
    made = generator(Tensor(np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)), *given)
    assert made.shape == (4, *small_models.DATA[gan.MODELS[name].medium][1]) and np.abs(made.numpy()).max() <= 1
    logits = discriminator(made, *given)
    assert logits.shape == (4, 1)
    found = grad((logits * logits).sum(), generator.parameters())
    assert all(np.isfinite(g.numpy()).all() for g in found) and all(np.abs(g.numpy()).max() > 0 for g in found)


def test_wavegan_is_as_published():
    """Of 16,384 samples: the paper's five layers of kernels of 25, with 64 to 1,024 channels."""
    assert quarterings(16384) == [16384, 4096, 1024, 256, 64, 16]
    generator, discriminator = gan.build({"model": "wavegan", "samples": 16384, "width": 2}, np.random.default_rng(0))
    up = [p.shape for p in generator.parameters() if p.ndim == 3]
    assert up == [(32, 16, 25), (16, 8, 25), (8, 4, 25), (4, 2, 25), (2, 1, 25)]
    assert [p.shape for p in discriminator.parameters() if p.ndim == 3] == [(a, b, c) for a, b, c in up[::-1]]
    shuffles = [m.reach for m in discriminator.modules() if type(m).__name__ == "PhaseShuffle"]
    assert shuffles == [2] * 4  # between the layers, not before the first


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"model": "wavegan", "samples": 1000}, "samples = 1000 must be a multiple of 256"),
        ({"model": "wavegan", "samples": 0}, "samples = 0 must be"),
        ({"model": "wavegan", "samples": True}, "samples = True must be"),
        ({"model": "wavegan", "classes": 0}, "classes = 0 must be"),
        ({"model": "wavegan", "image_size": 28}, "do not fit .*image_size"),
        ({"model": "specgan", "image_size": 4}, "image_size 4 must be"),
        ({"model": "specgan", "z_dim": 0}, "z_dim = 0 must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        gan.build(settings, np.random.default_rng(0))


# ---- the medium ----------------------------------------------------------------------------------


def test_what_wavegan_makes_is_written_as_it_is(tmp_path):
    medium = media.medium_of({"model": "wavegan", "sample_rate": 8000})
    waves = np.stack([hum(500.0), hum(900.0, loudness=0.2)])[:, None].astype(np.float32)
    written = medium.save(tmp_path / "two.wav", waves, 2)
    assert [path.name for path in written] == ["two.wav", "two.png"]
    found, rate = read(written[0])
    assert rate == 8000 and len(found) == 2 * (1600 + PAUSE)
    for number, wave in enumerate(waves[:, 0]):
        start = number * (1600 + PAUSE)
        np.testing.assert_array_equal(found[start : start + 1600], np.rint(wave * 32767))
        assert not found[start + 1600 : start + 1600 + PAUSE].any()
    shown = medium.one(waves[0])
    assert shown.shape == (3 * 32, 3 * 10, 3) and medium.picture(waves, 2).shape == (
        3 * 32 + 4,
        2 * (3 * 10 + 2) + 2,
        3,
    )
    np.testing.assert_array_equal(medium.picture(waves, 2)[2:-2, 2:32], shown)
    brightness = shown.astype(int).sum(axis=2)[:, 15]
    quiet = medium.one(waves[1]).astype(int).sum(axis=2)[:, 15]
    assert quiet.max() < brightness.max() and quiet.argmax() < brightness.argmax()  # quieter, and higher up


def test_what_specgan_makes_is_heard(tmp_path, words):
    pictures = data.spectrograms(data.audio(words))
    medium = media.medium_of({"model": "specgan", **pictures.settings})
    found, rate = read(medium.save(tmp_path / "three.wav", pictures.items[:3])[0])
    expected = medium.scale.waves(pictures.items[:3])
    assert rate == 8000 and len(found) == 3 * (2560 + PAUSE)
    np.testing.assert_array_equal(found[:2560], np.rint(expected[0] * 32767))
    with pytest.raises(InputError, match="does not tell its spectrograms' scale"):
        media.medium_of({"model": "specgan"})


@pytest.mark.parametrize("medium", [{"model": "wavegan"}, {"model": "specgan", **small_models.DATA["spectrograms"][0]}])
def test_what_is_not_finite_is_silent_and_dark(tmp_path, medium):
    shape = small_models.DATA[gan.MODELS[medium["model"]].medium][1]
    found, _ = read(media.medium_of(medium).save(tmp_path / "a.wav", np.full((1, *shape), np.nan, np.float32))[0])
    assert len(found) and (medium["model"] == "specgan" or not found.any())


# ---- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_from_training_to_files_that_play(name, runs, tmp_path, capsys):
    out = runs / name
    architecture, _ = read_model(out / "model.safetensors")
    assert architecture["classes"] == 2 and architecture["model"] == name
    for path in ("final.wav", "final.png", "interpolation.png", "training.gif", "samples/epoch-001.png"):
        assert (out / path).is_file(), path
    assert run("sample", out, "-n", "4", "--out", tmp_path / "four.wav") == 0
    assert f"4 sounds in {tmp_path / 'four.wav'}, {tmp_path / 'four.png'}" in capsys.readouterr().out
    found, rate = read(tmp_path / "four.wav")
    assert rate == 8000 and len(found) == 4 * (2560 + PAUSE) and found.any()
    assert run("interpolate", out, "--rows", "2", "--steps", "3", "--out", tmp_path / "walk.wav") == 0
    assert len(read(tmp_path / "walk.wav")[0]) == 6 * (2560 + PAUSE)
    assert run("report", out) == 0
    assert '<audio controls src="data:audio/wav;base64,' in (out / "report.html").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_sounds_without_labels(name, tmp_path):
    for number in range(4):
        write(tmp_path / "plain" / f"{number}.wav", hum(500.0 + 100 * number))
    assert run("train", "--model", name, "--data", tmp_path / "plain", *SMALL, "--out", tmp_path / "run") == 0
    assert "classes" not in read_model(tmp_path / "run" / "model.safetensors")[0]
    assert run("sample", tmp_path / "run", "-n", "1", "--out", tmp_path / "one.wav") == 0
    assert len(read(tmp_path / "one.wav")[0]) == 2560 + PAUSE and SECONDS == 0.2
    assert run("sample", tmp_path / "run", "-n", "1", "--class", "0", "--out", tmp_path / "one.wav") == 2


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "git clone https://github.com/Jakobovski/free-spoken-digit-dataset"),
        (["--data", "nowhere"], "nowhere does not exist, expected a folder of WAV files"),
        (["--size", "64"], "--size 64 does nothing"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_said(name, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("train", "--model", name, *arguments) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_for_models_that_draw_says_so(name, runs, tmp_path, capsys):
    for arguments, said in (
        (["trace", "--model", name], "makes no pictures"),
        (["evaluate", runs / name], "are no pictures"),
        (["export", runs / name, "--html", tmp_path / "page.html"], "draw pictures"),
    ):
        assert run(*arguments) == 2 and said in capsys.readouterr().err


def test_a_run_that_names_no_length_takes_the_models_own(words, tmp_path, monkeypatch):
    from minigan.commands import training

    seen = {}

    def stop(*args, **settings):
        seen.update(settings)
        raise InputError("enough")

    monkeypatch.setattr(training, "Run", stop)
    assert run("train", "--model", "specgan", "--data", words, "--batch-size", "4", "--width", "2") == 2
    assert seen["steps"] == gan.MODELS["specgan"].steps
    assert (
        run("train", "--model", "specgan", "--data", words, "--batch-size", "4", "--width", "2", "--epochs", "7") == 2
    )
    assert seen["steps"] is None and seen["epochs"] == 7


# ---- the example ---------------------------------------------------------------------------------


def example(*arguments):
    return user_errors(speech_gan.train, speech_gan.options().parse_args([*map(str, arguments)]))


def test_the_example_trains_and_judges(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert example("--dry-run", "--data", words, "--threads", 1, "--quiet") == 0
    told = (tmp_path / "out/specgan/judged.md").read_text()
    assert told in capsys.readouterr().out
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in told.splitlines()[2:]}
    assert set(rows) == {
        "specgan, heard", "specgan, as drawn", "recordings kept apart", "the same, through Griffin-Lim",
        "recordings learned from", "mean spectrogram of the digit", "noise",
    }  # fmt: skip
    assert float(rows["recordings kept apart"][0]) == 1.0  # low and high hums are told apart
    assert (tmp_path / "out/specgan/final.wav").is_file()


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "there is nothing to learn from: give a folder of WAV files"),
        (["--data", "plain"], "neither names nor sub-folders say what the sounds are"),
        (["--data", "few"], "of 4 recordings a fifth is too few to judge by"),
    ],
)
def test_the_example_says_what_is_missing(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plain" / "1.wav", hum(500.0))
    folder_of(tmp_path / "few", takes=1)
    assert example(*arguments, "--dry-run") == 2 and said in capsys.readouterr().err


def test_the_judge_knows_copies_noise_and_collapse(words):
    sounds = data.audio(words)
    held = sounds.only(sounds.names[::2])
    judge = speech_gan.Judge(sounds.only(sounds.names[1::2]), held, data.Spectrogram.of(sounds))
    copies = judge(judge.real)
    assert copies == (1.0, 1.0, 1.0, 1.0, 1.0)
    one = judge(np.repeat(judge.real[:1], len(held), axis=0))
    assert one.as_asked == 0.5 and one.nearest == 1 / len(held) and one.recall < 0.2
    swapped = judge(judge.real[np.argsort(-held.labels, kind="stable")])
    assert swapped.as_asked == 0 and swapped.nearest == 1
    told = speech_gan.table({"a": [copies, one], "b": [copies]})
    assert "| a | 0.750 ± 0.250 |" in told and "| b | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |" in told
