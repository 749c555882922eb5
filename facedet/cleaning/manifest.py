"""``quarantine/manifest.csv``: what was set aside, from where, why, by whom, and when."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from facedet.cleaning.cells import as_csv, path_cell, path_of, read_rows, text_cell, text_of
from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _

FOLDER = "quarantine"
MANIFEST = f"{FOLDER}/manifest.csv"
COLUMNS = ("image_path", "quarantine_path", "state", "reason", "by", "when", "measured")

# `leaving` and `returning`: the picture is on the way. `aside`: it lies in quarantine. `lost`: it
# lay there and is nowhere now; should it come back, its row still knows from where it came.
State = Literal["leaving", "aside", "returning", "lost"]
_STATES = frozenset(get_args(State))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A picture in quarantine, or on the way there or back.

    Args:
        image_path: where it came from, relative to the dataset, ``/`` between.
        quarantine_path: where it lies now, likewise.
        reason: the cleaner's codes; empty where nobody knows.
        by: the cleaner's name, or ``person``; empty where nobody knows.
        when: UTC, ISO 8601.
        measured: what the cleaner had measured, by column.
        state: where it is.
    """

    image_path: str
    quarantine_path: str
    reason: str = ""
    by: str = ""
    when: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    state: State = "aside"


def read(dataset: Path) -> list[Held]:
    """The rows as they stand; none where there is no manifest.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        return list(map(_parse, read_rows(dataset / MANIFEST, COLUMNS)))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(
            _(
                "{file} is damaged ({reason}); mend it. Or put it away: pictures in quarantine "
                "then count as from the path that they have there"
            ).format(file=MANIFEST, reason=shown_name(str(error)))
        ) from error


def write(dataset: Path, rows: Iterable[Held]) -> None:
    """Write all of it anew, whole or not at all.

    Raises:
        DatasetError: the disk does not take it.
    """
    cells = (
        (
            *(path_cell(row.image_path), row.quarantine_path, row.state),
            *(text_cell(row.reason), text_cell(row.by), row.when),
            json.dumps(row.measured, allow_nan=False),
        )
        for row in rows
    )
    try:
        write_atomically(dataset / MANIFEST, as_csv(COLUMNS, cells))
    except OSError as error:
        raise disk_error(error) from error


def disk_error(error: OSError) -> DatasetError:
    """What to raise when the disk takes no more."""
    return DatasetError(
        _(
            "the disk takes no more ({reason}); nothing is lost, and what has moved is in "
            "{file}. Make room and start again"
        ).format(reason=error.strerror or error, file=MANIFEST)
    )


def _parse(row: Mapping[str, str]) -> Held:
    state, place = row["state"], row["quarantine_path"]
    if state not in _STATES:
        raise ValueError(_("the state {state!r} is none").format(state=state[:40]))
    if not place.startswith(f"{FOLDER}/") or ".." in place.split("/"):
        raise ValueError(_("{place!r} is no place in quarantine").format(place=place[:80]))
    return Held(
        image_path=path_of(row["image_path"]),
        quarantine_path=place,
        reason=text_of(row["reason"]),
        by=text_of(row["by"]),
        when=row["when"],
        measured=dict(json.loads(row["measured"])),
        state=state,  # type: ignore[arg-type]
    )
