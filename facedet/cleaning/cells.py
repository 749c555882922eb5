"""Cells of the tables in a dataset's folder: any file's name, and nothing a spreadsheet would run.

Names of files come from strangers and need not be valid UTF-8. They are written as the bytes that
they are, and read back as the same text.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from facedet.i18n import gettext as _
from facedet.labels.table import FORMULA_STARTS, no_formula


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table with its header as the bytes of a file."""
    out = StringIO(newline="")
    plain = csv.writer(out, lineterminator="\n")
    # Python 3.11 does not quote a carriage return by itself, and could not read it back.
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in rows:
        strange = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if strange else plain).writerow(row)
    return out.getvalue().encode(errors="surrogateescape")


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows of such a file, which must have these columns and may have more.

    Raises:
        OSError, ValueError, csv.Error: it is missing, or no such table.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        if missing := set(columns) - set(rows.fieldnames or ()):
            raise ValueError(_("the header lacks {names}").format(names=", ".join(sorted(missing))))
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(
                    _("line {n} has too few or too many cells").format(n=rows.line_num)
                )
            yield row


def path_cell(image_path: str) -> str:
    """The cell that stands for a picture's path."""
    return no_formula(image_path)


def path_of(cell: str) -> str:
    """The path that such a cell stands for."""
    return cell.removeprefix("./")


def text_cell(text: str) -> str:
    """The cell that stands for words of a person or of a stranger."""
    # The apostrophe is a spreadsheet's own way to say: this is text.
    return f"'{text}" if text.startswith((*FORMULA_STARTS, "'")) else text


def text_of(cell: str) -> str:
    """The words that such a cell stands for."""
    return cell.removeprefix("'")
