"""The tables of a download: ``links.csv`` has what was asked for, ``labels.csv`` what came."""

import csv
import shutil
import time
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from itertools import count
from pathlib import Path
from typing import NamedTuple

from facedet.download.account import Row
from facedet.download.addresses import canonical
from facedet.download.content import label_fits
from facedet.download.folder import writes
from facedet.download.ledger import Ledger
from facedet.download.links import names_of
from facedet.files import replaced_atomically, write_atomically
from facedet.labels.table import Problem

LINKS = "links.csv"
LABELS = "labels.csv"
PROBLEMS = "problems.csv"
ADDED = ("image_width", "image_height", "label_fits")
_WRITTEN = ".labels.sha256"  # of the labels.csv that was written last


def keep_links(source: Path, dataset: Path) -> None:
    """Copy what is asked for into the dataset.

    Raises:
        DiskError: the disk does not take it.
    """
    with writes(LINKS), replaced_atomically(dataset / LINKS) as temporary:
        shutil.copyfile(source, temporary)


def note_problems(dataset: Path, problems: Sequence[Problem]) -> None:
    """Write down which rows of the links cannot be used; no file where all can.

    Raises:
        DiskError: the disk does not take it.
    """
    if not problems:
        (dataset / PROBLEMS).unlink(missing_ok=True)
        return
    with (
        writes(PROBLEMS),
        replaced_atomically(dataset / PROBLEMS) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "reason"))
        writer.writerows((problem.line, problem.reason) for problem in problems)


class Written(NamedTuple):
    """How many rows, and where a table that somebody had changed is kept now."""

    rows: int
    kept: Path | None


def write_labels(dataset: Path, ledger: Ledger) -> Written:
    """``labels.csv`` anew: the rows of ``links.csv`` whose photo is there.

    ``image_path`` is where it lies, and three columns say what is known of it. A row whose link is
    not the one that was fetched is left out: that photo is not its own. A table that somebody has
    changed is kept under another name, see `set_aside_edits`.
    """
    broken = _broken_lines(dataset)
    n = 0
    kept = set_aside_edits(dataset)
    with (
        writes(LABELS),
        (dataset / LINKS).open(encoding="utf-8-sig", newline="") as source,
        replaced_atomically(dataset / LABELS) as temporary,
    ):
        with temporary.open("w", encoding="utf-8", newline="") as target:
            rows = csv.DictReader(source)
            given = list(rows.fieldnames or ())
            columns = [*given, *(column for column in ADDED if column not in given)]
            writer = csv.DictWriter(target, columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            for row in rows:
                if rows.line_num in broken:
                    continue
                names = (row.get("identity") or "", row.get("photo_id") or "", row["image_path"])
                found = ledger.picture_of(*names_of(*names))
                if found and canonical(found.url) == canonical(row.get("url") or ""):
                    writer.writerow(row | _known(found, row))
                    n += 1
        write_atomically(dataset / _WRITTEN, _sum_of(temporary))
    return Written(n, kept)


def _broken_lines(dataset: Path) -> set[int]:
    if not (dataset / PROBLEMS).is_file():
        return set()
    with (dataset / PROBLEMS).open(encoding="utf-8", newline="") as file:
        return {int(row["line"]) for row in csv.DictReader(file)}


def set_aside_edits(dataset: Path) -> Path | None:
    """Keep a ``labels.csv`` that was changed since it was written; returns where it lies now.

    A download writes that table anew, from ``links.csv``: what a person did to it must not go.
    """
    labels, links, written = (dataset / name for name in (LABELS, LINKS, _WRITTEN))
    if not labels.is_file():
        return None
    now = _sum_of(labels)
    known = [written.read_text(encoding="ascii").strip()] if written.is_file() else []
    if links.is_file():
        known.append(_sum_of(links))  # the list itself, as a sample is written
    if now in known:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    free = (dataset / f"labels-{stamp}-{n}.csv" for n in count(1))
    kept = next(path for path in free if not path.exists())
    with writes(kept.name), replaced_atomically(kept) as temporary:
        shutil.copyfile(labels, temporary)
    return kept


def _known(found: Row, row: Mapping[str, str]) -> dict[str, str]:
    """The cells that a photo fills; its label is judged by the row's own box."""
    assert found.image_width is not None
    assert found.image_height is not None
    fits = ""
    if row.get("x1"):
        box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
        fits = str(int(label_fits(box, (found.image_width, found.image_height))))
    return {
        "image_path": found.image_path,
        "image_width": str(found.image_width),
        "image_height": str(found.image_height),
        "label_fits": fits,
    }


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
