"""What a download does to label tables that people have changed."""

from pathlib import Path

import pytest

from facedet.download.labels import set_aside_edits, write_labels
from facedet.download.ledger import Ledger
from facedet.download.links import read_links

ROWS = "image_path,x1,y1,x2,y2,identity,photo_id,url\nimages/A/1.jpg,1,1,9,9,A,1,http://a.com/1\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "links.csv").write_text(ROWS)
    (tmp_path / "labels.csv").write_text(ROWS)
    return tmp_path


def written(dataset: Path) -> int:
    with Ledger.open(dataset / "ledger.sqlite") as ledger:
        ledger.add(read_links(dataset / "links.csv").links)
        return write_labels(dataset, ledger).rows


def kept(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("labels-*.csv"))


def test_a_table_that_is_as_it_was_written_is_written_anew(dataset: Path) -> None:
    for _time in range(2):
        assert written(dataset) == 0
    assert kept(dataset) == []


def test_a_table_that_somebody_has_changed_is_kept(dataset: Path) -> None:
    written(dataset)
    (dataset / "labels.csv").write_text("image_path,mine\n")
    written(dataset)
    (copy,) = kept(dataset)
    assert copy.read_text() == "image_path,mine\n"
    assert "mine" not in (dataset / "labels.csv").read_text()


def test_where_there_is_no_table_there_is_nothing_to_keep(tmp_path: Path) -> None:
    assert set_aside_edits(tmp_path) is None
