"""Links out of a label table: which photo of whom, and where on the web it is said to be."""

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import urlsplit

from facedet.download.addresses import PLAIN, canonical
from facedet.errors import LabelError, shown_name
from facedet.files import safe_name
from facedet.i18n import gettext as _
from facedet.labels import Problem, parse_table
from facedet.labels.table import BOX_COLUMNS, MAX_PIXEL, REQUIRED

Box = tuple[float, float, float, float]
NEEDED = (*REQUIRED, "url")
NOBODY = "unknown"
_NAMES = ("identity", "photo_id", "image_path", "url")
MAX_PART_BYTES = 100  # a folder's or file's name; a suffix must still fit
_SEPARATORS = re.compile(r"[/\\:]")
# Windows opens a device under these names, whatever follows the first dot.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)")


@dataclass(frozen=True, slots=True)
class Link:
    """One photo to get.

    Args:
        identity: who is on it; also the name of its folder, so it is a safe one.
        photo_id: its name among this person's photos, and that of its file.
        url: as it stands in the table.
        box_xyxy: the face's label in pixels of the photo as it was labelled; None where it has
            none. Of several faces of one photo, the first in the table.
    """

    identity: str
    photo_id: str
    url: str
    box_xyxy: Box | None


@dataclass(frozen=True, slots=True, eq=False)
class LinkTable:
    """What a label table asks for.

    Args:
        links: one for each photo, in the order of the table.
        problems: one for each row that cannot be used.
        rows: of the table, but for the header and blank lines; the unusable ones count, too.
    """

    links: tuple[Link, ...]
    problems: tuple[Problem, ...]
    rows: int


def read_links(labels_csv: Path) -> LinkTable:
    """Every photo of a label table that has a link.

    Rows of one photo (several faces) share a link. A row that cannot be used becomes a `Problem`,
    and the others go on: no link, a broken box, or a photo's name with a second link.

    Raises:
        LabelError: the file cannot be read, or lacks a column of `NEEDED`.
    """
    try:
        with labels_csv.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            gathering = _Gathering(next(rows, []), labels_csv.name)
            for cells in rows:
                if cells:
                    gathering.take(rows.line_num, cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(
            _("{name}: cannot be read as a table in UTF-8 ({reason})").format(
                name=shown_name(labels_csv.name), reason=error
            )
        ) from error
    return LinkTable(tuple(gathering.links), tuple(gathering.problems), gathering.rows)


def names_of(identity: str, photo_id: str, image_path: str) -> tuple[str, str]:
    """Folder and file name of a row's photo, by which its link is found again.

    Args:
        identity, photo_id: cells of the row; where one is empty, `image_path` says it.
        image_path: its parts may be separated as on Windows, too.
    """
    path = PurePosixPath(image_path.replace("\\", "/"))
    return safe_part(identity or path.parent.name, NOBODY), safe_part(photo_id or path.stem)


def safe_part(text: str, default: str = "photo") -> str:
    """A stranger's name as the name of a folder or a file without suffix, on every system."""
    if text.isascii() and text.isdecimal() and len(text) <= MAX_PART_BYTES:
        return text
    flat = _SEPARATORS.sub("_", unicodedata.normalize("NFC", text))
    if _DEVICES.match(safe_name(flat, default)):
        flat = f"_{flat}"  # before anything is cut off, or a second call would find more to do
    name = safe_name(flat, default)
    if len(flat.encode(errors="replace")) > MAX_PART_BYTES:
        # Names that differ only in what is cut off must not become one.
        kept = name.encode()[: MAX_PART_BYTES - 9].decode(errors="ignore").rstrip(" .")
        name = f"{kept}-{sha256(flat.encode(errors='replace')).hexdigest()[:8]}"
    return name


def host_of(url: str) -> str:
    """The host that a link names, however it is spelled; "" where it names none.

    In small letters and ASCII, without port, brackets or a last dot; an IPv4 address has its dots.
    Where the link cannot be asked, as it stands there.
    """
    plain = PLAIN.fullmatch(url)
    if plain:
        return plain["host"]
    try:
        return urlsplit(canonical(url)).hostname or ""
    except ValueError:
        return ""


class _Gathering:
    """Links and problems of the rows so far.

    The table may have millions of rows: what is right beyond doubt takes a short way here, and
    whatever is not is judged by the label table's own reader, which knows the reasons.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        missing = [column for column in NEEDED if column not in columns]
        if missing:
            raise LabelError(
                _("{name} line 1: the header lacks {missing}; links need {required}").format(
                    name=shown_name(name), missing=", ".join(missing), required=", ".join(NEEDED)
                )
            )
        self.links: list[Link] = []
        self.problems: list[Problem] = []
        self.rows = 0
        self._name = name
        self._box_cells = itemgetter(*(columns.index(column) for column in BOX_COLUMNS))
        self._path_cell = columns.index("image_path")
        # What the table has no column for is read from an empty cell behind the last.
        self._names = itemgetter(
            *(columns.index(name) if name in columns else len(columns) for name in _NAMES)
        )
        self._columns = columns
        self._folders: dict[str, tuple[str, dict[str, Link]]] = {}
        self._seen: dict[str, dict[str, Link]] = {}

    def take(self, line: int, cells: list[str]) -> None:
        """One more row of the table."""
        self.rows += 1
        try:
            self._take(cells)
        except ValueError as error:
            self.problems.append(Problem(line, str(error)))

    def _take(self, cells: list[str]) -> None:
        box = self._box(cells)
        cells.append("")
        identity, photo_id, image_path, url = self._names(cells)
        url = url.strip()
        if not url:
            raise ValueError(_("it has no link; fill in url or delete the row"))
        if not identity or not photo_id:
            identity, photo_id = names_of(identity, photo_id, image_path)
        folder, seen = self._folders.get(identity) or self._folder(identity)
        photo_id = safe_part(photo_id)
        link = Link(folder, photo_id, url, box)
        # Half of the world's file systems take A and a for one.
        key = photo_id if photo_id.isdecimal() else photo_id.casefold()
        first = seen.setdefault(key, link)
        if first is link:
            self.links.append(link)
        else:
            _check_same(first, link)

    def _folder(self, identity: str) -> tuple[str, dict[str, Link]]:
        """A person's folder, one string for all rows, and the photos in it so far."""
        folder = safe_part(identity, NOBODY)
        seen = self._seen.setdefault(folder.casefold(), {})
        self._folders[identity] = folder, seen
        return folder, seen

    def _box(self, cells: list[str]) -> Box | None:
        """The row's box, None where it has none.

        Raises:
            ValueError: with the reason why the label table does not take this row.
        """
        if len(cells) == len(self._columns) and cells[self._path_cell]:
            try:
                x1, y1, x2, y2 = map(float, self._box_cells(cells))
            except ValueError:
                pass
            else:
                if -MAX_PIXEL <= x1 < x2 <= MAX_PIXEL and -MAX_PIXEL <= y1 < y2 <= MAX_PIXEL:
                    return x1, y1, x2, y2
        return self._judged(cells)

    def _judged(self, cells: list[str]) -> Box | None:
        text = StringIO(newline="")
        csv.writer(text).writerows((self._columns, cells))
        table = parse_table(text.getvalue(), self._name)
        for problem in table.problems:
            raise ValueError(problem.reason)
        box = table.boxes_xyxy[0].tolist()
        return None if box[0] != box[0] else cast(Box, tuple(box))  # NaN: a photo without a face


def _check_same(first: Link, link: Link) -> None:
    """Raises `ValueError` where two rows of one photo do not say the same link."""
    photo, other = f"{link.identity}/{link.photo_id}", f"{first.identity}/{first.photo_id}"
    if first.url != link.url and canonical(first.url) != canonical(link.url):
        raise ValueError(
            _("{photo} has another link already, {url}; give it another photo_id").format(
                photo=photo, url=shown_name(first.url)
            )
        )
    if photo != other:
        raise ValueError(
            _("{photo} and {other} would be one file; write both the same way").format(
                photo=photo, other=other
            )
        )
