"""What the commands share: JSON out, lines to people, a progress bar."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tqdm import tqdm

from facedet.errors import FacedetError
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.jobs import Worker

T = TypeVar("T")


def check_destination(destination: str | None) -> None:
    """Refuse a JSON file that cannot be written, before hours of work and not after.

    Raises:
        FacedetError: its folder is missing or may not be written to.
    """
    if destination is None or destination == "-":
        return
    folder = Path(destination).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FacedetError(
            _("{path} cannot be written; is {folder} there, and yours?").format(
                path=destination, folder=folder
            )
        )


def write_json(value: Any, destination: str) -> None:
    """Write to a file, or to stdout where the destination is ``-``.

    Raises:
        FacedetError: where the file cannot be written.
    """
    # Escapes for all that is not ASCII: a file name need not be valid UTF-8.
    text = json.dumps(value, indent=1) + "\n"
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


def as_job(run_dir: Path | None, work: Callable[[Worker | None], int]) -> int:
    """Do the work as a job in `run_dir`, or plainly where there is none; returns the exit code."""
    if run_dir is None:
        return work(None)
    with Worker(run_dir) as worker:
        return work(worker)
    return 0  # stopped on request, which is no failure


class Meter:
    """How far a piece of work is: on a terminal for a person, as events for a job's page.

    Args:
        label: what is going on.
        worker: the job, which is also asked whether to pause or stop.
        event: name of the job's event; it has ``done`` and ``total``.
        unit: what is counted; ``B`` for bytes.
    """

    EVENT_EVERY_S = 0.25

    def __init__(self, label: str, worker: Worker | None, event: str, unit: str = "B") -> None:
        self._worker, self._event = worker, event
        self._bar = tqdm(
            desc=label,
            unit=unit,
            unit_scale=unit == "B",
            disable=worker is not None or not sys.stderr.isatty(),
        )
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def tick(self, done: int, total: int) -> None:
        """So much of so much is done; call as often as you like."""
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)
        if self._worker and (time.monotonic() >= self._next or done == total):
            self._next = time.monotonic() + self.EVENT_EVERY_S
            self._worker.event(self._event, done=done, total=total)
            self._worker.checkpoint()
