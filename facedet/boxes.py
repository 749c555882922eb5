"""Pixel maths on boxes: float32 xyxy, pixels of the upright image, x2/y2 exclusive.

Every function takes (N, 4) arrays, N = 0 included, and returns new ones.
"""

import numpy as np
import numpy.typing as npt

from facedet.types import FloatArray


def areas(boxes_xyxy: FloatArray) -> FloatArray:
    """Area of each box in square pixels: (N, 4) -> (N,)."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]  # (N, 2)
    return np.asarray(sides[:, 0] * sides[:, 1])


def iou_matrix(a_xyxy: FloatArray, b_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of each pair, 0-1: (N, 4), (M, 4) -> (N, M). Empty boxes give 0."""
    top_left = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])  # (N, M, 2)
    bottom_right = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    inter = sides[..., 0] * sides[..., 1]  # (N, M)
    union = areas(a_xyxy)[:, None] + areas(b_xyxy)[None, :] - inter
    iou: FloatArray = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return iou


def clip(boxes_xyxy: FloatArray, image_wh: tuple[int, int]) -> FloatArray:
    """The part of each box within the image; a box outside it becomes empty at the edge."""
    w, h = image_wh
    return np.clip(boxes_xyxy, 0, np.array([w, h, w, h], np.float32))


def expand(boxes_xyxy: FloatArray, margin: float) -> FloatArray:
    """Each box grown on all sides by `margin` of its width and height (0.1: a fifth wider)."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    grown = np.concatenate([-sides, sides], axis=1) * np.float32(margin)
    return boxes_xyxy + grown


def xywh_to_xyxy(boxes_xywh: FloatArray) -> FloatArray:
    """Left, top, width, height -> left, top, right, bottom."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def match_one_to_one(
    a_xyxy: FloatArray, b_xyxy: FloatArray, min_iou: float = 0.5
) -> list[tuple[int, int]]:
    """Pairs (i, j) of boxes that mean the same face: best IoU first, each box once.

    Args:
        a_xyxy, b_xyxy: (N, 4) and (M, 4).
        min_iou: pairs below it are not the same face; 0-1.
    """
    iou = iou_matrix(a_xyxy, b_xyxy)
    rows, cols = np.nonzero(iou >= min_iou)
    order = np.argsort(-iou[rows, cols], kind="stable")
    pairs: list[tuple[int, int]] = []
    used_a: set[int] = set()
    used_b: set[int] = set()
    for i, j in zip(rows[order].tolist(), cols[order].tolist(), strict=True):
        if i not in used_a and j not in used_b:
            pairs.append((i, j))
            used_a.add(i)
            used_b.add(j)
    return pairs


def as_boxes(values: npt.ArrayLike) -> FloatArray:
    """Any list of four-number rows, the empty one too, as an (N, 4) float32 array."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 4)
