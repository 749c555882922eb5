"""Writing the practice dataset: label files in the real format, the site, and the truth.

::

    DIR/vgg_face_dataset/{README,licence.txt,files/<Name>.txt}    as Oxford's archive has it
    DIR/site/                     what the servers hold: pictures by host, and their answers
    DIR/truth.csv                 one row a line of the label files: its fault, its true boxes
    DIR/practice.json             how it was made

Same options, same bytes: nothing in it depends on the time, the machine's load or the order in
which processes finish. While it is made there are ``painted.txt`` and ``practice.lock`` beside.
"""

import csv
import json
import re
import struct
import zlib
from collections.abc import Sequence
from io import BytesIO, StringIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facedet.files import write_atomically
from facedet.practice.develop import FORMATS
from facedet.practice.faults import FaultName, all_faults
from facedet.practice.options import (
    Options,
    alone,
    begun_options,
    claimed,
    is_complete,
    read_options,
    write_note,
)
from facedet.practice.painting import Tick, paint_all, picture_name, studio_of
from facedet.practice.plan import PlannedLine, plan_lines
from facedet.practice.sites import DOMAIN, PLACEHOLDER_HOSTS
from facedet.practice.studio import Studio
from facedet.vggface.lines import Line, format_line

__all__ = ["Options", "begun_options", "is_complete", "make", "read_options"]

TRUTH_COLUMNS = (
    *("identity", "photo_id", "url", "fault"),
    *("true_boxes", "faces", "label_fits", "image_width", "image_height"),
)
OPEN_ENDED_SHARE = 0.1  # of the files: no line end after the last line, as in the real ones
_RECORD = "painted.txt"
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part")  # as `facedet.files` calls them
_BOMB_SIDE = 30_000
_HUGE_BYTES = 300_000_000


def make(
    folder: Path,
    options: Options,
    tick: Tick = lambda _done, _total: None,
    workers: int | None = None,
) -> None:
    """Make the dataset in `folder`, or finish one that was begun; a whole one stays as it is.

    Of a dataset that was begun the port stays the old one, for it stands in the links.

    Args:
        tick: called with pictures painted, and their total.
        workers: processes; default all cores.

    Raises:
        PracticeError: the folder holds something else, a dataset of other options, or one that
            another process is making.
        LabelError: the source cannot be used; nothing has been written then.
    """
    claimed(folder, options)
    if is_complete(folder):
        return
    studio = studio_of(options)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        options = claimed(folder, options)
        if not is_complete(folder):  # or somebody else has made it in this moment
            _make(folder, options, studio, tick, workers)


def _make(folder: Path, options: Options, studio: Studio, tick: Tick, workers: int | None) -> None:
    write_note(folder, options, complete=False)
    lines = plan_lines(studio, options.photos, options.faults, options.seed, options.port)
    site = folder / "site"
    paint_all(
        site, folder / _RECORD, [line for line in lines if line.painted], options, tick, workers
    )
    _write_special_files(site)
    _write_label_files(folder / "vgg_face_dataset", lines, options.seed)
    _write_answers(site, lines, options.port)
    write_atomically(folder / "truth.csv", truth_csv(lines))
    _tidy(folder)
    write_note(folder, options, complete=True)


def _tidy(folder: Path) -> None:
    """Away with what only somebody needs who has to go on, and with what a killed run left."""
    (folder / _RECORD).unlink(missing_ok=True)
    for path in folder.rglob(".*.part"):
        if _HALF_WRITTEN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _write_special_files(site: Path) -> None:
    """One bomb, one empty file, and each careful host's picture of nothing."""
    (site / "shared").mkdir(parents=True, exist_ok=True)
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


def _write_label_files(folder: Path, lines: Sequence[PlannedLine], seed: int) -> None:
    (folder / "files").mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "README", _README)
    write_atomically(folder / "licence.txt", _LICENCE)
    for name, text in label_texts(lines, seed).items():
        write_atomically(folder / "files" / name, text)


def label_texts(lines: Sequence[PlannedLine], seed: int) -> dict[str, str]:
    """The label files by name; one of ten has no line end at its end."""
    texts = {
        f"{identity}.txt": "".join(format_line(_as_line(line)) + "\n" for line in mine)
        for identity, mine in groupby(lines, key=lambda line: line.identity)
    }
    n_open = int(len(texts) * OPEN_ENDED_SHARE + 0.5)
    chosen = np.random.default_rng([seed, 2]).permutation(sorted(texts))[:n_open].tolist()
    return {name: text.rstrip("\n") if name in chosen else text for name, text in texts.items()}


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
    if line.repeats is not None:  # the first line of that address has its answer
        return []
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
