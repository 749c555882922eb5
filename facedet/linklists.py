"""Lists of links on this computer: made for practice, fetched from Oxford, or of one's own.

Each has a folder in the workspace with its index (`vggface.Index`); a practice list has its whole
dataset beside it. Making one takes seconds to minutes and is a job.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, cast

from filelock import FileLock

from facedet import jobs
from facedet.errors import DatasetError, UsageError, shown_name
from facedet.files import safe_name, write_atomically
from facedet.i18n import gettext as _
from facedet.settings import Settings
from facedet.vggface import Index, Sample, choose, write_labels
from facedet.vggface.making import findings_path

Kind = Literal["practice", "official", "own"]
RUN_KIND = "linklist"
LABELS = "labels.csv"
_NAME = re.compile(r"(practice|official|own)(-[A-Za-z0-9._-]{1,80})?")
_FOLDER = re.compile(r"[^\W_][\w .-]{0,59}")  # of a dataset; nothing that a shell or a path means
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # Windows opens them instead


@dataclass(frozen=True, slots=True)
class LinkList:
    """One list of links; its name stands in addresses and names its folder."""

    name: str
    folder: Path

    @property
    def kind(self) -> Kind:
        """Where it comes from."""
        return cast(Kind, self.name.split("-")[0])

    @property
    def index_path(self) -> Path:
        """Its index."""
        return self.folder / "index.parquet"

    @property
    def findings_path(self) -> Path:
        """What was strange in it, line by line."""
        return findings_path(self.index_path)

    @property
    def source(self) -> str:
        """What an own list was read from; "" for others."""
        try:
            return str(json.loads((self.folder / "source.json").read_text())["path"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @property
    def practice_dir(self) -> Path:
        """Where a practice list's whole dataset lies."""
        return self.folder / "practice"

    @property
    def ready(self) -> bool:
        """Whether its index is there."""
        return self.index_path.is_file()


def find_lists(settings: Settings) -> list[LinkList]:
    """All lists that are ready, by name."""
    root = settings.home / "vggface"
    lists = [LinkList(path.name, path) for path in sorted(root.glob("*"))]
    return [each for each in lists if _NAME.fullmatch(each.name) and each.ready]


def open_list(settings: Settings, name: str) -> LinkList:
    """A list by its name, which comes from an address and so from anyone.

    Raises:
        DatasetError: no such list.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(_("there is no list of links of that name; choose one"))
    return LinkList(name, settings.home / "vggface" / name)


def make_practice(settings: Settings, photos: int, seed: int) -> LinkList:
    """Start making a practice dataset and its index; the same one again is not made twice."""
    each = open_list(settings, f"practice-{photos}-{seed}")
    arguments = ["practice", str(each.practice_dir), "--photos", str(photos), "--seed", str(seed)]
    arguments += ["--port", str(settings.practice_port), "--store", str(each.index_path)]
    return _start(settings, each, arguments)


def get_official(settings: Settings) -> LinkList:
    """Start fetching and indexing Oxford's archive."""
    each = open_list(settings, "official")
    return _start(settings, each, ["index", "official", "--store", str(each.index_path)])


def index_own(settings: Settings, source: Path) -> LinkList:
    """Start indexing an archive or folder on this computer; once more where it has changed since.

    Raises:
        UsageError: there is nothing of that name.
    """
    try:
        stat = source.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(
            _("{path} is not there; give the path of the archive, or of the folder").format(
                path=shown_name(str(source))
            )
        ) from error
    path = str(source.absolute())
    version = f"{path}|{stat.st_mtime_ns}|{stat.st_size}"
    return _start_own(settings, source, blake2b(version.encode(errors="replace")).hexdigest())


def index_upload(settings: Settings, name: str, data: bytes) -> LinkList:
    """Keep an uploaded archive in the workspace, and start indexing it; equal ones are one."""
    digest = blake2b(data).hexdigest()
    folder = settings.uploads_dir / "archives" / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / safe_name(name, "archive.tar.gz")
    if not path.exists():
        write_atomically(path, data)
    return _start_own(settings, path, digest)


def _start_own(settings: Settings, source: Path, digest: str) -> LinkList:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name.split(".tar")[0])[:40].strip("-")
    each = open_list(settings, f"own-{stem or 'archive'}-{digest[:8]}")
    each.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(each.folder / "source.json", json.dumps({"path": str(source.absolute())}))
    arguments = ["index", str(source.absolute()), "--store", str(each.index_path)]
    return _start(settings, each, arguments)


def remove(settings: Settings, each: LinkList) -> None:
    """Take a list off this computer: its index, a practice set's photos, an uploaded archive.

    All of it can be made again. What was written from it (datasets) and an archive that lies
    elsewhere stay.

    Raises:
        UsageError: a job is making it just now.
    """
    run_dir = run_of(settings, each.name)
    if run_dir is not None and jobs.look(run_dir).state in ("starting", "running", "paused"):
        raise UsageError(_("it is being made; stop that first"))
    uploads = settings.uploads_dir / "archives"
    source = Path(each.source) if each.source else None
    if source is not None and uploads in source.parents:
        shutil.rmtree(source.parent, ignore_errors=True)
    shutil.rmtree(each.folder, ignore_errors=True)


def run_of(settings: Settings, name: str) -> Path | None:
    """The run directory of the last job that made, or makes, this list."""
    for run_dir in jobs.find_runs(settings.runs_dir, RUN_KIND):
        if jobs.read_config(run_dir)["memo"].get("list") == name:
            return run_dir
    return None


def write_dataset(settings: Settings, index: Index, sample: Sample, name: str) -> tuple[Path, int]:
    """Begin a dataset folder with the labels of a sample; returns the file and its rows.

    Raises:
        UsageError: the name is none, or a dataset of that name has labels already.
    """
    folder = dataset_dir(settings, name)
    if (folder / LABELS).exists():
        raise UsageError(
            _("there is a dataset {name} already; choose another name").format(name=folder.name)
        )
    rows = choose(index, sample)
    if not len(rows):
        raise UsageError(_("no line passes these filters; loosen them"))
    folder.mkdir(parents=True, exist_ok=True)
    write_labels(index, rows, folder / LABELS)
    return folder / LABELS, len(rows)


def dataset_dir(settings: Settings, name: str) -> Path:
    """Where a dataset of that name lies.

    Raises:
        UsageError: a name that is no name of a folder.
    """
    if not _FOLDER.fullmatch(name) or _DEVICES.fullmatch(name) or name.endswith((".", " ")):
        raise UsageError(
            _(
                "{name!r} cannot be the name of a folder; use letters, digits, spaces, . _ and -"
            ).format(name=name[:80])
        )
    return settings.home / "datasets" / name


def painted_so_far(events: tuple[Mapping[str, Any], ...]) -> tuple[str, int, int, float]:
    """What a job that makes a list is at: event name, done, total, and how many a second."""
    steps = [event for event in events if "done" in event and "total" in event]
    if not steps:
        return "", 0, 0, 0.0
    now = steps[-1]
    same = [event for event in steps if event["event"] == now["event"]][-40:]
    span = same[-1]["time"] - same[0]["time"]
    rate = (same[-1]["done"] - same[0]["done"]) / span if span > 0 else 0.0
    return str(now["event"]), int(now["done"]), int(now["total"]), rate


def _start(settings: Settings, each: LinkList, arguments: list[str]) -> LinkList:
    """Start the job, unless the list is there or the job is at work."""
    each.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(each.folder / "lock"):  # two tabs may ask at once
        if each.ready:
            return each
        run_dir = run_of(settings, each.name)
        if run_dir is not None and jobs.look(run_dir).state in ("starting", "running", "paused"):
            return each
        jobs.start(jobs.new_run_dir(settings.runs_dir, RUN_KIND), arguments, {"list": each.name})
    return each
