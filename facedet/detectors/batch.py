"""One detector over many pictures: a failure is a row, the order is kept, all cores work."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from facedet.boxes import as_boxes
from facedet.detectors.base import Detector
from facedet.errors import ImageError, shown_name
from facedet.i18n import gettext as _
from facedet.images import Photo
from facedet.types import Detections

AHEAD = 2  # pictures in flight a worker; keeps cores busy without holding a folder in memory


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What became of one picture; `error` is None, or one line, and then there are no faces.

    Args:
        name: the picture's path or file name.
        model: the detector's name.
        found: the faces; None where the picture could not be read.
        decode_s, detect_s: seconds for each half of the work.
    """

    name: str
    model: str
    found: Detections | None
    decode_s: float = 0.0
    detect_s: float = 0.0
    error: str | None = None

    def to_json(self, min_score: float = 0.0) -> dict[str, Any]:
        """The contract's form of one picture; faces below `min_score` are left out."""
        w, h = self.found.image_wh if self.found is not None else (None, None)
        kept = self.found.at_least(min_score) if self.found is not None else None
        return {
            "image": self.name,
            "width": w,
            "height": h,
            "model": self.model,
            "seconds": round(self.decode_s + self.detect_s, 6),
            "decode_seconds": round(self.decode_s, 6),
            "detect_seconds": round(self.detect_s, 6),
            "faces": faces_json(kept),
            "error": self.error,
        }


def faces_json(found: Detections | None) -> list[dict[str, float]]:
    """Each face as ``{"x1", "y1", "x2", "y2", "score"}``; the numbers are exactly the float32s."""
    if found is None:
        return []
    keys = ("x1", "y1", "x2", "y2", "score")
    return [
        dict(zip(keys, [*map(float, box), float(score)], strict=True))
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True)
    ]


def detections_of(row: Mapping[str, Any]) -> Detections:
    """The faces of a row that `Result.to_json` made and that has no error."""
    faces = row["faces"]
    boxes_xyxy = as_boxes([[face[key] for key in ("x1", "y1", "x2", "y2")] for face in faces])
    scores = np.array([face["score"] for face in faces], np.float32)
    return Detections(boxes_xyxy, scores, (row["width"], row["height"]))


def detect_one(
    read: Callable[[], Photo],
    name: str,
    model: str,
    detector: Detector,
    use: Callable[[Photo, Result], None] | None = None,
) -> Result:
    """Decode one picture and find its faces; where either fails, an error row.

    Args:
        read: decodes it.
        use: what else to do with the decoded picture (draw and write a copy), before it is let go.
    """
    start = perf_counter()
    try:
        photo = read()
    except ImageError as error:
        return Result(name, model, None, decode_s=perf_counter() - start, error=str(error))
    decoded = perf_counter()
    try:
        found = detector.detect(photo.pixels)
    except Exception as error:  # A border: whatever one photo does to a network, others go on.
        reason = _("{name}: the detector failed on it ({reason})").format(
            name=shown_name(name), reason=shown_name(str(error) or type(error).__name__)
        )
        return Result(name, model, None, decode_s=decoded - start, error=reason)
    result = Result(name, model, found, decoded - start, perf_counter() - decoded)
    if use is not None:
        use(photo, result)
    return result


def detect_all(
    pictures: Iterable[tuple[str, Callable[[], Photo]]],
    model: str,
    detector: Detector,
    workers: int | None = None,
    use: Callable[[Photo, Result], None] | None = None,
) -> Iterator[Result]:
    """One `Result` a picture, in order, worked on by `workers` threads (default: all cores).

    Args:
        pictures: a name and a function that decodes; taken lazily, so that any number will do.
        use: see `detect_one`; it runs in the worker threads.
    """
    workers = workers or os.cpu_count() or 1
    pending: deque[Future[Result]] = deque()
    todo = iter(pictures)
    # One thread a picture beats many threads within one: OpenCV's own would only get in the way.
    with _opencv_threads(1), ThreadPoolExecutor(workers) as pool:

        def submit(n: int) -> None:
            for name, read in islice(todo, n):
                pending.append(pool.submit(detect_one, read, name, model, detector, use))

        submit(workers * AHEAD)
        try:
            while pending:
                yield pending.popleft().result()
                submit(1)
        finally:
            for future in pending:
                future.cancel()


class _opencv_threads:  # noqa: N801 - reads as a statement
    """Sets OpenCV's process-wide number of threads for a `with` block."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __enter__(self) -> None:
        self._before = cv2.getNumThreads()
        cv2.setNumThreads(self._n)

    def __exit__(self, *_error: object) -> None:
        cv2.setNumThreads(self._before)
