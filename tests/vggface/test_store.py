from pathlib import Path

import numpy as np
import pytest

from facedet.errors import DatasetError
from facedet.vggface import Index
from facedet.vggface.making import findings_path, make_index
from facedet.vggface.store import first_of_equal
from tests.vggface.made import FILES, GOOD, write_archive, write_folder


def test_every_line_is_there_with_all_its_fields(index: Index) -> None:
    assert len(index) == 6
    assert index.identities == ("A.J._Ray", "Mira_Sol", "Z-Z")
    assert index.identity.tolist() == [0, 0, 0, 1, 1, 2]
    assert index.photo_id.tolist() == [1, 2, 3, 1, 2, 5]
    assert index.boxes_xyxy[2].tolist() == [-5.25, 20, 60, 85.25]
    assert index.pose.tolist() == [3, 4, 1, 3, 2, 5]
    assert index.curated.tolist() == [True, False, True, True, False, True]
    assert index.urls([2, 0]) == ["https://b.example/y.PNG?size=2", "http://a.example/x.jpg"]


def test_what_is_asked_about_urls_is_worked_out(index: Index) -> None:
    hosts = [index.hosts[i] for i in index.host]
    assert hosts == ["a.example"] * 2 + ["b.example", "a.example", "c.example:81", "a.example"]
    assert [index.extensions[i] for i in index.extension] == [
        "jpg",
        "jpg",
        "png",
        "jpg",
        "php",
        "jpg",
    ]
    assert index.https.tolist() == [False, False, True, False, False, False]
    assert index.unusual.tolist() == [False, False, False, True, False, False]
    assert index.negative.tolist() == [False, False, True, False, False, False]


def test_equal_urls_have_equal_numbers_and_repeats_know_their_first(index: Index) -> None:
    assert index.n_urls == 4
    a, b, _c, _d, _e, f = index.url_number.tolist()
    assert a == b == f
    # The third file has the URL of the first, but a repeat is one within a file.
    assert index.first_row.tolist() == [0, 0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("keys", "first"), [([], []), ([7], [0]), ([5, 3, 5, 5, 3], [0, 1, 0, 0, 1])]
)
def test_the_first_of_equal_entries(keys: list[int], first: list[int]) -> None:
    assert first_of_equal(np.array(keys, np.int64)).tolist() == first


def test_the_account_adds_up(tmp_path: Path) -> None:
    bad = {"files/B.txt": GOOD + b"\nrubbish\n\n", "files/E.txt": b"", "files/x.exe": b"MZ"}
    made = make_index(write_folder(tmp_path / "f", {**FILES, **bad}), tmp_path / "i.parquet")
    account = made.account
    assert (account.files, account.lines, account.parsed) == (5, 9, 7)
    assert (account.lost, account.refused, account.notes) == (2, 1, 1)
    assert Index.open(tmp_path / "i.parquet").account == account
    text = findings_path(tmp_path / "i.parquet").read_text().splitlines()
    assert text[0] == "file,line,kind,reason"
    assert sorted(line.split(",")[2] for line in text[1:]) == ["lost", "lost", "note", "refused"]
    assert len(made.first) == 4


def test_files_without_a_line_make_an_empty_index(tmp_path: Path) -> None:
    make_index(write_folder(tmp_path / "f", {"files/E.txt": b""}), tmp_path / "i.parquet")
    index = Index.open(tmp_path / "i.parquet")
    assert (len(index), index.n_urls, index.hosts) == (0, 0, ())


def test_an_index_is_shared_and_so_read_only(index: Index) -> None:
    with pytest.raises(ValueError, match="read-only"):
        index.pose[0] = 1


@pytest.mark.parametrize("data", [None, b"", b"PAR1 rubbish", b"x" * 5000])
def test_what_is_no_index_says_so(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "i.parquet"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"i\.parquet: no index of VGG Face"):
        Index.open(path)


def test_a_foreign_parquet_file_is_no_index(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), tmp_path / "i.parquet")
    with pytest.raises(DatasetError, match="no index of VGG Face"):
        Index.open(tmp_path / "i.parquet")


def test_a_failed_build_leaves_the_old_index(tmp_path: Path) -> None:
    store = tmp_path / "i.parquet"
    make_index(write_archive(tmp_path / "a.tar.gz"), store)
    before = store.read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(b"rubbish")
    with pytest.raises(DatasetError):
        make_index(tmp_path / "b.tar.gz", store)
    assert store.read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))
