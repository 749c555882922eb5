"""Folders to clean, the jobs that work on them, and what people chose there.

Beside a cleaner's tables lies ``cleaning/thresholds.json``: the numbers that were moved, so that
page, jobs and command line mean the same.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from filelock import FileLock

from facedet import jobs
from facedet.cleaning import catalogue, decisions, manifest, table, truth
from facedet.cleaning.cleaner import Cleaner, Setting, Threshold
from facedet.cleaning.pictures import LABELS, Labels, list_pictures
from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.jobs import Event
from facedet.linklists import dataset_dir, open_list
from facedet.settings import Settings

CLEAN_KIND = "cleaning"
ASIDE_KIND = "aside"
MESSY_KIND = "messy"
SEED = 0  # of messy practice sets; the Dataset page makes others
THRESHOLDS = f"{table.FOLDER}/thresholds.json"

Agree = Literal["either", "both"]
_Kept = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to clean: a dataset of the workspace by its name, or any other, without one."""

    folder: Path
    name: str = ""

    @property
    def title(self) -> str:
        """For people."""
        return self.name or str(self.folder)

    def version(self, names: Collection[str]) -> tuple[int, ...]:
        """Changes whenever what these cleaners or a person say does; a key to remember by."""
        cleaners = [each for name in names for each in _files_of(self.folder, name)]
        others = (decisions.FILE, THRESHOLDS, LABELS, truth.FILE, manifest.MANIFEST)
        return _stamps([*cleaners, *(self.folder / name for name in others)])

    def judged_version(self, name: str) -> tuple[int, ...]:
        """Changes whenever what this cleaner or a person says does, thresholds left aside."""
        others = (decisions.FILE, LABELS, manifest.MANIFEST)
        return _stamps([*_files_of(self.folder, name), *(self.folder / one for one in others)])

    def measured_version(self, names: Collection[str]) -> tuple[int, ...]:
        """Changes only when these cleaners have measured anew, or thresholds moved."""
        cleaners = [each for name in names for each in _files_of(self.folder, name)]
        return _stamps([*cleaners, self.folder / THRESHOLDS])


def _files_of(folder: Path, name: str) -> tuple[Path, Path]:
    return table.csv_path(folder, name), table.journal_path(folder, name)


def _stamps(files: Sequence[Path]) -> tuple[int, ...]:
    stamps: list[int] = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            stamps += (0, 0)
        else:
            stamps += (stat.st_mtime_ns, stat.st_size)
    return tuple(stamps)


# --- Where


def find_places(settings: Settings) -> list[Place]:
    """The datasets of the workspace, those with pictures first, the newest of them first of all."""
    folders = [path for path in (settings.home / "datasets").glob("*") if _is_dataset(path)]
    folders.sort(key=lambda path: (_has_pictures(path), path.stat().st_mtime), reverse=True)
    return [Place(path, path.name) for path in folders]


def named(settings: Settings, name: str) -> Place:
    """A dataset by its name, which may not be there yet.

    Raises:
        UsageError: a name that is no name of a folder.
    """
    return Place(dataset_dir(settings, name), name)


def open_place(settings: Settings, name: str) -> Place:
    """A dataset by its name, which comes from an address and so from anyone.

    Raises:
        FacedetError: no such dataset.
    """
    place = named(settings, name)
    if not place.folder.is_dir():
        raise DatasetError(
            _("there is no dataset {name} on this computer; choose one, or make one").format(
                name=shown_name(name)
            )
        )
    return place


def open_folder(path: str) -> Place:
    """Any folder of this computer; only for who sits at it.

    Raises:
        DatasetError: there is no such folder.
    """
    folder = Path(path)
    try:
        folder = folder.expanduser().absolute()
        there = folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # a NUL in the name; the home of nobody
        there = False
    if not there:
        raise DatasetError(
            _("{folder} is no folder; give the path of one with pictures in it").format(
                folder=shown_name(path)
            )
        )
    return Place(folder)


def _is_dataset(path: Path) -> bool:
    return path.is_dir() and ((path / LABELS).is_file() or _has_pictures(path))


def _has_pictures(path: Path) -> bool:
    return (path / "images").is_dir() or (path / table.FOLDER).is_dir()


# --- Jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is; `left_s` is None while nothing can be said.

    Args:
        reasons: given so far, of a cleaner at work.
    """

    done: int = 0
    total: int = 0
    per_second: float = 0.0
    left_s: float | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)


def start_cleaning(settings: Settings, place: Place, cleaner: str) -> Path:
    """Start a cleaner, unless it is at work there: then that job is the answer."""
    return _start_one(settings, CLEAN_KIND, f"{place.folder}|{cleaner}", clean_args(place, cleaner))


def clean_args(place: Place, cleaner: str) -> list[str]:
    """The command that cleans with the thresholds that were chosen."""
    moved = settings_of(place.folder, catalogue.get(cleaner))
    options = [f"--set={name}={as_text(setting)}" for name, setting in moved.items()]
    return ["clean", str(place.folder), "--cleaner", cleaner, *options]


def cleaning_of(settings: Settings, place: Place, cleaner: str) -> Path | None:
    """The job of that cleaner at work there, or else its last."""
    return jobs.last_run(settings.runs_dir, CLEAN_KIND, "work", f"{place.folder}|{cleaner}")


def start_aside(settings: Settings, place: Place, cleaners: Sequence[str], agree: Agree) -> Path:
    """Start setting aside what these cleaners say; one job at a time moves a place's pictures."""
    return _start_one(settings, ASIDE_KIND, str(place.folder), aside_args(place, cleaners, agree))


def aside_args(place: Place, cleaners: Sequence[str], agree: Agree) -> list[str]:
    """The command that sets aside."""
    arguments = ["aside", str(place.folder), "--cleaners", ",".join(cleaners)]
    return [*arguments, "--agree", agree] if len(cleaners) > 1 else arguments


def start_undo(settings: Settings, place: Place) -> Path:
    """Start bringing everything back."""
    return _start_one(settings, ASIDE_KIND, str(place.folder), undo_args(place))


def undo_args(place: Place) -> list[str]:
    """The command that brings everything back."""
    return ["clean", str(place.folder), "--undo"]


def aside_of(settings: Settings, place: Place) -> Path | None:
    """The job that moves pictures there, or else the last that did."""
    return jobs.last_run(settings.runs_dir, ASIDE_KIND, "work", str(place.folder))


def start_messy(settings: Settings, photos: int) -> Place:
    """Start making a practice set of so many lines, and a dataset of it as careless hands do.

    Whatever an earlier job left half made under that name is made anew; one that is whole stays,
    and the new one gets a number.
    """
    with jobs.one_at_a_time(settings.runs_dir, MESSY_KIND):
        place = _free_place(settings, f"messy-{photos}")
        run_dir = making_of(settings, place)
        if run_dir is not None and jobs.is_live(run_dir):
            return place
        if run_dir is not None:
            shutil.rmtree(place.folder, ignore_errors=True)
        arguments = messy_args(settings, place, photos)
        jobs.start(jobs.new_run_dir(settings.runs_dir, MESSY_KIND), arguments, {"work": place.name})
    return place


def messy_args(settings: Settings, place: Place, photos: int) -> list[str]:
    """The command that makes it; its practice set is the one of the Dataset page."""
    made_of = open_list(settings, f"practice-{photos}-{SEED}")
    arguments = ["practice", str(made_of.practice_dir), "--photos", str(photos)]
    arguments += ["--seed", str(SEED), "--port", str(settings.practice_port)]
    arguments += [] if made_of.ready else ["--store", str(made_of.index_path)]
    return [*arguments, "--careless", str(place.folder)]


def making_of(settings: Settings, place: Place) -> Path | None:
    """The job that makes this dataset, or was to; None where the dataset is whole."""
    if not place.name or (place.folder / LABELS).is_file():
        return None
    return jobs.last_run(settings.runs_dir, MESSY_KIND, "work", place.name)


def _free_place(settings: Settings, stem: str) -> Place:
    """The first of ``stem``, ``stem-2``, … that is not there as a whole."""
    n = 1
    while True:
        name = stem if n == 1 else f"{stem}-{n}"
        place = named(settings, name)
        if not place.folder.exists() or making_of(settings, place) is not None:
            return place
        n += 1


def progress_of(events: Sequence[Event]) -> Progress:
    """How far a job is, out of the last events that it left."""
    told = [event for event in events if "done" in event and "total" in event]
    if not told:
        return Progress()
    now = told[-1]
    since = max((e["time"] for e in events if e["event"] == "state"), default=0.0)
    # One kind of event: a job may have several steps, each with its own count.
    same = [e for e in told if e["event"] == now["event"] and e["time"] >= since][-40:] or [now]
    span = now["time"] - same[0]["time"]
    rate = now.get("per_second") or ((now["done"] - same[0]["done"]) / span if span > 0 else 0.0)
    return Progress(
        done=int(now["done"]),
        total=int(now["total"]),
        per_second=float(rate),
        left_s=(now["total"] - now["done"]) / rate if rate > 0 else None,
        reasons=dict(now.get("reasons") or {}),
    )


def _start_one(settings: Settings, kind: str, work: str, arguments: Sequence[str]) -> Path:
    return jobs.start_one(settings.runs_dir, kind, "work", arguments, {"work": work})


# --- Thresholds


def settings_of(folder: Path, cleaner: Cleaner) -> dict[str, Setting]:
    """What was moved away from a cleaner's defaults; what fits it no more is left out.

    Raises:
        DatasetError: the file with the thresholds is damaged.
    """
    moved: dict[str, Setting] = {}
    for threshold in cleaner.thresholds:
        number, on = setting_of(folder, cleaner, threshold)
        if (number, on) != (threshold.default, threshold.on):
            moved[threshold.name] = number if on else False
    return moved


def setting_of(folder: Path, cleaner: Cleaner, threshold: Threshold) -> tuple[float, bool]:
    """The number of a threshold, and whether it counts.

    Raises:
        DatasetError: the file with the thresholds is damaged.
    """
    kept = _kept(folder).get(cleaner.name, {}).get(threshold.name, {})
    number, on = kept.get("number"), kept.get("on")
    if not isinstance(number, int | float) or not threshold.low <= number <= threshold.high:
        number = threshold.default
    return float(number), on if isinstance(on, bool) and threshold.rule else threshold.on


def keep_setting(folder: Path, cleaner: str, name: str, number: float, on: bool) -> None:
    """Note where a person put a threshold.

    Raises:
        DatasetError: the disk does not take it, or the file with the others is damaged.
    """
    setting = {"number": number, "on": on}
    _change(folder, lambda kept: kept.setdefault(cleaner, {}).update({name: setting}))


def forget_settings(folder: Path, cleaner: str) -> None:
    """All thresholds of a cleaner as it has them.

    Raises:
        DatasetError: the disk does not take it, or the file is damaged.
    """
    _change(folder, lambda kept: kept.pop(cleaner, None))


def _change(folder: Path, change: Callable[[_Kept], object]) -> None:
    try:
        (folder / table.FOLDER).mkdir(exist_ok=True)
        with FileLock(folder / table.FOLDER / ".thresholds.lock"):
            kept = _kept(folder)
            change(kept)
            write_atomically(folder / THRESHOLDS, json.dumps(kept, indent=1))
    except OSError as error:
        raise table.disk_error(THRESHOLDS, error) from error


def _kept(folder: Path) -> _Kept:
    """The file as it is; empty where there is none."""
    try:
        kept = json.loads((folder / THRESHOLDS).read_text(encoding="utf-8"))
        return {
            cleaner: {name: _as_kept(one) for name, one in numbers.items()}
            for cleaner, numbers in kept.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(
            _(
                "{file} is damaged ({reason}); mend it, or delete it: then all thresholds are as "
                "the cleaners have them"
            ).format(file=THRESHOLDS, reason=shown_name(str(error)))
        ) from error


def _as_kept(one: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(one.get("number", 0), int | float):
        raise TypeError(_("{value!r} is no number").format(value=one["number"]))
    if not isinstance(one.get("on", True), bool):
        raise TypeError(_("{value!r} is neither true nor false").format(value=one["on"]))
    return one


def as_text(setting: Setting) -> str:
    """A setting as ``--set`` takes it."""
    if isinstance(setting, bool) or setting is None:
        return "on" if setting else "off"
    return f"{setting:g}"


# --- Verdicts


def measured(place: Place) -> list[str]:
    """The cleaners that have looked at pictures of this place."""
    folder = place.folder
    return [
        name
        for name in catalogue.CLEANERS
        if any(file.is_file() for file in _files_of(folder, name)) and len(table.read(folder, name))
    ]


def judged(place: Place, name: str) -> pd.DataFrame:
    """A cleaner's table with the thresholds that were chosen here; see `table.judged`."""
    moved = settings_of(place.folder, catalogue.get(name))
    return table.judged(place.folder, name, moved)


def held_paths(place: Place) -> dict[str, str]:
    """Where each picture in quarantine lies, by the path that it came from."""
    rows = manifest.read(place.folder)
    # A kill leaves rows of pictures that did not move any more: the disk knows better.
    return {
        row.image_path: row.quarantine_path
        for row in rows
        if (place.folder / row.quarantine_path).is_file()
    }


def to_set_aside(
    tables: Mapping[str, pd.DataFrame], agree: Agree, held: Collection[str] = ()
) -> dict[str, pd.DataFrame]:
    """The pictures that one, either or both of these cleaners would set aside, each in one part.

    Of copies one stays, if nothing else speaks against it: where the cleaner that looks for copies
    would keep one that the other sets aside, the next best takes its place.

    Args:
        tables: one or two judged tables, by the cleaners' names.
        agree: whose word is enough, where there are two.
        held: pictures that are in quarantine already.

    Returns:
        By who says it ("integrity", "integrity, faces"): rows of `table.judged`, with the
        reasons and values of all who say it.
    """
    said = {name: _aside(judged, held) for name, judged in tables.items()}
    if agree == "either" or len(said) == 1:
        spared = _spared(tables, said, held)
        said = {name: paths[~paths.isin(spared)] for name, paths in said.items()}
    if len(said) == 1:
        return {name: tables[name].loc[paths] for name, paths in said.items() if len(paths)}
    (first, a), (second, b) = said.items()
    shared = a.intersection(b, sort=False)
    parts = {", ".join((first, second)): _joined(tables[first], tables[second], shared)}
    if agree == "either":
        parts[first] = tables[first].loc[a.difference(b, sort=False)]
        parts[second] = tables[second].loc[b.difference(a, sort=False)]
    return {by: rows for by, rows in parts.items() if len(rows)}


def _aside(judged: pd.DataFrame, held: Collection[str]) -> pd.Index:
    aside = judged.index[(judged["verdict"] == table.SET_ASIDE).to_numpy(bool)]
    return aside[~aside.isin(list(held))]


_ONE_OF_SEVERAL = (
    ("sha256", frozenset(("duplicate",))),
    ("near_group", frozenset(("duplicate", "near_duplicate"))),
)


def _spared(
    tables: Mapping[str, pd.DataFrame], said: Mapping[str, pd.Index], held: Collection[str]
) -> set[str]:
    """Copies that have to stay, for otherwise all those of a group would go."""
    leaving = {path for paths in said.values() for path in paths}
    reasons = {path: set[str]() for path in leaving}
    for name, paths in said.items():
        rows = tables[name].loc[paths, ["reason", "by"]]
        for path, reason, by in zip(rows.index, rows["reason"], rows["by"], strict=True):
            # What a person decided is not ours to spare.
            reasons[path].update(reason.split() if by == table.CLEANER else (table.PERSON,))
    spared: set[str] = set()
    for column, harmless in _ONE_OF_SEVERAL:
        may_stay = {path for path, all_of_them in reasons.items() if all_of_them <= harmless}
        for judged in tables.values():
            if column in judged and may_stay:
                here = judged[~judged.index.isin(list(held))]
                spared |= _best_of_the_lost(here, column, leaving - spared, may_stay)
    return spared


def _best_of_the_lost(
    here: pd.DataFrame, column: str, leaving: Collection[str], may_stay: Collection[str]
) -> set[str]:
    """Of each group of which all would leave the largest picture that may stay, or the first."""
    grouped = here[(here["problem"] == "").to_numpy(bool) & ~here[column].isin(["", -1])]
    stays = ~grouped.index.isin(list(leaving))
    lost = grouped[~grouped[column].isin(grouped.loc[stays, column])]
    lost = lost[lost.index.isin(list(may_stay))]
    largest = (-lost["width"] * lost["height"]).sort_values(kind="stable").index
    return set(lost.loc[largest].drop_duplicates(column).index)


def _joined(a: pd.DataFrame, b: pd.DataFrame, paths: pd.Index) -> pd.DataFrame:
    """The rows of both as one: all reasons, each once, and all values."""
    a, b = a.loc[paths], b.loc[paths]
    pairs = zip(a["reason"].str.split(), b["reason"].str.split(), strict=True)
    reasons = [" ".join(dict.fromkeys((*mine, *yours))) for mine, yours in pairs]
    added = b[b.columns.difference(a.columns, sort=False)]
    return a.assign(reason=np.array(reasons, dtype=object)).join(added)


# --- What there is


@dataclass(frozen=True, slots=True)
class Stock:
    """How much some pictures are: their number, the people in them, their bytes."""

    pictures: int
    people: int
    size_bytes: int


def stock(judged: pd.DataFrame, labels: Labels, without: Collection[str] = ()) -> Stock:
    """How much there is of a judged table, some paths left out."""
    kept = judged[~judged.index.isin(list(without))]
    people = Counter(map(labels.identity_of, kept.index))
    return Stock(len(kept), len(people), int(kept["size_bytes"].sum()))


def count_pictures(place: Place) -> int:
    """How many pictures lie there now.

    Raises:
        DatasetError: the folder cannot be listed.
    """
    return len(list_pictures(place.folder).entries)
