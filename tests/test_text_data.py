"""Texts as data: what a window holds, what is read back, what is kept apart, and files that are no text."""

import gzip

import numpy as np
import pytest

from minigan import backend, data
from minigan.errors import InputError

NAMES = ["ada", "bo", "cleo", "dora"]


def windows(text, count=64):
    (one_hot,) = text.draw(np.arange(count) % len(text), np.random.default_rng(0), np.dtype("float32"))
    letters = np.array(list(text.alphabet))
    return one_hot, ["".join(row) for row in letters[one_hot.argmax(1)]]


def test_a_line_its_end_and_others_behind_it():
    text = data.Text(NAMES, lines=True, length=8)
    one_hot, found = windows(text)
    assert one_hot.dtype == np.float32 and one_hot.shape == (64, len(text.alphabet), 8)
    np.testing.assert_array_equal(one_hot.sum(1), 1)
    assert data.read_text(one_hot, text.alphabet) == NAMES * 16
    behind = {window.split("\n")[1] for window in found}
    assert set(NAMES[:3]) & behind == set(NAMES[:3])  # no character that stands for nothing
    assert all(part in name for window in found for part, name in [(window.split("\n")[-1], "\n".join(NAMES))])


def test_running_text_comes_in_windows_from_anywhere():
    text = data.Text(["to be or not to be, that is the question"], lines=False, length=10)
    assert len(text) == 4 and "\n" not in text.alphabet
    _, found = windows(text)
    assert len(set(found)) > 15 and all(window in text.texts[0] for window in found)
    assert all(
        excerpt in text.texts[0] and len(excerpt) == 10 for excerpt in text.excerpts(9, np.random.default_rng(0))
    )


def test_batches_are_the_same_again():
    text = data.Text(NAMES, lines=True)
    loaders = [data.Loader(text, 2, backend=backend.get("numpy"), rng=np.random.default_rng(3)) for _ in range(2)]
    next(iter(loaders[0]))
    loaders[1].load_state_dict(loaders[0].state_dict())
    np.testing.assert_array_equal(*(next(iter(loader)) for loader in loaders))
    other = data.Text(NAMES[::-1], lines=True)
    assert other.alphabet == text.alphabet and other.fingerprint() != text.fingerprint()


def test_what_is_kept_apart_is_not_learned_from():
    learned, held = data.Text(NAMES, lines=True).split(1, np.random.default_rng(0))
    assert sorted(learned.texts + held.texts) == NAMES and len(held) == 1
    assert learned.settings == held.settings
    learned, held = data.Text(["a" * 90 + "b" * 10], lines=False, length=5).split(3, np.random.default_rng(0))
    assert (set(learned.texts[0]), set(held.texts[0])) == ({"a"}, {"b"}) and learned.alphabet == held.alphabet


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_lines_and_one_of_running_text(tmp_path, packed):
    def write(name, content):
        content = content.encode()
        path = tmp_path / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    names = data.text(write("names.txt", "\n".join(["Ada", "", "Bo"] * 15 + ["Ümit"])))
    assert names.lines and names.texts == ("ada", "bo", "ümit") and names.length == 5
    novel = data.text(write("novel.txt", "It was the best\nof times, it was the worst of times. " * 40))
    assert (
        not novel.lines
        and novel.length == 32
        and novel.texts[0].startswith("it was the best of times, it was the worst of times. it")
    )
    assert data.text(write("novel.txt", "It was the best of times. " * 60), lower=False).texts[0][0] == "I"


def test_of_a_table_the_first_column(tmp_path):
    (tmp_path / "names.tsv").write_text("name\tsex\n" + "Ada\tf\n" * 10 + "Bo\tm\n" * 10)
    assert data.text(tmp_path / "names.tsv").texts == ("ada", "bo")


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("short.txt", b"one\ntwo", "2 short lines: too few"),
        ("one.txt", b"aaaa" * 500, r"one\.txt holds no character but 'a': name a UTF-8 file"),
        ("zeros.bin", bytes(2000), r"zeros\.bin holds no character but '\\x00'"),
        ("latin.txt", "Zoë".encode("latin-1") * 100, "no text in UTF-8"),
        ("bad.gz", b"no gzip", "no text in UTF-8"),
        (None, b"", "is no file of text: name a UTF-8 file"),
    ],
)
def test_files_that_are_no_text(tmp_path, name, content, said):
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        data.text(tmp_path / (name or "missing.txt"))


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: data.Text(NAMES, lines=True, length=4), "hold no line of 4 and its end"),
        (lambda: data.Text(NAMES, lines=True, length=0), "length = 0 must be"),
        (lambda: data.Text(["a"], lines=True, alphabet="ab"), "must begin with '.n', the end of a line"),
        (lambda: data.Text(NAMES, lines=True, alphabet="\nab"), "'d' is not of the alphabet"),
        (lambda: data.Text(["short"], lines=False), "at least 32 characters"),
        (lambda: data.Text(NAMES, lines=True).split(4, np.random.default_rng(0)), "4 of 4 lines cannot be kept apart"),
        (lambda: data.Text(NAMES, lines=True).excerpts(5, np.random.default_rng(0)), "there are 4"),
    ],
)
def test_what_does_not_fit(call, said):
    with pytest.raises(InputError, match=said):
        call()
