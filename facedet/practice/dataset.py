"""Writing the practice dataset: label files in the real format, the site, and the truth.

::

    DIR/vgg_face_dataset/{README,licence.txt,files/<Name>.txt}    as Oxford's archive has it
    DIR/site/                     what the servers hold: pictures by host, and their answers
    DIR/truth.csv                 one row a line of the label files: its fault, its true boxes
    DIR/practice.json             how it was made

Same options, same bytes: nothing in it depends on the time, the machine's load or the order in
which processes finish.
"""

import csv
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO, StringIO
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facedet.errors import PracticeError, UsageError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.practice.develop import FORMATS, develop, shrink
from facedet.practice.faults import FaultName, all_faults
from facedet.practice.labelled import LabelledStudio
from facedet.practice.plan import PAINTED, PlannedLine, plan_lines
from facedet.practice.server import DEFAULT_PORT
from facedet.practice.sites import DOMAIN, PLACEHOLDER_HOSTS
from facedet.practice.studio import CastStudio, Studio
from facedet.vggface.lines import Line, format_line

VERSION = 1
MOST_PHOTOS = 100_000
TRUTH_COLUMNS = (
    *("identity", "photo_id", "url", "fault"),
    *("true_boxes", "faces", "label_fits", "image_width", "image_height"),
)
FEW = 40  # fewer pictures than this are painted sooner than two processes start
_CHUNK = 8
_BOMB_SIDE = 30_000
_HUGE_BYTES = 300_000_000

Tick = Callable[[int, int], None]


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


def make(
    folder: Path,
    options: Options,
    tick: Tick = lambda _done, _total: None,
    workers: int | None = None,
) -> list[PlannedLine]:
    """Make the dataset in `folder`, or finish one that was begun; returns its lines.

    Args:
        tick: called with pictures painted, and their total.
        workers: processes; default all cores.

    Raises:
        PracticeError: the folder holds something else, or a dataset of other options.
    """
    _claim(folder, options)
    studio = _studio(options)
    lines = plan_lines(studio, options.photos, options.faults, options.seed, options.port)
    site = folder / "site"
    for host in {line.address.host for line in lines if line.fault in PAINTED}:
        (site / host).mkdir(parents=True, exist_ok=True)
    _paint_all(site, lines, options, tick, workers)
    _write_special_files(site)
    _write_label_files(folder / "vgg_face_dataset", lines)
    _write_answers(site, lines, options.port)
    write_atomically(folder / "truth.csv", truth_csv(lines))
    _note(folder, options, complete=True)
    return lines


def is_complete(folder: Path) -> bool:
    """Whether a practice dataset lies there, whole."""
    try:
        return bool(json.loads((folder / "practice.json").read_text())["complete"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_options(folder: Path) -> Options:
    """How the dataset in `folder` was made.

    Raises:
        PracticeError: there is none.
    """
    try:
        return Options(**json.loads((folder / "practice.json").read_text())["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PracticeError(
            _("{folder} holds no practice dataset; make one with facedet practice").format(
                folder=shown_name(str(folder))
            )
        ) from error


def _claim(folder: Path, options: Options) -> None:
    if (folder / "practice.json").exists():
        if read_options(folder) != options:
            raise PracticeError(
                _(
                    "{folder} holds a practice dataset of other options; choose another folder"
                ).format(folder=shown_name(str(folder)))
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PracticeError(
            _("{folder} is not empty; choose a new folder").format(folder=shown_name(str(folder)))
        )
    folder.mkdir(parents=True, exist_ok=True)
    _note(folder, options, complete=False)


def _note(folder: Path, options: Options, *, complete: bool) -> None:
    note = {"version": VERSION, "complete": complete, "options": asdict(options)}
    write_atomically(folder / "practice.json", json.dumps(note, indent=1) + "\n")


def _studio(options: Options) -> Studio:
    if options.source is not None:
        return LabelledStudio(Path(options.source))
    return CastStudio(max(3, min(24, options.photos // 40)), options.seed)


# --- Pictures


def picture_name(line: PlannedLine) -> str:
    """The file of a line's picture, below the site's folder."""
    return f"{line.address.host}/{line.number:06d}{FORMATS[line.format][0]}"


def _paint_all(
    site: Path, lines: Sequence[PlannedLine], options: Options, tick: Tick, workers: int | None
) -> None:
    wanted = [line for line in lines if line.fault in PAINTED]
    todo = [line for line in wanted if not (site / picture_name(line)).exists()]
    done = len(wanted) - len(todo)
    tick(done, len(wanted))
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(todo) < FEW:
        _start_painter(options)
        painted: Iterator[int] = (_paint(site, line) for line in todo)
        for n in painted:
            done += n
            tick(done, len(wanted))
        return
    # Spawned, not forked: the caller may have threads, and locks in them.
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_painter, initargs=(options,)
    )
    with pool:
        try:
            chunks = [todo[i : i + _CHUNK] for i in range(0, len(todo), _CHUNK)]
            for n in pool.map(_paint_some, [site] * len(chunks), chunks):
                done += n
                tick(done, len(wanted))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_painter: Studio | None = None


def _start_painter(options: Options) -> None:
    global _painter
    cv2.setNumThreads(1)
    _painter = _studio(options)


def _paint_some(site: Path, lines: Sequence[PlannedLine]) -> int:
    return sum(_paint(site, line) for line in lines)


def _paint(site: Path, line: PlannedLine) -> int:
    assert _painter is not None
    pixels = _painter.render(line.shot)
    if line.shown_scale < 1:
        pixels, _boxes = shrink(pixels, line.shot.boxes_xyxy, line.shown_scale)
    file = develop(pixels, np.random.default_rng(line.seed), line.format)
    data = file.data
    if line.fault == "truncated_jpeg":
        data = data[: max(200, round(len(data) * (0.3 + 0.5 * (line.seed % 97) / 97)))]
    path = site / picture_name(line)
    write_atomically(path, data)
    return 1


def _write_special_files(site: Path) -> None:
    """One bomb, one empty file, and each careful host's picture of nothing."""
    (site / "shared").mkdir(exist_ok=True)
    write_atomically(site / "shared/bomb.png", _bomb())
    write_atomically(site / "shared/empty.jpg", b"")
    for number, host in enumerate(PLACEHOLDER_HOSTS):
        write_atomically(site / f"shared/{host}.gif", _placeholder(host, number))


def _bomb() -> bytes:
    """900 million white pixels of one bit in some hundred kilobytes: a PNG, written row by row."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (_BOMB_SIDE // 8)
    packed = b"".join(packer.compress(row * 100) for _k in range(_BOMB_SIDE // 100))
    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _placeholder(host: str, number: int) -> bytes:
    image = Image.new("RGB", (160 + 20 * number, 120), (232, 232, 228))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=13)
    pen.rectangle((6, 6, image.width - 7, 113), outline=(180, 180, 176))
    pen.text((14, 34), host.split(".")[1], fill=(130, 130, 126), font=font)
    pen.text((14, 58), "image removed", fill=(130, 130, 126), font=font)
    out = BytesIO()
    image.quantize(32).save(out, "GIF")
    return out.getvalue()


# --- Texts


def _write_label_files(folder: Path, lines: Sequence[PlannedLine]) -> None:
    (folder / "files").mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "README", _README)
    write_atomically(folder / "licence.txt", _LICENCE)
    for identity, mine in groupby(lines, key=lambda line: line.identity):
        text = "".join(format_line(_as_line(line)) + "\n" for line in mine)
        write_atomically(folder / "files" / f"{identity}.txt", text)


def _as_line(line: PlannedLine) -> Line:
    x1, y1, x2, y2 = line.label_xyxy.tolist()
    return Line(
        photo_id=line.photo_id,
        url=line.address.url,
        box_xyxy=(x1, y1, x2, y2),
        pose=line.pose,
        detection_score=line.detection_score,
        curated=line.curated,
    )


def truth_csv(lines: Sequence[PlannedLine]) -> str:
    """One row a line; what only a picture has is empty where no whole picture can be got."""
    gives_picture = {fault.name: fault.picture for fault in all_faults()}
    out = StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(TRUTH_COLUMNS)
    for line in lines:
        known = (line.identity, f"{line.photo_id:08d}", line.address.url, line.fault)
        rows.writerow((*known, *(_seen(line) if gives_picture[line.fault] else [""] * 5)))
    return out.getvalue()


def _seen(line: PlannedLine) -> tuple[Any, ...]:
    """What the picture as it is served shows; boxes ``x1 y1 x2 y2``, ``;`` between."""
    boxes = line.shown_boxes_xyxy
    text = ";".join(" ".join(f"{value:.1f}" for value in box) for box in boxes.tolist())
    return text, len(boxes), int(line.label_fits), *line.shown_wh


def _write_answers(site: Path, lines: Sequence[PlannedLine], port: int) -> None:
    answers = [answer for line in lines for answer in _answers(line, lines)]
    text = "".join(json.dumps(answer) + "\n" for answer in answers)
    write_atomically(site / "answers.jsonl", text)
    ports = {"http": port, "https": port + 1, "refused": port + 2}
    write_atomically(site / "ports.json", json.dumps(ports) + "\n")


def _answers(line: PlannedLine, lines: Sequence[PlannedLine]) -> list[dict[str, Any]]:
    """What the line's server says, and what the one says that it sends a client to."""
    first = {"host": line.address.host, "path": line.address.path}
    if line.fault in ("unresolvable", "refused"):
        return []
    rest = _answer(line, lines)
    if line.location is None or line.fault == "redirect_private":
        return [first | rest]
    second = {"host": line.location.host, "path": line.location.path}
    if line.fault == "redirect_loop":
        back = {"answer": "redirect", "location": line.address.url, "status": 302}
    else:
        back = _file(line)
    return [first | rest, second | back]


def _answer(line: PlannedLine, lines: Sequence[PlannedLine]) -> dict[str, Any]:
    chance = np.random.default_rng(line.seed)
    if line.location is not None:
        status = int(chance.choice((301, 302, 303, 307, 308)))
        return {"answer": "redirect", "location": line.location.url, "status": status}
    plain: dict[FaultName, dict[str, Any]] = {
        "http_404": {"answer": "status", "status": 404},
        "http_403": {"answer": "status", "status": 403},
        "http_410": {"answer": "status", "status": 410},
        "http_500": {"answer": "status", "status": 500},
        "hangs": {"answer": "hang"},
        "html": {"answer": "html"},
        "too_large": {
            "answer": "huge",
            "bytes": _HUGE_BYTES,
            "declared": bool(chance.random() < 0.5),
        },
        "bomb": {"answer": "file", "file": "shared/bomb.png", "type": "image/png"},
        "zero_bytes": {"answer": "file", "file": "shared/empty.jpg", "type": "image/jpeg"},
        "placeholder": {
            "answer": "file",
            "file": f"shared/{line.address.host.removesuffix('.' + DOMAIN)}.gif",
            "type": "image/gif",
        },
        "tls": {"answer": "html"},
    }
    if line.fault in plain:
        return plain[line.fault]
    special: dict[FaultName, dict[str, Any]] = {
        "rate_limited": {"answer": "rate_limited"},
        "flaky": {"answer": "flaky", "times": int(chance.integers(1, 3))},
        "slow": {"answer": "slow"},
        "reset": {"answer": "reset"},
        "truncated_body": {"answer": "truncated"},
    }
    shown = line if line.twin is None else lines[line.twin]
    return _file(shown) | special.get(line.fault, {})


def _file(line: PlannedLine) -> dict[str, Any]:
    kind = "image/jpeg" if line.fault == "wrong_extension" else FORMATS[line.format][1]
    return {"answer": "file", "file": picture_name(line), "type": kind}


_README = """PRACTICE dataset, in the format of the OXFORD VGG Face dataset

The people are invented, the links lead to a little internet on your own computer, and what is wrong
with each link and label is written in truth.csv. Serve it with: facedet practice DIR --serve

Each file in the folder files belongs to one identity. Each line is

id url left top right bottom pose detection_score curation

id: number of the image within the file
url: where the image is
left top right bottom: the face's box in pixels of the image as it was when it was labelled
pose: above 2 for a frontal face, otherwise a profile
detection_score: how sure the detector was that drew the box
curation: 1 for the curated part of the dataset, 0 for the rest

The real dataset: O. M. Parkhi, A. Vedaldi, A. Zisserman, Deep Face Recognition, BMVC 2015.
"""

_LICENCE = """The pictures are made of photographs that are free to use: Eileen Collins (NASA,
public domain), Grace Hopper (US Navy, public domain), and backgrounds that come with scikit-image.
Do with the pictures what you like. The identities are invented: no name belongs to whom a picture
shows.
"""
