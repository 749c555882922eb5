"""Whose turn it is: politeness to each host, and patience with what fails.

A redirect is a request of its own, which takes its turn at the host that it leads to: many sites
may send to one. Pure bookkeeping with the time handed in, so that every rule can be tested without
waiting.
"""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from facedet.download.outcome import ErrorClass, Failed
from facedet.i18n import gettext as _

Item = TypeVar("Item")

# Failures of the host rather than of one link: enough of them in a row, and it is left alone.
HOST_FAILURES: frozenset[ErrorClass] = frozenset(("connect", "timeout", "http_5xx"))
# Failures that may pass. A hang may too, but costs as long again: `--retry timeout` is for that.
PASSING: frozenset[ErrorClass] = frozenset(("connect", "http_5xx", "truncated"))
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a host is treated.

    Args:
        per_host: connections at once; six is what browsers allow themselves.
        spacing_s: from the start of one request to the start of the next.
        attempts: tries of one link, where its failure may pass.
        backoff_s: before the second try; doubled for each further one, and up to half as long
            again by chance, so that many do not come back together.
        most_wait_s: longest wait that a server may ask for and get within a run. A host that asks
            for more is not asked again: its other links end unasked, for a later run.
        rest_after: failures in a row after which a host rests.
        rest_s: first rest; doubled each time up to `most_wait_s`.
        rests: so many without an answer in between, and the host is given up: its other links end
            as the last one did, unasked.
        refusals: so many times may a host say that it is asked too much, without an answer in
            between, before it is given up.
    """

    per_host: int = 6
    spacing_s: float = 0.02
    attempts: int = 3
    backoff_s: float = 0.5
    most_wait_s: float = 60.0
    rest_after: int = 8
    rest_s: float = 5.0
    rests: int = 3
    refusals: int = 10


@dataclass(slots=True)
class _Host(Generic[Item]):
    """One host's queue and what is known of it."""

    name: str
    waiting: deque[Item] = field(default_factory=deque)
    later: list[tuple[float, int, Item]] = field(default_factory=list)  # a heap by due time
    active: int = 0
    next_at: float = 0.0
    resting_until: float = 0.0
    failures: int = 0
    rests: int = 0
    refusals: int = 0
    ended: int = 0  # requests, and the time that they took together
    took_s: float = 0.0
    given_up: Failed | None = None
    queued: bool = False  # whether it stands in the heap of hosts


class Hosts(Generic[Item]):
    """Deals out requests so that no host is asked too much at once.

    Args:
        host_of: the host that a request goes to.
        manners: the rules.
        rng: for the chance in back-off; seeded, a run can be repeated. By default unseeded: many
            who share an address must not come back together.
    """

    def __init__(
        self, host_of: Callable[[Item], str], manners: Manners, rng: Random | None = None
    ) -> None:
        self._host_of = host_of
        self._manners = manners
        self._rng = rng or Random()
        self._hosts: dict[str, _Host[Item]] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._unasked: list[tuple[Item, Failed]] = []
        self._count = itertools.count()  # first come, first served among equals
        self.pending = 0

    def add(self, item: Item) -> None:
        """Another request, behind those that its host has already."""
        host = self._host(item)
        if self._may_join(host, item):
            host.waiting.append(item)
            self._queue(host)

    def add_later(self, item: Item, due: float) -> None:
        """A request that is due at a moment, and then goes before those that merely wait."""
        host = self._host(item)
        if self._may_join(host, item):
            heapq.heappush(host.later, (due, next(self._count), item))
            self._queue(host)

    def unasked(self) -> list[tuple[Item, Failed]]:
        """Requests to hosts that were given up since the last call, and what to say of them."""
        found, self._unasked = self._unasked, []
        return found

    def take(self, now: float) -> Item | None:
        """The next request that may be made now; None where all must wait."""
        while self._heap and self._heap[0][0] <= now:
            _when, _order, name = heapq.heappop(self._heap)
            host = self._hosts[name]
            host.queued = False
            item = self._next_of(host, now)
            if item is not None:
                host.active += 1
                host.next_at = now + self._manners.spacing_s
                self.pending -= 1
                self._queue(host)
                return item
            self._queue(host)
        return None

    def wake_at(self) -> float | None:
        """When the next may be made; None where none is waiting for time alone."""
        return self._heap[0][0] if self._heap else None

    def done(self, item: Item, now: float, failed: Failed | None, took_s: float = 0.0) -> None:
        """A request has ended; `failed` is None where it gave a body or a redirect."""
        host = self._host(item)
        host.active -= 1
        host.ended += 1
        host.took_s += took_s
        self._judge(host, failed, now)
        self._queue(host)

    def again(self, item: Item, first: Item, now: float, failed: Failed, attempts: int) -> bool:
        """Whether the attempt at a link that ended with this request is made once more.

        Args:
            item: the request that failed.
            first: the one that the next attempt begins with; it is queued.
            attempts: so far, this one included.
        """
        given_up = self._host(item).given_up is not None
        if given_up or attempts >= self._manners.attempts or not _may_pass(failed):
            return False
        self.add_later(first, now + self._wait(failed, attempts))
        return True

    def left_s(self, name: str, n: int, now: float) -> float:
        """How long `n` more requests to a host will take at least, going by what it took so far."""
        host, rules = self._hosts.get(name), self._manners
        if host is None:
            return n * rules.spacing_s
        each = max(rules.spacing_s, host.took_s / max(1, host.ended) / rules.per_host)
        return max(0.0, host.resting_until - now) + n * each

    def resting(self, now: float) -> dict[str, float]:
        """The hosts that are left alone, and for how many more seconds."""
        return {
            host.name: host.resting_until - now
            for host in self._hosts.values()
            if host.resting_until > now and (host.waiting or host.later)
        }

    def _host(self, item: Item) -> _Host[Item]:
        name = self._host_of(item)
        if name not in self._hosts:
            self._hosts[name] = _Host(name)
        return self._hosts[name]

    def _may_join(self, host: _Host[Item], item: Item) -> bool:
        if host.given_up is not None:
            self._unasked.append((item, host.given_up))
            return False
        self.pending += 1
        return True

    def _queue(self, host: _Host[Item]) -> None:
        """Put a host into the heap for the moment at which it may be asked again."""
        has_some = host.waiting or host.later
        if host.queued or not has_some or host.active >= self._manners.per_host:
            return
        ready = 0.0 if host.waiting else host.later[0][0]
        when = max(ready, host.next_at, host.resting_until)
        heapq.heappush(self._heap, (when, next(self._count), host.name))
        host.queued = True

    def _next_of(self, host: _Host[Item], now: float) -> Item | None:
        if max(host.next_at, host.resting_until) > now:
            return None  # a request that ended meanwhile has sent it to rest
        if host.later and host.later[0][0] <= now:
            return heapq.heappop(host.later)[2]
        return host.waiting.popleft() if host.waiting else None

    def _judge(self, host: _Host[Item], failed: Failed | None, now: float) -> None:
        rules = self._manners
        if failed is not None and failed.doubtful:
            return
        if failed is not None and (failed.retry_after_s is not None or _is_refusal(failed)):
            self._leave_alone(host, failed, now)
            return
        host.refusals = 0
        if failed is None or failed.error_class not in HOST_FAILURES:
            host.failures = host.rests = 0
            return
        host.failures += 1
        if host.failures >= rules.rest_after:
            rest = min(rules.rest_s * 2**host.rests, rules.most_wait_s)
            host.resting_until = max(host.resting_until, now + rest)
            host.rests += 1
            host.failures = 0
            if host.rests > rules.rests:
                note = _("not asked: {host} failed again and again ({note})")
                self._give_up(host, failed, note.format(host=host.name, note=failed.note))

    def _leave_alone(self, host: _Host[Item], failed: Failed, now: float) -> None:
        """It is asked too much: rest as long as it says, or each time twice as long."""
        rules = self._manners
        asked_for = failed.retry_after_s
        if asked_for is not None and asked_for > rules.most_wait_s:
            self._give_up(host, failed, _asks_for_peace(host.name, asked_for))
            return
        if host.resting_until <= now:  # else it says so once more, to requests of before
            host.refusals += 1
        rest = rules.backoff_s * 2.0 ** (host.refusals - 1) if asked_for is None else asked_for
        host.resting_until = max(host.resting_until, now + min(rest, rules.most_wait_s))
        if host.refusals > rules.refusals:
            note = _("not asked: {host} said again and again that it is asked too much")
            self._give_up(host, failed, note.format(host=host.name))

    def _give_up(self, host: _Host[Item], failed: Failed, note: str) -> None:
        host.given_up = Failed(failed.error_class, note)
        left = [*host.waiting, *(item for _due, _n, item in host.later)]
        self._unasked += [(item, host.given_up) for item in left]
        self.pending -= len(left)
        host.waiting.clear()
        host.later.clear()

    def _wait(self, failed: Failed, attempts: int) -> float:
        rules = self._manners
        backoff = rules.backoff_s * 2.0 ** (attempts - 1) * self._rng.uniform(1.0, 1.5)
        return min(max(backoff, failed.retry_after_s or 0.0), rules.most_wait_s)


def _asks_for_peace(host: str, seconds: float) -> str:
    return _("not asked: {host} asks to be left alone for {n:,.0f} minutes").format(
        host=host, n=math.ceil(seconds / 60)
    )


def _is_refusal(failed: Failed) -> bool:
    return failed.http_status == TOO_MANY_REQUESTS


def _may_pass(failed: Failed) -> bool:
    return failed.error_class in PASSING or _is_refusal(failed)
