"""Example photographs that come with installed packages: free to use, on disk without a network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from facedet.i18n import gettext as _
from facedet.images import encode, fit, read
from facedet.packages import package_file
from facedet.types import Pixels

GROUND_RGB = (58, 70, 78)
# The face in the photograph of Grace Hopper: a square about it, as the labels of 2015 have it.
HOPPER_FACE_XYXY = (162.0, 116.0, 378.0, 332.0)


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph: an id, a name for people, who made it, and its bytes on demand."""

    id: str
    title: str
    credit: str
    load: Callable[[], bytes]


def find_examples() -> list[Example]:
    """The examples whose packages are installed; may be empty."""
    astronaut = package_file("skimage", "data", "astronaut.png")
    hopper = package_file("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")
    cat = package_file("skimage", "data", "chelsea.png")
    rocket = package_file("skimage", "data", "rocket.jpg")
    nasa, navy = _("NASA, public domain"), _("US Navy, public domain")
    found = [
        ("astronaut", _("Eileen Collins, astronaut"), nasa, astronaut),
        ("hopper", _("Grace Hopper, computer scientist"), navy, hopper),
        ("cat", _("A cat: no human face"), _("Stéfan van der Walt, CC0"), cat),
        ("rocket", _("A rocket: no face at all"), _("SpaceX, public domain"), rocket),
    ]
    examples = [Example(i, t, c, path.read_bytes) for i, t, c, path in found if path]
    if astronaut and hopper:
        both = partial(_side_by_side, astronaut, hopper)
        credit = f"{nasa}; {navy}"
        examples.insert(0, Example("both", _("Two people on one canvas"), credit, both))
    return examples


def hopper_with_face_at(
    box_xyxy: tuple[float, float, float, float], image_wh: tuple[int, int]
) -> Pixels | None:
    """The photograph moved and scaled so that the face fills a square; None where it is missing.

    Args:
        box_xyxy: a square, in pixels of the result.
        image_wh: size of the result.
    """
    path = package_file("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")
    if path is None:
        return None
    scale = (box_xyxy[2] - box_xyxy[0]) / (HOPPER_FACE_XYXY[2] - HOPPER_FACE_XYXY[0])
    shift = [box_xyxy[k] - scale * HOPPER_FACE_XYXY[k] for k in range(2)]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    pixels = read(path).pixels
    moved = cv2.warpAffine(
        pixels, matrix, image_wh, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def _side_by_side(*paths: Path) -> bytes:
    """The photos next to each other at one height, with a frame: a JPEG of 1,200 x 760 at most."""
    photos = [_at_height(read(path).pixels, 600) for path in paths]
    edge = 40
    width = sum(p.shape[1] for p in photos) + edge * (len(photos) + 1)
    canvas = np.full((600 + 2 * edge, width, 3), GROUND_RGB, np.uint8)
    x = edge
    for photo in photos:
        h, w = photo.shape[:2]
        canvas[edge : edge + h, x : x + w] = photo
        x += w + edge
    return encode(canvas)


def _at_height(pixels: Pixels, height: int) -> Pixels:
    h, w = pixels.shape[:2]
    return fit(pixels, round(max(h, w) * min(1.0, height / h)))
