"""Pictures out of values: boxes drawn on a photo, faces made unrecognisable."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facedet import boxes
from facedet.types import Detections, FloatArray, Pixels

# Okabe-Ito colours: one meaning each, everywhere in the lab, told apart by the colour-blind.
TRUTH = "#E69F00"
DETECTION = "#56B4E9"
KEPT = "#009E73"
MISSED = "#D55E00"
FALSE_ALARM = "#CC79A7"
DARK_EDGE = "#10181C"

RedactionStyle = Literal["blur", "pixelate", "fill"]
RedactionShape = Literal["box", "ellipse"]
REDACTION_STYLES: tuple[RedactionStyle, ...] = ("blur", "pixelate", "fill")
MAX_BLOCKS = 8  # a face side keeps at most so many values: too few to know a person by
MIN_BLOCK_PX = 4  # or a face of 8 pixels would keep every one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """How faces are hidden.

    Args:
        style: ``blur``, ``pixelate`` or ``fill`` (black).
        shape: ``box``, or ``ellipse`` drawn around the box so that its corners are hidden too.
        margin: how far it reaches over the box on each side, in parts of the box's side; 0-1.
    """

    style: RedactionStyle = "blur"
    shape: RedactionShape = "box"
    margin: float = 0.15


def draw_boxes(pixels: Pixels, found: Detections, *, scores: bool = True) -> Pixels:
    """A copy of the photo (H, W, 3) with each box and its score on it.

    Lines and letters grow with the photo, and stand on a dark edge so that they show on any ground.
    """
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    width = max(2, round(max(found.image_wh) / 400))
    font = ImageFont.load_default(size=max(11, 7 * width))
    for box, score in zip(boxes.clip(found.boxes_xyxy, found.image_wh), found.scores, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        pen.rectangle((x1 - 1, y1 - 1, x2, y2), outline=DARK_EDGE, width=width + 2)
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=DETECTION, width=width)
        if scores:
            _draw_tag(pen, (x1, y1), f"{score:.2f}", font)
    return np.asarray(image)


def draw_truth(pixels: Pixels, boxes_xyxy: FloatArray) -> Pixels:
    """A copy of the photo (H, W, 3) with the true faces (M, 4) outlined."""
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    h, w = pixels.shape[:2]
    width = max(2, round(max(w, h) / 100))
    for x1, y1, x2, y2 in boxes.clip(boxes_xyxy, (w, h)).tolist():
        pen.rectangle((x1 - 1, y1 - 1, x2, y2), outline=DARK_EDGE, width=width + 2)
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=TRUTH, width=width)
    return np.asarray(image)


def _draw_tag(
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    x, y = corner[0], max(0.0, corner[1] - (bottom - top) - 6)
    pen.rectangle((x, y, x + right - left + 6, y + bottom - top + 6), fill=DETECTION)
    pen.text((x + 3 - left, y + 3 - top), text, fill=DARK_EDGE, font=font)


def redact(pixels: Pixels, found: Detections, how: Redaction | None = None) -> Pixels:
    """A copy of the photo in which the faces cannot be brought back.

    Blur and pixelation first average the face down to at most 8 x 8 values and throw the rest
    away; what is painted is made of those values alone, so that no sharpening recovers a face.

    Args:
        pixels: (H, W, 3) uint8.
        found: the faces to hide, all of them; choose by indexing before.
        how: default `Redaction()`.
    """
    how = how or Redaction()
    out = pixels.copy()
    for box in found.boxes_xyxy:
        _redact_one(out, box, how)
    return out


def _redact_one(out: Pixels, box_xyxy: FloatArray, how: Redaction) -> None:
    h, w = out.shape[:2]
    x1, y1, x2, y2 = _region(box_xyxy, how, (w, h))
    if x1 >= x2 or y1 >= y2:
        return
    patch = out[y1:y2, x1:x2]
    side = float(max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1]))
    block = max(MIN_BLOCK_PX, int(np.ceil(side / MAX_BLOCKS)))
    hidden = _hidden(patch, block, how.style)
    if how.shape == "box":
        out[y1:y2, x1:x2] = hidden
    else:
        inside = _ellipse(_grown(box_xyxy, how), (x1, y1, x2, y2))
        patch[inside] = hidden[inside]


def _grown(box_xyxy: FloatArray, how: Redaction) -> FloatArray:
    # An ellipse through the corners of a box has axes longer by the square root of 2.
    margin = how.margin if how.shape == "box" else (1 + 2 * how.margin) * 2**0.5 / 2 - 0.5
    grown: FloatArray = boxes.expand(box_xyxy[None], margin)[0]
    return grown


def _region(
    box_xyxy: FloatArray, how: Redaction, image_wh: tuple[int, int]
) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = boxes.clip(_grown(box_xyxy, how)[None], image_wh)[0]
    return int(np.floor(x1)), int(np.floor(y1)), int(np.ceil(x2)), int(np.ceil(y2))


def _hidden(patch: Pixels, block: int, style: RedactionStyle) -> Pixels:
    if style == "fill":
        return np.zeros_like(patch)
    h, w = patch.shape[:2]
    # Rounded down, so that no block is smaller than asked for.
    few_wh = max(1, w // block), max(1, h // block)
    few = cv2.resize(patch, few_wh, interpolation=cv2.INTER_AREA)
    spread = cv2.INTER_NEAREST if style == "pixelate" else cv2.INTER_LINEAR
    return cv2.resize(few, (w, h), interpolation=spread).astype(np.uint8)


def _ellipse(box_xyxy: FloatArray, region: tuple[int, int, int, int]) -> np.ndarray:
    """Which pixels of `region` lie within the ellipse inscribed in the box: (h, w) bool."""
    x1, y1, x2, y2 = region
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    radius = np.maximum((box_xyxy[2:] - box_xyxy[:2]) / 2, 0.5)
    dx = (np.arange(x1, x2) + 0.5 - centre[0]) / radius[0]
    dy = (np.arange(y1, y2) + 0.5 - centre[1]) / radius[1]
    return np.asarray(dx[None, :] ** 2 + dy[:, None] ** 2 <= 1)
