"""Pixels to the bytes of a file, as the web has them: format, quality, EXIF orientation."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import cv2
import numpy as np
from PIL import ExifTags, Image

from facedet.types import FloatArray, Pixels

Format = Literal["JPEG", "PNG", "GIF", "WEBP"]
FORMATS: dict[Format, tuple[str, str, float]] = {  # suffix, content type, share
    "JPEG": (".jpg", "image/jpeg", 0.86),
    "PNG": (".png", "image/png", 0.07),
    "GIF": (".gif", "image/gif", 0.03),
    "WEBP": (".webp", "image/webp", 0.04),
}
ORIENTED_SHARE = 0.08  # of the JPEG files
# EXIF orientation -> how upright pixels must be stored so that a viewer turns them back.
_STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, slots=True)
class File:
    """A picture as a server sends it."""

    data: bytes
    suffix: str
    content_type: str


def develop(
    pixels: Pixels, rng: np.random.Generator, format: Format | None = None, orient: bool = True
) -> File:
    """The file of a picture, the same bytes for the same pixels and the same `rng`.

    Args:
        pixels: (H, W, 3) uint8, upright.
        rng: decides format, quality and orientation; draws the same count of numbers every time.
        format: None: mostly JPEG.
        orient: a few JPEG files store their pixels turned, with the EXIF tag that says so.
    """
    dice = rng.random(4)
    chosen = format or _format(float(dice[0]))
    suffix, content_type, _share = FORMATS[chosen]
    image = Image.fromarray(pixels)
    options = _options(chosen, dice)
    if chosen == "JPEG" and orient and dice[2] < ORIENTED_SHARE:
        image, options["exif"] = _turned(image, float(dice[3]))
    if chosen == "GIF":
        image = image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    out = BytesIO()
    image.save(out, chosen, **options)
    return File(out.getvalue(), suffix, content_type)


def shrink(pixels: Pixels, boxes_xyxy: FloatArray, scale: float) -> tuple[Pixels, FloatArray]:
    """The picture as the site shows it since it saved space, and where its faces are then.

    Args:
        pixels: (H, W, 3).
        boxes_xyxy: (M, 4).
        scale: below 1; no side becomes shorter than one pixel.
    """
    h, w = pixels.shape[:2]
    size = max(1, round(w * scale)), max(1, round(h * scale))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    factors = np.array([size[0] / w, size[1] / h] * 2, np.float32)
    return small, np.asarray(boxes_xyxy * factors, np.float32)


def _format(dice: float) -> Format:
    for name, (_suffix, _content_type, share) in FORMATS.items():
        if dice < share:
            return name
        dice -= share
    return "JPEG"


def _options(format: Format, dice: np.ndarray) -> dict[str, Any]:
    # Most sites save at 75 to 90, few lower.
    quality = round(40 + 55 * float(dice[1]) ** 0.6)
    if format == "JPEG":
        return {"quality": quality, "progressive": bool(dice[3] < 0.25)}
    if format == "WEBP":
        return {"quality": quality, "method": 2}
    return {"compress_level": 3} if format == "PNG" else {}


def _turned(image: Image.Image, dice: float) -> tuple[Image.Image, Image.Exif]:
    tag = 6 if dice < 0.5 else 8 if dice < 0.8 else 3
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    return image.transpose(_STORED[tag]), exif
