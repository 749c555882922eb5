"""The log of the practice server: one row a request, enough to prove how a client behaved."""

import contextlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from facedet.errors import PracticeError
from facedet.i18n import gettext as _


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request and what became of it.

    Args:
        time: when its head had arrived, in seconds since 1970; steady, it never runs backwards.
        ended: when the last byte was handed to the system, or the connection was lost.
        host: as asked for, in lower case, without the port; empty where none was said.
        method: ``GET``, ``HEAD``, ``CONNECT``, …; empty where the head could not be read.
        path: as it stands in the URL, with the query; ``host:port`` for ``CONNECT``.
        status: 0 where no answer, or no whole one, was ever meant: ``hang`` and ``reset``; also
            where the client left before the first byte.
        answer: the kind in the table; else ``unknown_host``, ``unknown_path``, ``method``,
            ``not_ours``, ``unresolvable``, ``refused``, ``bad_request``, ``missing_file``,
            ``connect``.
        sent_bytes: of the body; of all that came back through the tunnel for ``CONNECT``.
        connection: the same number for all requests over one connection.
        early: asked again before the wait was over that a 429 had asked for.
    """

    time: float
    ended: float
    host: str
    method: str
    path: str
    status: int
    answer: str
    sent_bytes: int
    connection: int
    early: bool


class Journal:
    """All rows so far, in the order in which they ended, and a file that follows them.

    Raises:
        PracticeError: where the file cannot be opened, or not written at the end.
    """

    def __init__(self, path: Path | None) -> None:
        self.rows: list[Request] = []
        self._pending: list[Request] = []
        self._path = path
        try:
            self._file = path.open("a", encoding="utf-8") if path else None
        except OSError as error:
            raise self._unwritable(error) from error

    def add(self, row: Request) -> None:
        """One request more."""
        self.rows.append(row)
        if self._file:
            self._pending.append(row)

    def write(self, at_most: int) -> bool:
        """Put the oldest rows that are missing into the file; whether more are.

        Raises:
            OSError: where it cannot be written; the rows are kept for another try.
        """
        if self._file and self._pending:
            rows = self._pending[:at_most]
            self._file.write("".join(_line(row) for row in rows))
            self._file.flush()
            del self._pending[: len(rows)]
        return bool(self._pending)

    def close(self) -> None:
        """The last rows, and the end of the file."""
        if not self._file:
            return
        try:
            self.write(len(self._pending))
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _unwritable(self, error: OSError) -> PracticeError:
        return PracticeError(
            _("the log {path} cannot be written ({reason}); choose another place").format(
                path=self._path, reason=error.strerror
            )
        )


_NAMES = tuple(field.name for field in fields(Request))


def _line(row: Request) -> str:
    # Not `asdict`: it copies deeply, and thousands of rows a second come by.
    return json.dumps({name: getattr(row, name) for name in _NAMES}) + "\n"


def most_at_once(log: Iterable[Request], host: str) -> int:
    """How many requests to `host` were under way at the same time, at most; 0 for none.

    An answer without latency is over before the next request is looked at: to see how many a
    client sends at once, serve with a `Network` that has some.
    """
    steps = []
    for row in log:
        if row.host == host.lower():
            # However coarse the clock, a request takes some time.
            steps += [(row.time, 1), (max(row.ended, math.nextafter(row.time, math.inf)), -1)]
    most = now = 0
    for _when, step in sorted(steps):  # At equal times ends sort before beginnings: one, not two.
        now += step
        most = max(most, now)
    return most


def early_requests(log: Iterable[Request]) -> list[Request]:
    """Those that did not wait as long as a 429 had asked for."""
    return [row for row in log if row.early]
