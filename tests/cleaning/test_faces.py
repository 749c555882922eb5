import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facedet.boxes import as_boxes, iou_matrix
from facedet.cleaning import faces
from facedet.cleaning.cleaner import Cleaner, Setting, Value
from facedet.cleaning.faces import Faces, as_cell, best_label_iou, lie_on_a_label, pairs_of
from facedet.cleaning.pictures import Labels, read_labels
from facedet.cleaning.table import judge
from facedet.detectors import load_catalogue
from facedet.images import decode
from facedet.types import Detections
from tests.cleaning.made import as_file, frame, photo, picture, write_files

HERE, THERE = "0.9 10 10 50 50;", "0.8 100 10 140 50;"


@pytest.fixture
def yunet() -> Cleaner:
    return faces.yunet()


def judged(
    folder: Path, found: dict[str, str], labels: str = "", **thresholds: Setting
) -> pd.DataFrame:
    """Verdicts on pictures by name, with cells of faces, and rows of labels."""
    if labels:
        write_files(folder, {"labels.csv": f"image_path,x1,y1,x2,y2,ignore\n{labels}".encode()})
    rows: list[dict[str, Value]] = [
        {"image_path": name, "width": 200, "height": 100, "found": cell}
        for name, cell in found.items()
    ]
    cleaner = faces.yunet()
    return judge(cleaner, frame(cleaner, rows), read_labels(folder), thresholds)


def test_nothing_is_wrong_with_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, {}).empty


@pytest.mark.parametrize(
    ("cell", "labels", "reason"),
    [
        ("", "", "no_face"),
        ("0.5 10 10 50 50;", "", "no_face"),
        (HERE, "", ""),
        (HERE + THERE, "", ""),
        (HERE, "a.jpg,12,12,52,52,\n", ""),
        (HERE, "./a.jpg,12,12,52,52,\n", ""),
        (HERE, "a.jpg,100,10,140,50,\n", "does_not_fit"),
        (HERE + THERE, "a.jpg,12,12,52,52,\n", "unlabelled_face"),
        (HERE + THERE, "a.jpg,12,12,52,52,\na.jpg,100,10,140,50,\n", ""),
        (HERE + THERE, "a.jpg,12,12,52,52,\na.jpg,100,10,140,50,1\n", ""),
        (HERE, "a.jpg,,,,,\n", "unlabelled_face"),
        (HERE, "b.jpg,100,10,140,50,\n", ""),
        ("", "a.jpg,100,10,140,50,\n", "no_face"),
        (HERE, "a.jpg,100,10,140,50,1\n", ""),
    ],
)
def test_the_rules(tmp_path: Path, cell: str, labels: str, reason: str) -> None:
    assert judged(tmp_path, {"a.jpg": cell}, labels)["reason"].tolist() == [reason]


@pytest.mark.parametrize(
    ("thresholds", "reason"),
    [
        ({"min_score": 0.95}, "no_face"),
        ({"min_score": 0.9}, ""),
        ({"min_side": 41}, "no_face"),
        ({"min_iou": 0.9}, "does_not_fit"),
        ({"min_iou": 0.9, "does_not_fit": False}, ""),
    ],
)
def test_thresholds_act_on_what_was_measured(
    tmp_path: Path, thresholds: dict[str, Setting], reason: str
) -> None:
    table = judged(tmp_path, {"a.jpg": HERE}, "a.jpg,12,12,52,52,\n", **thresholds)
    assert table["reason"].tolist() == [reason]


def test_an_edited_label_counts_at_once(tmp_path: Path) -> None:
    for label, reason in (("100,9,140,50", "does_not_fit"), ("10,10,50,50", "")):
        table = judged(tmp_path, {"a.jpg": HERE}, f"a.jpg,{label},\n")
        assert table["reason"].tolist() == [reason]


def test_values_beside_the_verdict_say_how_near_it_was(tmp_path: Path) -> None:
    table = judged(tmp_path, {"a.jpg": HERE + THERE, "b.jpg": ""}, "a.jpg,10,10,50,30,\n")
    assert table["best_score"].tolist() == pytest.approx([0.9, np.nan], nan_ok=True)
    assert table["label_iou"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert table["faces"].tolist() == [2, 0]


def random_faces(rng: np.random.Generator, n: int) -> Faces:
    corner = rng.uniform(0, 50, (n, 2))
    boxes = as_boxes(np.concatenate([corner, corner + rng.uniform(5, 60, (n, 2))], axis=1))
    scores = np.where(rng.random(n) < 0.8, 1, 0).astype(np.float32)
    return Faces(np.sort(rng.integers(0, 12, n)), boxes, scores)


@pytest.mark.parametrize("n", [0, 1, 40])
def test_many_pictures_at_once_are_as_one_after_the_other(n: int) -> None:
    rng = np.random.default_rng(n)
    found, labelled = random_faces(rng, 2 * n), random_faces(rng, n)
    best, on_it = best_label_iou(found, labelled, 12), lie_on_a_label(found, labelled)
    for row in range(12):
        mine, meant = found[found.picture == row], labelled[labelled.picture == row]
        iou = iou_matrix(mine.boxes_xyxy, meant[meant.scores > 0].boxes_xyxy)
        expected = iou.max() if iou.size else np.nan
        assert best[row] == pytest.approx(expected, nan_ok=True, abs=1e-6)
        for box, answer in zip(mine.boxes_xyxy, on_it[found.picture == row], strict=True):
            top = np.maximum(box[:2], meant.boxes_xyxy[:, :2])
            sides = np.clip(np.minimum(box[2:], meant.boxes_xyxy[:, 2:]) - top, 0, None)
            covered = sides.prod(axis=1) / (box[2:] - box[:2]).prod()
            assert answer == bool((covered >= 0.5).any())


def test_pairs_are_all_that_are_equal() -> None:
    a, b = np.array([0, 0, 2, 5]), np.array([0, 2, 2, 3])
    i, j = pairs_of(a, b)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 0), (1, 0), (2, 1), (2, 2)]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_cell_gives_back_its_faces(yunet: Cleaner, n: int) -> None:
    corner = np.arange(2 * n, dtype=np.float32).reshape(-1, 2) - 3.25
    boxes = as_boxes(np.concatenate([corner, corner + 20.5], axis=1))
    detections = Detections(boxes, np.linspace(0.9, 0.3, n).round(2), (200, 100))
    table = frame(yunet, [{"image_path": "a.jpg", "found": as_cell(detections)}])
    found = Faces.found(table)
    assert found.picture.tolist() == [0] * n
    np.testing.assert_array_equal(found.boxes_xyxy, detections.boxes_xyxy)
    np.testing.assert_allclose(found.scores, detections.scores)


def test_measuring_finds_what_the_detector_finds(yunet: Cleaner, both_jpeg: bytes) -> None:
    values = yunet.ready()(picture(both_jpeg))
    found = load_catalogue().get("yunet").load().detect(decode(both_jpeg).pixels)
    assert values == {"width": 1144, "height": 680, "found": as_cell(found)}


def test_haar_is_the_same_cleaner_with_another_detector(both_jpeg: bytes) -> None:
    cleaner = faces.haar()
    assert cleaner.name == "faces-haar"
    assert cleaner.version != faces.yunet().version
    assert cleaner.ready()(picture(both_jpeg))["found"]


def test_a_picture_without_a_face_has_an_empty_cell(yunet: Cleaner) -> None:
    assert yunet.ready()(picture(as_file(photo(0))))["found"] == ""


def test_labels_of_pictures_that_are_not_there_are_no_matter(yunet: Cleaner) -> None:
    gone = Labels(
        np.array(["gone.jpg"], object), as_boxes([[0, 0, 9, 9]]), np.zeros(1, bool), frozenset(), {}
    )
    table = frame(yunet, [{"image_path": "a.jpg", "found": HERE}])
    assert len(Faces.labelled(table, gone).picture) == 0


def test_the_code_that_students_read_is_short() -> None:
    for function in (faces.measure, faces.verdict):
        assert len(inspect.getsource(function).splitlines()) <= 30
