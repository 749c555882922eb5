import os
import sys
from pathlib import Path

import pytest

from facedet.cleaning.pictures import list_pictures, path_of, read_labels
from facedet.errors import DatasetError, LabelError
from tests.cleaning.made import write_files

HEADER = b"image_path,x1,y1,x2,y2,identity,ignore\n"


def test_every_file_counts_but_what_stands_beside_pictures(tmp_path: Path) -> None:
    names = ("b/2.jpg", "a/1.JPG", "nameless", "notes.txt", "labels.csv", "c/x.JSON", "x.blend")
    listing = list_pictures(write_files(tmp_path, dict.fromkeys(names, b"x")))
    paths = [entry.image_path for entry in listing.entries]
    assert paths == ["a/1.JPG", "b/2.jpg", "nameless"]
    assert listing.n_companions == 4


@pytest.mark.parametrize(
    ("name", "head", "listed"),
    [
        ("photo.php", b"\xff\xd8\xff\xe0", True),
        ("photo.php", b"\n <!DOCTYPE html>", True),
        ("photo.php", b"<?php", False),
        ("1.large", b"RIFF\0\0\0\0WEBPVP8 ", True),
        ("1.wave", b"RIFF\0\0\0\0WAVEfmt ", False),
        ("1.bin", b"\0\0\0\x18ftypavif", True),
        ("1.m4v", b"\0\0\0\x18ftypisom", False),
        ("1.x", b"BM\x10\0\0\0\0\0\0\0", True),
        ("1.x", b"BMW and others", False),
        ("1.svg", b"<html><svg>", False),
        ("1.mp4", b"\xff\xd8\xff", False),
        ("1.pdf", b"%PDF-1.7", False),
        ("1.x", b"", False),
    ],
)
def test_a_file_of_another_kind_counts_by_its_first_bytes(
    tmp_path: Path, name: str, head: bytes, listed: bool
) -> None:
    listing = list_pictures(write_files(tmp_path, {name: head}))
    assert (len(listing.entries), listing.n_companions) == (int(listed), int(not listed))


def test_links_to_files_are_counted_and_not_listed(tmp_path: Path) -> None:
    write_files(tmp_path, {"set/1.jpg": b"x", "elsewhere/2.jpg": b"x"})
    (tmp_path / "set/3.jpg").symlink_to(tmp_path / "elsewhere/2.jpg")
    (tmp_path / "set/4.jpg").symlink_to(tmp_path / "nowhere.jpg")
    listing = list_pictures(tmp_path / "set")
    assert [entry.image_path for entry in listing.entries] == ["1.jpg"]
    assert listing.n_companions == 1


def test_hidden_files_and_what_the_lab_keeps_there_are_passed_over(tmp_path: Path) -> None:
    names = ("images/1.jpg", ".hidden.jpg", ".git/2.jpg", "quarantine/images/3.jpg")
    names += ("cleaning/integrity.csv", "placeholders/4.jpg", "images/cleaning/5.jpg")
    listing = list_pictures(write_files(tmp_path, dict.fromkeys(names, b"x")))
    assert [entry.image_path for entry in listing.entries] == [
        "images/1.jpg",
        "images/cleaning/5.jpg",
    ]


def test_an_entry_knows_its_file(tmp_path: Path) -> None:
    (entry,) = list_pictures(write_files(tmp_path, {"a/1.jpg": b"12345"})).entries
    assert entry.path.read_bytes() == b"12345"
    assert entry.size_bytes == 5
    assert entry.mtime_ns == (tmp_path / "a/1.jpg").stat().st_mtime_ns


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf_8_leads_to_its_file(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    (entry,) = list_pictures(tmp_path).entries
    assert entry.image_path == "\\xff.jpg"
    assert path_of(tmp_path, entry.image_path).read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a.jpg", "\\xff.jpg"])
def test_any_other_name_leads_to_its_file_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert path_of(tmp_path, name) == tmp_path / name


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no folder"):
        list_pictures(tmp_path / "nowhere")


def test_without_a_table_nothing_is_labelled(tmp_path: Path) -> None:
    labels = read_labels(tmp_path)
    assert labels.boxes_xyxy.shape == (0, 4)
    assert not labels.known


def test_labels_are_faces_and_pictures_known_to_have_none(tmp_path: Path) -> None:
    rows = b"a.jpg,1,2,3,4,Ann,0\n./b.jpg,,,,,,\na.jpg,5,6,7,8,Ann,1\n"
    labels = read_labels(write_files(tmp_path, {"labels.csv": HEADER + rows}))
    assert labels.image_paths.tolist() == ["a.jpg", "a.jpg"]
    assert labels.ignored.tolist() == [False, True]
    assert labels.known == {"a.jpg", "b.jpg"}


def test_an_identity_is_as_labelled_or_else_the_folder(tmp_path: Path) -> None:
    labels = read_labels(
        write_files(tmp_path, {"labels.csv": HEADER + b"images/X/a.jpg,1,2,3,4,Ann,\n"})
    )
    assert labels.identity_of("images/X/a.jpg") == "Ann"
    assert labels.identity_of("images/X/b.jpg") == "X"


def test_an_edited_table_is_read_again(tmp_path: Path) -> None:
    write_files(tmp_path, {"labels.csv": HEADER + b"a.jpg,1,2,3,4,,\n"})
    assert len(read_labels(tmp_path).boxes_xyxy) == 1
    write_files(tmp_path, {"labels.csv": HEADER + b"a.jpg,1,2,3,4,,\na.jpg,5,6,7,8,,\n"})
    assert len(read_labels(tmp_path).boxes_xyxy) == 2


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelError):
        read_labels(write_files(tmp_path, {"labels.csv": b"nonsense"}))
