"""Links that wait, dealt out site by site: the largest first, and never too many of one.

What is left at the end is what the largest sites have, for each is asked only so fast; so they must
begin first. And a site that is slow, or rests, must not fill the queues in memory with its links.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from facedet.download.ledger import Ledger
from facedet.download.links import Link, host_of

PORTION = 32


class Supply(Protocol):
    """Links by host; may be asked while outcomes are recorded."""

    @property
    def total(self) -> int:
        """Links at the beginning."""
        ...

    def next_host(self) -> str | None:
        """The host to begin with next; None where all have begun."""
        ...

    def more_of(self, host: str) -> Sequence[Link]:
        """The next links of a host that has begun; none where there are no more."""
        ...

    def left_of(self, host: str) -> int:
        """How many of it have not been given out yet."""
        ...


class Listed:
    """A supply of links that are all in memory."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._by_host: dict[str, deque[Link]] = {}
        for link in links:
            self._by_host.setdefault(host_of(link.url), deque()).append(link)
        self.total = sum(map(len, self._by_host.values()))
        self._hosts = iter(sorted(self._by_host, key=self.left_of, reverse=True))

    def next_host(self) -> str | None:
        """See `Supply`."""
        return next(self._hosts, None)

    def more_of(self, host: str) -> Sequence[Link]:
        """See `Supply`."""
        waiting = self._by_host[host]
        return [waiting.popleft() for _n in range(min(PORTION, len(waiting)))]

    def left_of(self, host: str) -> int:
        """See `Supply`."""
        return len(self._by_host[host])


class Recorded:
    """A supply of what waits in a ledger; in memory are only the hosts.

    Args:
        only_again: only what was let wait again, see `Ledger.retry`.
    """

    def __init__(self, ledger: Ledger, *, only_again: bool = False) -> None:
        self._ledger, self._only_again = ledger, only_again
        self._left = dict(ledger.waiting_hosts(only_again=only_again))
        self._last: dict[str, int] = {}
        self.total = sum(self._left.values())
        self._hosts = iter([*self._left])

    def next_host(self) -> str | None:
        """See `Supply`."""
        return next(self._hosts, None)

    def more_of(self, host: str) -> Sequence[Link]:
        """See `Supply`."""
        if not self._left[host]:
            return ()
        rows = self._ledger.waiting_at(
            host, self._last.get(host, 0), PORTION, only_again=self._only_again
        )
        self._left[host] = max(0, self._left[host] - len(rows)) if rows else 0
        self._last[host] = rows[-1][0] if rows else 0
        return [link for _number, link in rows]

    def left_of(self, host: str) -> int:
        """See `Supply`."""
        return self._left[host]
