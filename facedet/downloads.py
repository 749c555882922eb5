"""Datasets of the workspace, the jobs that probe and fill them, and a practice set's servers."""

import csv
import http.client
import socket
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np

from facedet import jobs
from facedet.download.addresses import canonical, literal_ip, network_of
from facedet.download.labels import LABELS, LINKS, PROBLEMS
from facedet.download.links import NEEDED, host_of
from facedet.download.outcome import ErrorClass
from facedet.download.probe import Probe
from facedet.download.run import LEDGER
from facedet.errors import DatasetError, FacedetError
from facedet.i18n import gettext as _
from facedet.jobs import Event
from facedet.linklists import LinkList, dataset_dir, find_lists
from facedet.practice.options import read_options
from facedet.practice.truth import read_truth, some_pictures
from facedet.settings import Settings

RUN_KIND = "download"
PROBE_KIND = "probe"
SERVE_KIND = "internet"
PROBE_LINKS = 500
LOOKED_AT = 200  # of a dataset's links, for whether they lead inwards
ASK_S = 2.0  # how long a practice server of this computer may take to answer
WINDOW_S = 8.0  # over which rates are told: the last links are the slow ones
LATELY_S = 3.0  # over which the time left must be true, too
RATES = {"links_per_s": "done", "pictures_per_s": "good", "bytes_per_s": "size_bytes"}
SILENT_S = 5.0  # a job at work that says nothing for so long has nothing to say

# Who answers where a practice list's links lead: its servers, nobody, or something else.
Servers = Literal["on", "off", "others"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of the workspace with labels in it; its name stands in addresses."""

    name: str
    folder: Path

    @property
    def ledger_path(self) -> Path:
        """The account of its downloads; may not be there yet."""
        return self.folder / LEDGER

    @property
    def begun(self) -> bool:
        """Whether anything was ever asked for."""
        return self.ledger_path.is_file()

    @property
    def asked_for(self) -> Path:
        """The label table with all its links."""
        links = self.folder / LINKS
        return links if links.is_file() else self.folder / LABELS

    @property
    def problems_path(self) -> Path:
        """The rows of that table that could not be used; not there where all could."""
        return self.folder / PROBLEMS

    @property
    def version(self) -> tuple[int, ...]:
        """Changes whenever the ledger does; part of the key of whatever is remembered of it."""
        files = (self.ledger_path, self.folder / f"{LEDGER}-wal")
        stats = [file.stat() for file in files if file.is_file()]
        return tuple(n for stat in stats for n in (stat.st_mtime_ns, stat.st_size))


def find_datasets(settings: Settings) -> list[Dataset]:
    """All of them, the one that was written to last first."""
    folders = [path for path in (settings.home / "datasets").glob("*") if (path / LABELS).is_file()]
    folders.sort(key=lambda path: (path / LABELS).stat().st_mtime, reverse=True)
    return [Dataset(path.name, path) for path in folders]


def open_dataset(settings: Settings, name: str) -> Dataset:
    """A dataset by its name, which comes from an address and so from anyone.

    Raises:
        FacedetError: no such dataset.
    """
    folder = dataset_dir(settings, name)
    if not (folder / LABELS).is_file():
        raise DatasetError(_("there is no dataset of that name; write labels.csv first"))
    return Dataset(name, folder)


def missing_columns(dataset: Dataset) -> list[str]:
    """What a table of links must have and this dataset's has not; a table without links is one."""
    try:
        with dataset.asked_for.open(encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error):
        columns = []
    return [column for column in NEEDED if column not in columns]


@dataclass(frozen=True, slots=True)
class Inwards:
    """Where the first `LOOKED_AT` links of a dataset lead.

    Args:
        n: to this computer or, by a number, into a private network.
        of: links looked at.
        ports: of this computer, where they lead there; the most frequent first.
    """

    n: int
    of: int
    ports: tuple[int, ...]

    @property
    def mostly(self) -> bool:
        """Whether next to nothing would come of them without private addresses."""
        return 2 * self.n > self.of


def leads_here(dataset: Dataset) -> bool:
    """Whether any of its first links leads inwards, as those of practice sets do."""
    return inwards(dataset).n > 0


def inwards(dataset: Dataset) -> Inwards:
    """Which of its first links lead inwards, by their text alone: no name is looked up."""
    try:
        return _inwards(dataset.asked_for, dataset.asked_for.stat().st_mtime_ns)
    except (OSError, ValueError, csv.Error):
        return Inwards(0, 0, ())


@lru_cache(maxsize=64)
def _inwards(path: Path, _mtime_ns: int) -> Inwards:
    urls = list(islice(_urls(path), LOOKED_AT))
    networks = [_network_named(url) for url in urls]
    here = [url for url, net in zip(urls, networks, strict=True) if net == "loopback"]
    ports = Counter(_port(url) for url in here)
    return Inwards(
        sum(net in ("loopback", "private") for net in networks),
        len(urls),
        tuple(port for port, _n in ports.most_common()),
    )


def _network_named(url: str) -> str | None:
    """The kind of network that a link's host names by itself; None where it is another name."""
    host = host_of(url)
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    ip = literal_ip(host)
    return network_of(ip) if ip else None


def _port(url: str) -> int:
    parts = urlsplit(canonical(url))
    return parts.port or (443 if parts.scheme == "https" else 80)


def _urls(path: Path) -> Iterator[str]:
    """The links of a label table, row by row; those of rows without one are left out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        columns = next(rows, [])
        if "url" not in columns:
            return
        at = columns.index("url")
        for row in rows:
            if len(row) > at and (url := row[at].strip()):
                yield url


def count_links(dataset: Dataset) -> int:
    """Different addresses in its table, as a download will count them; 0 where it cannot be read.

    Remembered while the table stays.
    """
    try:
        return _count_links(dataset.asked_for, dataset.asked_for.stat().st_mtime_ns)
    except (OSError, ValueError, csv.Error):
        return 0


@lru_cache(maxsize=64)
def _count_links(path: Path, _mtime_ns: int) -> int:
    # Eight bytes an address: of millions, the addresses themselves would take half a gigabyte.
    hashes = array("q", (hash(canonical(url)) for url in _urls(path)))
    return len(np.unique(np.frombuffer(hashes, np.int64))) if hashes else 0


def start_download(
    settings: Settings,
    dataset: Dataset,
    *,
    allow_private: bool,
    retry: Sequence[ErrorClass] = (),
) -> Path:
    """Start downloading what waits, or take failures of some classes up again.

    One job at a time works on a dataset: where one is at work, that one goes on.
    """
    arguments = ["download", str(dataset.asked_for), "--out", str(dataset.folder)]
    if allow_private:
        arguments.append("--allow-private")
    if retry:
        arguments += ["--retry", ",".join(retry)]
    memo = {"dataset": dataset.name, "allow_private": allow_private}
    return jobs.start_one(settings.runs_dir, RUN_KIND, "dataset", arguments, memo)


def run_of(settings: Settings, dataset: Dataset) -> Path | None:
    """The download job of this dataset that is at work, or else its last."""
    return jobs.last_run(settings.runs_dir, RUN_KIND, "dataset", dataset.name)


def start_probe(settings: Settings, dataset: Dataset, *, allow_private: bool) -> Path:
    """Start trying a random sample of `PROBE_LINKS` links, of which nothing is kept.

    One at a time, as with downloads.
    """
    arguments = ["download", str(dataset.asked_for), "--probe", str(PROBE_LINKS)]
    if allow_private:
        arguments.append("--allow-private")
    memo = {"dataset": dataset.name, "allow_private": allow_private, "size": _size(dataset)}
    return jobs.start_one(settings.runs_dir, PROBE_KIND, "dataset", arguments, memo)


def probe_of(settings: Settings, dataset: Dataset) -> Path | None:
    """The probe of this dataset that is at work, or else its last; None where that is of others.

    A dataset may have been thrown away, and another of its name begun.
    """
    run_dir = jobs.last_run(settings.runs_dir, PROBE_KIND, "dataset", dataset.name)
    if run_dir is None or jobs.memo_of(run_dir).get("size") != _size(dataset):
        return None
    return run_dir


def result_of(events: Sequence[Event]) -> Probe | None:
    """What a probe has found, out of its job's events; None where it has not ended well."""
    summary = next((event for event in reversed(events) if event["event"] == "summary"), {})
    try:
        return Probe(**{each.name: summary[each.name] for each in fields(Probe)})
    except KeyError:
        return None


def serve(settings: Settings, each: LinkList) -> Path:
    """Start the little internet of a practice list, unless it runs already."""
    arguments = ["practice", str(each.practice_dir), "--serve"]
    memo = {"list": each.name}
    return jobs.start_one(settings.runs_dir, SERVE_KIND, "list", arguments, memo)


def internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The job that serves a practice list now; None where there is none."""
    run_dir = last_internet_of(settings, each)
    return run_dir if run_dir is not None and jobs.is_live(run_dir) else None


def last_internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The job that serves a practice list, or else the last that did, or tried to."""
    return jobs.last_run(settings.runs_dir, SERVE_KIND, "list", each.name)


def practice_list_of(settings: Settings, dataset: Dataset) -> LinkList | None:
    """The practice list on this computer that has all of a dataset's links; None where none has.

    Another set has other addresses, so this needs no note of where the dataset came from.
    """
    if not leads_here(dataset):
        return None
    version = dataset.asked_for.stat().st_mtime_ns
    lists = [each for each in find_lists(settings) if each.kind == "practice"]
    fitting = [each for each in lists if _has_all(each, dataset.asked_for, version)]
    # A handful of links may be in two lists.
    return next((each for each in fitting if internet_of(settings, each)), (*fitting, None)[0])


def _has_all(each: LinkList, table: Path, version: int) -> bool:
    try:
        made = (each.practice_dir / "truth.csv").stat().st_mtime_ns
        return _are_all_in(each.practice_dir, made, table, version)
    except (FacedetError, OSError, ValueError, csv.Error):
        return False


@lru_cache(maxsize=64)
def _are_all_in(practice_dir: Path, _made: int, table: Path, _version: int) -> bool:
    known = {row.url for row in read_truth(practice_dir)}
    return all(url in known for url in _urls(table))


def servers_of(each: LinkList) -> Servers:
    """Who answers where the links of a practice list lead, by asking for one of its pictures.

    So it does not matter who started them: the page, or a command in a terminal.
    """
    try:
        port = read_options(each.practice_dir).port
        if not _listens(port):
            return "off"
        made = (each.practice_dir / "truth.csv").stat().st_mtime_ns
        question = _question(each.practice_dir, made)
        if question is None:
            return "on"
        path, host, picture = question
        return "on" if _ask(port, host, path) == picture.read_bytes() else "others"
    except (FacedetError, OSError, ValueError, KeyError):
        return "off"  # the set is damaged, and so are its servers


@lru_cache(maxsize=16)
def _question(practice_dir: Path, _made: int) -> tuple[str, str, Path] | None:
    """One of a set's pictures that come without ado: its path, its host, the file behind it."""
    for row, picture in some_pictures(practice_dir, LOOKED_AT):
        parts = urlsplit(row.url)
        if row.fault == "ok" and parts.scheme == "http":
            query = f"?{parts.query}" if parts.query else ""
            return parts.path + query, parts.netloc, picture
    return None


def _ask(port: int, host: str, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_S)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def answers_here(dataset: Dataset) -> bool:
    """Whether anybody answers on this computer where a dataset's links lead; True for all others.

    A practice set has one port more at which nobody answers, on purpose.
    """
    ports = inwards(dataset).ports
    return not ports or any(map(_listens, ports[:3]))


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ASK_S):
            return True
    except OSError:
        return False


def other_internets(settings: Settings, each: LinkList) -> list[tuple[LinkList, Path]]:
    """The other practice lists whose servers run now, and their jobs."""
    others = [other for other in find_lists(settings) if other.name != each.name]
    running = [(other, internet_of(settings, other)) for other in others]
    return [(other, run_dir) for other, run_dir in running if run_dir is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a download job says of itself, all of its events read.

    Args:
        links, pictures: that it asked for, and that came; 0 where it has not come to its end.
        seconds: at work; pauses do not count.
        labels_kept: the name under which a changed ``labels.csv`` was kept; "" where none was.
    """

    links: int
    pictures: int
    seconds: float
    labels_kept: str


def told_by(run_dir: Path) -> Told:
    """The account that a job has given so far. Remembered while it says nothing more."""
    path = run_dir / "events.jsonl"
    return _told_by(path, path.stat().st_size if path.is_file() else 0)


@lru_cache(maxsize=64)
def _told_by(path: Path, _size: int) -> Told:
    events, _end = jobs.read_events(path)
    last = {event["event"]: event for event in events}
    done = last.get("summary", {}).get("this_run", {})
    return Told(
        links=done.get("links", 0),
        pictures=done.get("pictures", 0),
        seconds=_seconds_at_work(events),
        labels_kept=str(last.get("labels_kept", {}).get("file", "")),
    )


def _seconds_at_work(events: Sequence[Event]) -> float:
    """From each ``running`` to the next state; of a job that died, to its last word."""
    states = [event for event in events if event["event"] == "state"]
    ends = [event["time"] for event in states[1:]] + [event["time"] for event in events[-1:]]
    spans = zip(states, ends, strict=True) if states else ()
    return float(sum(end - each["time"] for each, end in spans if each["state"] == "running"))


def progress_of(events: Sequence[Event], at: float | None = None) -> dict[str, Any]:
    """How far a download or a probe is, out of the last events of its job; may be empty.

    Args:
        events: in their order; those of a minute are enough.
        at: now, seconds since 1970; without it, when the job last said something.

    Returns:
        The fields of the last event ``downloaded``; rates a second over the last `WINDOW_S`, or
        since the job began or went on, as `RATES` names them; ``left_s``, None where nothing moved
        lately; ``at_rest``, whether all that is left waits for sites at rest.
    """
    told = [event for event in events if event["event"] == "downloaded"]
    if not told:
        return {}
    now = told[-1]
    at = max(now["time"], at or 0.0)
    states = [event["time"] for event in events if event["event"] == "state"]
    since = max((t for t in states if t <= now["time"]), default=0.0)
    lately = [event for event in told if event["time"] >= since]
    rates = {name: _rate(field, lately, at) for name, field in RATES.items()}
    left, active = now["total"] - now["done"], now.get("active", 0)
    idle = not active or at - now["time"] > SILENT_S
    at_last = _rate("done", lately, at, LATELY_S)
    slower = min(rates["links_per_s"], at_last or np.inf)
    hang = 0 < left <= active and not at_last  # all that is left is on its way, and does not come
    polite_s = now.get("left_polite_s") or 0.0
    return {
        **now,
        **rates,
        "left_s": None if hang else _left_s(left, slower, polite_s),
        "at_rest": idle and left > 0 and bool(now.get("n_resting")),
    }


def _left_s(links: int, per_s: float, polite_s: float) -> float | None:
    """Time for what is left: at the end a few sites with many links each decide, by politeness."""
    return max(links / per_s, polite_s) if per_s else None


def _rate(field: str, told: Sequence[Event], until: float, window_s: float = WINDOW_S) -> float:
    """How much a field grows in a second, over that time or a little more; 0 where it does not."""
    before = [event for event in told if event["time"] <= until - window_s]
    first = before[-1] if before else told[0]
    span = until - first["time"]
    grown = told[-1].get(field, 0) - first.get(field, 0)
    return float(max(0.0, grown / span)) if span > 0 else 0.0


def _size(dataset: Dataset) -> int:
    try:
        return dataset.asked_for.stat().st_size
    except OSError:
        return 0
