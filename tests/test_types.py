import numpy as np
import pytest

from facedet.types import Detections


def make(n: int) -> Detections:
    boxes = np.tile(np.array([1, 2, 3, 4], np.float32), (n, 1))
    return Detections(boxes, np.linspace(0.1, 0.9, n, dtype=np.float32), (10, 10))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_every_operation_works_for_any_number_of_faces(n: int) -> None:
    found = make(n)
    assert len(found) == n
    assert len(found.at_least(0.5)) == int((found.scores >= 0.5).sum())
    assert found[:0].boxes_xyxy.shape == (0, 4)
    assert found.best_first().scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_empty_has_the_right_shapes() -> None:
    found = Detections.empty((3, 2))
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.image_wh == (3, 2)


def test_a_threshold_means_the_same_number_as_in_float32() -> None:
    found = Detections(np.array([[0, 0, 1, 1]]), np.array([np.float32(0.6)]), (1, 1))
    assert len(found.at_least(0.6)) == 1


@pytest.mark.parametrize(
    ("boxes", "scores", "image_wh", "message"),
    [
        (np.zeros((1, 3)), [0.5], (1, 1), r"\(N, 4\)"),
        (np.zeros((2, 4)), [0.5], (1, 1), "2 boxes need scores"),
        ([[5, 0, 1, 1]], [0.5], (1, 1), "x1 <= x2"),
        ([[0, 0, np.nan, 1]], [0.5], (1, 1), "finite"),
        ([[0, 0, 1, 1]], [1.5], (1, 1), "0 to 1"),
        ([[0, 0, 1, 1]], [np.nan], (1, 1), "0 to 1"),
        ([[0, 0, 1, 1]], [0.5], (0, 1), "positive"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    boxes: object, scores: object, image_wh: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(np.asarray(boxes), np.asarray(scores), image_wh)


def test_nobody_can_change_shared_detections() -> None:
    found = make(2)
    with pytest.raises(ValueError, match="read-only"):
        found.boxes_xyxy[0, 0] = 7
