"""What lies in a dataset's folder, or in any folder of pictures, and what its labels say."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _
from facedet.images import SUFFIXES
from facedet.labels.table import LabelTable, read_table
from facedet.types import FloatArray

LABELS = "labels.csv"
OURS = frozenset(("cleaning", "quarantine", "placeholders"))  # folders in which no dataset lies
# What stands beside pictures and is none, whatever it begins with. It stays where it is.
COMPANIONS = frozenset(
    (
        *(".csv", ".tsv", ".txt", ".md", ".rst", ".log", ".json", ".jsonl", ".xml", ".yaml"),
        *(".yml", ".toml", ".ini", ".db", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".parquet"),
        *(".npy", ".npz", ".mat", ".py", ".ipynb", ".sh", ".bat", ".svg", ".pdf", ".zip"),
        *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".docx", ".xlsx", ".pptx", ".psd", ".xmp"),
    )
)
# More than the lab reads: whoever gives a file such a name means a picture.
PICTURES = frozenset((*SUFFIXES, ".mpo", ".apng", ".dib", ".avifs", ".jp2", ".jxl", ".ico"))
_BEGINNINGS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"),
    *(b"<!doctype html", b"<html", b"<head", b"<script", b"<body"),
)
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Entry:
    r"""One picture file, or what is called one.

    Args:
        image_path: relative to the dataset, with ``/``, as in labels.csv. It is text that any
            table can hold: a byte of a name that is no UTF-8 stands as ``\xff``, see `path_of`.
        path: the file itself, absolute.
        size_bytes, mtime_ns: as the disk said when it was listed.
    """

    image_path: str
    path: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All pictures of a folder by `image_path`, and how many other files lie beside them."""

    entries: Sequence[Entry]
    n_companions: int


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labelled faces of a dataset; all empty where there is no table.

    Args:
        image_paths: (K,) for each labelled face its picture.
        boxes_xyxy: (K, 4) pixels of the upright picture.
        ignored: (K,) boxes that may be faces or not, so that nothing follows from them.
        known: pictures with a row, also one that says: no face.
        identities: who is in a picture, where the table says so.
    """

    image_paths: npt.NDArray[np.object_]
    boxes_xyxy: FloatArray
    ignored: npt.NDArray[np.bool_]
    known: frozenset[str]
    identities: dict[str, str]

    def identity_of(self, image_path: str) -> str:
        """Who is in a picture: as labelled, or else the name of its folder."""
        return self.identities.get(image_path) or PurePosixPath(image_path).parent.name


def list_pictures(dataset: Path) -> Listing:
    """Every file below a folder that is a picture, or claims to be, or came in place of one.

    That is: its suffix is one of `PICTURES`, or it has none; or its first bytes are those of a
    picture or of a web page, which is what a site gives when the picture is gone. All others, and
    symbolic links to files, are companions: counted, and never touched. Hidden files, and what the
    lab itself keeps in the folder, are passed over.

    Raises:
        DatasetError: there is no such folder, or it cannot be listed.
    """
    if not dataset.is_dir():
        raise DatasetError(
            _("{folder} is no folder; give a dataset, or any folder of pictures").format(
                folder=shown_name(str(dataset))
            )
        )
    files = list(_walk(dataset.absolute(), ""))
    entries = [entry for entry in files if entry and _is_meant_as_picture(entry)]
    entries.sort(key=lambda entry: entry.image_path)
    return Listing(entries, len(files) - len(entries))


def _is_meant_as_picture(entry: Entry) -> bool:
    suffix = suffix_of(entry.image_path)
    if not suffix or suffix in PICTURES:
        return True
    return suffix not in COMPANIONS and _begins_as_picture(entry.path)


def _begins_as_picture(path: Path) -> bool:
    """Whether a file of an unknown kind has the first bytes of a picture, or of a web page."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return (
        head.startswith(_BEGINNINGS)
        or text.startswith(_BEGINNINGS)
        or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
        or (head[:2], head[6:10]) == (b"BM", b"\0" * 4)
        or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS)
    )


def _walk(folder: Path, prefix: str) -> Iterator[Entry | None]:
    """The files of a folder and those below; None for each link to a file."""
    try:
        with os.scandir(folder) as found:
            items = [item for item in found if not item.name.startswith(".")]
    except OSError as error:
        raise DatasetError(
            _("{folder} cannot be listed ({reason}); check its permissions").format(
                folder=shown_name(str(folder)), reason=error.strerror or error
            )
        ) from error
    for item in items:
        if item.is_dir(follow_symlinks=False):
            if prefix or item.name not in OURS:
                yield from _walk(Path(item.path), f"{prefix}{item.name}/")
        elif item.is_symlink():
            if item.is_file():
                yield None
        elif item.is_file():
            stat = item.stat()
            path = Path(item.path)
            yield Entry(text_of(f"{prefix}{item.name}"), path, stat.st_size, stat.st_mtime_ns)


def path_of(dataset: Path, image_path: str) -> Path:
    """The file of an `image_path`, also of one whose name is no UTF-8."""
    path = dataset / image_path
    # Not Path.exists: written out, a name may be longer than any file's, which that would raise at.
    if "\\x" not in image_path or os.path.exists(path):  # noqa: PTH110
        return path
    return dataset / os.fsdecode(_ESCAPED.sub(_byte, os.fsencode(image_path)))


_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())


def text_of(name: str) -> str:
    """A name as tables have it; `path_of` is the way back."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def suffix_of(image_path: str) -> str:
    """The suffix with its dot, in small letters; empty where there is none."""
    return os.path.splitext(image_path)[1].lower()  # noqa: PTH122 - many, and a Path takes its time


def read_labels(dataset: Path) -> Labels:
    """What labels.csv says; remembered while the file stays as it is.

    Raises:
        LabelError: there is a table, and it cannot be used.
    """
    try:
        stat = (dataset / LABELS).stat()
    except OSError:
        return _labels_of(None)
    return _read_labels(dataset / LABELS, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read_labels(path: Path, _mtime_ns: int, _size: int) -> Labels:
    return _labels_of(read_table(path))


def _labels_of(table: LabelTable | None) -> Labels:
    rows = table.rows if table else ()
    boxes = table.boxes_xyxy if table else np.empty((0, 4), np.float32)
    names = [row["image_path"].removeprefix("./") for row in rows]
    ignored = np.array([row.get("ignore", "") in ("1", "true", "True") for row in rows], bool)
    faces = ~np.isnan(boxes[:, 0])  # a row without a box says: no face here
    identities = {
        name: row["identity"] for name, row in zip(names, rows, strict=True) if row.get("identity")
    }
    paths = np.array(names, dtype=object)
    return Labels(paths[faces], boxes[faces], ignored[faces], frozenset(names), identities)
