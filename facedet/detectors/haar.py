"""Haar cascade: Viola and Jones, *Rapid object detection using a boosted cascade of simple
features*, CVPR 2001, as OpenCV ships it. The detector that one used before neural networks.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facedet.boxes import as_boxes, xywh_to_xyxy
from facedet.detectors.base import Detector, Entry, Pool
from facedet.i18n import gettext as _
from facedet.types import Detections, FloatArray, Pixels

SCALE_STEP = 1.1
MIN_NEIGHBOURS = 3
MAX_SIDE = 2048  # a 12-megapixel photo would take seconds; faces under 1 % of it are lost

# The last stage's weight (about -2 to 14) has no upper end. This squashes it into 0-1 without
# changing the order; it is a rank, not a probability.
WEIGHT_AT_HALF = 3.0
WEIGHT_SCALE = 1.5


class Haar:
    """OpenCV's frontal-face cascade; `min_score` is on the squashed scale, 0-1."""

    def __init__(self, cascade: Path, min_score: float) -> None:
        self._min_score = min_score
        self._pool: Pool[cv2.CascadeClassifier] = Pool(
            lambda: cv2.CascadeClassifier(str(cascade)), os.cpu_count() or 1
        )

    def detect(self, pixels: Pixels) -> Detections:
        """See `Detector`."""
        h, w = pixels.shape[:2]
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        scale = min(1.0, MAX_SIDE / max(h, w))
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        with self._pool.borrow() as cascade:
            found, _levels, weights = cascade.detectMultiScale3(
                gray, SCALE_STEP, MIN_NEIGHBOURS, outputRejectLevels=True
            )
        boxes_xyxy = xywh_to_xyxy(as_boxes(found)) / np.float32(scale)
        detections = Detections(boxes_xyxy, _squash(np.ravel(weights)), (w, h))
        return detections.at_least(self._min_score).best_first()

    def detect_many(self, photos: Sequence[Pixels]) -> list[Detections]:
        """See `Detector`."""
        return [self.detect(pixels) for pixels in photos]


def _squash(weights: np.ndarray) -> FloatArray:
    return (1 / (1 + np.exp(-(weights - WEIGHT_AT_HALF) / WEIGHT_SCALE))).astype(np.float32)


def entries() -> list[Entry]:
    """The one cascade."""
    data = getattr(cv2, "data", None)  # OpenCV 5 has neither the files nor the class.
    path = Path(data.haarcascades, "haarcascade_frontalface_default.xml") if data else None
    found = path is not None and path.is_file() and hasattr(cv2, "CascadeClassifier")

    def build(min_score: float) -> Detector:
        assert path is not None
        return Haar(path, min_score)

    return [
        Entry(
            name="haar",
            title=_("Haar cascade"),
            family="haar",
            good_at=_("frontal faces in good light; a piece of history from 2001"),
            bad_at=_("turned, tilted or small faces; finds faces in textures"),
            source="OpenCV, haarcascade_frontalface_default.xml",
            licence="Intel License Agreement (BSD style), in the file",
            size_bytes=path.stat().st_size if found and path else 0,
            default_score=0.5,
            problem=None if found else _("this OpenCV has no Haar cascades; use 4.14 or later 4.x"),
            build=build,
        )
    ]
