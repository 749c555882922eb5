"""``facedet models``: the catalogue of detectors."""

import argparse
from typing import TYPE_CHECKING, Any

from facedet.cli.output import say, write_json
from facedet.detectors import Entry, load_catalogue
from facedet.i18n import gettext as _

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("models", help=_("list the detectors, and whether they can run"))
    parser.add_argument("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the catalogue."""
    entries = list(load_catalogue())
    if options.json:
        write_json([_as_json(entry) for entry in entries], options.json)
        return 0
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = _("ready") if entry.problem is None else _("cannot run: ") + entry.problem
        say(f"{entry.name:<{width}}  {state}")
        say(f"{'':<{width}}  + {entry.good_at}")
        say(f"{'':<{width}}  - {entry.bad_at}")
        say(f"{'':<{width}}  {entry.size_bytes / 1e6:.1f} MB, {entry.licence}")
    return 0


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family,
        "usable": entry.usable,
        "problem": entry.problem,
        "good_at": entry.good_at,
        "bad_at": entry.bad_at,
        "source": entry.source,
        "licence": entry.licence,
        "size_bytes": entry.size_bytes,
        "default_score": entry.default_score,
    }
