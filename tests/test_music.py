"""Music from MIDI files and arrays to rolls, and from rolls to files that are parsed back; what is counted in it."""

import io
import sys
import wave
from itertools import pairwise

import numpy as np
import pytest

from minigan import Tensor, cli, data, gan, metrics
from minigan.data.music import BAR, Piece, notes_of, read_midi, write_midi
from minigan.errors import InputError
from minigan.media import Music, medium_of
from minigan.metrics import music as counted

HELD = [60, 60, 60, 60] * 8  # a step each
MOVES = [72, 72, 74, 74, 76, 0, 77, 77] * 4


def piece(*voices, onsets=()):
    pitch = np.array(voices, np.uint8).T
    onset = np.diff(pitch.astype(int), axis=0, prepend=-1).astype(bool) & (pitch > 0)
    for voice, at in onsets:
        onset[at, voice] = True
    return Piece(pitch, onset)


TWO = piece(MOVES, HELD, onsets=[(1, 4), (1, 16)])


def test_rolls_tell_held_notes_from_repeated_ones():
    music = data.Music([TWO])
    assert music.settings == {"lowest": [72, 60], "rows": 8, "steps": 32, "bar": 16} and len(music) == 1
    (roll,) = music.draw(np.array([0]), np.random.default_rng(0), np.dtype("float32"))
    assert roll.shape == (1, 2, 8, 32) and set(np.unique(roll)) == {0, 1}
    np.testing.assert_array_equal(roll[:, :, :-1].sum(2), 1)  # one pitch or a rest at a time
    assert np.flatnonzero(roll[0, 1, -1]).tolist() == [0, 4, 16]
    assert roll[0, 0, -2].sum() == 4  # rests
    pitch, onset = data.read_rolls(roll, music.lowest)
    np.testing.assert_array_equal(pitch[0], TWO.pitch)
    np.testing.assert_array_equal(onset[0], TWO.onset)


def test_a_roll_begins_at_each_bar():
    long = piece(list(range(60, 76)) * 4)
    music = data.Music([long, piece(list(range(60, 76)) * 1)])
    assert len(music) == 3
    shifted = data.Music([piece(list(range(60, 76)) * 2 + [60] * 8)])
    assert len(shifted) == 1  # no room for another


def test_pieces_are_kept_apart_whole():
    tunes = [piece([60 + k] * BAR + [62 + k] * BAR) for k in range(6)]
    learned, held = data.Music(tunes).split(every=3)
    assert [len(learned), len(held)] == [4, 2] and learned.settings == held.settings
    assert data.read_rolls(held.rolls, held.lowest)[0][:, 0, 0].tolist() == [62, 65]
    assert learned.fingerprint() != held.fingerprint()
    with pytest.raises(InputError, match="give at least 5"):
        data.Music(tunes[:2]).split()


def test_midi_there_and_back(tmp_path):
    mido = pytest.importorskip("mido")
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "one.mid", tmp_path / "sub/two.MID"):
        path.write_bytes(write_midi(TWO))
    (tmp_path / "solo.mid").write_bytes(write_midi(piece(MOVES)))  # of fewer voices than most
    found = read_midi(tmp_path / "one.mid")
    np.testing.assert_array_equal(found.pitch, TWO.pitch)
    np.testing.assert_array_equal(found.onset, TWO.onset)
    many = mido.MidiFile(file=io.BytesIO(write_midi(piece(*[MOVES] * 12))))
    assert max(message.channel for message in many if message.type == "note_on") < 9  # the tenth is the drums'
    with pytest.warns(UserWarning, match=r"skipped 1 of 3 files \(solo.mid has 1 voices, most have 2\)"):
        music = data.midi(tmp_path)
    assert len(music.pieces) == 2 and music.root == str(tmp_path)
    (tmp_path / "solo.mid").unlink()
    assert data.music(tmp_path).settings == music.settings


def test_a_high_voice_beside_one_of_many_pitches(tmp_path):
    """So many pitches as the bass has are not above its lowest one: it has some below."""
    pytest.importorskip("mido")
    music = data.Music([piece([126, 127] * 16, list(range(20, 52)))])
    assert music.lowest == (96, 20) and music.span == 32
    (roll,) = music.draw(np.array([0]), np.random.default_rng(0), np.dtype("float32"))
    pitch, _ = data.read_rolls(roll, music.lowest)
    np.testing.assert_array_equal(pitch[0], music.pieces[0].pitch)
    medium_of({"model": "musegan", **music.settings}).save(tmp_path / "high.mid", roll)
    np.testing.assert_array_equal(read_midi(tmp_path / "high.mid").pitch[:32], music.pieces[0].pitch)


def test_of_several_notes_at_a_time_the_highest_is_kept(tmp_path):
    mido = pytest.importorskip("mido")
    file, ticks = mido.MidiFile(ticks_per_beat=4), [0, 0, 2, 2, 4, 2, 2, 2]  # a tick is a sixteenth
    file.tracks.append(mido.MidiTrack())
    notes = [("on", 60), ("on", 72), ("on", 64), ("off", 64), ("off", 72), ("on", 62), ("off", 60), ("off", 62)]
    for (kind, note), time in zip(notes, ticks, strict=True):
        file.tracks[0].append(mido.Message(f"note_{kind}", note=note, time=time))
    file.save(tmp_path / "a.mid")
    pitch, onset = read_midi(tmp_path / "a.mid")
    assert notes_of(pitch[:, 0], onset[:, 0]) == [(0, 8, 72), (8, 10, 60), (10, 14, 62)]


def test_midi_of_other_programs(tmp_path):
    """Notes a little off the grid, ended by a note_on of no velocity, two channels in one track."""
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(ticks_per_beat=96)
    track = mido.MidiTrack()
    file.tracks.append(track)
    on, off = "note_on", "note_off"
    for kind, channel, note, velocity, ticks in [
        (on, 0, 50, 64, 1), (on, 1, 70, 64, 0), (on, 0, 50, 0, 94), (off, 1, 70, 0, 2), (on, 1, 71, 9, 0),
        (off, 1, 71, 0, 24),
    ]:  # fmt: skip
        track.append(mido.Message(kind, channel=channel, note=note, velocity=velocity, time=ticks))
    file.save(tmp_path / "a.mid")
    found = read_midi(tmp_path / "a.mid")
    assert [notes_of(p, o) for p, o in zip(found.pitch.T, found.onset.T, strict=True)] == [
        [(0, 4, 70), (4, 5, 71)],
        [(0, 4, 50)],
    ]
    track.insert(0, mido.MetaMessage("time_signature", numerator=3, denominator=4))
    file.save(tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid") is None
    with pytest.raises(InputError, match=r"no music among its 1 MIDI files \(a.mid has no notes, or another metre"):
        data.midi(tmp_path)
    (tmp_path / "a.mid").write_bytes(b"no music")
    with pytest.raises(InputError, match="is no MIDI file"):
        data.midi(tmp_path)
    file.ticks_per_beat = -6360  # SMPTE: 25 frames a second, 40 ticks each
    file.save(tmp_path / "a.mid")
    with pytest.raises(InputError, match="counts time in frames"):
        data.midi(tmp_path)


def test_drums_are_no_voice(tmp_path):
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(file=io.BytesIO(write_midi(TWO)))
    beats = [mido.Message(kind, channel=9, note=36, time=120) for kind in ("note_on", "note_off") * 4]
    file.tracks.append(mido.MidiTrack(beats))
    file.save(tmp_path / "a.mid")
    np.testing.assert_array_equal(read_midi(tmp_path / "a.mid").pitch, TWO.pitch)


def test_midi_files_of_no_use_are_left_out_and_named(tmp_path):
    mido = pytest.importorskip("mido")
    for name in ("one.mid", "two.mid"):
        (tmp_path / name).write_bytes(write_midi(TWO))
    key = mido.MidiFile(tracks=[mido.MidiTrack([mido.MetaMessage("key_signature", key="C")])])
    key.save(tmp_path / "key.mid")
    content = (tmp_path / "key.mid").read_bytes()
    neither = content.replace(b"\x59\x02\x00\x00", b"\x59\x02\x00\x09")  # major nor minor
    (tmp_path / "key.mid").write_bytes(neither)
    (tmp_path / "cut.mid").write_bytes((tmp_path / "one.mid").read_bytes()[:100])
    (tmp_path / "short.mid").write_bytes(write_midi(piece([60, 62] * 8, [50] * 16)))
    (tmp_path / "._one.mid").write_bytes(b"what a Mac leaves beside a file")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.warns(UserWarning) as told:
        music = data.midi(tmp_path)
    links, skipped = (str(warning.message) for warning in told)
    assert "skipped link: links to folders are not followed" in links
    assert skipped.startswith(f"{tmp_path}: skipped 3 of 5 files (cut.mid is no MIDI file (it ends too early); ")
    assert "key.mid is no MIDI file (Could not decode key" in skipped and "short.mid is shorter than 2 bars" in skipped
    assert len(music.pieces) == 2


def test_the_file_of_chorales(tmp_path):
    path = tmp_path / "chorales.npz"
    pitch, onset = np.concatenate([TWO.pitch] * 3), np.concatenate([TWO.onset] * 3)
    np.savez(path, pitch=pitch, onset=onset, offsets=[0, 32, 64, 96], meter=["4/4", "3/4", "4/4"])
    music = data.music(path)
    assert len(music.pieces) == 2 and music.name == "chorales.npz"
    for content in (b"PK no", b"MThd and one tune", path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"chorales\.npz does not hold chorales: name a folder of MIDI"):
            data.music(path)
    np.savez_compressed(path, pitch=pitch, onset=onset, offsets=[0, 96], meter=["4/4"])
    damaged = bytearray(path.read_bytes())
    damaged[60:70] = b"\xff" * 10  # of what is packed: zlib's own error
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"does not hold chorales \(Error -3 while decompressing"):
        data.chorales(path)
    np.savez(path, pitch=pitch)
    with pytest.raises(InputError, match=r"does not hold chorales .*onset"):
        data.chorales(path)
    with pytest.raises(InputError, match="is no music: name a folder of MIDI"):
        data.music(tmp_path / "missing")


def test_without_mido_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mido", None)
    (tmp_path / "a.mid").write_bytes(b"")
    for call in (lambda: data.midi(tmp_path), lambda: write_midi(TWO)):
        with pytest.raises(InputError, match=r"needs mido: pip install \"minigan\[music\]\""):
            call()


def test_tunes_are_written_to_be_played_heard_and_seen(tmp_path):
    mido = pytest.importorskip("mido")
    medium = medium_of({"model": "musegan", **data.Music([TWO]).settings})
    assert type(medium) is Music
    rolls = data.Music([TWO]).rolls.repeat(2, 0)
    written = medium.save(tmp_path / "tunes.mid", rolls, 2)
    assert [path.suffix for path in written] == [".mid", ".wav", ".png"] and all(path.exists() for path in written)
    notes = [m for m in mido.MidiFile(written[0]).tracks[1] if m.type == "note_on" and m.velocity]
    assert [note.note for note in notes] == [60] * 6
    back = read_midi(written[0])
    np.testing.assert_array_equal(back.pitch[:32], TWO.pitch)
    np.testing.assert_array_equal(back.pitch[48:80], TWO.pitch)  # after a bar of rest
    with wave.open(str(written[1]), "rb") as file:
        seconds = file.getnframes() / file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert seconds == pytest.approx(2 * 48 * 60 / 90 / 4, rel=0.01)
    loud = np.abs(sound[: len(sound) // 6]).max(), np.abs(sound[int(len(sound) * 0.4) : int(len(sound) * 0.49)]).max()
    assert loud[0] > 20000 > 100 > loud[1]  # and the rest is silent
    picture = medium.one(rolls[0])
    assert picture.shape[:2] == (3 * 18, 3 * 32)  # from 60 to 77, 32 steps
    with pytest.raises(InputError, match="must be MIDI numbers"):
        Music({"lowest": [125], "rows": 8})


def test_the_pitch_is_heard():
    from minigan.media.music import SAMPLE_RATE, synthesised

    sound = synthesised(piece([69] * 16))
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)[spectrum.argmax()] == pytest.approx(440, abs=1)


# ---- what is counted ----------------------------------------------------------------------------


def arrays(*voices):
    one = piece(*voices)
    return one.pitch[None], one.onset[None]


def test_notes_steps_and_pitch_classes():
    pitch, onset = TWO.pitch[None], TWO.onset[None]
    np.testing.assert_allclose(counted.notes_a_bar(pitch, onset), [8, 1.5])
    steps = counted.steps_of(pitch, onset)
    assert steps == {2: 8, 1: 4, -5: 3} and counted.steps_of(pitch, onset, 1) == {0: 2}
    assert counted.pitch_classes(pitch, onset)[1, 0] == 3


def test_parallels_crossings_and_chords():
    fifths = arrays([67] * 8 + [69] * 8, [60] * 8 + [62] * 8)
    thirds = arrays([64] * 8 + [65] * 8, [60] * 8 + [62] * 8)
    held = arrays([67] * 16, [60] * 8 + [62] * 8)
    again = piece([67] * 16, [60] * 16, onsets=[(0, 8), (1, 8)])  # the same fifth once more
    repeated = again.pitch[None], again.onset[None]
    assert [counted.parallels_a_bar(*music) for music in (fifths, thirds, held, repeated)] == [1, 0, 0, 0]
    assert counted.crossings(arrays([60] * 16, [60] * 4 + [62] * 4 + [0] * 8)[0]) == 0.25
    assert counted.chord_classes(arrays([67] * 16, [64] * 16, [60] * 8 + [64] * 8)[0]) == {
        frozenset({0, 4, 7}): 2,
        frozenset({0, 3}): 2,
    }


def test_statistics_of_the_same_music_are_no_distance():
    real = TWO.pitch[None], TWO.onset[None]
    found = metrics.music_statistics(*real, *real)
    assert [found[name] for name in ("steps of the soprano", "pitch classes", "chord classes")] == [0, 0, 0]
    other = metrics.music_statistics(*arrays(HELD, MOVES), *real)
    assert other["chord classes"] == 0 < other["steps of the soprano"] and other["crossings"] > 0.8


# ---- the model ----------------------------------------------------------------------------------


def generator(voices=4, **changes):
    settings = {
        "lowest": [70, 60, 50, 40][:voices],
        "rows": 7,
        "steps": 16,
        "bar": 8,
        "z_dim": 10,
        "width": 8,
    } | changes
    return gan.build({"model": "musegan", **settings}, np.random.default_rng(0))


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_a_voice_sings_one_note_at_a_time_and_moves_where_one_begins(voices, rng):
    g, _ = generator(voices)
    rolls = gan.generate(g, rng.standard_normal((30, 10)))
    assert rolls.shape == (30, voices, 7, 16) and set(np.unique(rolls)) == {0, 1}
    np.testing.assert_array_equal(rolls[:, :, :-1].sum(2), 1)
    row, begins = rolls[:, :, :-1].argmax(2), rolls[:, :, -1]
    assert ((np.diff(row, axis=2) == 0) | (begins[:, :, 1:] == 1)).all() and (begins[:, :, 0] == 1).all()


def test_a_private_latent_moves_its_voice_and_what_hears_it(rng):
    g, _ = generator(4, z_dim=10)  # two numbers shared, two of each voice
    z = rng.standard_normal((40, 10))
    other = z.copy()
    other[:, 8:] = rng.standard_normal((40, 2))  # of the last voice
    a, b = gan.generate(g, z), gan.generate(g, other)
    first = slice(0, 1)
    np.testing.assert_array_equal(a[:, :1, :, first], b[:, :1, :, first])
    assert (a[:, 3] != b[:, 3]).any() and (a[:, :3] != b[:, :3]).any()


def test_d_is_shown_intervals_and_what_is_kept_while_both_move():
    """Against sums by hand; a tune that is moved as a whole has the same ones."""
    voices = [62, 62, 64, 65, 0, 60, 67, 69], [57, 57, 59, 60, 60, 62, 60, 62], [50, 52, 52, 53, 53, 55, 60, 55]
    music = data.Music([piece(*(voice * 4 for voice in voices))], lowest=[55, 50, 45], span=30)
    moved = data.Music([piece(*([n and n + 3 for n in voice * 4] for voice in voices))], lowest=[55, 50, 45], span=30)
    _, d = gan.build({"model": "musegan", **music.settings, "z_dim": 10, "width": 8}, np.random.default_rng(0))
    found, kept = (part.numpy() for part in d.intervals(Tensor(music.rolls.astype(np.float32).transpose(0, 3, 1, 2))))
    row = np.where(music.pieces[0].pitch > 0, music.pieces[0].pitch.astype(int) - [55, 50, 45], -1)  # (steps, voices)
    pairs = [(0, 1), (1, 2), (0, 2)]
    for t in range(1, 32):
        wanted = [(row[t, v], row[t - 1, v]) for v in range(3)] + [(row[t, a], row[t, b]) for a, b in pairs]
        for place, (a, b) in enumerate(wanted):
            one_hot = np.eye(24)[(a - b) % 24] if min(a, b) >= 0 else np.zeros(24)
            np.testing.assert_allclose(found[0, t, place], one_hot, atol=1e-6)
        for place, (a, b) in enumerate(pairs):
            sung = row[t - 1 : t + 1, [a, b]].min() >= 0
            same = row[t, a] - row[t, b] == row[t - 1, a] - row[t - 1, b]
            kept_one = sung and same and row[t, a] != row[t - 1, a]
            np.testing.assert_allclose(kept[0, t, place].sum(), kept_one, atol=1e-6)
            assert not kept_one or kept[0, t, place].argmax() == (row[t, a] - row[t, b]) % 24
    assert kept.sum() > 4
    others = d.intervals(Tensor(moved.rolls.astype(np.float32).transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(others[0].numpy(), found, atol=1e-6)


@pytest.mark.parametrize(
    "changes, said",
    [({"z_dim": 3}, "more than the 4 voices"), ({"steps": 6}, "must be a multiple of 4"), ({"rows": 2}, "rows"),
     ({"bar": 3}, "bar = 3 of 2")],
)  # fmt: skip
def test_settings_that_cannot_be(changes, said):
    with pytest.raises(InputError, match=said):
        generator(**changes)


def test_from_midi_files_to_a_tune_by_the_command_line(tmp_path, capsys):
    pytest.importorskip("mido")
    (tmp_path / "tunes").mkdir()
    for k in range(4):
        (tmp_path / f"tunes/{k}.mid").write_bytes(write_midi(piece([60 + k, 62] * 32, [50] * 32 + [52 + k] * 32)))
    out = tmp_path / "run"
    train = ["train", "--model", "musegan", "--data", tmp_path / "tunes", "--steps", 2, "--width", 4, "--batch-size", 4]
    for command in (
        [*train, "--out", out, "--quiet"],
        ["sample", out, "-n", 3, "--out", tmp_path / "three.mid"],
        ["interpolate", out, "--rows", 1, "--steps", 3, "--out", tmp_path / "walk.mid"],
        ["report", out],
    ):
        assert cli.main([str(word) for word in command]) == 0
    assert "3 tunes in" in capsys.readouterr().out
    assert len(read_midi(tmp_path / "three.mid").pitch) in (112, 128, 144) and (tmp_path / "walk.wav").exists()
    page = (out / "report.html").read_text()
    assert "<audio controls" in page and "final.mid" in page and "final.png" in page
    assert cli.main(["train", "--model", "musegan", "--out", str(tmp_path / "no")]) == 2
    assert "learns from music: name a folder of MIDI files" in capsys.readouterr().err


def test_the_example_measures_beside_baselines(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mido")
    from commands import ROOT

    monkeypatch.syspath_prepend(ROOT / "examples")
    import music_gan

    pitch, onset = np.concatenate([TWO.pitch] * 10), np.concatenate([TWO.onset] * 10)
    path = tmp_path / "chorales.npz"
    np.savez(path, pitch=pitch, onset=onset, offsets=np.arange(0, 321, 32), meter=["4/4"] * 10)
    monkeypatch.setattr(sys, "argv", ["x", "--data", str(path), "--dry-run", "--quiet", "--out", str(tmp_path / "o")])
    assert music_gan.main() == 0
    table = (tmp_path / "o/judged.md").read_text()
    assert table in capsys.readouterr().out
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines()}
    assert {"kept apart", "musegan", "voices of different pieces", "a chain for each voice"} <= rows.keys()
    assert "8.00 / 1.50 | 0.000 | 0.000" in rows["voices of different pieces"]
    np.savez(path, pitch=pitch[:160], onset=onset[:160], offsets=np.arange(0, 161, 32), meter=["4/4"] * 5)
    assert music_gan.main() == 2 and "just two bars to judge by" in capsys.readouterr().err  # before it learns


def test_notes_of_a_voice_do_not_overlap():
    notes = notes_of(TWO.pitch[:, 0], TWO.onset[:, 0])
    assert all(a[1] <= b[0] for a, b in pairwise(notes)) and len(notes) == 16
