"""One line of a VGG Face label file, read by the letter; what `columns` reads fast must agree.

A line is ``id url left top right bottom pose detection_score curation``, single spaces between.
Parkhi, Vedaldi, Zisserman, *Deep Face Recognition*, BMVC 2015, published such files, one a person.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from facedet.errors import shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext

FIELDS = (
    *("id", "url", "left", "top", "right", "bottom"),
    *("pose", "detection_score", "curation"),
)
MAX_PIXEL = 1e6  # no photo is larger; what lies beyond is a broken number
FRONTAL_ABOVE = 2  # pose > 2 is a frontal face, <= 2 a profile
MAX_ID = 2**31 - 1

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_ID = re.compile(r"0*(\d{1,10})", re.ASCII)
# A host, and nothing in the rest that a line of text cannot hold.
URL = r"^https?://[^\s/?#\x00-\x1f\x7f]+[^\s\x00-\x1f\x7f]*$"
_URL = re.compile(URL, re.ASCII)
# RFC 3986 allows these and no others; the real files hold spaces' and quotes' descendants too.
UNUSUAL_URL = r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]"


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled face: the celebrity's, and nobody else's, in a photo somewhere on the web.

    Args:
        photo_id: counts within its file.
        url: where the photo was in 2015.
        box_xyxy: float32 pixels of the photo as it was then; may be negative.
        pose: above 2 a frontal face, else a profile.
        detection_score: of the DPM detector that found the face.
        curated: whether it is part of the final, curated set.
    """

    photo_id: int
    url: str
    box_xyxy: tuple[float, float, float, float]
    pose: float
    detection_score: float
    curated: bool


def parse_line(raw: bytes) -> Line:
    """Read one line, without its line end.

    Raises:
        ValueError: with the reason, fit to be shown.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            _("byte {byte:#04x} at column {column} is not UTF-8; save the file as UTF-8").format(
                byte=raw[error.start], column=error.start + 1
            )
        ) from None
    fields = text.split(" ")
    if len(fields) != len(FIELDS):
        n = len(fields) if text else 0
        raise ValueError(
            ngettext(
                "{n} field, expected {m}: {fields}", "{n} fields, expected {m}: {fields}", n
            ).format(n=n, m=len(FIELDS), fields=" ".join(FIELDS))
        )
    box = [_number(name, value) for name, value in zip(FIELDS[2:6], fields[2:6], strict=True)]
    _check_order(box, fields)
    pose, score = (
        _number(name, value) for name, value in zip(FIELDS[6:8], fields[6:8], strict=True)
    )
    return Line(
        photo_id=_id(fields[0]),
        url=_url(fields[1]),
        box_xyxy=(box[0], box[1], box[2], box[3]),
        pose=pose,
        detection_score=score,
        curated=_flag(fields[8]),
    )


def format_line(line: Line) -> str:
    """The line as the real files have it, without a line end."""
    numbers = (*line.box_xyxy, line.pose, line.detection_score)
    middle = " ".join(f"{value:.2f}" for value in numbers)
    return f"{line.photo_id:08d} {line.url} {middle} {int(line.curated)}"


def _id(text: str) -> int:
    match = _ID.fullmatch(text)
    if match is None or int(match[1]) > MAX_ID:
        raise ValueError(_("the id is {text!r}, not a number").format(text=text[:40]))
    return int(match[1])


def _url(text: str) -> str:
    if not _URL.match(text):
        raise ValueError(
            _("{text} is no http or https address").format(text=repr(shown_name(text)))
        )
    return text


def _number(name: str, text: str) -> float:
    # No NaN, no infinity, no underscores: float() would take them.
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    if abs(value) < 2 * MAX_PIXEL:
        value = float(np.float32(value))  # what it is from now on; larger ones would overflow
    if not abs(value) <= MAX_PIXEL:
        raise ValueError(
            _("{name} is {text!r}, not a number within a million").format(name=name, text=text[:40])
        )
    return value


def _check_order(box: list[float], fields: list[str]) -> None:
    for low, high in ((0, 2), (1, 3)):
        if not box[low] < box[high]:
            raise ValueError(
                _("{high} ({b}) is not beyond {low} ({a})").format(
                    high=FIELDS[high + 2],
                    b=fields[high + 2],
                    low=FIELDS[low + 2],
                    a=fields[low + 2],
                )
            )


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(_("curation is {text!r}, not 0 or 1").format(text=text[:40]))
    return text == "1"
