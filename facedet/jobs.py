"""Long work as a detached command with a run directory, which outlives the page that started it.

A run directory holds::

    config.json     what was asked: the command's arguments, and what the starter wants to remember
    events.jsonl    what happened, one JSON object a line, only ever appended to
    heartbeat       touched every two seconds by the process at work
    control         what a person asks of it: empty, "pause" or "stop"
    log.txt         what the process wrote to its console
    lock            held by the process at work; two can never write the same run

The worker's side is `Worker`, used by the command; the other side is `start`, `look` and `ask`,
used by a page. Both talk through the files alone, so either may die and come back.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from filelock import FileLock, Timeout

from facedet.errors import JobError
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.i18n import language

HEARTBEAT_S = 2.0
DEAD_AFTER_S = 10.0  # of silence: five missed heartbeats
PAUSE_LOOK_S = 0.2
TAIL_BYTES = 1 << 16

State = Literal["starting", "running", "paused", "done", "stopped", "failed", "died"]
Ask = Literal["", "pause", "stop"]
FINAL: frozenset[State] = frozenset(("done", "stopped", "failed"))
LIVE: frozenset[State] = frozenset(("starting", "running", "paused"))
Event = Mapping[str, Any]


class Stopped(Exception):  # noqa: N818 - it is no error
    """Somebody asked the worker to stop; it unwinds to `Worker.__exit__` and ends well."""


class Worker:
    """The working process's side of a run directory; a context manager around the work.

    On leaving, the last event says how it ended: ``done``, ``stopped`` or ``failed``.

    Raises:
        JobError: on entering, where another process is at work in the same directory.
    """

    def __init__(self, run_dir: Path, clock: Any = time.time) -> None:
        self.run_dir = run_dir
        self._clock = clock
        self._lock = FileLock(run_dir / "lock")
        self._over = threading.Event()
        self._paused = False

    def __enter__(self) -> Self:
        self.run_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise JobError(
                _("{run_dir} is in use by another process; wait for it or stop it").format(
                    run_dir=self.run_dir
                )
            ) from error
        _end_torn_line(self.run_dir / "events.jsonl")
        self._events = (self.run_dir / "events.jsonl").open("a", encoding="utf-8")
        self._beat()
        threading.Thread(target=self._keep_beating, daemon=True).start()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _stop_now)
        self.event("state", state="running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        asked_to_stop = kind is not None and issubclass(kind, Stopped | KeyboardInterrupt)
        if kind is None:
            self.event("state", state="done")
        elif asked_to_stop:
            self.event("state", state="stopped")
        else:
            self.event("state", state="failed", reason=str(error) or kind.__name__)
        if asked_to_stop:
            write_atomically(self.run_dir / "control", "")  # It is done; the next run may go on.
        self._over.set()
        self._events.close()
        self._lock.release()
        return asked_to_stop and not issubclass(kind or Stopped, KeyboardInterrupt)

    def event(self, name: str, **fields: Any) -> None:
        """Append one event; it is on its way to the reader when this returns."""
        record = {"event": name, "time": self._clock(), **fields}
        self._events.write(json.dumps(record) + "\n")
        self._events.flush()

    def asked(self) -> Ask:
        """What a person asks now, for work that cannot wait in `checkpoint`; it then obeys.

        That it pauses, or goes on, is noted as an event.
        """
        text = self._asked()
        asked: Ask = "stop" if text == "stop" else "pause" if text == "pause" else ""
        if (asked == "pause") != self._paused:
            self._paused = asked == "pause"
            self.event("state", state="paused" if self._paused else "running")
        return asked

    def checkpoint(self) -> None:
        """Call between two items: waits while paused, raises `Stopped` when asked to stop."""
        if self._asked() == "pause":
            self.event("state", state="paused")
            while self._asked() == "pause":
                time.sleep(PAUSE_LOOK_S)
            if self._asked() != "stop":
                self.event("state", state="running")
        if self._asked() == "stop":
            raise Stopped

    def _asked(self) -> str:
        return _read_text(self.run_dir / "control")

    def _beat(self) -> None:
        (self.run_dir / "heartbeat").touch()

    def _keep_beating(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            self._beat()


@dataclass(frozen=True, slots=True)
class Look:
    """A glance at a run: its state, the events since the last glance, and where to go on reading.

    Args:
        state: ``died`` means that the process is gone without having said how it ended.
        reason: why it failed; empty otherwise.
        events: all whole events after the given offset.
        offset: bytes of ``events.jsonl`` read so far; pass it to the next `look`.
    """

    state: State
    reason: str
    events: tuple[Event, ...]
    offset: int


def new_run_dir(runs_dir: Path, kind: str) -> Path:
    """A fresh directory ``<kind>-<time>-<random>`` below `runs_dir`; names sort by time."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = runs_dir / f"{kind}-{stamp}-{secrets.token_hex(8)}"
    path.mkdir(parents=True)
    return path


def find_runs(runs_dir: Path, kind: str) -> list[Path]:
    """The run directories of one kind, the newest first."""
    pattern = f"{kind}-????????-??????-*"
    found = [path for path in runs_dir.glob(pattern) if (path / "config.json").is_file()]
    return sorted(found, reverse=True)


def last_run(runs_dir: Path, kind: str, key: str, value: object) -> Path | None:
    """The run of one kind whose memo has `value` under `key`: the newest at work, or the newest.

    One at work comes first, for a newer one may have failed because that one is at work.
    """
    fitting = [run for run in find_runs(runs_dir, kind) if memo_of(run).get(key) == value]
    return next((run for run in fitting if is_live(run)), fitting[0] if fitting else None)


def memo_of(run_dir: Path) -> Mapping[str, Any]:
    """The memo that `start` was given; empty where ``config.json`` is missing or damaged.

    It is remembered: what looks for a run asks all of them, twice a second.
    """
    try:
        return _memo(run_dir, (run_dir / "config.json").stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=4096)
def _memo(run_dir: Path, _mtime_ns: int) -> Mapping[str, Any]:
    try:
        memo: Mapping[str, Any] = read_config(run_dir)["memo"]
    except JobError:
        return {}
    return memo


def is_live(run_dir: Path) -> bool:
    """Whether a process is at work in a run directory, or about to be."""
    silent = _silent_for(run_dir / "heartbeat") > DEAD_AFTER_S
    return not silent and _last_state(run_dir)[0] in LIVE


def start(run_dir: Path, arguments: Sequence[str], memo: Mapping[str, Any] | None = None) -> None:
    """Run ``facedet <arguments> --run-dir <run_dir>`` as a process of its own.

    It keeps running when this process ends. Starting again in the same directory resumes: the
    command reads the events and goes on where they end.

    Args:
        run_dir: an existing directory.
        arguments: of the command, without ``--run-dir``.
        memo: plain values that the starter wants to find again in ``config.json``.
    """
    config = {"arguments": list(arguments), "memo": dict(memo or {})}
    write_atomically(run_dir / "config.json", json.dumps(config, indent=1))
    (run_dir / "control").write_text("")
    (run_dir / "heartbeat").touch()
    _note_start(run_dir / "events.jsonl")
    command = [sys.executable, "-m", "facedet", *arguments, "--run-dir", str(run_dir)]
    package_root = Path(__file__).resolve().parent.parent
    with (run_dir / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=package_root,
            env={**os.environ, "FACEDET_LANGUAGE": language()},  # its errors are read on that page
            start_new_session=True,  # Ctrl-C on the server must not reach it
        )
    threading.Thread(target=child.wait, daemon=True).start()  # or it stays a zombie when it ends


def start_one(
    runs_dir: Path, kind: str, key: str, arguments: Sequence[str], memo: Mapping[str, Any]
) -> Path:
    """Start a job, unless one whose memo says the same under `key` is at work: then that one."""
    with one_at_a_time(runs_dir, kind):
        last = last_run(runs_dir, kind, key, memo[key])
        if last is not None and is_live(last):
            return last
        run_dir = new_run_dir(runs_dir, kind)
        start(run_dir, arguments, memo)
        return run_dir


def one_at_a_time(runs_dir: Path, kind: str) -> FileLock:
    """Two clicks, two tabs, two servers: whoever comes second finds the job of the first."""
    runs_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(runs_dir / f"{kind}.lock")


def resume(run_dir: Path) -> None:
    """Start the command of a run that died or was stopped once more, with the same arguments.

    Raises:
        JobError: where ``config.json`` is missing or damaged.
    """
    config = read_config(run_dir)
    start(run_dir, config["arguments"], config["memo"])


def read_config(run_dir: Path) -> dict[str, Any]:
    """What `start` wrote: ``{"arguments": [...], "memo": {...}}``.

    Raises:
        JobError: where it is missing or damaged.
    """
    try:
        config: dict[str, Any] = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
        return {"arguments": list(config["arguments"]), "memo": dict(config["memo"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(
            _("{run_dir} is no run directory, or its config.json is damaged").format(
                run_dir=run_dir
            )
        ) from error


def ask(run_dir: Path, what: Ask) -> None:
    """Ask the process at work to pause, to stop, or ("") to go on.

    A stop stands until it is obeyed: two clicks may reach the server in either order, and a stop
    that is lost costs more than a pause that is.
    """
    if _read_text(run_dir / "control") != "stop":
        write_atomically(run_dir / "control", what)


def look(run_dir: Path, offset: int = 0) -> Look:
    """How a run stands. Reads only what was appended since `offset`."""
    events, offset = read_events(run_dir / "events.jsonl", offset)
    state, reason = _last_state(run_dir)
    if state not in FINAL and _silent_for(run_dir / "heartbeat") > DEAD_AFTER_S:
        state = "died"
    return Look(state, reason, tuple(events), offset)


def recent(run_dir: Path, span: int = TAIL_BYTES) -> Look:
    """`look` at the last `span` bytes of the events alone, however many there are before them."""
    try:
        size = (run_dir / "events.jsonl").stat().st_size
    except OSError:
        size = 0
    return look(run_dir, max(0, size - span))


def last_words(run_dir: Path) -> str:
    """The last line that the process wrote to its console; empty where there is none."""
    lines = [line for line in _read_text(run_dir / "log.txt").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def read_events(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The whole lines after `offset` as events, and the offset behind the last of them.

    A line still being written is left for the next time; one that a crash cut off is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := _parse_event(line)) is not None]
    return events, offset + len(whole)


def _note_start(path: Path) -> None:
    """A run that is taken up again is no longer stopped, even before its process has begun."""
    _end_torn_line(path)
    with path.open("a", encoding="utf-8") as events:
        events.write(
            json.dumps({"event": "state", "time": time.time(), "state": "starting"}) + "\n"
        )


def _stop_now(_signal: int, _frame: object) -> None:
    raise Stopped


def _parse_event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _last_state(run_dir: Path) -> tuple[State, str]:
    """The last state event; found from the end, for the file may be long."""
    path = run_dir / "events.jsonl"
    try:
        size = path.stat().st_size
    except OSError:
        return "starting", ""
    span = 1 << 16
    while True:
        events, _end = read_events(path, max(0, size - span))
        states = [event for event in events if event["event"] == "state"]
        if states:
            return states[-1]["state"], str(states[-1].get("reason", ""))
        if span >= size:
            return "starting", ""
        span *= 8


def _silent_for(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _end_torn_line(path: Path) -> None:
    """A process that was killed while writing leaves half a line: end it, so the next is whole."""
    try:
        with path.open("rb+") as file:
            if file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
    except FileNotFoundError:
        return


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
