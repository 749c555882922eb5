"""``cleaning/<cleaner>.csv``: what a cleaner measured, picture by picture, and what it says.

While a cleaner is at work its rows go to a journal beside the table, one JSON object a line, only
ever appended to. The journal is folded into the table, which is written anew as a whole, when the
work ends or is stopped, and at the next start after a kill.
"""

import csv
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from facedet.cleaning import catalogue, decisions, manifest
from facedet.cleaning.cells import as_csv, path_cell, path_of, read_rows, text_cell, text_of
from facedet.cleaning.cleaner import (
    NO_ACCESS,
    Cleaner,
    Reasons,
    Setting,
    Threshold,
    Value,
    problems,
)
from facedet.cleaning.pictures import Entry, Labels, read_labels
from facedet.cleaning.pictures import path_of as path_of_file
from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _

FOLDER = "cleaning"
KEEP, SET_ASIDE = "keep", "set_aside"
PERSON, CLEANER = "person", "cleaner"
_KEY = ("size_bytes", "mtime_ns", "version")
_ALWAYS = (*_KEY, "seconds", "problem", "note")
LARGEST = 1e15  # of a measured number; beyond it somebody's hand has slipped
_TEXT = frozenset(("image_path", "version", "problem", "note"))

Row = Mapping[str, Value]
Settings = Mapping[str, Setting]


def csv_path(dataset: Path, name: str) -> Path:
    """Where the table of a cleaner lies."""
    return dataset / FOLDER / f"{name}.csv"


def journal_path(dataset: Path, name: str) -> Path:
    """Where the journal of a cleaner at work lies."""
    return dataset / FOLDER / f".{name}.journal"


# --- Reading


def read(dataset: Path, name: str) -> pd.DataFrame:
    """What a cleaner has measured so far, also while it is at work; no verdicts.

    One row a picture, ordered by the index ``image_path``: ``size_bytes, mtime_ns, version,
    seconds, problem, note`` and the cleaner's own columns. Rows that no cleaner can have written,
    for somebody edited them, count as not measured; ``attrs["unusable"]`` says how many. Do not
    change it: it is remembered, and read again only when the files have changed.

    Raises:
        DatasetError: the table is damaged.
        UsageError: there is no such cleaner.
    """
    files = (csv_path(dataset, name), journal_path(dataset, name))
    return _read(dataset, name, tuple(_stamp(file) for file in files))


@lru_cache(maxsize=8)
def _read(dataset: Path, name: str, _stamps: tuple[tuple[int, int], ...]) -> pd.DataFrame:
    rows, n_unusable = _stored(dataset, name)
    frame = as_frame(rows.values(), catalogue.get(name))
    frame.attrs["unusable"] = n_unusable
    return frame


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _stored(dataset: Path, name: str) -> tuple[dict[str, Row], int]:
    """The rows of table and journal by `image_path`, the later one counts; and how many are bad."""
    cleaner = catalogue.get(name)
    found: list[Row] = []
    with suppress(FileNotFoundError):
        found += _read_table(csv_path(dataset, name), cleaner)
    found += _read_journal(journal_path(dataset, name))
    is_good = _Check(cleaner)
    good = [row for row in found if is_good(row)]
    return {str(row["image_path"]): row for row in good}, len(found) - len(good)


def _read_table(path: Path, cleaner: Cleaner) -> Iterator[Row]:
    columns = ("image_path", *_ALWAYS, *cleaner.columns)
    texts = _TEXT | {column for column, kind in cleaner.columns.items() if kind is str}
    try:
        for cells in read_rows(path, ("image_path", *_KEY)):
            known = {column: cells[column] for column in columns if column in cells}
            row: dict[str, Value] = {}
            with suppress(ValueError):  # a cell that is no number: the row is incomplete then
                for column, cell in known.items():
                    if column in texts or cell:
                        row[column] = _value_of(column, cell, texts)
            yield row
    except FileNotFoundError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            _("{file} is damaged ({reason}); delete it, and clean again").format(
                file=f"{FOLDER}/{path.name}", reason=shown_name(str(error))
            )
        ) from error


def _value_of(column: str, cell: str, texts: Collection[str]) -> Value:
    if column not in texts:
        return int(cell) if column in _KEY else float(cell)
    return {"image_path": path_of, "note": text_of}.get(column, str)(cell)


def _read_journal(path: Path) -> Iterator[Row]:
    """All whole lines; what a kill cut off is measured again."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in filter(bytes.strip, file):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else {}


class _Check:
    """Whether a row is one that this cleaner can have written: people edit tables by hand."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._problems = {"", *problems()}
        self._numbers = [name for name, kind in cleaner.columns.items() if kind is not str]
        self._patterns = {
            name: re.compile(cleaner.patterns.get(name, ".*"), re.DOTALL)
            for name, kind in cleaner.columns.items()
            if kind is str
        }

    def __call__(self, row: Row) -> bool:
        """The picture is measured anew where it is not."""
        return (
            row.get("image_path", "") != ""
            and all(_is_text(row.get(name, "")) for name in _TEXT)
            and all(_is_count(row.get(name)) for name in ("size_bytes", "mtime_ns"))
            and _is_measure(row.get("seconds", 0.0))
            and row.get("problem", "") in self._problems
            and self._can_be_judged(row)
        )

    def _can_be_judged(self, row: Row) -> bool:
        """All that was measured is there; what could not be read needs nothing."""
        if row.get("problem"):
            row = {name: value for name, value in row.items() if value != ""}
            numbers = [name for name in self._numbers if name in row]
            patterns = {name: one for name, one in self._patterns.items() if name in row}
        else:
            numbers, patterns = self._numbers, self._patterns
        return (
            all(_is_measure(row.get(name)) for name in numbers)
            and all(float(row[name]) >= 1 for name in ("width", "height") if name in numbers)
            and all(_fits(row.get(name), one) for name, one in patterns.items())
        )


def _fits(value: object, pattern: re.Pattern[str]) -> bool:
    return _is_text(value) and pattern.fullmatch(str(value)) is not None


def _is_text(value: object) -> bool:
    # What is no UTF-8 came from another program, and could not be written again.
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_measure(value: object) -> bool:
    return isinstance(value, int | float) and -LARGEST < value < LARGEST


def as_frame(rows: Iterable[Row], cleaner: Cleaner) -> pd.DataFrame:
    """Rows as a table; what a row lacks is empty, or NaN."""
    ordered = sorted(rows, key=lambda row: str(row["image_path"]))
    # Of type object, for the names of files need not be valid UTF-8, and Arrow's strings must.
    names = pd.Index([row["image_path"] for row in ordered], dtype=object, name="image_path")
    kinds = {**dict.fromkeys(_ALWAYS, float), **cleaner.columns, **dict.fromkeys(_TEXT, str)}
    kinds.pop("image_path")
    columns = {column: _column(ordered, column, kind) for column, kind in kinds.items()}
    return pd.DataFrame(columns, index=names)


def _column(rows: Sequence[Row], name: str, kind: type) -> npt.NDArray[Any]:
    if kind is str:
        return np.array([row.get(name, "") for row in rows], dtype=object)
    if name in _KEY:  # nanoseconds have more digits than a float
        return np.array([row.get(name, 0) for row in rows], dtype=np.int64)
    return np.array([row.get(name, math.nan) for row in rows], dtype=np.float64)


# --- Judging


def judged(dataset: Path, name: str, thresholds: Settings | None = None) -> pd.DataFrame:
    """The measured table and each picture's fate: a person's decision, or the cleaner's verdict.

    Args:
        thresholds: by name, what differs from the defaults; see `Cleaner.levels`.

    Returns:
        As `read`, and the columns ``verdict`` (``keep``, ``set_aside``), ``reason`` (codes joined
        by blanks, the main one first; also where a person keeps the picture), ``by`` (``cleaner``,
        ``person``) and those that the verdict function adds.

    Raises:
        DatasetError, UsageError: as `read`, and for thresholds that there are not.
        LabelError: labels.csv cannot be used.
    """
    return _decided(dataset, catalogue.get(name), read(dataset, name), thresholds)


def _decided(
    dataset: Path, cleaner: Cleaner, measured: pd.DataFrame, thresholds: Settings | None
) -> pd.DataFrame:
    """The judged table, after what a person decided."""
    choices = decisions.read(dataset)
    aside = {path for path, decided in choices.items() if decided.choice == SET_ASIDE}
    away = aside | in_quarantine(dataset)
    table = judge(cleaner, measured, read_labels(dataset), thresholds, away)
    verdict, by = table["verdict"].to_numpy(object), table["by"].to_numpy(object)
    for row, image_path in enumerate(table.index if choices else ()):
        if image_path in choices:
            verdict[row], by[row] = choices[image_path].choice, PERSON
    return table.assign(verdict=verdict, by=by)


def in_quarantine(dataset: Path) -> set[str]:
    """Pictures that were set aside, and whose place in the dataset is empty now.

    Raises:
        DatasetError: the manifest is damaged.
    """
    held = _held(dataset, _stamp(dataset / manifest.MANIFEST))
    return {path for path in held if not path_of_file(dataset, path).exists()}


@lru_cache(maxsize=4)
def _held(dataset: Path, _stamp: tuple[int, int]) -> frozenset[str]:
    return frozenset(picture.image_path for picture in manifest.read(dataset))


def judge(
    cleaner: Cleaner,
    measured: pd.DataFrame,
    labels: Labels,
    thresholds: Settings | None = None,
    away: Collection[str] = (),
) -> pd.DataFrame:
    """What a cleaner says of measured pictures; see `judged`.

    A picture that could not be read for lack of access is kept, with `NO_ACCESS` as its reason:
    nobody knows what is in it, so it stays where it is until a later run can tell.

    Args:
        away: pictures that lie in quarantine, or that a person sets aside: no copy goes because
            one of these is better.

    Raises:
        UsageError: a threshold that there is not.
    """
    levels = cleaner.levels(thresholds)
    readable = (measured["problem"] == "").to_numpy(bool)
    pictures = measured[readable].copy()
    pictures["available"] = ~pictures.index.isin(list(away))
    reasons = cleaner.verdict(pictures, labels, levels)
    on = {name: flags for name, flags in reasons.items() if not math.isnan(levels[name])}
    table = measured.copy()
    table["reason"] = table["problem"]
    table.loc[readable, "reason"] = _texts(on, len(pictures))
    table["verdict"] = np.where(table["reason"].isin(("", NO_ACCESS)), KEEP, SET_ASIDE)
    table["by"] = CLEANER
    for column in pictures.columns.difference([*measured.columns, "available"], sort=False):
        table.loc[readable, column] = pictures[column].to_numpy(float)
    return table


def _texts(reasons: Reasons, n: int) -> npt.NDArray[np.object_]:
    """The reasons of each picture, joined by blanks: (N,)."""
    bits = np.zeros(n, np.int64)
    for place, flags in enumerate(reasons.values()):
        bits |= np.asarray(flags, bool).astype(np.int64) << place
    kinds, which = np.unique(bits, return_inverse=True)  # few, however many pictures there are
    names = list(reasons)
    texts = [" ".join(name for i, name in enumerate(names) if kind >> i & 1) for kind in kinds]
    return np.array(texts, dtype=object)[which]


def borderline(table: pd.DataFrame, threshold: Threshold, n: int, level: float) -> pd.DataFrame:
    """The pictures on both sides of a threshold that are nearest to it, from low to high.

    Args:
        table: of `judged`.
        threshold: one that has a column.
        n: how many of each side at most.
        level: where the threshold stands.
    """
    values = table[threshold.column].dropna().sort_values(kind="stable")
    at = int(np.searchsorted(values.to_numpy(), level))
    return table.loc[values.index[max(0, at - n) : at + n]]


# --- Writing


class Journal:
    """Takes measured rows as they come; a context manager.

    Raises:
        DatasetError: the disk does not take them.
    """

    def __init__(self, dataset: Path, name: str) -> None:
        self._path = journal_path(dataset, name)

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        # A process that was killed while writing leaves half a line: end it.
        self._file.write(b"\n" if self._file.tell() else b"")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # told before, or of no matter
            self._file.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows; a kill of this process loses none of them then."""
        try:
            self._file.write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
            self._file.flush()
        except OSError as error:
            raise disk_error(self._path.name, error) from error


def row_of(entry: Entry, version: str, values: Row) -> Row:
    """A measured picture as a row, its numbers rounded to what the table holds."""
    row: dict[str, Value] = {"image_path": entry.image_path, "version": version}
    if values.get("problem") == NO_ACCESS:  # nothing was measured: the next run shall try again
        row["version"] = ""
    row |= {"size_bytes": entry.size_bytes, "mtime_ns": entry.mtime_ns}
    for name, value in values.items():
        row[name] = float(f"{value:.6g}") if isinstance(value, float) else value
    return row


def remaining(dataset: Path, cleaner: Cleaner, entries: Iterable[Entry]) -> list[Entry]:
    """The pictures that the table does not have, or has of another size, time or version.

    Raises:
        DatasetError: the table is damaged.
    """
    known = {
        image_path: (row["size_bytes"], row["mtime_ns"], row.get("version", ""))
        for image_path, row in _stored(dataset, cleaner.name)[0].items()
    }
    return [
        entry
        for entry in entries
        if known.get(entry.image_path) != (entry.size_bytes, entry.mtime_ns, cleaner.version)
    ]


def fold(
    dataset: Path, cleaner: Cleaner, entries: Iterable[Entry], thresholds: Settings | None = None
) -> pd.DataFrame:
    """Write the table anew, of what is measured and still there, and end the journal.

    Pictures in quarantine stay in the table: they may come back, and are compared.

    Returns:
        The judged table.

    Raises:
        DatasetError: the table is damaged, or the disk does not take it.
        UsageError, LabelError: as `judged`.
    """
    there = {entry.image_path: entry for entry in entries}
    held = {picture.image_path for picture in manifest.read(dataset)} - there.keys()
    rows = {
        image_path: row
        for image_path, row in _stored(dataset, cleaner.name)[0].items()
        if image_path in held or _is_of(row, there.get(image_path))
    }
    measured = as_frame(rows.values(), cleaner)
    table = _decided(dataset, cleaner, measured, thresholds)
    path = csv_path(dataset, cleaner.name)
    try:
        _write(path, table, cleaner)
        journal_path(dataset, cleaner.name).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(path.name, error) from error
    return table


def _is_of(row: Row, entry: Entry | None) -> bool:
    return entry is not None and (row["size_bytes"], row["mtime_ns"]) == (
        entry.size_bytes,
        entry.mtime_ns,
    )


def _write(path: Path, table: pd.DataFrame, cleaner: Cleaner) -> None:
    columns = ("verdict", "reason", *_ALWAYS, *cleaner.columns)
    cells = [table[name].tolist() if name in table else [""] * len(table) for name in columns]
    rows = zip(map(path_cell, table.index), *map(_as_cells, columns, cells), strict=True)
    write_atomically(path, as_csv(("image_path", *columns), rows))


def _as_cells(column: str, values: list[Any]) -> list[str]:
    if column == "note":
        return [text_cell(value) for value in values]
    return [value if isinstance(value, str) else _number(value) for value in values]


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else f"{value:.6g}"


def disk_error(name: str, error: OSError) -> DatasetError:
    """What to raise when the disk does not take something."""
    return DatasetError(
        _("{name}: the disk does not take it ({reason}); make room and start again").format(
            name=name, reason=error.strerror or os.strerror(error.errno or 0)
        )
    )
