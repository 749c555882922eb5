import numpy as np

from facedet.detectors.agreement import only_found_by, shared_faces
from facedet.types import Detections

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]


def found(*boxes: list[int]) -> Detections:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.full(len(boxes), 0.9, np.float32), (60, 20))


def test_nobody_found_anything() -> None:
    assert shared_faces([found(), found()]) == []


def test_faces_are_shared_one_to_one() -> None:
    faces = shared_faces([found(A, B), found(B, C), found(C)])
    assert [face.index_by_detector for face in faces] == [
        (0, None, None),
        (1, 0, None),
        (None, 1, 0),
    ]
    assert only_found_by(faces, 0) == [0]
    assert only_found_by(faces, 1) == []
    assert only_found_by(faces, 2) == []


def test_two_boxes_on_one_face_match_it_once() -> None:
    faces = shared_faces([found(A), found(A, [1, 0, 11, 10])])
    assert [face.finders for face in faces] == [[0, 1], [1]]
