"""``facedet aside``: set aside what one cleaner says, or two of them, and nothing is measured."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet import cleanings
from facedet.cleaning import catalogue, quarantine
from facedet.cleaning.quarantine import Applied
from facedet.cleanings import Place
from facedet.cli.output import Meter, as_job, check_destination, say, warn, write_json
from facedet.errors import DatasetError, UsageError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.jobs import Stopped, Worker

if TYPE_CHECKING:
    import pandas as pd

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

MOST_TOLD = 10  # pictures that could not be moved


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("aside", help=_("set aside what one cleaner or two say"))
    add = parser.add_argument
    add("dataset", type=Path, metavar="DATASET", help=_("a folder that they have cleaned"))
    add(
        "--cleaners",
        default="integrity,faces",
        metavar="A[,B]",
        help=_("whose verdicts; one or two of: {all}").format(all=", ".join(catalogue.CLEANERS)),
    )
    add(
        "--agree",
        choices=("either", "both"),
        default="both",
        help=_("of two: whether the word of either is enough, or both must say so; default both"),
    )
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job that can be resumed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Move pictures; thresholds are those that were chosen for the dataset on the page."""
    check_destination(options.json)
    if not options.dataset.is_dir():
        raise DatasetError(
            _("{folder} is no folder").format(folder=shown_name(str(options.dataset)))
        )
    names = _names(options.cleaners)
    return as_job(options.run_dir, lambda worker: _run(options, names, worker))


def _run(options: argparse.Namespace, names: list[str], worker: Worker | None) -> int:
    tables = {name: _judged(options.dataset, name) for name in names}
    held = cleanings.held_paths(Place(options.dataset))
    parts = cleanings.to_set_aside(tables, options.agree, held)
    with Meter(_("setting aside"), worker, "moved", unit=_("pictures")) as meter:
        try:
            applied = _apply(options.dataset, parts, meter)
        except (Stopped, KeyboardInterrupt):
            quarantine.recover(options.dataset)  # so that the manifest says what has moved
            raise
    result = _result(options.dataset, applied)
    if worker:
        told = result["troubles"][:MOST_TOLD]
        worker.event("summary", **result | {"image_paths": None, "troubles": told})
    if options.json:
        write_json(result, options.json)
    if options.json != "-" and worker is None:
        _tell(result)
    return 0


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not 1 <= len(set(names)) == len(names) <= 2:
        raise UsageError(
            _("--cleaners is {text!r}: give one name, or two as A,B").format(text=text)
        )
    for name in names:
        catalogue.get(name)
    return names


def _judged(dataset: Path, name: str) -> "pd.DataFrame":
    judged = cleanings.judged(Place(dataset), name)
    if not len(judged):
        raise DatasetError(
            _("{name} has not looked at {dataset}; first: facedet clean --cleaner {name}").format(
                name=name, dataset=shown_name(str(dataset))
            )
        )
    return judged


def _apply(dataset: Path, parts: dict[str, "pd.DataFrame"], meter: Meter) -> list[Applied]:
    """Move each part, noted under the names of those who say it."""
    total, before = sum(map(len, parts.values())), 0
    applied = []
    for by, rows in parts.items():
        tick = partial(_tick, meter, total, before)
        applied.append(quarantine.apply(dataset, rows, by, tick))
        before += len(rows)
    return applied


def _tick(meter: Meter, total: int, before: int, n: int, _of_part: int) -> None:
    meter.tick(before + n, total)


def _result(dataset: Path, applied: list[Applied]) -> dict[str, Any]:
    moved = [row.image_path for one in applied for row in one.moved]
    troubles = [trouble for one in applied for trouble in one.troubles]
    return {
        "dataset": str(dataset),
        "moved": len(moved),
        "image_paths": moved,
        "troubles": [
            {"image_path": one.image_path, "kind": one.kind, "says": one.says} for one in troubles
        ],
    }


def _tell(result: dict[str, Any]) -> None:
    n, troubles = result["moved"], result["troubles"]
    say(
        ngettext(
            "{n:,} picture moved to quarantine/", "{n:,} pictures moved to quarantine/", n
        ).format(n=n)
    )
    for one in troubles[:MOST_TOLD]:
        warn(f"{shown_name(one['image_path'])}: {one['says']}")
    if len(troubles) > MOST_TOLD:
        warn(_("and {n:,} more; --json has all").format(n=len(troubles) - MOST_TOLD))
