import csv
from pathlib import Path

import numpy as np

from facedet.labels import read_table
from facedet.vggface import Index, write_labels


def test_the_rows_are_the_lab_s_own_label_table(index: Index, tmp_path: Path) -> None:
    assert write_labels(index, np.arange(6), tmp_path / "labels.csv") == 6
    table = read_table(tmp_path / "labels.csv")
    assert table.problems == ()
    assert np.array_equal(table.boxes_xyxy, index.boxes_xyxy)
    assert [row["url"] for row in table.rows] == index.urls(range(6))
    assert table.rows[0] == {
        "image_path": "images/A.J._Ray/00000001.jpg",
        "x1": "10",
        "y1": "20",
        "x2": "110.5",
        "y2": "120.5",
        "identity": "A.J._Ray",
        "photo_id": "00000001",
        "url": "http://a.example/x.jpg",
        "pose": "3",
        "detection_score": "2.31",
        "curated": "1",
    }


def test_the_suffix_is_the_address_s_where_it_is_a_picture_s(index: Index, tmp_path: Path) -> None:
    write_labels(index, np.arange(6), tmp_path / "labels.csv")
    paths = [row["image_path"] for row in read_table(tmp_path / "labels.csv").rows]
    assert [path.rpartition(".")[2] for path in paths] == ["jpg", "jpg", "png", "jpg", "jpg", "jpg"]


def test_only_the_chosen_rows_are_written(index: Index, tmp_path: Path) -> None:
    write_labels(index, np.array([1, 5]), tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert [row["photo_id"] for row in csv.DictReader(file)] == ["00000002", "00000005"]


def test_no_rows_give_a_header(index: Index, tmp_path: Path) -> None:
    assert write_labels(index, np.arange(0), tmp_path / "labels.csv") == 0
    assert read_table(tmp_path / "labels.csv").rows == ()
