"""Measuring in worker processes: a picture that hangs, eats memory or kills costs itself alone.

Each worker says in shared memory which picture it looks at and since when. So it may be killed when
that takes too long, and when it dies one knows of what; all else that it had is given to others.
Results come as JSON, for whoever reads a stranger's bytes is not to be trusted with pickles.
"""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any

import cv2

from facedet.cleaning.cleaner import Picture, Value, Values, look_at
from facedet.cleaning.pictures import Entry
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.images import Limits

CHUNK = 16  # pictures in one message, at most
TICK_S = 0.2  # how long the caller waits for news at most
TELL_EVERY_S = 0.2
TIMEOUT_S = 20.0
# Of address space, beyond what a worker has when it begins: the largest picture that the lab reads
# takes 0.6 GB with all its copies, and YuNet 0.7 GB.
MEMORY_BYTES = 2 << 30
DEATHS_IN_A_ROW = 5  # of workers that had no picture: then none will ever live
_NOTHING = -1.0

Row = dict[str, Value]
Measured = list[tuple[Entry, Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What workers may use.

    Args:
        workers: processes; None: one a core.
        limits: the largest picture to read.
        timeout_s: for one picture.
        memory_bytes: address space beyond that of an idle worker, where the system can limit it.
    """

    workers: int | None = None
    limits: Limits = field(default_factory=Limits)
    timeout_s: float = TIMEOUT_S
    memory_bytes: int = MEMORY_BYTES


def measure_all(
    ready: Callable[[], Callable[[Picture], Values]],
    entries: Sequence[Entry],
    conditions: Conditions | None = None,
) -> Generator[Measured]:
    """Measure pictures, in any order; yields what has come, at least every `TICK_S`.

    Args:
        ready: makes the function that measures, once a worker; it travels there by its name.

    Yields:
        Some pictures and their values, maybe none; ``seconds`` is added to the values.

    Raises:
        FacedetError: `ready` fails, or what it made; or workers die before they begin.
    """
    conditions = conditions or Conditions()
    crew = _Crew(ready, entries, conditions)
    try:
        while crew.busy:
            yield crew.turn()
    finally:
        crew.dismiss()


class _Crew:
    """The workers, what is still to be done, and who has what."""

    def __init__(
        self,
        ready: Callable[[], Callable[[Picture], Values]],
        entries: Sequence[Entry],
        conditions: Conditions,
    ) -> None:
        self._context = _context()
        self._ready, self._conditions = ready, conditions
        self._entries = entries
        self._todo = deque(range(len(entries)))
        self._killed: Counter[int] = Counter()  # how many workers died of a picture
        self._deaths = 0
        n = min(conditions.workers or cores(), max(1, len(entries)))
        self._workers = [self._hire() for _n in range(n)]

    @property
    def busy(self) -> bool:
        """Whether anything is still to come."""
        return bool(self._todo) or any(worker.has for worker in self._workers)

    def turn(self) -> Measured:
        """Hand out work, wait a moment, and gather what has come."""
        for worker in self._workers:
            self._feed(worker)
        connection.wait([worker.connection for worker in self._workers], TICK_S)
        gathered: Measured = []
        for at, worker in enumerate(self._workers):
            gathered += self._gather(worker)
            if worker.is_late(self._conditions.timeout_s):
                gathered += self._bury(at, worker, hangs=True)
            elif worker.is_dead:
                gathered += self._bury(at, worker, hangs=False)
        return gathered

    def dismiss(self) -> None:
        """End all workers at once."""
        for worker in self._workers:
            worker.kill()

    def _hire(self) -> "_Worker":
        return _Worker(self._context, self._ready, self._conditions)

    def _feed(self, worker: "_Worker") -> None:
        """Two messages ahead at most: so that no worker waits, and few pictures are lost."""
        fair = len(self._todo) // (4 * len(self._workers))  # the last ones are shared evenly
        size = max(1, min(CHUNK, fair))
        if self._todo and len(worker.has) <= size:
            chosen = [self._todo.popleft() for _n in range(min(size, len(self._todo)))]
            worker.give([(number, self._entries[number]) for number in chosen])

    def _gather(self, worker: "_Worker") -> Measured:
        rows = worker.receive()
        if rows:
            self._deaths = 0
        return [(self._entries[number], row) for number, row in rows]

    def _bury(self, at: int, worker: "_Worker", *, hangs: bool) -> Measured:
        """Replace a worker that is dead or late; what it had, but for the culprit, others get."""
        worker.kill()
        gathered = self._gather(worker)  # said before it died
        culprit = worker.looks_at
        lost: Measured = []
        if culprit in worker.has:
            self._killed[culprit] += 1
            # A worker may be shot for reasons of its own: once is no proof against a picture.
            if hangs or self._killed[culprit] > 1:
                worker.has.remove(culprit)
                lost = [(self._entries[culprit], self._epitaph(hangs))]
        else:
            self._deaths += 1
        self._todo.extendleft(reversed(worker.has))
        if self._deaths >= DEATHS_IN_A_ROW:
            raise FacedetError(
                _("the worker processes end before they begin; is there memory enough?")
            )
        self._workers[at] = self._hire()
        return gathered + lost

    def _epitaph(self, hangs: bool) -> Row:
        limit = self._conditions.timeout_s
        if hangs:
            note = _("longer than {n:g} seconds").format(n=limit)
            return {"problem": "hangs", "note": note, "seconds": limit}
        return {"problem": "crashed", "note": _("the process that read it died"), "seconds": 0.0}


class _Worker:
    """One process, seen from the other side."""

    def __init__(self, context: Any, ready: Callable[[], Any], conditions: Conditions) -> None:
        self.has: list[int] = []  # pictures it was given and has not answered for, in order
        self.connection, theirs = context.Pipe()
        self._place = context.RawArray("d", (_NOTHING, 0.0))
        self._process = context.Process(
            target=_work, args=(theirs, self._place, ready, conditions), daemon=True
        )
        self._process.start()
        theirs.close()  # or the connection would not end when the process does
        self.is_dead = False

    @property
    def looks_at(self) -> int:
        """The number of the picture; negative where it looks at none."""
        return int(self._place[0])

    def is_late(self, timeout_s: float) -> bool:
        """Whether it has looked at one picture for too long."""
        return self.looks_at in self.has and time.monotonic() - self._place[1] > timeout_s

    def give(self, pictures: Sequence[tuple[int, Entry]]) -> None:
        """Pictures to look at."""
        self.has += [number for number, _entry in pictures]
        try:
            self.connection.send(pictures)
        except OSError:
            self.is_dead = True

    def receive(self) -> list[tuple[int, Row]]:
        """What it has said since; notices when it is dead.

        Raises:
            FacedetError: it could not begin, or go on.
        """
        rows: list[tuple[int, Row]] = []
        try:
            while self.connection.poll():
                said = json.loads(self.connection.recv_bytes())
                if isinstance(said, str):
                    raise FacedetError(said)
                rows += said
        except (EOFError, OSError):
            self.is_dead = True
        for number, _row in rows:
            self.has.remove(number)
        return rows

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _context() -> Any:
    """Never plain fork: the caller may have threads, and locks in them."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Loaded once: further workers are there at once, also after pictures that kill.
    context.set_forkserver_preload(["facedet.cleaning.catalogue"])
    return context


# --- The other side of the connection


def _work(talk: Any, place: Any, ready: Callable[[], Any], conditions: Conditions) -> None:
    _settle()
    try:
        measure = ready()
        _limit_memory(conditions.memory_bytes)
        while True:
            _measure_some(talk, place, talk.recv(), measure, conditions.limits)
    except FacedetError as error:
        talk.send_bytes(json.dumps(str(error)).encode())
    except (EOFError, OSError):
        return  # nobody is interested any more


def _measure_some(
    talk: Any,
    place: Any,
    pictures: Iterable[tuple[int, Entry]],
    measure: Callable[[Picture], Values],
    limits: Limits,
) -> None:
    rows: list[tuple[int, Row]] = []
    told = time.monotonic()
    for number, entry in pictures:
        place[1], place[0] = time.monotonic(), number
        # Of the processor, not of the clock: what else runs here must not make a cleaner look slow.
        began = time.process_time()
        row = look_at(entry, measure, limits)
        rows.append((number, {**row, "seconds": time.process_time() - began}))
        place[0] = _NOTHING
        if time.monotonic() - told > TELL_EVERY_S:
            talk.send_bytes(json.dumps(rows).encode())
            rows, told = [], time.monotonic()
    talk.send_bytes(json.dumps(rows).encode())


def _settle() -> None:
    """Be a good worker: one thread, silent, and gone with whoever hired it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who hired it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries of C complain there about pictures
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(memory_bytes: int) -> None:
    """Only where the system can, and tells how much there is already."""
    status = Path("/proc/self/statm")
    if status.exists():
        import resource

        pages = int(status.read_text().split()[0])
        limit = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
