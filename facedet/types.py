"""`Detections`: the one value that flows from every detector to every picture, table and export."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB, 0-255, upright
Index = slice | npt.NDArray[np.bool_] | npt.NDArray[np.intp] | list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N faces in one photo, best first or in any other order; N = 0 is ordinary.

    Filtering reads as algebra: ``found[found.scores > 0.5]``, ``found.at_least(0.5)[:10]``.

    Args:
        boxes_xyxy: (N, 4) float32, pixels of the upright photo, x2/y2 exclusive, ``x1 <= x2`` and
            ``y1 <= y2``. A box may reach over the photo's edge: it stays as the detector gave it.
        scores: (N,) float32, 0-1.
        image_wh: width and height of the upright photo in pixels.

    Raises:
        ValueError: where shapes, lengths, order or range are not as said; it names what it got.
    """

    boxes_xyxy: FloatArray
    scores: FloatArray
    image_wh: tuple[int, int]

    def __post_init__(self) -> None:
        boxes = _frozen(self.boxes_xyxy)
        scores = _frozen(self.scores)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes_xyxy must have shape (N, 4), got {boxes.shape}")
        if scores.shape != (len(boxes),):
            raise ValueError(f"{len(boxes)} boxes need scores of shape (N,), got {scores.shape}")
        if not np.isfinite(boxes).all() or (boxes[:, :2] > boxes[:, 2:]).any():
            raise ValueError("boxes_xyxy must be finite with x1 <= x2 and y1 <= y2")
        if not ((scores >= 0) & (scores <= 1)).all():  # NaN fails both
            raise ValueError("scores must lie within 0 to 1")
        if min(self.image_wh) < 1:
            raise ValueError(f"image_wh must be positive, got {self.image_wh}")
        object.__setattr__(self, "boxes_xyxy", boxes)
        object.__setattr__(self, "scores", scores)

    @classmethod
    def empty(cls, image_wh: tuple[int, int]) -> Self:
        """Nothing found."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), image_wh)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Index) -> "Detections":
        return Detections(self.boxes_xyxy[index], self.scores[index], self.image_wh)

    def at_least(self, score: float) -> "Detections":
        """Those with a score of `score` or more."""
        # As float32, for 0.6 must mean the same number as in the detector's own threshold.
        return self[self.scores >= np.float32(score)]

    def best_first(self) -> "Detections":
        """Ordered by falling score; equal scores keep their order."""
        return self[np.argsort(-self.scores, kind="stable")]


def _frozen(values: npt.ArrayLike) -> FloatArray:
    """A read-only float32 view: detections are shared between sessions through caches."""
    array = np.asarray(values, dtype=np.float32).view()
    array.flags.writeable = False
    return array
