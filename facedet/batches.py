"""Many photos at once: uploads kept in the workspace, a detect job over them, and its progress."""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facedet import jobs
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.errors import JobError, UsageError
from facedet.files import safe_name, unique_paths
from facedet.i18n import gettext as _
from facedet.jobs import Event
from facedet.settings import Settings

MAX_PHOTOS = 2000
RATE_WINDOW = 50  # photos over which the rate is taken, so that it follows the present
_ID = re.compile(r"detect-\d{8}-\d{6}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: its id is hard to guess, for whoever knows it sees the photos."""

    id: str
    run_dir: Path
    uploads_dir: Path

    def photo_path(self, row: Event) -> Path:
        """Where the photo of a row lies."""
        return self.uploads_dir / Path(str(row["image"])).name

    def forget(self) -> None:
        """Delete the uploaded photos and all that was made of them; a job at work is stopped."""
        jobs.ask(self.run_dir, "stop")
        shutil.rmtree(self.uploads_dir, ignore_errors=True)
        shutil.rmtree(self.run_dir, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `left_s` is None while nothing can be said."""

    done: int
    total: int
    per_second: float
    left_s: float | None


def start_batch(settings: Settings, photos: Sequence[tuple[str, bytes]], model: str) -> Batch:
    """Keep the photos in the workspace and start detecting in them.

    Args:
        photos: name and bytes of each; names are strangers' and are made safe.

    Raises:
        UsageError: more than `MAX_PHOTOS`.
    """
    if len(photos) > MAX_PHOTOS:
        raise UsageError(
            _(
                "{n} photos at once are too many; the limit is {limit}. Use the command line."
            ).format(n=len(photos), limit=MAX_PHOTOS)
        )
    run_dir = jobs.new_run_dir(settings.runs_dir, "detect")
    batch = _batch(settings, run_dir.name)
    batch.uploads_dir.mkdir(parents=True)
    names = unique_paths(Path(safe_name(name)) for name, _data in photos)
    for name, (_original, data) in zip(names, photos, strict=True):
        (batch.uploads_dir / name).write_bytes(data)
    paths = [str(batch.uploads_dir / name) for name in names]
    (run_dir / "photos.txt").write_text("\n".join(paths) + "\n", encoding="utf-8")
    arguments = ["detect", "--paths-from", str(run_dir / "photos.txt"), "--model", model]
    jobs.start(run_dir, [*arguments, "--min-score", str(DEFAULT_FLOOR)], {"model": model})
    return batch


def open_batch(settings: Settings, batch_id: str) -> Batch:
    """A batch by its id, which comes from an address and so from anyone.

    Raises:
        JobError: no such batch.
    """
    batch = _batch(settings, batch_id)
    if not _ID.fullmatch(batch_id) or not batch.run_dir.is_dir():
        raise JobError(_("these photos are not here any more; upload them again"))
    return batch


def _batch(settings: Settings, batch_id: str) -> Batch:
    return Batch(batch_id, settings.runs_dir / batch_id, settings.uploads_dir / batch_id)


def progress_of(events: Iterable[Event], item: str) -> Progress:
    """Done, total, rate and time left, from a job's events.

    Args:
        item: name of the event that each finished item leaves.
    """
    total, done, times = 0, 0, []
    for event in events:
        if event["event"] == "plan":
            total, done = event["total"], event["done"]
            times = [event["time"]]  # A resumed job's pause is no time of work.
        elif event["event"] == item:
            done += 1
            times.append(event["time"])
    recent = times[-RATE_WINDOW:]
    span = recent[-1] - recent[0] if len(recent) > 1 else 0
    per_second = (len(recent) - 1) / span if span > 0 else 0.0
    left_s = (total - done) / per_second if per_second else None
    return Progress(done, total, per_second, left_s)
