"""The photographs of the practice dataset: plans, pixels, and boxes that a detector confirms."""

import hashlib

import numpy as np
import pytest

from facedet.boxes import match_one_to_one
from facedet.detectors import load_catalogue
from facedet.errors import PracticeError
from facedet.practice import backdrops
from facedet.practice import studio as studio_module
from facedet.practice.cast import cast
from facedet.practice.overlays import lay
from facedet.practice.portraits import Look, outline
from facedet.practice.shapes import FRAME_WH, Shape, bend
from facedet.practice.sitters import body_of, head_of, sitters
from facedet.practice.studio import MAX_GROUP, CastStudio, Shot, portrait_of
from facedet.types import Detections, Pixels


@pytest.fixture(scope="module")
def studio() -> CastStudio:
    return CastStudio(24, seed=0)


def plans(studio: CastStudio, n: int, faces: int, seed: int = 7) -> list[Shot]:
    rng = np.random.default_rng(seed)
    return [studio.plan(studio.people[i % 24], rng, faces) for i in range(n)]


def found_in(pixels: Pixels) -> Detections:
    entry = load_catalogue().get("yunet")
    return entry.load().detect(pixels).at_least(entry.default_score)


def digest(pixels: Pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


@pytest.mark.parametrize("faces", [0, 1, 2, 3, 4])
def test_a_shot_has_as_many_faces_as_asked_for(studio: CastStudio, faces: int) -> None:
    for shot in plans(studio, 20, faces):
        assert shot.boxes_xyxy.shape == (faces, 4)
        assert (shot.subject is None) == (faces == 0)
        assert shot.subject is None or 0 <= shot.subject < faces


@pytest.mark.parametrize("faces", [1, 2, 3, 4])
def test_every_face_lies_in_the_picture_and_is_large_enough(studio: CastStudio, faces: int) -> None:
    for shot in plans(studio, 60, faces):
        sides = shot.boxes_xyxy[:, 2:] - shot.boxes_xyxy[:, :2]
        assert sides.min() >= 28
        assert shot.boxes_xyxy.min() >= 0
        assert (shot.boxes_xyxy[:, 2:] <= shot.image_wh).all()


def test_a_face_at_the_edge_is_nearly_whole_and_found(
    studio: CastStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_module, "EDGE_SHARE", 1.0)
    found = 0
    for shot in plans(studio, 24, 1):
        x1, y1, x2, y2 = shot.boxes_xyxy[0]
        assert x1 < 0.1 * (x2 - x1)
        assert x2 - x1 > 0.5 * (y2 - y1)
        found += len(match_one_to_one(shot.boxes_xyxy, found_in(studio.render(shot)).boxes_xyxy))
    assert found >= 23


@pytest.mark.parametrize("faces", [2, 3, 4])
def test_faces_in_a_group_do_not_overlap(studio: CastStudio, faces: int) -> None:
    for shot in plans(studio, 60, faces):
        lefts, rights = shot.boxes_xyxy[:, 0], shot.boxes_xyxy[:, 2]
        rows = shot.boxes_xyxy[:, 1::2]
        for i in range(faces):
            for j in range(i + 1, faces):
                beside = min(rights[i], rights[j]) <= max(lefts[i], lefts[j])
                above = min(rows[i, 1], rows[j, 1]) <= max(rows[i, 0], rows[j, 0])
                assert beside or above


def test_more_faces_than_fit_become_the_largest_group(studio: CastStudio) -> None:
    assert len(plans(studio, 1, 9)[0].boxes_xyxy) == MAX_GROUP


def test_one_person_alone_can_still_be_a_group() -> None:
    studio = CastStudio(1, seed=0)
    shot = studio.plan(studio.people[0], np.random.default_rng(0), faces=3)
    assert len(shot.boxes_xyxy) == 3


def test_the_same_seed_makes_the_same_pixels_from_nothing(studio: CastStudio) -> None:
    before = [digest(studio.render(plans(studio, 2, faces)[1])) for faces in (0, 1, 3)]
    for cached in (sitters, head_of, body_of, portrait_of):
        cached.cache_clear()
    other = CastStudio(24, seed=0)
    assert before == [digest(other.render(plans(other, 2, faces)[1])) for faces in (0, 1, 3)]


def test_rendering_twice_gives_the_same_pixels(studio: CastStudio) -> None:
    shot = plans(studio, 1, 2)[0]
    assert digest(studio.render(shot)) == digest(studio.render(shot))


def test_pixels_are_of_the_size_that_was_planned(studio: CastStudio) -> None:
    for faces in (0, 1, 2):
        shot = plans(studio, 1, faces)[0]
        pixels = studio.render(shot)
        assert pixels.shape == (shot.image_wh[1], shot.image_wh[0], 3)
        assert pixels.dtype == np.uint8


def test_two_pictures_of_a_person_differ(studio: CastStudio) -> None:
    shots = [plans(studio, 1, 1, seed)[0] for seed in range(6)]
    assert len({digest(studio.render(shot)) for shot in shots}) == 6


def test_yunet_finds_the_faces_where_the_truth_says(studio: CastStudio) -> None:
    truth = hits = surprises = 0
    shots = plans(studio, 36, 1) + plans(studio, 14, 2) + plans(studio, 10, 3)
    for shot in shots:
        found = found_in(studio.render(shot))
        pairs = match_one_to_one(shot.boxes_xyxy, found.boxes_xyxy)
        truth, hits = truth + len(shot.boxes_xyxy), hits + len(pairs)
        surprises += len(found) > len(pairs)
    assert hits / truth >= 0.95
    assert surprises <= 3


def test_yunet_finds_nothing_where_nobody_is(studio: CastStudio) -> None:
    assert sum(len(found_in(studio.render(s))) > 0 for s in plans(studio, 30, 0)) <= 1


def test_names_are_file_stems_and_each_is_one_person(studio: CastStudio) -> None:
    assert len(set(studio.people)) == 24
    assert all(name.isascii() and " " not in name and "/" not in name for name in studio.people)


def test_the_first_people_stay_when_more_are_asked_for() -> None:
    assert cast(30, 5)[:3] == cast(3, 5)
    assert cast(3, 5)[0] != cast(3, 6)[0]


def test_a_cast_larger_than_the_list_of_names_has_names_too() -> None:
    assert len({member.name for member in cast(120, 0)}) == 120


def test_a_studio_without_people_is_refused() -> None:
    with pytest.raises(PracticeError, match="0 people are too few"):
        CastStudio(0, seed=0)


def test_a_stranger_is_refused_by_name(studio: CastStudio) -> None:
    with pytest.raises(PracticeError, match="Nobody_Known"):
        studio.plan("Nobody_Known", np.random.default_rng(0))


def test_a_portrait_bends_its_outline_as_it_bends_its_pixels() -> None:
    shape = Shape(jaw=1.2, length=1.0, cheeks=-1.0, hair=1.0)
    points = (outline(Look()), outline(Look(shape=shape)))
    marks = np.zeros((FRAME_WH[1], FRAME_WH[0], 4), np.uint8)
    x, y = points[0][12].round().astype(int)  # at the chin
    marks[y - 2 : y + 3, x - 2 : x + 3] = 255
    bent = bend(marks, shape)[..., 0].astype(float)
    ys, xs = np.nonzero(bent > 100)
    assert np.abs(points[1][12] - points[0][12]).max() > 6
    np.testing.assert_allclose([xs.mean(), ys.mean()], points[1][12], atol=1.5)


@pytest.mark.parametrize("kind", sorted({*backdrops.KINDS, *backdrops.EMPTY_KINDS}))
def test_every_background_can_be_painted_narrow_and_wide(kind: str) -> None:
    for size in ((160, 240), (333, 120)):
        assert backdrops.paint(kind, size, seed=3).shape == (size[1], size[0], 3)
        assert backdrops.paint(kind, size, seed=3, sharp=True).any()


@pytest.mark.parametrize("kind", ["none", "frame", "caption", "magazine", "watermark", "stamp"])
def test_overlays_keep_off_the_faces(kind: str) -> None:
    pixels = np.full((300, 240, 3), 99, np.uint8)
    lay(pixels, kind, np.array([[80, 60, 160, 170]], np.float32), seed=4)  # type: ignore[arg-type]
    assert (pixels[60:170, 80:160] == 99).all()
