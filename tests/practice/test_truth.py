from pathlib import Path

import pytest

from facedet.errors import PracticeError
from facedet.images import read
from facedet.practice.dataset import Options, make
from facedet.practice.truth import count_faults, picture_paths, read_truth, some_pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "set"
    make(folder, Options(photos=40, faults=0.75, seed=3), workers=1)
    return folder


def test_the_truth_reads_back(made: Path) -> None:
    rows = read_truth(made)
    assert len(rows) == 40
    for row in rows:
        assert len(row.true_boxes_xyxy) == (row.faces or 0)
        assert (row.faces is None) == (row.label_fits is None)


def test_faults_are_counted_with_their_meaning(made: Path) -> None:
    counted = count_faults(read_truth(made))
    assert sum(n for _name, _meaning, n in counted) == 40
    assert counted[0][0] == "ok"
    assert all(meaning.endswith(".") for _name, meaning, _n in counted)


def test_the_file_behind_a_link_is_found(made: Path) -> None:
    paths = picture_paths(made)
    by_fault = {row.fault: row for row in read_truth(made)}
    assert by_fault["ok"].url in paths
    assert by_fault["redirect"].url in paths
    assert by_fault["http_404"].url not in paths
    assert by_fault["bomb"].url not in paths
    assert all(path.is_file() for path in paths.values())


def test_some_pictures_are_whole_and_have_faces(made: Path) -> None:
    found = some_pictures(made, 6)
    assert len(found) == 6
    for row, path in found:
        w, h = read(path).image_wh
        assert row.faces
        assert (row.true_boxes_xyxy <= [w, h, w, h]).all()
    again = [path for _row, path in some_pictures(made, 6)]
    assert again == [path for _row, path in found]


def test_no_picture_is_shown_twice(tmp_path: Path) -> None:
    make(tmp_path / "set", Options(photos=60, faults=0), workers=1)
    rows = read_truth(tmp_path / "set")
    urls = {row.url for row in rows}
    assert len(urls) < len(rows)
    assert {row.url for row, _path in some_pictures(tmp_path / "set", 60)} == urls
    assert len(some_pictures(tmp_path / "set", 60)) == len(urls)


@pytest.mark.parametrize("text", [None, "", "identity\n", "a,b\n1,2\n"])
def test_a_damaged_truth_says_so(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "truth.csv").write_text(text + ("x\n" if text == "identity\n" else ""))
    if text == "":
        assert read_truth(tmp_path) == []
        return
    with pytest.raises(PracticeError, match="missing or damaged"):
        read_truth(tmp_path)
