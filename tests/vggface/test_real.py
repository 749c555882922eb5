"""297 of the real 2,622 files; skipped where they are not at hand."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import DATA
from facedet.labels.table import read_table
from facedet.vggface import Index, statistics, write_labels
from facedet.vggface.making import make_index

ARCHIVE = DATA / "vgg_face_dataset-297.tar.gz"
pytestmark = pytest.mark.skipif(not ARCHIVE.is_file(), reason="the real label files are not here")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Index:
    store = tmp_path_factory.mktemp("real") / "i.parquet"
    made = make_index(ARCHIVE, store)
    assert made.first == ()
    return Index.open(store)


def raw_lines() -> list[list[str]]:
    with tarfile.open(ARCHIVE) as archive:
        return [
            [Path(member.name).stem, *line.split(" ")]
            for member in archive
            if member.name.endswith(".txt") and "/files/" in member.name
            for line in archive.extractfile(member).read().decode().splitlines()  # type: ignore[union-attr]
        ]


def test_no_line_is_lost_and_no_coordinate_changed(real: Index, tmp_path: Path) -> None:
    write_labels(real, np.arange(len(real)), tmp_path / "labels.csv")
    table = read_table(tmp_path / "labels.csv")
    expected = raw_lines()
    assert len(table.rows) == len(expected) == 295_403
    assert table.problems == ()
    for row, (name, number, url, *box, pose, score, curated) in zip(
        table.rows, expected, strict=True
    ):
        assert (row["identity"], row["photo_id"], row["url"]) == (name, number, url)
        # Numbers, not texts: the files have 119.00 where we have 119.
        assert [float(row[c]) for c in ("x1", "y1", "x2", "y2")] == [float(v) for v in box]
        assert (float(row["pose"]), float(row["detection_score"])) == (float(pose), float(score))
        assert row["curated"] == curated


def test_what_is_strange_in_them_is_counted(real: Index) -> None:
    lines = raw_lines()
    found = statistics(real)
    assert found.lines == real.account.parsed == len(lines)
    assert found.identities == 297
    assert found.unique_urls == len({line[2] for line in lines})
    assert found.repeated == len(lines) - len({(line[0], line[2]) for line in lines})
    assert found.negative == sum(
        line[3].startswith("-") or line[4].startswith("-") for line in lines
    )
    assert found.schemes.counts[1] == sum(line[2].startswith("https") for line in lines)
    assert found.curation.counts[0] == sum(line[9] == "1" for line in lines)
