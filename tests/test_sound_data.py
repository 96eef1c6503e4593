"""Folders of WAV files: every width and rate, silence, lengths, labels, and files that are none."""

import builtins
import struct
import wave

import numpy as np
import pytest
from small_sounds import folder_of, hum, read, write

from minigan import data
from minigan.data.sounds import Sounds, read_wav, trimmed, write_wav
from minigan.errors import InputError


def test_a_folder_of_takes(tmp_path):
    sounds = data.audio(folder_of(tmp_path / "words"))
    assert repr(sounds) == "Sounds('words', 20 of 0.32 s at 8000 Hz, 2 classes)"
    assert sounds.items.shape == (20, 1, 2560) and sounds.items.dtype == np.float32
    assert sounds.classes == ("high", "low") and sounds.names[0] == "high_ann_0.wav"
    np.testing.assert_array_equal(sounds.labels, [name.startswith("low") for name in sounds.names])
    np.testing.assert_allclose(np.abs(sounds.items).max(axis=2), 0.95, rtol=1e-6)
    assert (sounds.items[:, :, 1600:] == 0).all() and (np.abs(sounds.items[:, :, 1500:1600]).max(axis=2) > 0.1).all()
    assert sounds.settings == {"sample_rate": 8000, "samples": 2560} and sounds.root == str(tmp_path / "words")


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_is_the_same_sound(tmp_path, width):
    sound = hum(500.0)
    write(tmp_path / "a.wav", sound, width=width)
    found, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000 and found.dtype == np.float32
    np.testing.assert_allclose(found, sound, atol=2.0 / 2 ** (8 * width - 1) if width < 4 else 1e-6)


def wav_of(kind, bits, content, *, channels=1, extra=b""):
    """As other programs write it."""
    width = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, 8000, 8000 * width, width, bits) + extra
    parts = [(b"fmt ", head), (b"LIST", b"odd\0\0"), (b"data", content)]
    body = b"".join(name + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for name, part in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def extension(kind, bits):
    """What stands behind the head of a file of kind 0xFFFE (Microsoft 2007)."""
    guid = struct.pack("<HHHQ", kind, 0, 0x10, int.from_bytes(b"\x80\0\0\xaa\0\x38\x9b\x71", "little"))
    return struct.pack("<HHI", 22, bits, 4) + kind.to_bytes(2, "little") + guid[2:].ljust(14, b"\0")


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("kind, bits, dtype", [(3, 32, "<f4"), (3, 64, "<f8"), (1, 24, "<i4"), (1, 16, "<i2")])
def test_what_other_programs_write_is_the_same_sound(tmp_path, extensible, kind, bits, dtype):
    sound = np.stack([hum(500.0), hum(500.0, loudness=0.25)], axis=1)
    numbers = (sound if kind == 3 else np.rint(sound * (2.0 ** (bits - 1) - 1))).astype(dtype)
    content = numbers.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()
    extra = extension(kind, bits) if extensible else b""
    (tmp_path / "a.wav").write_bytes(wav_of(0xFFFE if extensible else kind, bits, content, channels=2, extra=extra))
    found, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000 and found.dtype == np.float32
    np.testing.assert_allclose(found, sound.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_of_a_file_that_is_cut_short_what_there_is_is_heard(tmp_path, missing):
    sound = hum(500.0)
    write(tmp_path / "a.wav", sound)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-missing])
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav")[0], sound[: -((missing + 1) // 2)], atol=1e-4)


def test_channels_are_averaged(tmp_path):
    left, right = hum(500.0), hum(500.0, loudness=0.25)
    write(tmp_path / "a.wav", np.stack([left, right], axis=1), channels=2)
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav")[0], (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [4000, 11025, 44100])
def test_other_rates_are_resampled(tmp_path, rate):
    pytest.importorskip("scipy")
    write(tmp_path / "a.wav", hum(500.0, rate), rate)
    write(tmp_path / "b.wav", hum(500.0))
    one, other = data.audio(tmp_path, seconds=0.2).items[:, 0]
    assert np.abs(one - other).max() < 0.06


def test_without_scipy_it_is_said(tmp_path, monkeypatch):
    write(tmp_path / "a.wav", hum(500.0, 4000), 4000)
    plain = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"4000 Hz .* 8000 Hz, which needs scipy: pip install \"minigan\[audio\]\""):
        data.audio(tmp_path)


def test_silence_at_the_ends_is_trimmed_off():
    sound = np.concatenate([np.full(1000, 1e-4), hum(500.0), np.zeros(700), hum(500.0), np.full(900, -1e-4)])
    found = trimmed(sound.astype(np.float32), 8000)
    assert 2 * 1600 + 700 - 200 < len(found) <= 2 * 1600 + 700 + 160  # the pause between is kept
    assert len(trimmed(np.zeros(500, np.float32), 8000)) == 0


def test_lengths(tmp_path):
    write(tmp_path / "a.wav", hum(500.0, seconds=0.55))
    write(tmp_path / "b.wav", hum(500.0, seconds=0.1))
    sounds = data.audio(tmp_path, seconds=0.25)
    assert sounds.items.shape == (2, 1, 2048) and sounds.cut == 1 and "1 cut" in repr(sounds)  # a multiple of 256
    assert sounds.items[0, 0, -1] == 0 and np.abs(sounds.items[0, 0, -200:]).max() > 0.5  # it fades
    assert data.audio(tmp_path).items.shape == (2, 1, 5120)  # nine of ten are not longer than 0.505 s
    assert sounds.only(["b.wav"]).names == ("b.wav",) and len(sounds.only(["b.wav"])) == 1


def test_labels_by_folder_by_name_or_none(tmp_path):
    for name in ("dog/a.wav", "dog/b.wav", "cat/x.wav"):
        write(tmp_path / "folders" / name, hum(500.0))
    assert data.audio(tmp_path / "folders").classes == ("cat", "dog")
    np.testing.assert_array_equal(data.audio(tmp_path / "folders").labels, [0, 1, 1])
    folder_of(tmp_path / "takes", takes=1)
    write(tmp_path / "takes" / "something.wav", hum(500.0))
    assert data.audio(tmp_path / "takes").labels is None


@pytest.mark.parametrize(
    "at, damage",
    [(24, 0), (24, 2**31), (34, 64), (16, 18)],
    ids=["rate 0", "a high rate", "64 bits", "a long head"],
)
def test_a_damaged_head_is_left_out(tmp_path, at, damage):
    folder_of(tmp_path, takes=1)
    write(tmp_path / "damaged.wav", hum(500.0))
    content = bytearray((tmp_path / "damaged.wav").read_bytes())
    content[at : at + 4] = damage.to_bytes(4, "little")
    (tmp_path / "damaged.wav").write_bytes(content)
    with pytest.warns(UserWarning, match=r"skipped 1 of 5 files \(damaged.wav: ."):
        data.audio(tmp_path)


def test_what_is_no_sound_is_left_out_and_named(tmp_path):
    folder_of(tmp_path, takes=1)
    (tmp_path / "broken.wav").write_bytes(b"RIFF....")
    write(tmp_path / "silent.wav", np.zeros(100))
    (tmp_path / "infinite.wav").write_bytes(wav_of(3, 32, np.full(800, np.inf, "<f4").tobytes()))
    (tmp_path / "telephone.wav").write_bytes(wav_of(7, 8, bytes(800)))
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.warns(
        UserWarning, match="skipped 4 of 8 files .broken.wav: no WAV file, or its head is damaged; "
    ) as told:
        sounds = data.audio(tmp_path)
    assert len(sounds) == 4 and [name for name, _ in sounds.skipped] == [
        "broken.wav", "infinite.wav", "silent.wav", "telephone.wav",
    ]  # fmt: skip
    assert "infinite.wav: some of its numbers are NaN, or far too large; silent" in str(told[0].message)
    assert sounds.skipped[-1][1] == "compressed, in format 7: save it as PCM"


@pytest.mark.parametrize(
    "made, settings, said",
    [
        (lambda path: None, {}, "does not exist, expected a folder of WAV files"),
        (lambda path: path.write_text(""), {}, "is a file, expected a folder"),
        (lambda path: path.mkdir(), {}, "holds no WAV file"),
        (
            lambda path: write(path / "a.wav", np.zeros(9)),
            {},
            r"no readable sound among its 1 WAV files \(a.wav",
        ),
        (folder_of, {"seconds": 0}, "seconds = 0 must be above 0"),
        (folder_of, {"seconds": float("nan")}, "seconds = nan must be above 0"),
        (folder_of, {"sample_rate": 0}, "sample_rate = 0 must be"),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path, made, settings, said):
    made(tmp_path / "x")
    with pytest.raises(InputError, match=said):
        data.audio(tmp_path / "x", **settings)


def test_the_same_sounds_have_the_same_fingerprint(tmp_path):
    one, other = data.audio(folder_of(tmp_path / "a")), data.audio(folder_of(tmp_path / "b"))
    assert one.fingerprint() == other.fingerprint() != one.only(one.names[1:]).fingerprint()


def test_written_sounds_are_read_back(tmp_path):
    sound = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, np.nan])
    (tmp_path / "a.wav").write_bytes(write_wav(sound, 11025))
    found, rate = read(tmp_path / "a.wav")
    assert rate == 11025
    np.testing.assert_array_equal(found, np.rint(np.array([0, 0.5, -0.5, 1, -1, 1, -1, 0]) * 32767))


def test_a_batch_is_drawn_with_its_labels(tmp_path):
    from minigan import backend

    sounds = data.audio(folder_of(tmp_path))
    assert isinstance(sounds, Sounds)
    loader = data.Loader(sounds, 4, backend=backend.get("numpy"), rng=np.random.default_rng(0), labels=True)
    batch, labels = next(iter(loader))
    assert batch.shape == (4, 1, 2560) and labels.shape == (4,)
    with wave.open(str(tmp_path / sounds.names[0])) as file:
        assert file.getnframes() == 1600
