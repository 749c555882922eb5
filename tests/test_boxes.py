import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedet import boxes
from facedet.boxes import as_boxes

EMPTY = as_boxes([])


def iou_by_counting(a: list[int], b: list[int]) -> float:
    """A readable oracle: paint both boxes on a grid and count the cells."""
    grid = np.zeros((2, 32, 32), bool)
    for layer, (x1, y1, x2, y2) in zip(grid, (a, b), strict=True):
        layer[y1:y2, x1:x2] = True
    union = (grid[0] | grid[1]).sum()
    return float((grid[0] & grid[1]).sum() / union) if union else 0.0


corner = st.integers(0, 31)
box = st.tuples(corner, corner, corner, corner).map(
    lambda t: [min(t[0], t[2]), min(t[1], t[3]), max(t[0], t[2]), max(t[1], t[3])]
)


@given(box, box)
def test_iou_equals_counting_cells(a: list[int], b: list[int]) -> None:
    assert boxes.iou_matrix(as_boxes([a]), as_boxes([b]))[0, 0] == pytest.approx(
        iou_by_counting(a, b), abs=1e-6
    )


def test_no_boxes_give_no_values() -> None:
    one = as_boxes([[0, 0, 1, 1]])
    assert boxes.iou_matrix(EMPTY, one).shape == (0, 1)
    assert boxes.iou_matrix(one, EMPTY).shape == (1, 0)
    assert boxes.areas(EMPTY).shape == (0,)
    assert boxes.match_one_to_one(EMPTY, one) == []
    for same in (boxes.clip(EMPTY, (5, 5)), boxes.expand(EMPTY, 0.1), boxes.xywh_to_xyxy(EMPTY)):
        assert same.shape == (0, 4)


def test_clip_keeps_what_lies_within() -> None:
    clipped = boxes.clip(as_boxes([[-5, 2, 30, 40], [20, 20, 30, 30]]), (10, 20))
    assert clipped.tolist() == [[0, 2, 10, 20], [10, 20, 10, 20]]


def test_expand_grows_each_side_by_its_part() -> None:
    assert boxes.expand(as_boxes([[10, 10, 20, 30]]), 0.1).tolist() == [[9, 8, 21, 32]]


def test_each_box_is_matched_once_and_the_best_pair_first() -> None:
    a = as_boxes([[0, 0, 10, 10], [1, 0, 11, 10]])
    b = as_boxes([[1, 0, 11, 10], [50, 50, 60, 60]])
    assert boxes.match_one_to_one(a, b) == [(1, 0)]


def test_pairs_below_the_iou_are_no_pairs() -> None:
    a, b = as_boxes([[0, 0, 10, 10]]), as_boxes([[5, 0, 15, 10]])
    assert boxes.match_one_to_one(a, b, min_iou=0.5) == []
    assert boxes.match_one_to_one(a, b, min_iou=0.3) == [(0, 0)]
