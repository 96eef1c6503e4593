"""Pictures with a table of what is to be seen in each: an age, a colour of hair, glasses or none.

An attribute is a category or a number, and networks are told either as a few columns of shares that add up to 1: a
category's value has a column of its own, and a number is shared between the two of its ``knots`` that it lies between.
So one cross-entropy judges them all, and columns of zeros say that nothing is said of this attribute.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..sizes import size as whole
from .drawn import Drawn
from .paired import read_pictures
from .unpaired import square

MOST_VALUES = 24  # of a category; a column with more is left out where none is named
FEWEST_NUMBERS = 7  # different ones that make a column of numbers more than a category
KNOTS = 4
ALSO = 0.25  # chance of an attribute to be asked for beside the first one


@dataclass(frozen=True)
class Category:
    """One of ``values``.

    >>> Category("hair", ("black", "white")).encode(["white", "black"])
    array([[0., 1.],
           [1., 0.]])
    """

    name: str
    values: tuple[str, ...]

    @property
    def columns(self) -> int:
        return len(self.values)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, columns), each row adding up to 1. Raises InputError for a value that there is not."""
        if unknown := [text for text in texts if text not in self.values]:
            raise InputError(f"{self.name}={unknown[0]}: choose one of {', '.join(self.values)}")
        return np.eye(self.columns)[[self.values.index(text) for text in texts]]

    def decode(self, shares: np.ndarray) -> list[str]:
        """The likeliest value of each row."""
        return [self.values[i] for i in shares.argmax(axis=1)]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "values": list(self.values)}

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.values)}"


@dataclass(frozen=True)
class Number:
    """From ``low`` to ``high``, told as shares of ``knots`` evenly spaced numbers.

    >>> age = Number("age", 20, 80, knots=4)
    >>> age.encode(["20", "50"])
    array([[1. , 0. , 0. , 0. ],
           [0. , 0.5, 0.5, 0. ]])
    >>> age.decode(age.encode(["33"]))
    array([33.])
    """

    name: str
    low: float
    high: float
    knots: int = KNOTS

    @property
    def columns(self) -> int:
        return self.knots

    def encode(self, texts: Sequence[str] | np.ndarray) -> np.ndarray:
        """(N, columns), each row adding up to 1. Raises InputError for what is no number from low to high."""
        numbers = np.empty(len(texts))
        for i, text in enumerate(texts):
            try:
                numbers[i] = float(text)
            except ValueError:
                raise InputError(f"{self.name}={text}: give a number from {self.low:g} to {self.high:g}") from None
            if not self.low <= numbers[i] <= self.high:
                raise InputError(
                    f"{self.name}={text}: the pictures learned from have {self.low:g} to {self.high:g}, so nothing is "
                    "known of others"
                )
        place = (numbers - self.low) / (self.high - self.low) * (self.knots - 1)
        return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(self.knots)), 0, 1))

    def decode(self, shares: np.ndarray) -> np.ndarray:
        """The mean of the knots, weighted by the shares of each row."""
        return shares @ np.linspace(self.low, self.high, self.knots)

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "low": self.low, "high": self.high, "knots": self.knots}

    def __str__(self) -> str:
        return f"{self.name}: {self.low:g} to {self.high:g}"


Attribute = Category | Number


def attributes_from(told: Any) -> tuple[Attribute, ...]:
    """What ``as_dict`` made of each, as a model file has them. Raises InputError for anything else."""
    try:
        found: list[Attribute] = []
        for one in told:
            if "values" in one:
                found.append(Category(str(one["name"]), tuple(map(str, one["values"]))))
            else:
                found.append(Number(str(one["name"]), float(one["low"]), float(one["high"]), int(one["knots"])))
    except (TypeError, KeyError, ValueError):
        raise InputError(f"attributes = {told!r}: give each a name and its values, or low, high and knots") from None
    if not found:
        raise InputError("attributes: there is none, so nothing to change")
    for attribute in found:
        if attribute.columns < 2 or (isinstance(attribute, Number) and not attribute.low < attribute.high):
            raise InputError(f"attributes: {attribute.name} has but one value: there is nothing to choose")
    if len({one.name for one in found}) < len(found):
        raise InputError(f"attributes: {', '.join(one.name for one in found)} names one twice")
    return tuple(found)


def columns_of(attributes: Sequence[Attribute]) -> list[slice]:
    """Where each attribute's columns lie among those of all."""
    ends = np.cumsum([one.columns for one in attributes])
    return [slice(int(end) - one.columns, int(end)) for one, end in zip(attributes, ends, strict=True)]


def asked(attributes: Sequence[Attribute], wanted: Mapping[str, str]) -> np.ndarray:
    """(columns,) of shares for the attributes that are named, and zeros for those that are to stay as they are.

    >>> glasses = Category("glasses", ("no", "yes"))
    >>> asked([glasses, Number("age", 20, 80)], {"glasses": "yes"})
    array([0., 1., 0., 0., 0., 0.])
    """
    parts = columns_of(attributes)
    found = np.zeros(parts[-1].stop)
    by_name = {one.name: (one, part) for one, part in zip(attributes, parts, strict=True)}
    for name, text in wanted.items():
        if name not in by_name:
            raise InputError(f"{name}={text}: this model knows {'; '.join(map(str, attributes))}")
        attribute, part = by_name[name]
        found[part] = attribute.encode([text])[0]
    return found


class Attributes(Drawn):
    """Pictures of one size, and what the table says of each.

    pictures    uint8 (N, H, W, C)
    table       the column of each attribute: a text for every picture, "" where nothing is known
    attributes  what they can be (default: told from the table, see ``attribute_of``)
    flip        mirror half of the pictures

    A batch is (pictures, own, wanted, asked): pictures float (N, C, H, W) in [-1, 1]; the others (N, columns), see the
    top of this file. ``own`` is what the table says. One attribute is asked for, and each other with a chance of 1/4;
    ``asked`` is 1 in their columns. There, ``wanted`` is some value of the category, each as often as the others, or
    some other picture's number; elsewhere it is ``own``. What is not known is 0 in all columns, and never asked for.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        table: Mapping[str, Sequence[str]],
        attributes: Sequence[Attribute] | None = None,
        *,
        flip: bool = True,
        name: str = "pictures",
        root: str | None = None,
    ) -> None:
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or not len(pictures):
            raise InputError(f"{name}: pictures are {pictures.dtype} {pictures.shape}, expected uint8 (N, H, W, C)")
        if not table:
            raise InputError(f"{name}: no attribute is given, so there is nothing to learn to change")
        for column, texts in table.items():
            if len(texts) != len(pictures):
                raise InputError(f"{name}: {len(texts)} values of {column} for {len(pictures)} pictures")
        self.pictures, self.flip, self.name, self.root = np.ascontiguousarray(pictures), flip, name, root
        self.table = {column: list(texts) for column, texts in table.items()}
        found = attributes or [attribute_of(column, texts) for column, texts in self.table.items()]
        self.attributes = attributes_from([one.as_dict() for one in found])
        if lacking := [one.name for one in self.attributes if one.name not in self.table]:
            raise InputError(f"{name}: the table has no column {lacking[0]}: it has {', '.join(self.table)}")
        self.parts = columns_of(self.attributes)
        self.own = np.zeros((len(pictures), self.parts[-1].stop))
        self.known = np.zeros((len(pictures), len(self.attributes)), bool)
        for number, (one, part) in enumerate(zip(self.attributes, self.parts, strict=True)):
            self.known[:, number] = [text != "" for text in self.table[one.name]]
            rows = np.flatnonzero(self.known[:, number])
            self.own[rows, part] = one.encode([self.table[one.name][i] for i in rows])

    @property
    def settings(self) -> dict[str, Any]:
        _, height, width, channels = self.pictures.shape
        size = height if height == width else [height, width]
        told = [attribute.as_dict() for attribute in self.attributes]
        return {"image_size": size, "channels": channels, "attributes": told}

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
        count, many = len(chosen), len(self.attributes)
        pictures = self.pictures[chosen]
        if self.flip:
            mirrored = rng.random(count) < 0.5
            pictures[mirrored] = pictures[mirrored, :, ::-1]
        x = np.divide(pictures, 127.5, dtype=dtype) - dtype.type(1)
        own = self.own[chosen]
        wanted, is_asked = own.copy(), np.zeros_like(own)
        which = rng.random((count, many)) < ALSO
        which[np.arange(count), rng.integers(many, size=count)] = True
        which &= self.known[chosen]
        for number, (attribute, part) in enumerate(zip(self.attributes, self.parts, strict=True)):
            if isinstance(attribute, Category):
                values = np.eye(attribute.columns)[rng.integers(attribute.columns, size=count)]
            else:
                known = np.flatnonzero(self.known[:, number])
                values = self.own[rng.choice(known, size=count), part] if len(known) else own[:, part]
            rows = which[:, number]
            wanted[rows, part], is_asked[rows, part] = values[rows], 1
        return x.transpose(0, 3, 1, 2), *(a.astype(dtype, copy=False) for a in (own, wanted, is_asked))

    def part(self, chosen: np.ndarray) -> Attributes:
        """Some of the pictures, by numbers or by True and False, with the same attributes."""
        numbers = np.arange(len(self))[chosen]
        table = {column: [texts[i] for i in numbers] for column, texts in self.table.items()}
        return Attributes(
            self.pictures[numbers], table, self.attributes, flip=self.flip, name=self.name, root=self.root
        )

    def fingerprint(self) -> str:
        found = zlib.crc32(self.pictures.data)
        return f"{zlib.crc32(repr((self.table, self.attributes, self.flip)).encode(), found):08x}"

    def __repr__(self) -> str:
        return f"Attributes({self.name!r}, {len(self)} pictures, {', '.join(one.name for one in self.attributes)})"


# ---- from files ------------------------------------------------------------------------------------------------------


def open_attributes(
    pictures: str | os.PathLike[str],
    table: str | os.PathLike[str],
    *,
    size: int = 64,
    names: Sequence[str] | None = None,
    flip: bool = True,
) -> Attributes:
    """A folder of pictures, or a sheet of square ones, and a table (.csv, .tsv) whose first line names its columns.

    The lines belong to the tiles of a sheet in their order, and to the pictures of a folder by name: some column holds
    the file names, with their suffix or without. A picture is cut to its centre square and resized to ``size``. Of the
    columns ``names`` are learned (default: each that holds numbers, or at most 24 different values). An empty field
    says that nothing is known. A picture without a line is left out, with a warning.
    """
    pictures, table = Path(pictures), Path(table)
    rows, size = read_table(table), whole("size", size)
    found = read_pictures(pictures, size)
    if pictures.is_file():
        while len(found) > len(rows) and np.ptp(next(reversed(found.values()))) == 0:  # fills the sheet's last row
            found.popitem()
        if len(found) != len(rows):
            raise InputError(f"{table} has {len(rows)} lines, {pictures} {len(found)} pictures: a line for each")
        chosen, key = list(zip(rows, found.values(), strict=True)), None
    else:
        chosen, key = matched(rows, found, table, pictures)
    columns = attribute_columns(rows, names, key, table)
    if len(chosen) < len(found):
        missing = f"{len(found) - len(chosen)} of {len(found)} pictures are left out: {table} has no line for them"
        warnings.warn(missing, stacklevel=2)
    return Attributes(
        np.stack([square(picture, size) for _, picture in chosen]),
        {column: [row[column] for row, _ in chosen] for column in columns},
        flip=flip,
        name=str(pictures),
        root=str(pictures) if pictures.is_dir() else None,
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """The lines of a table as texts by the names of the columns; "" for what is left empty."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; name a table (.csv, .tsv) of the attributes") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name the table in it") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8: save the table as CSV in that encoding") from None
    first = text.split("\n", 1)[0]
    comma = "\t" if "\t" in first else ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma)  # a quoted value may have several lines
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from None
    if len(lines) < 2:
        raise InputError(f"{path}: has no line below the names of the columns")
    header = [name.strip() for name in lines[0][1]]
    if len(set(header)) < len(header) or "" in header:
        raise InputError(f"{path}: the columns {', '.join(header)} need a name each, and different ones")
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise InputError(f"{path}: line {number} has {len(line)} values for {len(header)} columns")
    return [dict(zip(header, map(str.strip, line), strict=True)) for _, line in lines[1:]]


def matched(
    rows: list[dict[str, str]], found: Mapping[str, np.ndarray], table: Path, folder: Path
) -> tuple[list[tuple[dict[str, str], np.ndarray]], str]:
    """The rows with their pictures, and the column that named them."""
    known = {**{Path(name).with_suffix("").as_posix(): name for name in found}, **{name: name for name in found}}
    counts = {column: sum(row[column] in known for row in rows) for column in rows[0]}
    key = max(counts, key=lambda column: counts[column])
    if not counts[key]:
        example = next(iter(found))
        raise InputError(f"{table}: no column names the pictures of {folder}, such as {example}: add one")
    for number, row in enumerate(rows, 2):
        if row[key] not in known:
            raise InputError(f"{table}: line {number}: {folder} has no picture {row[key]}")
    if len({known[row[key]] for row in rows}) < len(rows):
        raise InputError(f"{table}: the column {key} names a picture twice")
    return [(row, found[known[row[key]]]) for row in rows], key


def attribute_columns(
    rows: list[dict[str, str]], names: Sequence[str] | None, key: str | None, table: Path
) -> list[str]:
    """The columns to learn from: those named, or all that can be."""
    if names is None:
        columns = [column for column in rows[0] if column != key and _kinds(rows, column) > 1 and _usable(rows, column)]
        if not columns:
            raise InputError(f"{table}: no column has numbers, or at most {MOST_VALUES} different values")
        return columns
    for name in names:
        if name not in rows[0]:
            raise InputError(f"{table} has no column {name!r}: choose of {', '.join(rows[0])}")
        if _kinds(rows, name) < 2:
            raise InputError(f"{table}: the column {name} has but one value: there is nothing to choose")
        if not _usable(rows, name):
            raise InputError(
                f"{table}: the column {name} has {_kinds(rows, name)} different values, at most {MOST_VALUES} can be "
                "told apart: join some of them"
            )
    return list(names)


def _kinds(rows: list[dict[str, str]], column: str) -> int:
    return len({row[column] for row in rows} - {""})


def _usable(rows: list[dict[str, str]], column: str) -> bool:
    return _kinds(rows, column) <= MOST_VALUES or _numbers([row[column] for row in rows if row[column]]) is not None


def attribute_of(name: str, texts: Sequence[str]) -> Attribute:
    """A number where all are numbers and at least 7 of them different; else a category, its values by alphabet. ""
    says nothing."""
    texts = [text for text in texts if text]
    numbers = _numbers(texts)
    if numbers is not None and len(set(numbers)) >= FEWEST_NUMBERS:
        return Number(name, min(numbers), max(numbers))
    return Category(name, tuple(sorted(set(texts))))


def _numbers(texts: Sequence[str]) -> list[float] | None:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def centre(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The largest square in the middle of a picture (H, W)."""
    side = min(shape)
    top, left = ((whole - side) // 2 for whole in shape)
    return slice(top, top + side), slice(left, left + side)
