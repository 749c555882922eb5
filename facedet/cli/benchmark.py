"""``facedet benchmark``: measure, side by side with what people would use instead."""

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

from facedet.cli.output import check_destination
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.settings import CHECKOUT

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

# The names of the command line, and the modules behind them.
BENCHMARKS = {
    **{"inference": "detect", "index": "index", "download": "download", "cleaning": "cleaning"},
    **{"memory": "memory", "start": "start", "sessions": "sessions"},
}


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("benchmark", help=_("measure how fast the lab is here"))
    parser.add_argument("name", choices=BENCHMARKS, help=_("what to measure"))
    parser.add_argument("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run a benchmark of the checkout: they are no part of the installed package."""
    check_destination(options.json)
    if not (CHECKOUT / "benchmarks" / "__main__.py").is_file():
        raise FacedetError(_("the benchmarks are only in the source: clone it, and run them there"))
    command = [sys.executable, "-m", "benchmarks", BENCHMARKS[options.name]]
    if options.json:
        command += ["--json", options.json]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode
