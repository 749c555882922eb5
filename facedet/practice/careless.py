"""A dataset as careless hands leave it: everything stored that answered, nothing ever looked at.

The loop that most people write first asks each link, follows where it leads, tries again where it
failed, and stores what came under the name that the link suggests. So web pages, empty and cut
files, bombs and "image removed" lie among the photos: what cleaners are for.
"""

import csv
import hashlib
from collections.abc import Callable, Mapping
from io import StringIO
from itertools import count
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np

from facedet import images
from facedet.errors import PracticeError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.labels.table import REQUIRED
from facedet.practice.develop import FORMATS
from facedet.practice.faults import all_faults
from facedet.practice.internet.answers import Answers, Reply
from facedet.practice.internet.heads import Head
from facedet.practice.internet.site import Doors, load_site
from facedet.practice.truth import read_truth
from facedet.vggface.lines import Line, parse_line

LABEL_COLUMNS = (*REQUIRED, "identity", "photo_id", "url", "pose", "detection_score", "curated")
ADDED = ("image_path", "same_as")
MOST_REQUESTS = 10  # for one link: redirects and new tries together
PATIENCE_S = 60.0  # between two tries: nobody waits here, for only the clock goes on
_SUFFIX_OF = {type_: suffix for suffix, type_, _share in FORMATS.values()}
_LEFT_OUT = {"hang", "reset", "huge"}

Tick = Callable[[int, int], None]


def lay_out(practice_dir: Path, dataset_dir: Path, tick: Tick = lambda _done, _total: None) -> int:
    """Fill a new dataset folder from a practice set, without its server; returns how many files.

    ::

        DATASET/images/<identity>/<photo_id>.<suffix of the link>
        DATASET/labels.csv     the labels of what lies there
        DATASET/truth.csv      all of the set's truth, and two columns more

    ``image_path`` is where the line's file lies, empty where nothing was stored: links that give no
    bytes, and those of the fault ``too_large``, which are hundreds of megabytes each. A body that
    breaks off is stored as far as it came, as old versions of ``requests`` did. ``same_as`` is the
    first file with the same bytes, for whole pictures only: of such a group one may stay.

    Args:
        practice_dir: made by `practice.dataset.make`; same set, same bytes.
        dataset_dir: a new or an empty folder.
        tick: called with lines done, and their total.

    Raises:
        PracticeError: there is no practice set, or the dataset's folder holds something.
    """
    rows, labels = _truth_rows(practice_dir), _labels(practice_dir)
    _claim(dataset_dir)
    loop = _Loop(practice_dir)
    whole = {fault.name for fault in all_faults() if fault.picture}
    first: dict[str, str] = {}
    for done, row in enumerate(rows, 1):
        row["image_path"], sha256 = _store(loop, row, dataset_dir)
        if row["image_path"] and row["fault"] in whole:
            same = first.setdefault(sha256, row["image_path"])
            row["same_as"] = "" if same == row["image_path"] else same
        tick(done, len(rows))
    stored = [row for row in rows if row["image_path"]]
    known = [_label(row, labels[row["identity"], row["photo_id"]]) for row in stored]
    write_atomically(dataset_dir / "labels.csv", _as_csv(LABEL_COLUMNS, known))
    write_atomically(dataset_dir / "truth.csv", _as_csv(tuple(rows[0]), rows))
    return len(stored)


def _claim(dataset_dir: Path) -> None:
    dataset_dir.mkdir(parents=True, exist_ok=True)
    if any(dataset_dir.iterdir()):
        raise PracticeError(
            _("{folder} is not empty; choose a new folder").format(
                folder=shown_name(str(dataset_dir))
            )
        )


def _store(loop: "_Loop", row: Mapping[str, str], dataset_dir: Path) -> tuple[str, str]:
    """Where the line's file lies now, and the sha256 of its bytes; empty texts for none."""
    came = loop.get(row["url"])
    if came is None:
        return "", ""
    body, type_ = came
    image_path = f"images/{row['identity']}/{row['photo_id']}{_suffix(row['url'], type_)}"
    path = dataset_dir / image_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return image_path, hashlib.sha256(body).hexdigest()


def _suffix(url: str, type_: str) -> str:
    """What the link says, whatever came; a link that says nothing leaves it to the server."""
    said = PurePosixPath(urlsplit(url).path).suffix
    return said if said.lower() in images.SUFFIXES else _SUFFIX_OF.get(type_, ".jpg")


class _Loop:
    """Asks the set's little internet, in this process: the same answers, but nobody waits."""

    def __init__(self, practice_dir: Path) -> None:
        site = load_site(practice_dir)
        self._https = site.written.https
        self._refused = site.written.refused
        clock = count(step=PATIENCE_S)
        doors = Doors(site.written, site.written)
        self._answers = Answers(site, doors, lambda: float(next(clock)))

    def get(self, url: str) -> tuple[bytes, str] | None:
        """What came and its content type; None where nothing did, or far too much."""
        for _k in range(MOST_REQUESTS):
            reply = self._ask(url)
            if reply is None or reply.answer in _LEFT_OUT:
                return None
            if 300 <= reply.status < 400:
                url = _field(reply, "Location")
            elif reply.status < 300:
                return b"".join(reply.pieces()), _field(reply, "Content-Type")
        return None

    def _ask(self, url: str) -> Reply | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # No connection: nobody listens, a certificate that is no good, no address of the set.
        if parts.port in (self._refused, self._https) or not host.endswith(".localhost"):
            return None
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._answers.reply(Head(method="GET", host=host, path=path))


def _field(reply: Reply, name: str) -> str:
    lines = reply.fields.decode("latin-1").split("\r\n")
    return next((line.partition(": ")[2] for line in lines if line.startswith(f"{name}:")), "")


def _truth_rows(practice_dir: Path) -> list[dict[str, str]]:
    read_truth(practice_dir)  # says what is wrong with it, where something is
    with (practice_dir / "truth.csv").open(encoding="utf-8", newline="") as file:
        return [{**row, **dict.fromkeys(ADDED, "")} for row in csv.DictReader(file)]


def _labels(practice_dir: Path) -> dict[tuple[str, str], Line]:
    folder = practice_dir / "vgg_face_dataset/files"
    return {
        (path.stem, f"{line.photo_id:08d}"): line
        for path in sorted(folder.glob("*.txt"))
        for line in map(parse_line, path.read_bytes().splitlines())
    }


def _label(row: Mapping[str, str], line: Line) -> dict[str, str]:
    numbers = (*line.box_xyxy, line.pose, line.detection_score)
    texts = [np.format_float_positional(np.float32(n), unique=True, trim="-") for n in numbers]
    names = (*REQUIRED[1:], "pose", "detection_score")
    known = {name: row[name] for name in LABEL_COLUMNS if name in row}
    return known | dict(zip(names, texts, strict=True)) | {"curated": str(int(line.curated))}


def _as_csv(columns: tuple[str, ...], rows: list[dict[str, str]]) -> str:
    out = StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
