"""Clean a dataset: measure what is new in it, write the table, say what should be set aside."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd
from filelock import FileLock, Timeout

from facedet.cleaning import decisions, manifest, table
from facedet.cleaning.cleaner import Cleaner
from facedet.cleaning.pictures import Entry, Labels, list_pictures, read_labels
from facedet.cleaning.pool import TICK_S, Conditions, measure_all
from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

REPORT_EVERY_S = 1.0

Ask = Literal["", "pause", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is.

    Args:
        done, total: pictures of the dataset whose values are known, and all.
        reasons: so far, of those measured by this run, the most frequent first; those that come
            of comparing pictures show themselves at the end.
        per_second: pictures measured a second, pauses left out.
    """

    done: int
    total: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    per_second: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """What it came to.

    Args:
        table: as `table.judged` gives it, with all pictures known, those in quarantine too.
        here: (N,) which of them lie in the dataset now.
        n_labels: how many of the pictures here have a row in labels.csv; where there is none, no
            rule about labels can say anything.
        n_companions: files beside the pictures that are none, such as tables and notes.
        measured_now: how many pictures this run has read.
        seconds: of this run, pauses left out.
        stopped: whether it was asked to end early.
    """

    table: pd.DataFrame
    here: pd.Series
    n_companions: int
    n_labels: int
    measured_now: int
    seconds: float
    stopped: bool

    @property
    def reasons(self) -> dict[str, int]:
        """How many of the pictures in the dataset have each reason, the most frequent first."""
        return count_reasons(self.table[self.here])

    @property
    def ms_per_picture(self) -> float:
        """Mean time that one process takes for one picture; 0 where there is none."""
        seconds = self.table["seconds"]
        return 1000 * float(seconds.mean()) if len(seconds) else 0.0


def clean(
    dataset: Path,
    cleaner: Cleaner,
    *,
    thresholds: table.Settings | None = None,
    conditions: Conditions | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
    asked: Callable[[], Ask] = lambda: "",
) -> Cleaned:
    """Measure the pictures that are new or changed, and judge all; nothing is moved.

    Args:
        dataset: a dataset's folder, or any folder of pictures.
        thresholds: by name, what differs from the cleaner's defaults.
        conditions: what the workers may use.
        report: told how far it is, every second at most.
        asked: whether to ``pause`` or ``stop``; a stop keeps what is measured.

    Raises:
        DatasetError: no such folder, another process cleans it in the same way, the table is
            damaged, or the disk is full.
        UsageError: a threshold that there is not.
        LabelError: labels.csv cannot be used.
        ModelError: the detector cannot run here.
    """
    cleaner.levels(thresholds)  # wrong ones are told before an hour of work, not after
    listing = list_pictures(dataset)
    labels = _read_all_that_judges(dataset)  # damage, too, is told before the work
    with _alone(dataset, cleaner.name):
        todo = table.remaining(dataset, cleaner, listing.entries)
        work = _Work(cleaner, labels, thresholds, len(listing.entries), len(todo), report)
        with (
            table.Journal(dataset, cleaner.name) as journal,
            closing(work.measured(todo, conditions, journal)) as batches,
        ):
            stopped = not all(work.goes_on(asked) for _batch in batches)
        judged = table.fold(dataset, cleaner, listing.entries, thresholds)
    here = judged.index.isin({entry.image_path for entry in listing.entries})
    return Cleaned(
        judged,
        pd.Series(here, index=judged.index),
        listing.n_companions,
        sum(entry.image_path in labels.known for entry in listing.entries),
        work.measured_now,
        work.seconds,
        stopped,
    )


def count_reasons(judged: pd.DataFrame) -> dict[str, int]:
    """How many pictures have each reason, the most frequent first; what a person keeps is out.

    Those that the disk did not give out are counted, though they stay.
    """
    counts = (judged["verdict"] == table.SET_ASIDE) | (judged["by"] == table.CLEANER)
    aside = judged.loc[counts, "reason"]
    return dict(Counter(reason for text in aside for reason in text.split()).most_common())


def _read_all_that_judges(dataset: Path) -> Labels:
    decisions.read(dataset)
    manifest.read(dataset)
    return read_labels(dataset)


@contextmanager
def _alone(dataset: Path, name: str) -> Iterator[None]:
    """Two processes with one cleaner would measure everything twice, and mix their journals."""
    folder = dataset / table.FOLDER
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / f".{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise DatasetError(
            _("another process cleans {folder} with {name}; wait for it or stop it").format(
                folder=shown_name(str(dataset)), name=name
            )
        ) from error
    except OSError as error:
        raise table.disk_error(table.FOLDER, error) from error


class _Work:
    """Measures, writes down, and tells how far it is."""

    def __init__(
        self,
        cleaner: Cleaner,
        labels: Labels,
        thresholds: table.Settings | None,
        total: int,
        n_todo: int,
        report: Callable[[Progress], None],
    ) -> None:
        self._cleaner, self._labels = cleaner, labels
        compare = {each.name: False for each in cleaner.thresholds if each.needs_all}
        self._thresholds = {**(thresholds or {}), **compare}
        self._total, self._known = total, total - n_todo
        self._report = report
        self._fresh: list[table.Row] = []  # measured since the last report
        self._reasons: Counter[str] = Counter()
        self._began, self._reported, self._paused_s = time.monotonic(), 0.0, 0.0
        self.measured_now = 0

    @property
    def seconds(self) -> float:
        """At work so far, pauses left out."""
        return time.monotonic() - self._began - self._paused_s

    def measured(
        self, todo: list[Entry], conditions: Conditions | None, journal: table.Journal
    ) -> Generator[None]:
        """Measures all; yields now and then, when everything that has come is written down."""
        self._tell()
        for batch in measure_all(self._cleaner.ready, todo, conditions):
            rows = [table.row_of(entry, self._cleaner.version, values) for entry, values in batch]
            journal.add(rows)
            self.measured_now += len(rows)
            self._fresh += rows
            if time.monotonic() - self._reported >= REPORT_EVERY_S:
                self._tell()
            yield
        self._tell()

    def goes_on(self, asked: Callable[[], Ask]) -> bool:
        """Waits while it is asked to pause; False where it is asked to stop."""
        began = time.monotonic()
        while (wish := asked()) == "pause":
            time.sleep(TICK_S)
        if (waited := time.monotonic() - began) >= TICK_S:
            self._paused_s += waited
        return wish != "stop"

    def _tell(self) -> None:
        self._reported = time.monotonic()
        if self._fresh:
            frame = table.as_frame(self._fresh, self._cleaner)
            judged = table.judge(self._cleaner, frame, self._labels, self._thresholds)
            self._reasons.update(count_reasons(judged))
            self._fresh = []
        progress = Progress(
            done=self._known + self.measured_now,
            total=self._total,
            reasons=dict(self._reasons.most_common()),
            per_second=self.measured_now / max(self.seconds, 1e-9),
        )
        self._report(progress)
