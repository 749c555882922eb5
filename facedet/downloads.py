"""Datasets of the workspace, the jobs that download them, and a practice set's servers."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facedet import jobs
from facedet.download.links import host_of
from facedet.download.outcome import ErrorClass
from facedet.download.run import LABELS, LEDGER, LINKS
from facedet.errors import DatasetError
from facedet.i18n import gettext as _
from facedet.jobs import Event
from facedet.linklists import LinkList, dataset_dir
from facedet.settings import Settings

RUN_KIND = "download"
SERVE_KIND = "internet"
LIVE: frozenset[jobs.State] = frozenset(("starting", "running", "paused"))


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


def leads_here(dataset: Dataset) -> bool:
    """Whether its first link leads to this computer, as those of practice sets do."""
    try:
        with dataset.asked_for.open(encoding="utf-8-sig", newline="") as file:
            row = next(csv.DictReader(file), {})
    except (OSError, ValueError, csv.Error):
        return False
    return host_of(row.get("url") or "").endswith(".localhost")


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
    running = run_of(settings, dataset)
    if running is not None and jobs.look(running).state in LIVE:
        return running
    arguments = ["download", str(dataset.asked_for), "--out", str(dataset.folder)]
    if allow_private:
        arguments.append("--allow-private")
    if retry:
        arguments += ["--retry", ",".join(retry)]
    run_dir = jobs.new_run_dir(settings.runs_dir, RUN_KIND)
    jobs.start(run_dir, arguments, {"dataset": dataset.name, "allow_private": allow_private})
    return run_dir


def run_of(settings: Settings, dataset: Dataset) -> Path | None:
    """The last download job of this dataset."""
    return _last(settings, RUN_KIND, "dataset", dataset.name)


def serve(settings: Settings, each: LinkList) -> Path:
    """Start the little internet of a practice list, unless it runs already."""
    running = internet_of(settings, each)
    if running is not None:
        return running
    run_dir = jobs.new_run_dir(settings.runs_dir, SERVE_KIND)
    jobs.start(run_dir, ["practice", str(each.practice_dir), "--serve"], {"list": each.name})
    return run_dir


def internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The job that serves a practice list now; None where there is none."""
    run_dir = last_internet_of(settings, each)
    return run_dir if run_dir is not None and jobs.look(run_dir).state in LIVE else None


def last_internet_of(settings: Settings, each: LinkList) -> Path | None:
    """The last job that served a practice list, or tried to."""
    return _last(settings, SERVE_KIND, "list", each.name)


def progress_of(events: Sequence[Event]) -> dict[str, Any]:
    """The last progress of a download job, with its rates over the last seconds; may be empty."""
    told = [event for event in events if event["event"] == "downloaded"]
    if not told:
        return {}
    now, before = told[-1], told[max(0, len(told) - 10)]
    span = now["time"] - before["time"]

    def rate(name: str) -> float:
        return max(0.0, (now[name] - before[name]) / span) if span > 0 else 0.0

    per_second = rate("done")
    left = now["total"] - now["done"]
    return {
        **now,
        "links_per_s": per_second,
        "pictures_per_s": rate("good"),
        "bytes_per_s": rate("size_bytes"),
        "left_s": left / per_second if per_second else None,
    }


def _last(settings: Settings, kind: str, key: str, value: str) -> Path | None:
    for run_dir in jobs.find_runs(settings.runs_dir, kind):
        if jobs.read_config(run_dir)["memo"].get(key) == value:
            return run_dir
    return None
