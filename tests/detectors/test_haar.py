import numpy as np

from facedet.detectors import load_catalogue
from facedet.detectors.haar import MAX_SIDE
from facedet.types import Pixels


def test_it_finds_both_people_and_scores_within_one(both_pixels: Pixels) -> None:
    found = load_catalogue().get("haar").load(0.0).detect(both_pixels)
    assert len(found) >= 2
    assert found.scores.max() <= 1
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_a_blank_photo_has_no_face() -> None:
    detector = load_catalogue().get("haar").load(0.0)
    for shape in ((1, 1), (40, 40), (10, MAX_SIDE + 100)):
        assert len(detector.detect(np.zeros((*shape, 3), np.uint8))) == 0
