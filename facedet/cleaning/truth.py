"""What is known to be wrong with the pictures of a practice dataset, and which reasons are right.

A cleaner is scored against it as a detector is: for each fault, how many of its pictures were found
(recall); for each reason, how many of the pictures set aside for it have such a fault (precision).
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from facedet.cleaning.cells import path_of, read_rows
from facedet.cleaning.cleaner import Cleaner, problems
from facedet.cleaning.copies import content_numbers, is_placeholder
from facedet.cleaning.pictures import Labels
from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

FILE = "truth.csv"
COPY = "duplicate"

# Which faults of the practice links each reason answers for. A reason that is not here answers for
# none: nothing in a practice set is blurred or tiny on purpose.
ANSWERS: Mapping[str, frozenset[str]] = {
    "truncated": frozenset(("truncated_jpeg", "truncated_body")),
    "unreadable": frozenset(("truncated_jpeg", "truncated_body")),
    "zero_bytes": frozenset(("zero_bytes",)),
    "not_an_image": frozenset(("html", "http_404", "http_403", "http_410", "http_500")),
    "bomb": frozenset(("bomb",)),
    "hangs": frozenset(("bomb",)),
    "crashed": frozenset(("bomb",)),
    "too_large": frozenset(("too_large",)),
    "placeholder": frozenset(("placeholder",)),
    "duplicate": frozenset((COPY,)),
    "near_duplicate": frozenset((COPY,)),
    "wrong_suffix": frozenset(("wrong_extension",)),
    # A picture that says "image removed" shows nobody either.
    "no_face": frozenset(("no_face", "placeholder")),
    "does_not_fit": frozenset(("wrong_label", "resized")),
    "unlabelled_face": frozenset(("second_face",)),
}

Mistake = Literal["missed", "false_alarm", "wrong_reason"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is wrong with which picture.

    Args:
        faults: a fault of the practice links for each picture, by `image_path`; ``ok`` for none.
        groups: of pictures that are byte for byte the same, a name for each group. Any one of a
            group may stay, and the others are the copies. One that is alone is not in it.
    """

    faults: Mapping[str, str]
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultScore:
    """How one fault was dealt with.

    Args:
        fault: its name.
        pictures: how many have it.
        found: of them set aside, for a reason that answers for the fault.
        set_aside: of them set aside, for whatever reason.
        recall: `found` of `pictures`, 0-1; None where this cleaner knows no reason for the fault.
    """

    fault: str
    pictures: int
    found: int
    set_aside: int
    recall: float | None


@dataclass(frozen=True, slots=True)
class ReasonScore:
    """How often one reason was right; only the first of a picture's reasons counts.

    Args:
        reason: its name.
        pictures: set aside for it.
        right: of them with a fault that it answers for.
        precision: `right` of `pictures`, 0-1.
    """

    reason: str
    pictures: int
    right: int
    precision: float


@dataclass(frozen=True, slots=True)
class Wrong:
    """One picture that a cleaner got wrong.

    Args:
        image_path: which.
        mistake: ``missed``: kept, with a fault that the cleaner should know. ``false_alarm``: set
            aside without one. ``wrong_reason``: set aside, but for something else.
        fault: what is wrong with it.
        reason: what the cleaner said, all of it.
    """

    image_path: str
    mistake: Mistake
    fault: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """One cleaner against the truth.

    Args:
        faults: those that occur, the ones that this cleaner answers for first.
        reasons: those that were given, the most frequent first.
        wrong: each picture that it got wrong, in the order of its table.
        unscored: pictures of which no truth is known, or that a person decided.
    """

    faults: tuple[FaultScore, ...]
    reasons: tuple[ReasonScore, ...]
    wrong: tuple[Wrong, ...]
    unscored: int


def read_truth(path: Path, labels_csv: Path | None = None) -> Truth:
    """The truth of a dataset from a ``truth.csv``.

    Args:
        path: as `practice.careless` writes it, with ``image_path`` and ``same_as``; or that of a
            practice set, whose lines are found in the dataset by identity and photo.
        labels_csv: of the dataset; needed for the second kind alone.

    Raises:
        DatasetError: it cannot be read, or is no truth of a practice dataset.
    """
    try:
        rows = list(read_rows(path, ("identity", "photo_id", "fault")))
        if rows and "image_path" not in rows[0]:
            rows = _placed(rows, labels_csv)
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            _(
                "{name}: no truth of a practice dataset ({reason}); facedet practice DIR "
                "--careless DATASET writes one"
            ).format(name=shown_name(path.name), reason=shown_name(str(error)))
        ) from error
    rows = [row for row in rows if row["image_path"]]
    faults = {path_of(row["image_path"]): row["fault"] for row in rows}
    copies = {path_of(row["image_path"]): row["same_as"] for row in rows if row.get("same_as")}
    return Truth(faults, copies | {path_of(first): first for first in copies.values()})


def _placed(rows: list[dict[str, str]], labels_csv: Path | None) -> list[dict[str, str]]:
    """The rows with the place of their picture in the dataset; empty where it has none."""
    if labels_csv is None:
        raise ValueError(_("it does not say where the pictures lie"))
    labels = read_rows(labels_csv, ("image_path", "identity", "photo_id"))
    places = {(row["identity"], row["photo_id"]): row["image_path"] for row in labels}
    return [
        {**row, "image_path": places.get((row["identity"], row["photo_id"]), "")} for row in rows
    ]


def with_copies(truth: Truth, sums: Mapping[str, str]) -> Truth:
    """The same truth, its copies found by the sums of their bytes.

    Args:
        sums: by `image_path`; an empty one is equal to none.
    """
    # All "image removed" of a site are equal as well, but of them none shall stay.
    spoilt = frozenset[str]().union(*ANSWERS.values()) - {COPY}
    alike: dict[str, list[str]] = defaultdict(list)
    for image_path, one in sums.items():
        if one and truth.faults.get(image_path, "") not in spoilt:
            alike[one].append(image_path)
    groups = {path: same[0] for same in alike.values() if len(same) > 1 for path in same}
    return Truth(truth.faults, groups)


def reasons_of(cleaner: Cleaner) -> frozenset[str]:
    """All reasons that a cleaner may give: why it cannot read a picture, and its rules."""
    rules = (threshold.name for threshold in cleaner.thresholds if threshold.rule)
    return frozenset((*problems(), *rules))


def score(judged: pd.DataFrame, truth: Truth, can_say: Collection[str] | None = None) -> Score:
    """How right a cleaner is.

    Args:
        judged: ``verdict``, ``reason`` and perhaps ``by``; index: `image_path`.
        truth: of the same pictures; of others nothing is said.
        can_say: all reasons that the cleaner may give; default: those that it gave.
    """
    mine = judged[judged["by"] != "person"] if "by" in judged else judged
    mine = mine[np.array([path in truth.faults for path in mine.index], bool)]
    paths = mine.index.to_numpy(dtype=object)
    aside = (mine["verdict"] == "set_aside").to_numpy(dtype=bool)
    reasons = [str(reason).split() for reason in mine["reason"]]
    faults = _faults(paths, aside, truth)
    if can_say is None:
        can_say = {reason for said in reasons for reason in said}
    knows = frozenset[str]().union(*(ANSWERS.get(reason, frozenset()) for reason in can_say))
    found = aside & _answered(reasons, faults)
    right = aside & _answered([said[:1] for said in reasons], faults)
    return Score(
        faults=_fault_scores(faults, found, aside, knows),
        reasons=_reason_scores([said[0] if said else "" for said in reasons], aside, right),
        wrong=tuple(_mistakes(paths, faults, reasons, aside, right, knows)),
        unscored=len(judged) - len(mine),
    )


def too_few(judged: pd.DataFrame, truth: Truth, labels: Labels) -> dict[str, tuple[int, int]]:
    """Placeholders and copies of which no rule can know, for too few here are equal.

    A small practice set has them: a rule that asks for several equal files is not wrong there.

    Args:
        judged: with ``sha256``; of another table nothing is said.
        truth: of the same pictures.
        labels: who is in them.

    Returns:
        By fault, where there are any: how many, and of how many.
    """
    if "sha256" not in judged:
        return {}
    read = judged[judged["sha256"].astype(str) != ""]
    faults = np.array([truth.faults.get(path, "") for path in read.index], dtype=object)
    contents = content_numbers(read)
    alone = np.bincount(contents, minlength=1)[contents] == 1
    hidden = {"placeholder": ~is_placeholder(read, labels), COPY: alone}
    counts = {
        fault: (int((mask & (faults == fault)).sum()), int((faults == fault).sum()))
        for fault, mask in hidden.items()
    }
    return {fault: (n, total) for fault, (n, total) in counts.items() if n}


Bools = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]


def _faults(paths: Names, aside: Bools, truth: Truth) -> Names:
    """Each picture's fault; of a group of copies the one that may stay is the one that stayed."""
    faults = np.array([truth.faults[path] for path in paths], dtype=object)
    members: dict[str, list[int]] = defaultdict(list)
    for i in np.argsort(aside, kind="stable"):  # kept ones first
        if paths[i] in truth.groups:
            members[truth.groups[paths[i]]].append(int(i))
    for first, *copies in members.values():
        faults[first] = "ok" if faults[first] == COPY else faults[first]
        faults[copies] = COPY
    return faults


def _answered(reasons: Iterable[Collection[str]], faults: Names) -> Bools:
    """Whether one of each picture's reasons answers for its fault."""
    pairs = zip(reasons, faults, strict=True)
    return np.array(
        [any(fault in ANSWERS.get(one, ()) for one in said) for said, fault in pairs], bool
    )


def _fault_scores(
    faults: Names, found: Bools, aside: Bools, knows: Collection[str]
) -> tuple[FaultScore, ...]:
    scores = []
    for fault in sorted(set(faults), key=lambda name: (name not in knows, name)):
        mine = faults == fault
        n, n_found = int(mine.sum()), int((mine & found).sum())
        recall = n_found / n if fault in knows else None
        scores.append(FaultScore(fault, n, n_found, int((mine & aside).sum()), recall))
    return tuple(scores)


def _reason_scores(first: list[str], aside: Bools, right: Bools) -> tuple[ReasonScore, ...]:
    given = Counter(np.array(first, dtype=object)[aside].tolist())
    well_given = Counter(np.array(first, dtype=object)[right].tolist())
    return tuple(
        ReasonScore(reason, n, well_given[reason], well_given[reason] / n)
        for reason, n in given.most_common()
    )


def _mistakes(
    paths: Names,
    faults: Names,
    reasons: list[list[str]],
    aside: Bools,
    right: Bools,
    knows: Collection[str],
) -> Iterable[Wrong]:
    known = np.array([fault in knows for fault in faults], bool)
    for i in np.flatnonzero((aside & ~right) | (~aside & known)):
        mistake: Mistake = "wrong_reason" if known[i] else "false_alarm"
        mistake = mistake if aside[i] else "missed"
        yield Wrong(str(paths[i]), mistake, str(faults[i]), " ".join(reasons[i]))
