"""Our whole path (decode, detect, `Detections`) beside bare OpenCV, and two cores beside one.

Photos alternate between the two ways, so that a machine that slows down slows both.
"""

import os
from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np

from benchmarks.data import validation_photos
from facedet.detectors import load_catalogue
from facedet.detectors.batch import detect_all
from facedet.detectors.yunet import NMS_IOU, TOP_K, find_weights
from facedet.images import decode, read

MIN_SCORE = 0.3
ROUNDS = 3


def run() -> dict[str, float]:
    figures = {**equality(), **overhead(), **cores()}
    for name, value in figures.items():
        print(f"{name:44} {value:10.4g}")
    return figures


def equality() -> dict[str, float]:
    """OpenCV called by hand on the pixels that we decoded: the same boxes and scores?"""
    detector = load_catalogue().get("yunet").load(MIN_SCORE)
    net = _net()
    different = faces = 0
    for path in validation_photos():
        pixels = read(path).pixels
        rows = _detect_by_hand(net, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        order = np.argsort(-rows[:, 14], kind="stable")
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)[order]
        found = detector.detect(pixels)
        same = np.array_equal(found.boxes_xyxy, boxes)
        same &= np.array_equal(found.scores, rows[order, 14])
        different += not same
        faces += len(found)
    return {"photos with other boxes than by hand": different, "faces compared": faces}


def overhead() -> dict[str, float]:
    """Seconds for all photos: bare `cv2.imdecode` + detect, and ours; files already in memory."""
    files = [path.read_bytes() for path in validation_photos()]
    detector = load_catalogue().get("yunet").load(MIN_SCORE)
    net = _net()

    def bare(data: bytes) -> None:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        _detect_by_hand(net, pixels)

    def ours(data: bytes) -> None:
        detector.detect(decode(data).pixels)

    ways = {"bare": bare, "ours": ours}
    rounds = [_alternate(ways, files) for _round in range(ROUNDS)]
    ratios = [times["ours"] / times["bare"] for times in rounds]
    return {
        "bare OpenCV, ms a photo": 1000 * np.median([t["bare"] for t in rounds]) / len(files),
        "our path, ms a photo": 1000 * np.median([t["ours"] for t in rounds]) / len(files),
        "our path / bare OpenCV (at most 1.3)": float(np.median(ratios)),
    }


def _alternate(ways: dict[str, Callable[[bytes], None]], files: list[bytes]) -> dict[str, float]:
    seconds = dict.fromkeys(ways, 0.0)
    for n, data in enumerate(files):
        names = list(ways) if n % 2 else list(ways)[::-1]
        for name in names:
            began = perf_counter()
            ways[name](data)
            seconds[name] += perf_counter() - began
    return seconds


def cores() -> dict[str, float]:
    """Photos a second of `detect DIR` on one core and on both."""
    if not hasattr(os, "sched_setaffinity"):
        return {}
    all_cores = os.sched_getaffinity(0)
    one = [_photos_per_second({min(all_cores)}) for _round in range(ROUNDS)]
    both = [_photos_per_second(all_cores) for _round in range(ROUNDS)]
    return {
        "one core, photos a second": float(np.median(one)),
        f"{len(all_cores)} cores, photos a second": float(np.median(both)),
        "all cores / one (at least 1.6)": float(np.median(both) / np.median(one)),
    }


def _photos_per_second(cores_used: set[int]) -> float:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores_used)
    try:
        detector = load_catalogue().get("yunet").load(MIN_SCORE)
        pictures = [(str(p), lambda p=p: read(p)) for p in validation_photos()]
        began = perf_counter()
        done = list(detect_all(pictures, "yunet", detector, workers=len(cores_used)))
        return len(done) / (perf_counter() - began)
    finally:
        os.sched_setaffinity(0, before)


def _net() -> cv2.FaceDetectorYN:
    path, _problem = find_weights()
    return cv2.FaceDetectorYN.create(str(path), "", (320, 320), MIN_SCORE, NMS_IOU, TOP_K)


def _detect_by_hand(net: cv2.FaceDetectorYN, bgr: np.ndarray) -> np.ndarray:
    net.setInputSize((bgr.shape[1], bgr.shape[0]))
    rows = net.detect(bgr)[1]
    return np.empty((0, 15), np.float32) if rows is None else rows
