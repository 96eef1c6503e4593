"""Texts: the lines of a file, such as names, or windows of a running text, such as a novel."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..sizes import size
from .drawn import Drawn

END = "\n"  # of a line
WINDOW = 32  # characters of running text; lines that are all shorter are taken one by one
FEWEST = 20  # lines, or windows
WHERE = "name a UTF-8 file, --data FILE, of names or words, a line each, or of running text such as a novel"


class Text(Drawn):
    """One-hot characters (N, characters, length) of lines, or of windows of a running text.

    A line does not fill its window. What follows its end is other lines, as they come to hand, and not a character
    that stands for nothing: of that a generator would learn to write much, and D to look at little else. So an item is
    a line, the mark of its end, and whatever has room behind.

    >>> names = Text(["ada", "bo"], lines=True, name="names")
    >>> names
    Text('names', 2 lines of up to 3 characters, 5 different ones)
    >>> (one_hot,) = names.draw(np.array([0]), np.random.default_rng(0), np.dtype("float32"))
    >>> one_hot.shape, read_text(one_hot, names.alphabet)
    ((1, 5, 4), ['ada'])

    texts      the lines, or the running text alone
    length     of a window (default: the longest line and its end, or 32)
    alphabet   all characters (default: those of the texts, and a line's end)
    """

    def __init__(
        self,
        texts: Sequence[str],
        *,
        lines: bool,
        length: int | None = None,
        alphabet: str | None = None,
        name: str = "text",
    ) -> None:
        self.name, self.lines, self.texts = name, lines, tuple(texts)
        if alphabet is None:
            alphabet = (END if lines else "") + "".join(sorted(set("".join(texts)) - {END}))
        self.alphabet = alphabet
        if lines and not alphabet.startswith(END):
            raise InputError(f"{name}: the alphabet {alphabet!r} must begin with {END!r}, the end of a line")
        codes = {character: number for number, character in enumerate(alphabet)}
        try:
            self.codes = [np.array([codes[c] for c in text], np.int32) for text in texts]
        except KeyError as error:
            raise InputError(f"{name}: the character {error.args[0]!r} is not of the alphabet {alphabet!r}") from None
        self.longest = max(map(len, texts), default=0)
        self.length = size("length", length) if length is not None else self.longest + 1 if lines else WINDOW
        if lines and self.length <= self.longest:
            raise InputError(f"{name}: windows of {self.length} characters hold no line of {self.longest} and its end")
        if not lines and (len(texts) != 1 or self.longest < self.length):
            raise InputError(f"{name}: running text must be one, of at least {self.length} characters")

    @property
    def settings(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet, "length": self.length}

    def __len__(self) -> int:
        """Lines, or windows that do not overlap."""
        return len(self.texts) if self.lines else self.longest // self.length

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
        window = self.line if self.lines else self.anywhere
        codes = np.stack([window(number, rng) for number in chosen])
        return (np.eye(len(self.alphabet), dtype=dtype)[codes].transpose(0, 2, 1),)

    def line(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """A line, its end, and others behind it."""
        end, parts, room = np.zeros(1, np.int32), [self.codes[number]], self.length - len(self.codes[number])
        while room > 0:
            parts += [end, self.codes[rng.integers(len(self.codes))]]
            room -= 1 + len(parts[-1])
        return np.concatenate(parts)[: self.length]

    def anywhere(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """A window of the running text, from wherever."""
        start = rng.integers(self.longest - self.length + 1)
        return self.codes[0][start : start + self.length]

    def excerpts(self, count: int, rng: np.random.Generator) -> list[str]:
        """So many different lines, or windows from wherever, as a reader has them."""
        if not self.lines:
            starts = rng.integers(self.longest - self.length + 1, size=count)
            return [self.texts[0][start : start + self.length] for start in starts]
        if count > len(self):
            raise InputError(f"{self.name}: {count} lines were asked for, and there are {len(self)}")
        return [self.texts[number] for number in rng.choice(len(self), count, replace=False)]

    def split(self, count: int, rng: np.random.Generator) -> tuple[Text, Text]:
        """(to learn from, kept apart): ``count`` random lines are kept apart; of a running text, its last tenth."""
        if self.lines:
            if not 0 < count < len(self):
                raise InputError(f"{self.name}: {count} of {len(self)} lines cannot be kept apart")
            order = rng.permutation(len(self))
            parts = [[self.texts[i] for i in order[count:]], [self.texts[i] for i in order[:count]]]
        else:
            cut = self.longest * 9 // 10
            parts = [[self.texts[0][:cut]], [self.texts[0][cut:]]]

        def like(texts: Sequence[str]) -> Text:
            return Text(texts, lines=self.lines, length=self.length, alphabet=self.alphabet, name=self.name)

        return like(parts[0]), like(parts[1])

    def fingerprint(self) -> str:
        return f"{zlib.crc32(END.join((*self.texts, self.alphabet)).encode(), self.length):08x}"

    def __repr__(self) -> str:
        kinds = f"{len(self.alphabet)} different ones"
        if self.lines:
            return f"Text({self.name!r}, {len(self)} lines of up to {self.longest} characters, {kinds})"
        return f"Text({self.name!r}, {self.longest} characters, in windows of {self.length}, {kinds})"


def read_text(samples: np.ndarray, alphabet: str) -> list[str]:
    """The texts of samples (N, characters, length): the likeliest character everywhere, up to a line's end.

    >>> read_text(np.eye(3)[[[1, 2, 0, 1]]].transpose(0, 2, 1), "\\nab")
    ['ab']
    """
    letters = np.array(list(alphabet))
    return ["".join(letters[codes]).split(END)[0] for codes in np.asarray(samples).argmax(axis=1)]


def text(source: str | os.PathLike[str], *, length: int | None = None, lower: bool = True) -> Text:
    """The text in a file, UTF-8, perhaps gzipped. Of a table (.tsv) it is the first column, below its head.

    Where all lines are shorter than 32 characters they are taken one by one, each once; of anything else, windows of
    ``length`` characters (default: 32) of the running text, its line breaks as spaces. ``lower`` takes capitals for
    small letters.

    Raises InputError for what cannot be read, and for too little of it.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{source} is no file of text: {WHERE}")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        whole = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no text in UTF-8 ({error}): save it as such") from None
    whole = whole.lower() if lower else whole
    rows = [row.strip() for row in whole.splitlines()]
    if path.suffix == ".tsv":
        rows = [row.split("\t")[0].strip() for row in rows[1:]]
    rows = [row for row in rows if row]
    if len(set("".join(rows))) == 1:
        raise InputError(f"{path} holds no character but {rows[0][0]!r}: {WHERE}")
    if len(rows) < FEWEST and sum(map(len, rows)) < FEWEST * WINDOW:
        raise InputError(f"{path} holds {len(rows)} short lines: too few to learn from, give at least {FEWEST}")
    if max(map(len, rows)) < WINDOW and len(rows) >= FEWEST:
        return Text(list(dict.fromkeys(rows)), lines=True, length=length, name=path.name)
    return Text([" ".join(" ".join(rows).split())], lines=False, length=length, name=path.name)
