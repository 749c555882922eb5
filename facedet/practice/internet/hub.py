"""What all connections of one practice server share; touched by the server's thread alone."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from typing import Protocol

from facedet.practice.internet.answers import Answers
from facedet.practice.internet.records import Journal


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """How far away, and how thin, the practice internet seems.

    Args:
        latency_s: added before each first byte; 0 or more.
        bytes_per_s: of each connection; None for as fast as it goes.

    Raises:
        ValueError: where either is out of range.
    """

    latency_s: float = 0.0
    bytes_per_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.latency_s < float("inf"):
            raise ValueError(f"latency_s must be 0 or more, got {self.latency_s}")
        if self.bytes_per_s is not None and not self.bytes_per_s > 0:
            raise ValueError(f"bytes_per_s must be above 0, got {self.bytes_per_s}")

    @property
    def instant(self) -> bool:
        """Neither slows anything."""
        return not self.latency_s and self.bytes_per_s is None


class Line(Protocol):
    """A connection, as far as its hub is concerned."""

    def drop(self) -> None:
        """End it at once."""

    def look_after(self) -> None:
        """End it where it has been idle for too long; called now and then."""


@dataclass(kw_only=True, slots=True, eq=False)
class Hub:
    """The table, the network, the log, and every open connection."""

    answers: Answers
    network: Network
    journal: Journal
    address: str
    lines: set[Line] = field(default_factory=set)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    _date: tuple[int, bytes] = (0, b"")
    # Steady, unlike the wall clock: the log must prove which of two things came first.
    _epoch: float = field(default_factory=lambda: time.time() - time.perf_counter())

    def now(self) -> float:
        """Seconds since 1970, never running backwards."""
        return self._epoch + time.perf_counter()

    def date_field(self) -> bytes:
        """The Date line of an answer; made once a second."""
        second = int(self.now())
        if self._date[0] != second:
            self._date = second, f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._date[1]

    async def close(self) -> None:
        """End every connection; each leaves its row in the log."""
        for line in [*self.lines]:
            line.drop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self.lines:
                    await asyncio.sleep(0)
