"""What a person decided about a picture: kept apart from every cleaner, and stronger than all.

``cleaning/decisions.csv`` has one row a picture. No re-run of a cleaner, no slider and no new
version writes there.
"""

import csv
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from facedet.cleaning.cells import as_csv, path_cell, path_of, read_rows, text_cell, text_of
from facedet.errors import DatasetError, UsageError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _

Choice = Literal["keep", "set_aside"]
FILE = "cleaning/decisions.csv"
COLUMNS = ("image_path", "decision", "when", "note")
LOCK_WAIT_S = 10.0  # a decision takes milliseconds: who waits longer than that waits in vain
_CHOICES = frozenset(get_args(Choice))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One picture's fate as a person wants it.

    Args:
        choice: ``keep`` or ``set_aside``.
        when: UTC, ISO 8601, to the second.
        note: the person's own words; may be empty.
    """

    choice: Choice
    when: str
    note: str = ""


def read(dataset: Path) -> dict[str, Decision]:
    """All decisions by `image_path`; of several about one picture the last counts.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        return dict(map(_parse, read_rows(dataset / FILE, COLUMNS)))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            _("{file} cannot be read ({reason}); mend or delete it").format(
                file=FILE, reason=shown_name(str(error))
            )
        ) from error


def decide(dataset: Path, image_paths: Iterable[str], choice: Choice, note: str = "") -> int:
    """Note one decision about some pictures, in place of earlier ones; returns how many.

    Raises:
        DatasetError: the file is damaged, or another process does not let go of it.
        UsageError: another choice than ``keep`` and ``set_aside``.
    """
    if choice not in _CHOICES:
        raise UsageError(_("{choice!r}: decide for keep or set_aside").format(choice=choice))
    decision = Decision(choice=choice, when=now(), note=note)
    new = dict.fromkeys(image_paths, decision)
    with _changed(dataset) as decisions:
        for image_path in new:
            decisions.pop(image_path, None)  # so that the file stays in the order of deciding
        decisions.update(new)
    return len(new)


def forget(dataset: Path, image_paths: Iterable[str] | None = None) -> int:
    """Leave some pictures, or all, to the cleaners again; returns how many were decided before.

    Raises:
        DatasetError: as `decide`.
    """
    if not (dataset / FILE).exists():
        return 0
    with _changed(dataset) as decisions:
        gone = set(decisions) if image_paths is None else set(image_paths) & set(decisions)
        for image_path in gone:
            del decisions[image_path]
    return len(gone)


def now() -> str:
    """The present moment as it stands in tables: UTC, ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@contextmanager
def _changed(dataset: Path) -> Iterator[dict[str, Decision]]:
    """The decisions, to be changed; they are written when the block ends well."""
    path = dataset / FILE
    path.parent.mkdir(exist_ok=True)
    try:
        with FileLock(path.with_name(".decisions.lock"), timeout=LOCK_WAIT_S):
            decisions = read(dataset)
            yield decisions
            write_atomically(path, _as_csv(decisions))
    except Timeout as error:
        raise DatasetError(
            _("another process holds {file}; try again, or end it").format(file=FILE)
        ) from error


def _as_csv(decisions: Mapping[str, Decision]) -> bytes:
    rows = (
        (path_cell(image_path), one.choice, one.when, text_cell(one.note))
        for image_path, one in decisions.items()
    )
    return as_csv(COLUMNS, rows)


def _parse(row: Mapping[str, str]) -> tuple[str, Decision]:
    choice = row["decision"]
    if choice not in _CHOICES:
        raise ValueError(_("the decision {choice!r} is none").format(choice=choice[:40]))
    known = Decision(choice=choice, when=row["when"], note=text_of(row["note"]))  # type: ignore[arg-type]
    return path_of(row["image_path"]), known
