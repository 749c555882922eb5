from pathlib import Path

import numpy as np
import pytest

from facedet.errors import LabelError
from facedet.labels import parse_table, read_table, to_csv
from facedet.types import Detections

HEADER = "image_path,x1,y1,x2,y2,note\n"


def test_detections_read_back_exactly(two_faces: Detections) -> None:
    third = np.float32(1) / 3
    odd = Detections(np.array([[third, 0, 7.7, 9]]), np.array([third]), (10, 10))
    text = to_csv([("a.jpg", two_faces), ("b.jpg", odd), ("c.jpg", Detections.empty((5, 4)))])
    table = parse_table(text)
    assert not table.problems
    np.testing.assert_array_equal(table.boxes_of("a.jpg"), two_faces.boxes_xyxy)
    np.testing.assert_array_equal(table.boxes_of("b.jpg"), odd.boxes_xyxy)
    assert table.boxes_of("c.jpg").shape == (0, 4)
    assert table.rows[-1]["image_width"] == "5"
    assert np.float32(table.rows[2]["detection_score"]) == third


def test_unknown_columns_are_kept() -> None:
    table = parse_table(HEADER + 'a.jpg,1,2,3,4,"a, ""quoted"" note"\n')
    assert table.rows[0]["note"] == 'a, "quoted" note'


def test_every_bad_row_is_named_with_its_line_and_the_good_ones_stay() -> None:
    rows = [
        "a.jpg,1,2,3,4,fine",
        "b.jpg,52,0,40,9,swapped",
        "c.jpg,one,0,2,3,letters",
        ",1,2,3,4,no path",
        "d.jpg,1,2,3,4",
        "e.jpg,1,2,nan,4,nan",
        "f.jpg,1,2,1e9,4,huge",
        "g.jpg,-5,-5,10,10,over the edge",
        "h.jpg,1,,3,4,one cell empty",
    ]
    table = parse_table(HEADER + "\n".join(rows) + "\n")
    assert [row["image_path"] for row in table.rows] == ["a.jpg", "g.jpg"]
    assert [problem.line for problem in table.problems] == [3, 4, 5, 6, 7, 8, 10]
    assert table.problems[0].reason == "x2 (40) is not beyond x1 (52); fix or delete the row"
    assert len(table.rows) + len(table.problems) == len(rows)


@pytest.mark.parametrize("text", ["", "image_path,x1,y1,x2\n", "a;b\n"])
def test_a_header_without_the_columns_says_which_are_missing(text: str) -> None:
    with pytest.raises(LabelError, match=r"line 1: the header lacks .*y2"):
        parse_table(text)


def test_no_rows_are_an_empty_table() -> None:
    table = parse_table(HEADER)
    assert table.boxes_xyxy.shape == (0, 4)
    assert table.boxes_of("any.jpg").shape == (0, 4)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + "a.jpg,1,2,3,4,\n").encode())
    assert len(read_table(path).rows) == 1
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabelError, match="UTF-8"):
        read_table(path)


def test_no_spreadsheet_runs_what_we_write(two_faces: Detections) -> None:
    text = to_csv([("=cmd()|calc", two_faces)])
    assert "\n=" not in text
    assert "./=cmd()|calc,10,20" in text
