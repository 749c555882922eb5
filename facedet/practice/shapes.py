"""The frame that all portraits are made in, and how a face in it is bent."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FRAME_WH = (720, 600)
ORIGIN_XY = (130.0, 0.0)  # where the second photograph's corner lies in the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a face is bent; each about -1.5 to 1.5, 0 leaves it."""

    jaw: float = 0.0
    length: float = 0.0
    cheeks: float = 0.0
    nose_width: float = 0.0
    nose_length: float = 0.0
    eyes_apart: float = 0.0
    eyes_size: float = 0.0
    brows: float = 0.0
    mouth_width: float = 0.0
    smile: float = 0.0
    hair: float = 0.0
    hair_length: float = 0.0
    fringe: float = 0.0
    shoulders: float = 0.0


# A bump: centre, width (both in the second photograph's pixels), and how far a value of 1 moves it.
Bump = tuple[float, float, float, float, float]
_BUMPS: dict[str, list[Bump]] = {
    "jaw": [(192, 285, 34, -9, 0), (334, 285, 34, 9, 0)],
    "length": [(262, 330, 60, 0, 14), (262, 285, 40, 0, 6)],
    "cheeks": [(190, 225, 32, -8, 0), (340, 225, 32, 8, 0)],
    "nose_width": [(244, 240, 14, -4.5, 0), (286, 240, 14, 4.5, 0)],
    "nose_length": [(264, 240, 22, 0, 8)],
    "eyes_apart": [(218, 189, 24, -5, 0), (304, 189, 24, 5, 0)],
    "brows": [(215, 165, 20, 0, -5), (306, 165, 20, 0, -5)],
    "mouth_width": [(228, 276, 20, -7, 0), (304, 276, 20, 7, 0)],
    "smile": [(226, 272, 18, 0, -6), (306, 272, 18, 0, -6), (265, 290, 18, 0, 3)],
    "hair": [(140, 150, 48, -17, -4), (393, 150, 48, 17, -4), (262, 40, 60, 0, -14)],
    "hair_length": [(140, 238, 37, 0, 33), (388, 246, 37, 0, 33)],
    "fringe": [(240, 130, 34, 0, 9), (300, 140, 34, 0, 9)],
    "shoulders": [(90, 420, 90, -20, 0), (430, 420, 90, 20, 0)],
}


def displacement(shape: Shape, points_xy: np.ndarray) -> np.ndarray:
    """Where the pixel at each point comes from, relative to it: (..., 2) -> (..., 2)."""
    out = np.zeros_like(points_xy)
    at = points_xy - np.array(ORIGIN_XY, points_xy.dtype)
    for name, bumps in _BUMPS.items():
        value = getattr(shape, name)
        for x, y, width, dx, dy in bumps if value else ():
            near = np.exp(-((at[..., 0] - x) ** 2 + (at[..., 1] - y) ** 2) / (2 * width**2))
            out[..., 0] -= value * dx * near
            out[..., 1] -= value * dy * near
    if shape.eyes_size:
        for x, y in ((218, 190), (303, 190)):
            away = at - np.array([x, y], at.dtype)
            near = np.exp(-(away**2).sum(axis=-1, keepdims=True) / (2 * 17.0**2))
            out -= np.float32(0.16 * shape.eyes_size) * near * away
    return out


def bend(rgba: npt.NDArray[np.uint8], shape: Shape) -> npt.NDArray[np.uint8]:
    """A picture of the frame, (H, W, 4), bent as the shape says."""
    w, h = FRAME_WH
    xs, ys = np.meshgrid(np.arange(0, w, 8) + 3.5, np.arange(0, h, 8) + 3.5)
    coarse = np.stack([xs, ys], axis=-1).astype(np.float32)  # (h/8, w/8, 2)
    shift = cv2.resize(displacement(shape, coarse), (w, h), interpolation=cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    out = cv2.remap(rgba, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR)
    return np.asarray(out)
