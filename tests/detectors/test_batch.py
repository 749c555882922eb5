import threading
from collections.abc import Iterator

import numpy as np
import pytest

from facedet.detectors.batch import AHEAD, detect_all, detections_of
from facedet.errors import DamagedImageError
from facedet.images import Photo
from facedet.types import Detections, Pixels


class WidthDetector:
    """Finds one face whose box is as wide as the photo: so that mixed-up results would show."""

    def detect(self, pixels: Pixels) -> Detections:
        h, w = pixels.shape[:2]
        return Detections(np.array([[0, 0, w, h]]), np.array([0.5]), (w, h))

    def detect_many(self, photos: list[Pixels]) -> list[Detections]:
        return [self.detect(photo) for photo in photos]


def photo(width: int) -> Photo:
    return Photo(np.zeros((4, width, 3), np.uint8), "PNG")


def broken() -> Photo:
    raise DamagedImageError("it is damaged")


@pytest.mark.parametrize("n", [0, 1, 30])
def test_results_keep_their_order_and_their_photo(n: int) -> None:
    pictures = [(f"{k}", lambda k=k: photo(k + 1)) for k in range(n)]
    results = list(detect_all(pictures, "width", WidthDetector(), workers=4))
    assert [result.name for result in results] == [f"{k}" for k in range(n)]
    widths = [r.found.boxes_xyxy[0, 2] for r in results if r.found is not None]
    assert widths == list(range(1, n + 1))


def test_a_broken_picture_is_a_row_and_the_others_go_on() -> None:
    pictures = [("good", lambda: photo(3)), ("bad", broken), ("also good", lambda: photo(5))]
    rows = [r.to_json() for r in detect_all(pictures, "width", WidthDetector())]
    assert [row["error"] for row in rows] == [None, "it is damaged", None]
    assert rows[1]["faces"] == []
    assert rows[1]["width"] is None


def test_pictures_are_taken_only_as_they_are_needed() -> None:
    taken: list[int] = []

    def endless() -> Iterator[tuple[str, object]]:
        n = 0
        while True:
            taken.append(n)
            yield str(n), lambda: photo(1)
            n += 1

    results = detect_all(endless(), "width", WidthDetector(), workers=2)  # type: ignore[arg-type]
    for _k in range(5):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 5 + 2 * AHEAD


def test_use_sees_each_decoded_photo_in_a_worker() -> None:
    seen: dict[str, str] = {}

    def use(given: Photo, result: object) -> None:
        seen[result.name] = threading.current_thread().name  # type: ignore[attr-defined]
        assert given.image_wh[1] == 4

    pictures = [("good", lambda: photo(3)), ("bad", broken)]
    list(detect_all(pictures, "width", WidthDetector(), use=use))
    assert list(seen) == ["good"]
    assert seen["good"] != threading.main_thread().name


def test_json_holds_the_exact_numbers() -> None:
    third = np.float32(1) / 3
    found = Detections(np.array([[third, 0, 2, 3]]), np.array([third]), (9, 9))
    [result] = detect_all([("a", lambda: photo(1))], "m", WidthDetector())
    row = {**result.to_json(), "faces": [], "width": 9, "height": 9}
    row["faces"] = [{"x1": float(third), "y1": 0.0, "x2": 2.0, "y2": 3.0, "score": float(third)}]
    np.testing.assert_array_equal(detections_of(row).boxes_xyxy, found.boxes_xyxy)
