"""``cleaning/<cleaner>.csv``: what a cleaner measured, picture by picture, and what it says.

While a cleaner is at work its rows go to a journal beside the table, one JSON object a line, only
ever appended to. The journal is folded into the table, which is written anew as a whole, when the
work ends or is stopped, and at the next start after a kill.
"""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from facedet.cleaning.cleaner import NO_ACCESS, Cleaner, Reasons, Setting, Threshold, Value
from facedet.cleaning.pictures import Entry, Labels, read_labels
from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _

FOLDER = "cleaning"
KEEP, SET_ASIDE = "keep", "set_aside"
PERSON, CLEANER = "person", "cleaner"
_KEY = ("size_bytes", "mtime_ns", "version")
_ALWAYS = (*_KEY, "seconds", "problem", "note")
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
    seconds, problem, note`` and the cleaner's own columns. Do not change it: it is remembered, and
    read again only when the files have changed.

    Raises:
        DatasetError: the table is damaged.
        UsageError: there is no such cleaner.
    """
    files = (csv_path(dataset, name), journal_path(dataset, name))
    return _read(dataset, name, tuple(_stamp(file) for file in files))


@lru_cache(maxsize=8)
def _read(dataset: Path, name: str, _stamps: tuple[tuple[int, int], ...]) -> pd.DataFrame:
    return as_frame(_stored(dataset, name).values(), catalogue.get(name))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _stored(dataset: Path, name: str) -> dict[str, Row]:
    """The rows of table and journal by `image_path`; the later one counts."""
    rows: dict[str, Row] = {}
    with suppress(FileNotFoundError):
        rows = dict(_read_table(csv_path(dataset, name), catalogue.get(name)))
    for row in _read_journal(journal_path(dataset, name)):
        rows[str(row["image_path"])] = row
    return rows


def _read_table(path: Path, cleaner: Cleaner) -> Iterator[tuple[str, Row]]:
    columns = (*_ALWAYS, *cleaner.columns)
    texts = _TEXT | {column for column, kind in cleaner.columns.items() if kind is str}
    try:
        for cells in read_rows(path, ("image_path", *_KEY)):
            row: dict[str, Value] = {"image_path": path_of(cells["image_path"])}
            for column in columns:
                cell = cells.get(column, "")
                if column in texts:
                    row[column] = text_of(cell) if column == "note" else cell
                elif cell:
                    row[column] = int(cell) if column in _KEY else float(cell)
            yield str(row["image_path"]), row
    except FileNotFoundError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            _("{file} is damaged ({reason}); delete it, and clean again").format(
                file=f"{FOLDER}/{path.name}", reason=shown_name(str(error))
            )
        ) from error


def _read_journal(path: Path) -> Iterator[Row]:
    """All whole lines; what a kill cut off is measured again."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                yield {"image_path": row["image_path"], **row}


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
    table = judge(catalogue.get(name), read(dataset, name), read_labels(dataset), thresholds)
    return _decided(dataset, table)


def _decided(dataset: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The same table, after what a person decided."""
    choices = decisions.read(dataset)
    verdict, by = table["verdict"].to_numpy(object), table["by"].to_numpy(object)
    for row, image_path in enumerate(table.index if choices else ()):
        if image_path in choices:
            verdict[row], by[row] = choices[image_path].choice, PERSON
    return table.assign(verdict=verdict, by=by)


def judge(
    cleaner: Cleaner,
    measured: pd.DataFrame,
    labels: Labels,
    thresholds: Settings | None = None,
) -> pd.DataFrame:
    """What a cleaner says of measured pictures; see `judged`.

    Raises:
        UsageError: a threshold that there is not.
    """
    levels = cleaner.levels(thresholds)
    readable = (measured["problem"] == "").to_numpy(bool)
    pictures = measured[readable].copy()
    reasons = cleaner.verdict(pictures, labels, levels)
    on = {name: flags for name, flags in reasons.items() if not math.isnan(levels[name])}
    table = measured.copy()
    table["reason"] = table["problem"]
    table.loc[readable, "reason"] = _texts(on, len(pictures))
    table["verdict"] = np.where(table["reason"] == "", KEEP, SET_ASIDE)
    table["by"] = CLEANER
    for column in pictures.columns.difference(measured.columns, sort=False):
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
        image_path: (row["size_bytes"], row["mtime_ns"], row["version"])
        for image_path, row in _stored(dataset, cleaner.name).items()
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
        for image_path, row in _stored(dataset, cleaner.name).items()
        if image_path in held or _is_of(row, there.get(image_path))
    }
    measured = as_frame(rows.values(), cleaner)
    table = _decided(dataset, judge(cleaner, measured, read_labels(dataset), thresholds))
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
