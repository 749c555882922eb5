"""``facedet aside``: set aside what one cleaner says, or two of them, and nothing is measured."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet import cleanings
from facedet.cleaning import catalogue, quarantine
from facedet.cleanings import Place
from facedet.cli.output import Meter, as_job, check_destination, write_json
from facedet.cli.troubles import MOST_TOLD, as_rows, exit_code, say_moved, warn_of
from facedet.errors import DatasetError, UsageError, shown_name
from facedet.i18n import gettext as _
from facedet.jobs import Stopped, Worker

if TYPE_CHECKING:
    import pandas as pd

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


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
            applied = quarantine.apply(options.dataset, _named(parts), tick=meter.tick)
        except (Stopped, KeyboardInterrupt):
            quarantine.recover(options.dataset)  # so that the manifest says what has moved
            raise
    moved = [row.image_path for row in applied.moved]
    result: dict[str, Any] = {
        "dataset": str(options.dataset),
        "moved": len(moved),
        "image_paths": moved,
        "troubles": as_rows(applied.troubles),
    }
    if worker:
        told = result["troubles"][:MOST_TOLD]
        worker.event("summary", **result | {"image_paths": None, "troubles": told})
    if options.json:
        write_json(result, options.json)
    if options.json != "-" and worker is None:
        say_moved(len(moved))
        warn_of(result["troubles"])
    return exit_code(result["troubles"])


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


def _named(parts: dict[str, "pd.DataFrame"]) -> list["pd.DataFrame"]:
    """Each part noted under the names of those who say it, what a person decided under `person`."""
    return [
        rows.assign(by=rows["by"].where(rows["by"] == quarantine.PERSON, by))
        for by, rows in parts.items()
    ]
