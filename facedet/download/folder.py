"""The pictures of a dataset on disk, written so that whatever happens no file is ever half.

::

    DATASET/images/<identity>/<photo_id>.<suffix>
    DATASET/placeholders/<sha256>.<suffix>     one copy of each "image removed"
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from facedet.download.content import SUFFIX
from facedet.download.links import Link, safe_part
from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _

SUFFIXES = frozenset(SUFFIX.values())
PLACEHOLDERS = "placeholders"
_PART = re.compile(r"\.[0-9a-f]{16}\.part")  # see `files.replaced_atomically`


class DiskError(DatasetError):
    """The disk is full, or does not take what is written."""


def store_picture(dataset: Path, link: Link, body: bytes, suffix: str) -> str:
    """Write a picture's file, whole or not at all; returns its path relative to the dataset.

    A file of the same photo with another suffix, from an earlier attempt, goes.

    Args:
        suffix: without a dot, as `examine` says it.

    Raises:
        DiskError: the disk does not take it.
    """
    if safe_part(link.identity) != link.identity or safe_part(link.photo_id) != link.photo_id:
        raise ValueError(f"not safe as names of files: {link.identity!r}, {link.photo_id!r}")
    image_path = f"images/{link.identity}/{link.photo_id}.{suffix}"
    path = dataset / image_path
    with writes(image_path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, body)
        for other in SUFFIXES - {suffix}:
            path.with_name(f"{link.photo_id}.{other}").unlink(missing_ok=True)
    return image_path


def keep_one(dataset: Path, sha256: str, image_paths: Sequence[str]) -> str:
    """Keep one copy of a placeholder; returns where it lies, "" where none of its files is there.

    Raises:
        DiskError: the disk does not take it.
    """
    if not image_paths:
        return ""
    kept = f"{PLACEHOLDERS}/{sha256}{PurePosixPath(image_paths[0]).suffix}"
    there = [dataset / path for path in image_paths if (dataset / path).is_file()]
    with writes(kept):
        if there and not (dataset / kept).exists():
            (dataset / PLACEHOLDERS).mkdir(exist_ok=True)
            write_atomically(dataset / kept, there[0].read_bytes())
    return kept if (dataset / kept).exists() else ""


def drop_copies(dataset: Path, copies: Iterable[tuple[str, str]]) -> int:
    """Take away files that another copy is kept of: their paths, and the sha256 they must have."""
    n = 0
    for image_path, sha256 in copies:
        path = dataset / image_path
        with writes(image_path):
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                path.unlink()
                n += 1
    return n


def folders_of(dataset: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder that pictures are written to, relative to the dataset, and its files' names.

    Each is listed once, and no file is looked at.

    Raises:
        DiskError: a folder cannot be listed.
    """
    people = _listed(dataset / "images", folders=True)
    for folder in (*(f"images/{name}" for name in people), PLACEHOLDERS):
        yield folder, _listed(dataset / folder)


def _listed(folder: Path, *, folders: bool = False) -> list[str]:
    """Names of the files in a folder, or of the folders; none where there is no such folder.

    Only those that could be ours: we write none that cannot be printed.
    """
    if not folder.is_dir():
        return []
    with writes(folder.name), os.scandir(folder) as entries:
        found = [entry.name for entry in entries if entry.is_dir() == folders]
    return [name for name in found if name.isprintable()]


def is_part(name: str) -> bool:
    """Whether a file of this name is what a killed process has half written."""
    return _PART.fullmatch(name) is not None


def photo_of(name: str) -> str:
    """The photo's name that a picture's file has here; "" where it is none of ours."""
    photo_id, _dot, suffix = name.rpartition(".")
    return photo_id if suffix in SUFFIXES else ""


def drop(paths: Iterable[Path]) -> int:
    """Take files away; returns how many.

    Raises:
        DiskError: the disk does not let them go.
    """
    n = 0
    for path in paths:
        with writes(path.name):
            path.unlink(missing_ok=True)
        n += 1
    return n


@contextmanager
def writes(name: str) -> Iterator[None]:
    """The disk's errors as ours."""
    try:
        yield
    except OSError as error:
        raise disk_error(shown_name(name), error) from error


def disk_error(name: str, error: Exception) -> DiskError:
    """What to raise when the disk did not take something."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    return DiskError(
        _("{name}: the disk does not take it ({reason}); make room and start again").format(
            name=name, reason=reason
        )
    )
