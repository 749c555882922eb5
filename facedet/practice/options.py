"""What a practice dataset is made of, what is noted about it on disk, and whose turn it is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from facedet.errors import PracticeError, UsageError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.practice.internet.site import DEFAULT_PORT

VERSION = 2  # of what the same options give
MOST_PHOTOS = 100_000
NOTE = "practice.json"
LOCK = "practice.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a practice dataset is made of.

    Args:
        photos: lines of the label files, all faults included.
        seed: same seed, same bytes.
        faults: share of the lines with something wrong, 0-1.
        port: of the little internet; stands in the URLs.
        source: a label table whose pictures are used instead of the built-in people.
    """

    photos: int = 2000
    seed: int = 0
    faults: float = 0.4
    port: int = DEFAULT_PORT
    source: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.photos <= MOST_PHOTOS:
            raise UsageError(
                _("{n} photos: give 1 to {most:,}").format(n=self.photos, most=MOST_PHOTOS)
            )
        if not 0 <= self.faults <= 1:
            raise UsageError(_("the share of faults is {s}: give 0 to 1").format(s=self.faults))
        if not 1024 <= self.port <= 65_533:
            raise UsageError(_("the port is {p}: give 1024 to 65533").format(p=self.port))
        if self.seed < 0:
            raise UsageError(_("the seed is {s}: give 0 or more").format(s=self.seed))


@dataclass(frozen=True, slots=True)
class _Note:
    """What ``practice.json`` says."""

    version: int
    complete: bool
    options: Options


def begun_options(folder: Path) -> Options | None:
    """How the dataset in `folder` was made or begun; None where there is none.

    Raises:
        PracticeError: there is one, but the note about it is damaged.
    """
    note = _read_note(folder)
    return note.options if note else None


def read_options(folder: Path) -> Options:
    """How the dataset in `folder` was made or begun.

    Raises:
        PracticeError: there is none, or the note about it is damaged.
    """
    options = begun_options(folder)
    if options is None:
        raise PracticeError(
            _("{folder} holds no practice dataset; make one with facedet practice").format(
                folder=shown_name(str(folder))
            )
        )
    return options


def is_complete(folder: Path) -> bool:
    """Whether a practice dataset lies there, whole."""
    try:
        note = _read_note(folder)
    except PracticeError:
        return False
    return note is not None and note.complete


def claimed(folder: Path, options: Options) -> Options:
    """The options to go by in `folder`: those of the dataset there, or the given ones.

    They are the same but for the port, which stands in links that may have been written already.

    Raises:
        PracticeError: the folder holds something else, a dataset of other options, or one that
            cannot be finished.
    """
    note, shown = _read_note(folder), shown_name(str(folder))
    if note is None:
        if _holds_something(folder):
            raise PracticeError(
                _("{folder} is not empty; choose a new folder").format(folder=shown)
            )
        return options
    if replace(note.options, port=options.port) != options:
        raise PracticeError(
            _(
                "{folder} holds a practice dataset of other options; say none to use that one, "
                "or choose another folder"
            ).format(folder=shown)
        )
    if not note.complete and note.version != VERSION:
        raise PracticeError(
            _(
                "{folder} was begun by another version of the lab; delete it and make it anew, "
                "or choose another folder"
            ).format(folder=shown)
        )
    return note.options


def write_note(folder: Path, options: Options, *, complete: bool) -> None:
    """Note how the dataset is made, and whether it is whole."""
    note = {"version": VERSION, "complete": complete, "options": asdict(options)}
    write_atomically(folder / NOTE, json.dumps(note, indent=1) + "\n")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder, which must be there; no two processes make one dataset at once.

    Raises:
        PracticeError: another one is at it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PracticeError(
            _("another process is making {folder}; wait for it, or stop it").format(
                folder=shown_name(str(folder))
            )
        ) from error
    try:
        yield
    finally:
        lock.release()
        # A whole set is made no more, so that nobody needs its lock. Not sooner: somebody could
        # hold the old file and somebody else a new one.
        if is_complete(folder):
            (folder / LOCK).unlink(missing_ok=True)


def _holds_something(folder: Path) -> bool:
    if not folder.is_dir():
        return folder.exists()
    return any(path.name != LOCK for path in folder.iterdir())


def _read_note(folder: Path) -> _Note | None:
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return _Note(int(note["version"]), note["complete"] is True, Options(**note["options"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise PracticeError(
            _(
                "{folder}: {name} is damaged, so nobody knows how this set was made; delete the "
                "folder and make the set anew, or choose another folder"
            ).format(folder=shown_name(str(folder)), name=NOTE)
        ) from error
