"""The command line: one file a command, each with `add_parser` and `run`, over the same core.

Exit codes: 0; 1 for failure; 2 for wrong use. Errors are one line on stderr, never a traceback.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from facedet import i18n
from facedet.errors import FacedetError, UsageError, shown_name
from facedet.i18n import gettext as _

COMMANDS = (
    "detect",
    "models",
    "index",
    "practice",
    "download",
    "clean",
    "compare",
    "aside",
    "pack",
    "benchmark",
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    i18n.use_language(i18n.from_environment)
    description = _("Find faces in photos, and follow the whole road of a face detector.")
    parser = _Parser(prog="facedet", description=description)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    given = sys.argv[1:] if arguments is None else arguments
    # Only the one that was asked for is loaded: some bring large libraries with them.
    for name in [name for name in COMMANDS if name in given[:1]] or COMMANDS:
        import_module(f"facedet.cli.{name}").add_parser(commands)
    return _guarded(lambda: _dispatch(parser, arguments))


def _dispatch(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except UsageError as error:
        return _fail(str(error), 2)
    except FacedetError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        # The reader (head, less) has had enough; what Python would flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail(_("stopped"), 1)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)
    except Exception as error:  # The last border: a mistake of ours is one line too.
        if os.environ.get("FACEDET_DEBUG"):
            raise
        kind = type(error).__name__
        return _fail(
            _("unexpected {kind}: {error} (FACEDET_DEBUG=1 shows where)").format(
                kind=kind, error=shown_name(str(error))
            ),
            1,
        )


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"facedet: {message}\n")
    return code
