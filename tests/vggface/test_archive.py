"""Archives come from anyone: nothing leaves its place, nothing grows without bound."""

import gzip
import os
import tarfile
from pathlib import Path

import pytest

from facedet.errors import DatasetError
from facedet.vggface.archive import ArchiveLimits, Finding, LabelFile, label_files
from tests.vggface.made import FILES, LINES, write_archive, write_folder


def found(source: Path, limits: ArchiveLimits | None = None) -> tuple[list[str], dict[str, str]]:
    """Identities read, and the reason of each refusal by file."""
    items = list(label_files(source, limits))
    refused = {item.file: item.reason for item in items if isinstance(item, Finding)}
    return [item.identity for item in items if isinstance(item, LabelFile)], refused


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_an_archive_and_its_folder_have_the_same_files(tmp_path: Path) -> None:
    archive = list(label_files(write_archive(tmp_path / "a.tar.gz")))
    folder = write_folder(tmp_path / "unpacked")
    inner = folder / "vgg_face_dataset"
    for place in (folder, inner, inner / "files"):
        files = [f for f in label_files(place) if isinstance(f, LabelFile)]
        assert [(f.identity, f.data) for f in files] == [(f.identity, f.data) for f in archive]
    assert [f.identity for f in archive] == list(LINES)


@pytest.mark.parametrize("mode", ["w", "w:xz", "w:bz2"])
def test_other_compressions_do_too(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, mode) as archive:
        archive.add(write_folder(tmp_path / "f") / "vgg_face_dataset", "vgg_face_dataset")
    assert sorted(found(path)[0]) == sorted(LINES)


LINKS = {
    "a symlink": (member("vgg_face_dataset/files/L.txt", tarfile.SYMTYPE, "Z-Z.txt"), "a link"),
    "a symlink out": (
        member("vgg_face_dataset/files/L.txt", tarfile.SYMTYPE, "/etc/passwd"),
        "absolute",
    ),
    "a hard link": (
        member("vgg_face_dataset/files/L.txt", tarfile.LNKTYPE, "vgg_face_dataset/README"),
        "a link",
    ),
    "a device": (member("vgg_face_dataset/files/L.txt", tarfile.CHRTYPE), "special file"),
    "a way out": (member("../files/L.txt", tarfile.REGTYPE), "outside"),
    "an absolute way": (member("/../../files/L.txt", tarfile.REGTYPE), "outside"),
    "an unknown member": (member("vgg_face_dataset/setup.py", tarfile.REGTYPE), "not part of"),
    "another suffix": (member("vgg_face_dataset/files/L.csv", tarfile.REGTYPE), "not part of"),
    "a formula": (member("vgg_face_dataset/files/=cmd.txt", tarfile.REGTYPE), "letters, digits"),
    "a second one": (member("vgg_face_dataset/files/Z-Z.txt", tarfile.REGTYPE), "a second file"),
}


@pytest.mark.parametrize(("info", "says"), LINKS.values(), ids=LINKS.keys())
def test_a_strange_member_is_refused_and_the_others_are_read(
    tmp_path: Path, info: tarfile.TarInfo, says: str
) -> None:
    names, refused = found(write_archive(tmp_path / "a.tar.gz", FILES, info))
    assert names == list(LINES)
    assert list(refused) == [info.name]
    assert says in refused[info.name]


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f")
    (folder / "vgg_face_dataset/files/Link.txt").symlink_to("/etc/passwd")
    (folder / "vgg_face_dataset/out").symlink_to("/etc")
    names, refused = found(folder)
    assert names == list(LINES)
    assert sorted(refused) == ["vgg_face_dataset/files/Link.txt", "vgg_face_dataset/out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f")
    (folder / "vgg_face_dataset/files/Z-Z.txt").chmod(0)
    assert "Z-Z.txt" in next(iter(found(folder)[1]))


def test_an_archive_cut_off_gives_what_came_and_says_so(tmp_path: Path) -> None:
    big = {f"files/P{n}.txt": os.urandom(40_000) for n in range(20)}
    whole = write_archive(tmp_path / "a.tar.gz", big).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    names, refused = found(cut)
    assert 5 < len(names) < 15
    assert "what follows is missing" in refused["cut.tar.gz"]


@pytest.mark.parametrize(
    "data", [b"", b"hello" * 999, gzip.compress(b"hello" * 999), gzip.compress(b"")[:6]]
)
def test_something_else_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "else.tar.gz"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"else\.tar\.gz: not a tar archive"):
        found(path)


def test_a_missing_archive_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="give the archive, or the folder unpacked"):
        found(tmp_path / "nothing.tar.gz")


def test_an_archive_without_label_files_says_what_was_expected(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", {"holiday.jpg": b"x"})
    with pytest.raises(DatasetError, match=r"no label file in it; expected files/<Name>\.txt"):
        found(path)


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", {**FILES, "files/Big.txt": b"0" * 5000})
    names, refused = found(path, ArchiveLimits(max_file_bytes=4000))
    assert names == list(LINES)
    assert "the limit is" in refused["files/Big.txt"]


def test_a_bomb_ends_it_before_it_is_decompressed(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", {"files/Big.txt": b"0" * 50_000_000})
    assert path.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="this is not VGG Face"):
        found(path, ArchiveLimits(max_total_bytes=10_000_000))


def test_too_many_members_end_it(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", {f"files/P{n}.txt": b"" for n in range(30)})
    with pytest.raises(DatasetError, match="more than 20 files"):
        found(path, ArchiveLimits(max_members=20))
    with pytest.raises(DatasetError, match="more than 2 files"):
        found(write_folder(tmp_path / "f"), ArchiveLimits(max_members=2))


def test_a_header_of_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    info = tarfile.TarInfo("files/Z.txt")
    info.pax_headers = {"comment": "x" * 2_000_000}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("files/A.txt"))
        archive.addfile(info)
    names, refused = found(path)
    assert names == ["A"]
    assert "a header of 2,000" in refused["a.tar.gz"]
