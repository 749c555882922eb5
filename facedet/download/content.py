"""What came, judged by its bytes alone: a whole picture, or why it is none.

Neither the address's suffix nor the server's content type is asked: both lie.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from PIL import ExifTags, Image, UnidentifiedImageError

from facedet.download.links import Box
from facedet.download.outcome import Failed
from facedet.errors import shown_name
from facedet.i18n import gettext as _
from facedet.images import Limits, open_image
from facedet.wholeness import is_cut_off

SUFFIX = {
    **{"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"},
    **{"BMP": "bmp", "DIB": "bmp", "TIFF": "tif", "AVIF": "avif", "HEIF": "heic"},
}
MIN_INSIDE = 0.7  # share of a label's area that must lie in the picture
MIN_SIDE_PX = 4.0
# How alike must pictures be spread over a host's addresses to be its "image removed".
PLACEHOLDER_URLS, PLACEHOLDER_PEOPLE = 3, 3
PLACEHOLDER_URLS_ALONE = 5
SAME_PLACE = 0.5  # of the smaller face: two people's labels never share so much of one photo

_LYING = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture.

    Args:
        suffix: of its true format, without a dot.
        width, height: in pixels, upright.
        sha256: of the file's bytes, as hexadecimal text.
    """

    suffix: str
    width: int
    height: int
    sha256: str


def examine(body: bytes, name: str, limits: Limits | None = None) -> Picture | Failed:
    """Recognise and decode a body, all of it; what is wrong with it is returned, not raised.

    Args:
        body: the whole file.
        name: stands in notes.
        limits: default `Limits()`.

    Returns:
        Failed as ``too_large`` (bytes), ``bomb`` (declared pixels; nothing is decoded then),
        ``truncated`` (the file ends before its format says so) or ``not_an_image``.
    """
    limits = limits or Limits()
    if len(body) > limits.max_bytes:
        return Failed("too_large", _("{n:,} bytes").format(n=len(body)))
    if not body:
        return Failed("not_an_image", _("no bytes at all"))
    try:
        with open_image(body) as image:
            w, h = image.size
            if w * h > limits.max_pixels:
                return Failed("bomb", _("{w:,} x {h:,} pixels").format(w=w, h=h))
            if is_cut_off(body):
                return Failed("truncated", _("the file ends too soon"))
            image.load()
            suffix = SUFFIX[str(image.format)]
            w, h = image.size  # again: a TIFF turns itself while it is decoded
            w, h = (h, w) if _orientation(image) in _LYING else (w, h)
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        return _failed(body, error)
    return Picture(suffix, w, h, sha256(body).hexdigest())


def label_fits(box_xyxy: Box, image_wh: tuple[int, int]) -> bool:
    """Whether a label can be one of this picture: mostly inside, no side absurd.

    A picture that its site has scaled down shows itself by labels that lie outside; not always.
    """
    x1, y1, x2, y2 = box_xyxy
    w, h = image_wh
    sides = x2 - x1, y2 - y1
    if min(sides) < MIN_SIDE_PX or max(sides) > max(w, h):
        return False
    inside = max(0.0, min(x2, w) - max(x1, 0.0)) * max(0.0, min(y2, h) - max(y1, 0.0))
    return inside >= MIN_INSIDE * sides[0] * sides[1]


def is_placeholder(n_urls: int, n_identities: int, n_misfit: int) -> bool:
    """Whether one picture at so many addresses of a site, for so many people, is a placeholder.

    Two addresses of one picture are ordinary: sites copy their own. The same picture of three
    people says "image removed", unless it shows all three: then no label contradicts it. At five
    addresses it is one whatever the labels say.

    Args:
        n_misfit: labels that cannot be true of this picture, see `count_misfits`.
    """
    if n_urls >= PLACEHOLDER_URLS_ALONE:
        return True
    return n_urls >= PLACEHOLDER_URLS and n_identities >= PLACEHOLDER_PEOPLE and n_misfit > 0


def count_misfits(labels: Sequence[tuple[str, Box | None]], image_wh: tuple[int, int]) -> int:
    """How many labels cannot be true of one picture that is said to show all of them.

    One that is missing, one that does not fit, and one where another person is labelled: in a photo
    of a group the faces lie apart. The labels of a placeholder were drawn in other photos, know
    nothing of each other, and mostly lie in the middle.

    Args:
        labels: who, and the box in pixels.
        image_wh: of the picture, upright.
    """
    return sum(
        box is None
        or not label_fits(box, image_wh)
        or any(who != other and _in_one_place(box, face) for other, face in labels)
        for who, box in labels
    )


def _in_one_place(a: Box, b: Box | None) -> bool:
    """Whether half of the smaller box, or more, lies in the other."""
    if b is None:
        return False
    shared_w, shared_h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared_w > 0 and shared_h > 0 and shared_w * shared_h >= SAME_PLACE * smaller


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):
        return 1  # Broken metadata is no reason to refuse a good picture.


def _failed(body: bytes, error: Exception) -> Failed:
    reason = shown_name(str(error) or type(error).__name__)
    if is_cut_off(body) or "truncated" in reason:
        return Failed("truncated", _("the file ends too soon"))
    if not isinstance(error, UnidentifiedImageError):
        return Failed("not_an_image", _("a damaged picture ({reason})").format(reason=reason))
    if body[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<script")):
        return Failed("not_an_image", _("a web page"))
    return Failed("not_an_image", _("no picture that can be read"))
