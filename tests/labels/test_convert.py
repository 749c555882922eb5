import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedet.errors import LabelError
from facedet.labels import from_coco, from_voc, from_yolo, to_coco, to_voc, to_yolo
from facedet.types import Detections

EMPTY = Detections.empty((64, 48))


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    w, h = draw(st.integers(2, 5000)), draw(st.integers(2, 5000))
    n = draw(st.integers(0, 5))
    part = st.floats(0, 1, width=32)
    rows = []
    for _face in range(n):
        xs, ys = sorted([draw(part), draw(part)]), sorted([draw(part), draw(part)])
        rows.append([xs[0] * w, ys[0] * h, xs[1] * w, ys[1] * h])
    scores = [draw(part) for _face in range(n)]
    return Detections(np.array(rows).reshape(-1, 4), np.array(scores), (w, h))


@given(detections())
def test_coco_reads_back_within_float32(found: Detections) -> None:
    dataset = json.loads(json.dumps(to_coco([("a.jpg", found)])))
    [(name, back)] = from_coco(dataset)
    assert name == "a.jpg"
    np.testing.assert_allclose(back.boxes_xyxy, found.boxes_xyxy, rtol=1e-6, atol=1e-3)
    np.testing.assert_array_equal(back.scores, found.scores)


@given(detections())
def test_yolo_reads_back_within_its_six_decimals(found: Detections) -> None:
    back = from_yolo(to_yolo(found), found.image_wh)
    # Half a millionth in the centre, a quarter more from half the size; float32 beside it.
    tolerance = max(found.image_wh) * 1e-6
    np.testing.assert_allclose(back.boxes_xyxy, found.boxes_xyxy, rtol=1e-6, atol=tolerance)


@given(detections())
def test_voc_reads_back_within_half_a_pixel(found: Detections) -> None:
    _name, back = from_voc(to_voc("a.jpg", found))
    np.testing.assert_allclose(back.boxes_xyxy, found.boxes_xyxy, atol=0.5)
    assert back.image_wh == found.image_wh


def test_voc_counts_from_one_and_includes_the_last_pixel() -> None:
    whole = Detections(np.array([[0, 0, 64, 48]]), np.array([1.0]), (64, 48))
    xml = to_voc("a.jpg", whole)
    for line in ("<xmin>1</xmin>", "<ymin>1</ymin>", "<xmax>64</xmax>", "<ymax>48</ymax>"):
        assert line in xml


def test_no_faces_are_an_ordinary_file() -> None:
    assert to_yolo(EMPTY) == ""
    assert len(from_yolo("", (64, 48))) == 0
    assert len(from_voc(to_voc("a.jpg", EMPTY))[1]) == 0
    assert len(from_coco(to_coco([("a.jpg", EMPTY)]))[0][1]) == 0


def test_pycocotools_loads_our_coco(tmp_path: Path, two_faces: Detections) -> None:
    from pycocotools.coco import COCO

    path = tmp_path / "coco.json"
    path.write_text(json.dumps(to_coco([("a.jpg", two_faces), ("b.jpg", EMPTY)])))
    coco = COCO(str(path))
    assert [coco.imgs[i]["file_name"] for i in coco.getImgIds()] == ["a.jpg", "b.jpg"]
    boxes = [a["bbox"] for a in coco.loadAnns(coco.getAnnIds(imgIds=[1]))]
    assert boxes == [[10, 20, 50, 60], [100.25, 30.5, 40.5, 59.5]]
    results = coco.loadRes([{**a, "score": 0.5} for a in coco.loadAnns(coco.getAnnIds())])
    assert len(results.anns) == 2


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""


@pytest.mark.parametrize("xml", ["", "<annotation/>", "not xml", BOMB])
def test_what_is_no_voc_annotation_is_refused(xml: str) -> None:
    with pytest.raises(LabelError, match="Pascal VOC"):
        from_voc(xml)


def test_a_bad_yolo_line_is_named() -> None:
    with pytest.raises(
        LabelError, match=r"labels.txt line 2: expected five numbers, found '0 1 2'"
    ):
        from_yolo("0 0.5 0.5 0.1 0.1\n0 1 2\n", (10, 10))


@pytest.mark.parametrize("dataset", [{}, {"images": [], "annotations": [{"image_id": 4}]}])
def test_an_incomplete_coco_dataset_is_refused(dataset: dict[str, object]) -> None:
    with pytest.raises(LabelError, match="COCO"):
        from_coco(dataset)
