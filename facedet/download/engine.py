"""The download itself: many requests at once, each ended as a row of the ledger.

One thread asks (asyncio), a few decode and write pictures, one keeps the ledger. So nothing waits
for the disk or for a decoder but the link that it is about.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Literal, Self, TypeVar

from facedet.download.account import Outcome
from facedet.download.client import Client, Trip
from facedet.download.content import examine
from facedet.download.folder import store_picture
from facedet.download.hosts import Hosts, Manners
from facedet.download.ledger import Ledger
from facedet.download.line import KNOCKS, Line
from facedet.download.links import Link, host_of
from facedet.download.outcome import ErrorClass, Failed, Fetched
from facedet.download.pace import Pace
from facedet.download.room import check_reserve
from facedet.download.supply import Supply
from facedet.errors import DatasetError
from facedet.i18n import gettext as _
from facedet.images import Limits as ImageLimits

FLUSH_S = 0.25
STALLED_S = 2.0
LOOK_S = 0.2  # how often a person is listened to, and told something
QUEUED = 4000  # links in memory; the supply has the rest
FEW = 8  # of a host's links in memory: time for more
# Failures that show our line to hold, where nothing makes them doubtful: somebody refused it.
REACHED: frozenset[ErrorClass] = frozenset(("connect", "tls", "truncated"))
AWAY_LOOKS_S = (2.0, 30.0)  # between two looks whether the network is back: at first, at most
AWAY_S = 3600.0  # then the run ends
NEVER_S = 120.0  # the same where nothing was ever reached
DECODERS = 2

KINDS_OF_WORK = ("network", "decode", "disk", "ledger")

Ask = Literal["", "pause", "stop"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Errand:
    """One request on behalf of a link: to the link itself, or where it was redirected to.

    Args:
        host: that is asked, by whose manners it goes.
    """

    link: Link
    trip: Trip
    host: str

    @classmethod
    def to(cls, link: Link, trip: Trip | None = None) -> Self:
        """The request that is next on this trip; by default the first."""
        trip = trip or Trip(link.url)
        return cls(link, trip, host_of(trip.url))


@dataclass(slots=True)
class Attempts:
    """Of one link, in this run.

    Args:
        n: so far.
        began: the first, seconds since 1970.
    """

    n: int = 0
    began: float | None = None

    def begin(self) -> None:
        """Count one more."""
        self.began = self.began or time.time()
        self.n += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to download.

    Args:
        workers: most requests at once; fewer where more would not be faster.
        manners: to each host.
        image_limits: larger pictures are bombs.
    """

    workers: int = 128
    manners: Manners = field(default_factory=Manners)
    image_limits: ImageLimits = field(default_factory=ImageLimits)


@dataclass(slots=True)
class Progress:
    """How far a run is. It counts URLs: one may serve several rows of the ledger.

    Args:
        total: URLs of this run.
        done: settled: a picture, or a failure that is not tried again.
        good: pictures.
        size_bytes: of all bodies.
        errors, failing_hosts, failing_identities: failures by class, by the link's host, by person.
        active: requests at this moment.
        workers: how many there may be now.
        resting: hosts that are left alone, and for how many seconds yet.
        away: whether our own line to the network seems to be broken; it then waits.
        missed: pictures of earlier runs that had gone from the folder, and were asked for again.
        labels_kept: name of the file that a changed labels.csv was kept in; "" where none was.
        left_polite_s: how long the host with the most to do still takes at least.
        seconds: of work by kind, summed over all that runs at once.
    """

    total: int = 0
    done: int = 0
    good: int = 0
    size_bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    failing_hosts: Counter[str] = field(default_factory=Counter)
    failing_identities: Counter[str] = field(default_factory=Counter)
    active: int = 0
    workers: int = 0
    resting: dict[str, float] = field(default_factory=dict)
    away: bool = False
    left_polite_s: float = 0.0
    missed: int = 0
    labels_kept: str = ""
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS_OF_WORK, 0.0))


class NetworkAwayError(DatasetError):
    """Nothing can be reached from this computer, and could not for long."""


class Download:
    """One run over links that wait.

    Args:
        dataset: the folder that photos are written to.
        ledger: of that folder; no other run writes to it meanwhile.
        client: asks the network.
        settings: limits and manners.
        report: called with the progress every `LOOK_S`.
        asked: what a person asks of it now.
    """

    def __init__(
        self,
        dataset: Path,
        ledger: Ledger,
        client: Client,
        settings: Settings,
        report: Callable[[Progress], None] = lambda _progress: None,
        asked: Callable[[], Ask] = lambda: "",
    ) -> None:
        self._dataset, self._ledger, self._client = dataset, ledger, client
        self._settings, self._report, self._asked = settings, report, asked
        self._hosts: Hosts[Errand] = Hosts(attrgetter("host"), settings.manners)
        self._pace = Pace(settings.workers)
        self._line = Line(client.reaches, [row.final_url for row in ledger.newest(KNOCKS)])
        self._attempts: dict[str, Attempts] = {}  # by URL, of the links in memory
        self._at_host: Counter[str] = Counter()  # links in memory by their own host
        self._low: set[str] = set()  # hosts that have few there
        self._doubtful: list[tuple[float, Link, Failed]] = []  # perhaps our line; and since when
        self._outcomes: list[Outcome] = []
        self._tasks: dict[asyncio.Task[None], float] = {}  # and when each began
        self._keeping: set[asyncio.Task[None] | None] = set()
        self._something_ended = asyncio.Event()
        self.progress = Progress()

    async def run(self, supply: Supply) -> Progress:
        """Ask for each link until all are settled, or somebody asks to stop.

        Whatever was settled is in the ledger when this returns or raises; what was under way waits
        for the next run.

        Raises:
            DiskError: the disk is nearly full, or broken.
            NetworkAwayError: nothing can be reached, for long; nothing is said of the links.
        """
        self._supply, self.progress.total = supply, supply.total
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        try:
            await self._deal()
        finally:
            for task in self._tasks:
                if task not in self._keeping:  # a picture being written gets its row
                    task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._decoders.shutdown()
            await self._flush()
            self._tell()
        return self.progress

    async def _deal(self) -> None:
        """Hand out links as hosts, pace and people allow."""
        flush_at, look_at, asked = 0.0, 0.0, self._asked()
        while True:
            now = time.monotonic()
            if now >= look_at:
                look_at, asked = now + LOOK_S, self._asked()
                check_reserve(self._dataset)
                self._tell()
            if asked == "stop":
                return
            self._top_up()
            for errand, failed in self._hosts.unasked():
                self._settle(errand.link, failed)
            held_back = asked == "pause" or self._start_some(now)
            if now >= flush_at:
                await self._flush()
                flush_at = now + FLUSH_S
            idle = not self._tasks and not self._hosts.pending
            if self._line.is_suspicious or (idle and self._doubtful):
                await self._look_at_the_line()
            elif idle and not self._attempts:
                return
            else:
                await self._wait(now, held_back=held_back)
            self._collect()

    def _top_up(self) -> None:
        """Fill the queues: more of the hosts that have few there, then other hosts."""
        while self._low:
            host = self._low.pop()
            if not self._take_in(host) and not self._at_host[host]:
                del self._at_host[host]
        while len(self._attempts) < QUEUED and (new := self._supply.next_host()) is not None:
            self._take_in(new)

    def _take_in(self, host: str) -> int:
        links = self._supply.more_of(host)
        for link in links:
            self._attempts[link.url] = Attempts()
            self._at_host[host] += 1
            self._hosts.add(Errand.to(link))
        return len(links)

    def _start_some(self, now: float) -> bool:
        """Start what may be started; returns whether only the limit held more back.

        A request that hangs takes nobody's place, up to a bound.
        """
        moving = sum(now - began < STALLED_S for began in self._tasks.values())
        while (
            moving < self._pace.limit
            and len(self._tasks) < self._settings.workers
            and (errand := self._hosts.take(now)) is not None
        ):
            self._tasks[asyncio.create_task(self._try(errand))] = now
            moving += 1
        full = moving >= self._pace.limit or len(self._tasks) >= self._settings.workers
        self._pace.tick(now, self.progress.done, busy=full)
        return full

    async def _wait(self, now: float, *, held_back: bool) -> None:
        """Until something ends, a host may be asked again, or it is time to listen."""
        wake = self._hosts.wake_at()
        timeout = LOOK_S if wake is None or held_back else min(LOOK_S, max(0.001, wake - now))
        self._something_ended.clear()
        try:
            await asyncio.wait_for(self._something_ended.wait(), timeout)
        except TimeoutError:
            return

    def _collect(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            del self._tasks[task]
            task.result()  # raises where the disk did not take a picture: that ends the run

    async def _try(self, errand: Errand) -> None:
        """One request, and what follows from it: a picture, a redirect, another try, a failure."""
        link, began = errand.link, time.monotonic()
        attempts = self._attempts[link.url]
        if not errand.trip.asked:  # a redirect belongs to its attempt
            attempts.begin()
        try:
            answer = await self._timed("network", self._client.hop(errand.trip))
            now = time.monotonic()
            failed = answer if isinstance(answer, Failed) else None
            self._hosts.done(errand, now, failed, now - began)
            self._listen(errand, failed, began)
            if isinstance(answer, Fetched):
                self._note(link, await self._kept(link, answer))
            elif isinstance(answer, Trip):
                self._hosts.add_later(Errand.to(link, answer), now)
            elif not self._hosts.again(errand, Errand.to(link), now, answer, attempts.n):
                if answer.doubtful:
                    self._doubtful.append((now, link, answer))
                else:
                    self._settle(link, answer)
        finally:
            self._something_ended.set()

    def _listen(self, errand: Errand, failed: Failed | None, began: float) -> None:
        """What the end of a request says about our own line, and so about links in doubt."""
        if failed and failed.doubtful:
            self._line.silent(errand.host)
            return
        if failed is None or failed.http_status is not None:
            self._line.answered(errand.trip.url)
        elif failed.error_class in REACHED:
            self._line.calm()
        else:
            return
        self._believe(before=began)

    def _believe(self, before: float) -> None:
        """Our line held after these links had failed: it was their fault."""
        sure = [each for each in self._doubtful if each[0] < before]
        self._doubtful = [each for each in self._doubtful if each[0] >= before]
        for _since, link, failed in sure:
            self._settle(link, failed)

    async def _look_at_the_line(self) -> None:
        """Much fails in a row: is it the links, or our own line? Then wait until it is back."""
        if await self._line.holds(link.url for _since, link, _failed in self._doubtful):
            self._believe(before=time.monotonic())
            self._line.calm()
            return
        self.progress.away = True
        await self._wait_for_the_line()
        self.progress.away = False
        self._line.calm()
        for _since, link, _failed in self._doubtful:
            self._attempts[link.url].n = 0
            self._hosts.add(Errand.to(link))
        self._doubtful.clear()

    async def _wait_for_the_line(self) -> None:
        wait, longest = AWAY_LOOKS_S
        began = look_at = time.monotonic()
        patience_s = AWAY_S if self._line.has_held else NEVER_S
        while self._asked() != "stop":
            now = time.monotonic()
            if now - began > patience_s:
                raise NetworkAwayError(
                    _("nothing can be reached; connect this computer, and go on: the links wait")
                )
            if now >= look_at:
                if await self._line.holds(link.url for _since, link, _failed in self._doubtful):
                    return
                look_at, wait = now + wait, min(2 * wait, longest)
            self._tell()
            await asyncio.sleep(LOOK_S)

    def _settle(self, link: Link, failed: Failed) -> None:
        attempts = self._attempts[link.url].n
        self._note(link, Outcome.of_failure(link.url, failed, attempts))

    async def _kept(self, link: Link, fetched: Fetched) -> Outcome:
        task: asyncio.Task[None] | None = asyncio.current_task()
        attempts = self._attempts[link.url].n
        self._keeping.add(task)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._decoders, self._keep, link, fetched, attempts)
        finally:
            self._keeping.discard(task)

    def _keep(self, link: Link, fetched: Fetched, attempts: int) -> Outcome:
        """Look into the body, and keep it if it is a picture; runs in a decoder's thread."""
        began = time.perf_counter()
        name = f"{link.identity}/{link.photo_id}"
        picture = examine(fetched.body, name, self._settings.image_limits)
        decoded = time.perf_counter()
        self.progress.seconds["decode"] += decoded - began
        if isinstance(picture, Failed):
            return Outcome.of_failure(link.url, picture, attempts, fetched)
        path = store_picture(self._dataset, link, fetched.body, picture.suffix)
        self.progress.seconds["disk"] += time.perf_counter() - decoded
        return Outcome.of_picture(link.url, fetched, picture, path, attempts)

    def _note(self, link: Link, outcome: Outcome) -> None:
        """Count what a link has come to; the ledger gets it with the next flush."""
        began = self._attempts.pop(link.url).began
        self._outcomes.append(replace(outcome, began=began))
        host = host_of(link.url)
        self._at_host[host] -= 1
        if self._at_host[host] < FEW:
            self._low.add(host)
        self.progress.done += 1
        self.progress.size_bytes += outcome.bytes or 0
        if outcome.error_class is None:
            self.progress.good += 1
        else:
            self.progress.errors[outcome.error_class] += 1
            self.progress.failing_hosts[host] += 1
            self.progress.failing_identities[link.identity] += 1

    async def _flush(self) -> None:
        """Write what was settled into the ledger, in a thread: the disk may be slow."""
        if self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            await self._timed("ledger", asyncio.to_thread(self._record, outcomes))

    def _record(self, outcomes: list[Outcome]) -> None:
        self._ledger.record(outcomes)
        sums = [outcome.sha256 for outcome in outcomes if outcome.sha256]
        for sha256, host in self._ledger.placeholders(sums):
            self._ledger.mark_placeholders(sha256, host)

    async def _timed(self, what: str, waiting: Awaitable[T]) -> T:
        began = time.perf_counter()
        try:
            return await waiting
        finally:
            self.progress.seconds[what] += time.perf_counter() - began

    def _tell(self) -> None:
        now = time.monotonic()
        self.progress.active, self.progress.workers = len(self._tasks), self._pace.limit
        self.progress.resting = self._hosts.resting(now)
        self.progress.left_polite_s = max(
            (
                self._hosts.left_s(host, n + self._supply.left_of(host), now)
                for host, n in self._at_host.items()
            ),
            default=0.0,
        )
        self._report(self.progress)
