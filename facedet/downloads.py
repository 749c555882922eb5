"""Datasets of the workspace, the jobs that probe and fill them, and a practice set's servers."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from facedet import jobs
from facedet.download.labels import LABELS, LINKS, PROBLEMS
from facedet.download.links import NEEDED, host_of
from facedet.download.outcome import ErrorClass
from facedet.download.probe import Probe
from facedet.download.run import LEDGER
from facedet.errors import DatasetError
from facedet.i18n import gettext as _
from facedet.jobs import Event
from facedet.linklists import LinkList, dataset_dir
from facedet.settings import Settings

RUN_KIND = "download"
PROBE_KIND = "probe"
SERVE_KIND = "internet"
PROBE_LINKS = 500
WINDOW_S = 60.0  # over which rates are told
LATELY_S = 10.0  # over which the time left must be true, too
RATES = {"links_per_s": "done", "pictures_per_s": "good", "bytes_per_s": "size_bytes"}
SILENT_S = 5.0  # a job at work that says nothing for so long has nothing to say


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


def leads_here(dataset: Dataset) -> bool:
    """Whether its first link leads to this computer, as those of practice sets do."""
    try:
        with dataset.asked_for.open(encoding="utf-8-sig", newline="") as file:
            row = next(csv.DictReader(file), {})
    except (OSError, ValueError, csv.Error):
        return False
    return host_of(row.get("url") or "").endswith(".localhost")


def count_links(dataset: Dataset) -> int:
    """Rows of its table that have a link; 0 where it cannot be read. Remembered while it stays."""
    try:
        return _count_links(dataset.asked_for, dataset.asked_for.stat().st_mtime_ns)
    except (OSError, ValueError, csv.Error):
        return 0


@lru_cache(maxsize=64)
def _count_links(path: Path, _mtime_ns: int) -> int:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        columns = next(rows, [])
        if "url" not in columns:
            return 0
        at = columns.index("url")
        return sum(len(row) > at and bool(row[at].strip()) for row in rows)


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
    return _start_one(settings, RUN_KIND, "dataset", arguments, memo)


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
    return _start_one(settings, PROBE_KIND, "dataset", arguments, memo)


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
    return _start_one(settings, SERVE_KIND, "list", arguments, {"list": each.name})


def internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The job that serves a practice list now; None where there is none."""
    run_dir = last_internet_of(settings, each)
    return run_dir if run_dir is not None and jobs.is_live(run_dir) else None


def last_internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The job that serves a practice list, or else the last that did, or tried to."""
    return jobs.last_run(settings.runs_dir, SERVE_KIND, "list", each.name)


def progress_of(events: Sequence[Event], at: float | None = None) -> dict[str, Any]:
    """How far a download or a probe is, out of the last events of its job; may be empty.

    Args:
        events: in their order; those of a minute are enough.
        at: now, seconds since 1970; without it, when the job last said something.

    Returns:
        The fields of the last event ``downloaded``; rates a second since the job began or went on,
        over a minute at most, as `RATES` names them; ``left_s``, None where nothing moved lately;
        ``at_rest``, whether all that is left waits for sites at rest.
    """
    told = [event for event in events if event["event"] == "downloaded"]
    if not told:
        return {}
    now = told[-1]
    at = max(now["time"], at or 0.0)
    states = [event["time"] for event in events if event["event"] == "state"]
    since = max((t for t in states if t <= now["time"]), default=0.0)
    left = now["total"] - now["done"]
    # The last links are the slow ones: what a minute says of them would be too good.
    slower = min(_rate("done", told, max(since, at - span), at) for span in (WINDOW_S, LATELY_S))
    idle = now.get("active") == 0 or at - now["time"] > SILENT_S
    return {
        **now,
        **{
            name: _rate(field, told, max(since, at - WINDOW_S), at) for name, field in RATES.items()
        },
        "left_s": left / slower if slower else None,
        "at_rest": idle and left > 0 and bool(now.get("n_resting")),
    }


def _rate(field: str, told: Sequence[Event], since: float, until: float) -> float:
    """How much a field grows in a second; 0 where it does not."""
    before = next((event for event in told if event["time"] >= since), told[-1])
    span = until - before["time"]
    grown = told[-1].get(field, 0) - before.get(field, 0)
    return float(max(0.0, grown / span)) if span > 0 else 0.0


def _start_one(
    settings: Settings, kind: str, key: str, arguments: Sequence[str], memo: Mapping[str, Any]
) -> Path:
    """Start a job, unless one whose memo says the same under `key` is at work: then that one."""
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    # Two clicks, two tabs, two servers: whoever comes second finds the job of the first.
    with FileLock(settings.runs_dir / f"{kind}.lock"):
        last = jobs.last_run(settings.runs_dir, kind, key, memo[key])
        if last is not None and jobs.is_live(last):
            return last
        run_dir = jobs.new_run_dir(settings.runs_dir, kind)
        jobs.start(run_dir, arguments, memo)
        return run_dir


def _size(dataset: Dataset) -> int:
    try:
        return dataset.asked_for.stat().st_size
    except OSError:
        return 0
