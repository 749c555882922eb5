"""What the commands share: JSON out, lines to people, a progress bar."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from facedet.errors import FacedetError
from facedet.files import write_atomically
from facedet.i18n import gettext as _

T = TypeVar("T")


def write_json(value: Any, destination: str) -> None:
    """Write to a file, or to stdout where the destination is ``-``.

    Raises:
        FacedetError: where the file cannot be written.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    if destination == "-":
        sys.stdout.write(text)
        return
    try:
        write_atomically(Path(destination), text)
    except OSError as error:
        raise FacedetError(
            _("{path} cannot be written ({reason})").format(
                path=destination, reason=error.strerror or error
            )
        ) from error


def say(line: str) -> None:
    """One line for a person, on stdout."""
    sys.stdout.write(line + "\n")


def warn(line: str) -> None:
    """One line for a person, on stderr."""
    sys.stderr.write(f"facedet: {line}\n")


def progress(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """The same items, with done, rate and time left on stderr where that is a terminal."""
    yield from tqdm(items, total=total, unit=f" {unit}", disable=not sys.stderr.isatty())
