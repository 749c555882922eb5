"""What is known about a practice dataset: ``truth.csv``, and the files behind its links."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from facedet.boxes import as_boxes
from facedet.errors import PracticeError, shown_name
from facedet.i18n import gettext as _
from facedet.practice.faults import FaultName, all_faults
from facedet.types import FloatArray

_FAULTS = frozenset(fault.name for fault in all_faults())


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One line's truth.

    Args:
        identity, photo_id, url: as in the label files.
        fault: what is wrong with it.
        true_boxes_xyxy: (M, 4) faces in the picture as it is served; M = 0 also where there is
            no picture.
        faces: how many; None where no whole picture can be got.
        label_fits: whether the label is on a face; None where there is no picture.
    """

    identity: str
    photo_id: str
    url: str
    fault: FaultName
    true_boxes_xyxy: FloatArray
    faces: int | None
    label_fits: bool | None


def read_truth(folder: Path) -> list[Truth]:
    """Every line's truth, in the order of the label files.

    Raises:
        PracticeError: there is none, or it is damaged.
    """
    try:
        with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
            return [_truth(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise PracticeError(
            _("{folder}: truth.csv is missing or damaged ({reason}); make the set anew").format(
                folder=shown_name(folder.name), reason=shown_name(str(error))
            )
        ) from error


def count_faults(rows: list[Truth]) -> list[tuple[FaultName, str, int]]:
    """Each fault that occurs: its name, its meaning, how many lines have it; most first."""
    counts = Counter(row.fault for row in rows)
    meaning = {fault.name: fault.meaning for fault in all_faults()}
    return [(name, meaning[name], n) for name, n in counts.most_common()]


def good_share(rows: list[Truth]) -> float:
    """Share of the lines behind which a picture can be got, 0-1."""
    gives = {fault.name for fault in all_faults() if fault.picture}
    return sum(row.fault in gives for row in rows) / len(rows) if rows else 0.0


def picture_paths(folder: Path) -> dict[str, Path]:
    """For each URL behind which a picture can be got, with patience, where its file lies."""
    site = folder / "site"
    answers: dict[tuple[str, str], dict[str, str]] = {}
    for line in (site / "answers.jsonl").read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        answers[answer["host"], answer["path"]] = answer
    found: dict[str, Path] = {}
    for row in read_truth(folder):
        answer = answers.get(_place(row.url), {})
        answer = answers.get(_place(answer.get("location", "")), answer)
        if row.faces is not None and "file" in answer:
            found[row.url] = site / answer["file"]
    return found


def some_pictures(folder: Path, n: int, seed: int = 0) -> list[tuple[Truth, Path]]:
    """A few of the lines that have a whole picture with a face: their truth and their file.

    None has the URL of another: the same picture twice would show nothing.
    """
    paths = picture_paths(folder)
    by_url = {row.url: row for row in read_truth(folder) if row.faces and row.url in paths}
    rows = list(by_url.values())
    chosen = np.random.default_rng(seed).permutation(len(rows))[:n]
    return [(rows[i], paths[rows[i].url]) for i in chosen]


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return parts.hostname or "", parts.path + query


def _truth(row: dict[str, str]) -> Truth:
    if row["fault"] not in _FAULTS:
        raise ValueError(row["fault"])
    fault: FaultName = row["fault"]
    texts = row["true_boxes"].split(";") if row["true_boxes"] else []
    return Truth(
        identity=row["identity"],
        photo_id=row["photo_id"],
        url=row["url"],
        fault=fault,
        true_boxes_xyxy=as_boxes([[float(value) for value in text.split()] for text in texts]),
        faces=int(row["faces"]) if row["faces"] else None,
        label_fits=row["label_fits"] == "1" if row["label_fits"] else None,
    )
