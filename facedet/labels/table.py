"""labels.csv: one row a face, a photo without faces has one row with empty box cells.

Required columns: ``image_path`` (relative to the file's folder, ``/``) and ``x1,y1,x2,y2`` (float
pixels, top-left origin, upright photo, x2/y2 exclusive). All others are kept as they are.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from facedet.errors import LabelError, shown_name
from facedet.i18n import gettext as _
from facedet.types import Detections, FloatArray

BOX_COLUMNS = ("x1", "y1", "x2", "y2")
REQUIRED = ("image_path", *BOX_COLUMNS)
WRITTEN = (*REQUIRED, "image_width", "image_height", "detection_score", "source")
MAX_PIXEL = 1e6  # no photo is larger; what lies beyond is a broken number

# A spreadsheet runs a cell that begins with one of these; paths come from strangers.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that cannot be used: its line in the file (the header is line 1) and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """The good rows of a label table, in file order, and all the bad ones by line.

    Args:
        columns: the header.
        rows: each good row as it stood, by column name.
        boxes_xyxy: (N, 4) float32; NaN where a photo has no face.
        problems: every row that was left out.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    boxes_xyxy: FloatArray
    problems: tuple[Problem, ...]

    def boxes_of(self, image_path: str) -> FloatArray:
        """The boxes of one photo: (N, 4), N = 0 where it has no face."""
        mine = [i for i, row in enumerate(self.rows) if row["image_path"] == image_path]
        found = self.boxes_xyxy[mine]
        return found[~np.isnan(found[:, 0])]


def read_table(path: Path) -> LabelTable:
    """Read a label table from disk, see `parse_table`.

    Raises:
        LabelError: as `parse_table`, and where the file cannot be read as UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(
            _("{name}: cannot be read as UTF-8 text ({reason})").format(
                name=shown_name(path.name), reason=error
            )
        ) from error
    return parse_table(text, path.name)


def parse_table(text: str, name: str = "labels.csv") -> LabelTable:
    """Read a label table; a bad row becomes a `Problem` and the others go on.

    Raises:
        LabelError: no header, or one without the required columns.
    """
    reader = csv.reader(StringIO(text, newline=""))
    columns = tuple(next(reader, ()))
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise LabelError(
            _("{name} line 1: the header lacks {missing}; it must have {required}").format(
                name=shown_name(name), missing=", ".join(missing), required=", ".join(REQUIRED)
            )
        )
    rows: list[Mapping[str, str]] = []
    boxes: list[Sequence[float]] = []
    problems: list[Problem] = []
    for cells in reader:
        if not cells:
            continue
        try:
            row, box = _parse_row(columns, cells)
        except ValueError as error:
            problems.append(Problem(reader.line_num, str(error)))
        else:
            rows.append(row)
            boxes.append(box)
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return LabelTable(columns, tuple(rows), array, tuple(problems))


def _parse_row(
    columns: Sequence[str], cells: Sequence[str]
) -> tuple[Mapping[str, str], Sequence[float]]:
    if len(cells) != len(columns):
        raise ValueError(
            _("{n} cells, but the header has {m}").format(n=len(cells), m=len(columns))
        )
    row = dict(zip(columns, cells, strict=True))
    if not row["image_path"]:
        raise ValueError(_("image_path is empty"))
    texts = [row[column] for column in BOX_COLUMNS]
    if not any(texts):
        return row, [math.nan] * 4
    box = [_pixel(column, row[column]) for column in BOX_COLUMNS]
    for low, high in (("x1", "x2"), ("y1", "y2")):
        if not float(row[low]) < float(row[high]):
            raise ValueError(
                _("{high} ({b}) is not beyond {low} ({a}); fix or delete the row").format(
                    high=high, b=row[high], low=low, a=row[low]
                )
            )
    return row, box


def _pixel(column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= MAX_PIXEL:
        raise ValueError(
            _("{column} is {text!r}, not a number of pixels").format(column=column, text=text[:40])
        )
    return value


def to_csv(photos: Iterable[tuple[str, Detections]], source: str = "") -> str:
    """Detections as a label table: one row a face, one with empty cells for a photo without.

    Args:
        photos: each photo's path as it shall stand in the table, and what was found.
        source: what found them, for the column of that name.
    """
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(WRITTEN)
    for path, found in photos:
        w, h = found.image_wh
        shown = no_formula(path)
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
            writer.writerow([shown, *map(_number, box), w, h, _number(score), source])
        if not len(found):
            writer.writerow([shown, "", "", "", "", w, h, "", source])
    return out.getvalue()


def _number(value: np.float32) -> str:
    # The shortest text that reads back as the same float32.
    return np.format_float_positional(value, unique=True, trim="-")


def no_formula(path: str) -> str:
    """A cell that no spreadsheet takes for a formula; "./=x" is the same file as "=x"."""
    return f"./{path}" if path.startswith(FORMULA_STARTS) else path
