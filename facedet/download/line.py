"""Whether our own line to the network holds, before many links are said to be dead.

When it breaks, every name is unknown and nothing can be connected to: thousands of good links
would be written off in a second.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

SILENT = 12  # doubtful ends in a row, at `SILENT_HOSTS` hosts, before the line itself is looked at
SILENT_HOSTS = 3
SILENT_FROM_THE_START = 100  # hosts, where nothing is known that could be looked at
KNOCKS = 5


class Line:
    """Listens to how requests end.

    Args:
        reaches: whether the host of an address can be connected to.
        good: addresses that have answered in earlier runs.
    """

    def __init__(self, reaches: Callable[[str], Awaitable[bool]], good: Iterable[str] = ()) -> None:
        self._reaches = reaches
        self._good = deque(good, maxlen=KNOCKS)
        self._silent_hosts: set[str] = set()
        self._silence = 0

    @property
    def has_held(self) -> bool:
        """Whether any server has ever answered."""
        return bool(self._good)

    @property
    def is_suspicious(self) -> bool:
        """Whether so much has failed in a row that it may be our line."""
        least = SILENT_HOSTS if self.has_held else SILENT_FROM_THE_START
        return self._silence >= SILENT and len(self._silent_hosts) >= least

    def answered(self, url: str) -> None:
        """A server has answered at this address, whatever it said."""
        if url not in self._good:
            self._good.append(url)
        self.calm()

    def silent(self, host: str) -> None:
        """A request to this host has ended in a way that may be our own line's fault."""
        self._silence += 1
        self._silent_hosts.add(host)

    def calm(self) -> None:
        """Begin to count anew."""
        self._silence = 0
        self._silent_hosts.clear()

    async def holds(self, others: Iterable[str] = ()) -> bool:
        """Knock at servers that have answered before; where none has, at some of the others."""
        for url in [*self._good] or [*others][:KNOCKS]:
            if await self._reaches(url):
                return True
        return False
