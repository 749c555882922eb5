"""Archives come from anyone: nothing leaves its place, nothing grows without bound."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from facedet.errors import DatasetError
from facedet.vggface.archive import MAX_DEPTH, ArchiveLimits, Finding, LabelFile, label_files
from facedet.vggface.making import findings_path, make_index
from facedet.vggface.unpacking import Unpacked
from tests.vggface.made import FILES, GOOD, LINES, write_archive, write_folder


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


def whole(*blocks: bytes) -> bytes:
    """An archive of our files after some raw blocks."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return b"".join(blocks) + data.getvalue()


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **more: bytes) -> bytes:
    """One header, with some fields overwritten, and a right checksum."""
    info = member(name, kind)
    info.size = size
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for at, value in more.items():
        block[int(at[1:]) : int(at[1:]) + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def extended(name: str, **fields: str) -> bytes:
    """A member of no bytes behind a pax header."""
    info = member(name, tarfile.REGTYPE)
    info.pax_headers = {key.replace("_", "."): value for key, value in fields.items()}
    return info.tobuf(tarfile.PAX_FORMAT)


def packed(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 1))
    return path


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
    "a device of Windows": (member("vgg_face_dataset/files/nul.x.txt", tarfile.REGTYPE), "Windows"),
    "the same to Windows": (member("files/z-z.txt", tarfile.REGTYPE), "this name from Z-Z"),
    "the same without dots": (member("files/Z-Z..txt", tarfile.REGTYPE), "this name from Z-Z"),
    "a name of a megabyte": (member("a/" * 400_000, tarfile.REGTYPE), "a name of 800,000"),
    "a formula": (member("vgg_face_dataset/files/=cmd.txt", tarfile.REGTYPE), "letters, digits"),
    "a second one": (member("vgg_face_dataset/files/Z-Z.txt", tarfile.REGTYPE), "a second file"),
}


@pytest.mark.parametrize(("info", "says"), LINKS.values(), ids=LINKS.keys())
def test_a_strange_member_is_refused_and_the_others_are_read(
    tmp_path: Path, info: tarfile.TarInfo, says: str
) -> None:
    names, refused = found(write_archive(tmp_path / "a.tar.gz", FILES, info))
    assert names == list(LINES)
    [(name, reason)] = refused.items()
    assert name == info.name[:299] + "…" or name == info.name
    assert says in reason


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


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_a_large_member_that_is_refused_costs_no_memory(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    zeros = bytes(512 * 100_000)
    path = tmp_path / "bomb.tar"
    path.write_bytes(pack(header("files/Big.txt", size=len(zeros)) + zeros + whole()))
    del zeros
    tracemalloc.start()
    try:
        names, refused = found(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert names == list(LINES)
    assert list(refused) == ["files/Big.txt"]
    assert peak < 15_000_000  # xz has a dictionary of 8 MB


def test_what_hides_behind_the_end_counts_too(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar.gz", whole() + bytes(20_000_000))
    with pytest.raises(DatasetError, match="this is not VGG Face"):
        found(path, ArchiveLimits(max_total_bytes=10_000_000))


def test_an_xz_file_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.xz"
    data = bytearray(lzma.compress(whole()))
    block = slice(12, 12 + 4 * data[12])
    data[16] = 32  # of the dictionary: 256 MB (xz file format, 5.3.1)
    data[block.stop : block.stop + 4] = zlib.crc32(data[block]).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="Memory usage limit"):
        found(path)


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_an_archive_packed_in_parts_is_one(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = whole()
    path = tmp_path / "parts.tar"
    path.write_bytes(pack(data[:700]) + pack(b"") + pack(data[700:]) + bytes(512))
    assert found(path) == (list(LINES), {})


@pytest.mark.parametrize("step", [1, 7, 512, 100_000])
def test_bytes_come_the_same_in_any_steps(step: int) -> None:
    data = os.urandom(1000) + bytes(600_000) + os.urandom(1000)
    stream = Unpacked(io.BytesIO(gzip.compress(data)), "x", len(data))
    parts = [stream.read(min(step, 2000)) for _n in range(3)]
    assert b"".join(parts) == data[: 3 * min(step, 2000)]
    at = stream.position
    stream.skip(step)
    assert stream.read(len(data) - at - step) == data[at + step :]
    assert stream.drain()


def test_a_flipped_byte_makes_the_lines_not_to_be_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    # Stored, so that a flip changes a letter and nothing else; long, so that all lines come first.
    data = bytearray(gzip.compress(whole() + bytes(600_000), 0))
    at = data.index(b"a.example")
    data[at : at + 1] = b"b"
    path.write_bytes(data)
    names, refused = found(path)
    assert names == list(LINES)
    assert "its lines are not to be trusted" in refused["a.tar.gz"]


def test_a_small_archive_that_is_damaged_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar.gz", whole())
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(DatasetError, match=r"a\.tar\.gz: damaged \(.*incorrect data check"):
        found(path)


def test_a_missing_checksum_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(whole())[:-8])
    names, refused = found(path)
    assert names == list(LINES)
    assert "cut off after its last file" in refused["a.tar.gz"]


@pytest.mark.parametrize(
    "more", [whole(), b"hello", gzip.compress(b"")], ids=["an archive", "text", "a gzip file"]
)
def test_what_follows_the_end_is_named(tmp_path: Path, more: bytes) -> None:
    names, refused = found(packed(tmp_path / "a.tar.gz", whole() + more))
    assert names == list(LINES)
    assert "something follows the end" in refused["a.tar.gz"]


def test_text_behind_the_compressed_bytes_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar.gz", whole())
    path.write_bytes(path.read_bytes() + b"hello")
    assert "something follows the end" in found(path)[1]["a.tar.gz"]


FIRST = header("files/A.txt")
DAMAGES = {
    "a negative size": (header("files/B.txt", _124=b"\xff" * 12), "a size of -1 bytes"),
    "a chain of long names": (header("x", tarfile.GNUTYPE_LONGNAME) * 5000, "a chain of more"),
    "a chain of pax headers": (header("x", tarfile.XHDTYPE) * 5000, "a chain of more"),
    "a chain of global ones": (header("x", tarfile.XGLTYPE) * 5000, "a chain of more"),
    "a size of letters": (extended("files/B.txt", size="1e3"), "a size of '1e3'"),
    "a size below zero": (extended("files/B.txt", size="-512"), "a size of '-512'"),
    "no pax records": (header("x", tarfile.XHDTYPE, 512) + b"7" * 512, "no list of pax records"),
    "a name for all": (
        header("x", tarfile.XGLTYPE, 12) + b"12 path=a/b\n".ljust(512, b"\0"),
        "renames all files",
    ),
    "a broken checksum": (FIRST.replace(b"A", b"B"), "bad checksum"),
}


@pytest.mark.parametrize(("blocks", "says"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_broken_header_ends_the_archive_and_is_named(
    tmp_path: Path, blocks: bytes, says: str
) -> None:
    names, refused = found(packed(tmp_path / "a.tar.gz", whole(FIRST, blocks)))
    assert names == ["A"]
    assert says in refused["a.tar.gz"]
    assert "what follows is missing" in refused["a.tar.gz"]


@pytest.mark.parametrize(("blocks", "says"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_broken_first_header_is_no_archive(tmp_path: Path, blocks: bytes, says: str) -> None:
    with pytest.raises(DatasetError, match="not a tar archive") as caught:
        found(packed(tmp_path / "a.tar.gz", whole(blocks)))
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


SPARSE = {
    "old GNU": header("files/B.txt", tarfile.GNUTYPE_SPARSE, _386=b"00000000001 " * 2, _482=b"\1")
    + bytes(504)
    + b"\1"
    + bytes(7)
    + bytes(512),
    "pax 0.0": extended("files/B.txt", GNU_sparse_size="abc"),
    "pax 0.1": extended("files/B.txt", GNU_sparse_map="1,x,2"),
    "pax 1.0": extended(
        "files/x.txt", GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="files/B.txt"
    ),
}


@pytest.mark.parametrize("blocks", SPARSE.values(), ids=SPARSE.keys())
def test_a_sparse_member_is_refused_and_the_others_are_read(tmp_path: Path, blocks: bytes) -> None:
    names, refused = found(packed(tmp_path / "a.tar.gz", whole(blocks)))
    assert names == list(LINES)
    assert "sparse" in refused["files/B.txt"]


def test_long_names_and_global_comments_are_understood(tmp_path: Path) -> None:
    long = "files/" + "L" * 95
    comment = header("x", tarfile.XGLTYPE, 14) + b"14 comment=ab\n".ljust(512, b"\0")
    gnu, pax = (
        member(long + end, tarfile.REGTYPE).tobuf(form)
        for end, form in (("a.txt", tarfile.GNU_FORMAT), ("b.txt", tarfile.PAX_FORMAT))
    )
    names, refused = found(packed(tmp_path / "a.tar.gz", whole(comment, gnu, pax)))
    assert names == [f"{'L' * 95}a", f"{'L' * 95}b", *LINES]
    assert refused == {}


NAMES = {
    "raw bytes": header("files/B", _6=b"\xff\xfe.txt"),
    "a surrogate": extended("files/\udcff.txt"),
    "a zero": extended("files/x.txt", path="files/\0x.txt"),
    "a link to a zero": extended("files/x.txt", linkpath="\0"),
    "a line end": header("files/=1\n2.txt"),
}


@pytest.mark.parametrize("blocks", NAMES.values(), ids=NAMES.keys())
def test_a_name_that_is_no_text_can_be_written_down(tmp_path: Path, blocks: bytes) -> None:
    made = make_index(packed(tmp_path / "a.tar.gz", whole(blocks)), tmp_path / "i.parquet")
    assert (made.account.files, made.account.refused) == (len(LINES), 1)
    text = findings_path(tmp_path / "i.parquet").read_text(encoding="utf-8")
    assert "characters that are not text" in text
    assert made.first[0].file.isprintable()
    json.dumps(made.first[0].file).encode()


def test_a_finding_is_fit_to_be_shown_whatever_it_is_made_of() -> None:
    finding = Finding("\udcff\n" * 1000, 0, "note", "\x1b[2J")
    assert (finding.file, finding.reason) == ("�" * 299 + "…", "�[2J")


# ---- folders


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_folder_with_a_name_that_is_no_text_can_be_written_down(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {**FILES, "\udcff/files/B.txt": GOOD})
    made = make_index(folder, tmp_path / "i.parquet")
    assert (made.account.files, made.account.refused) == (len(LINES), 1)


def test_one_person_twice_in_a_folder_is_read_once(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"a/files/One.txt": GOOD, "b/files/One.txt": GOOD})
    names, refused = found(folder)
    assert names == ["One"]
    assert refused == {"b/files/One.txt": "a second file of that name"}


def test_a_name_that_ends_in_a_dot_is_kept(tmp_path: Path) -> None:
    assert found(write_folder(tmp_path / "f", {"files/Al_Ray_Jr..txt": GOOD})) == (
        ["Al_Ray_Jr."],
        {},
    )


def test_a_folder_without_end_is_left_after_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))
    for n in range(50):
        (tmp_path / f"d{n}" / "e").mkdir(parents=True)
    with pytest.raises(DatasetError, match="more than 60 files"):
        found(tmp_path, ArchiveLimits(max_members=60))
    assert len(looked) < 30


def test_folders_are_followed_to_a_certain_depth(tmp_path: Path) -> None:
    write_folder(tmp_path, {"files/One.txt": GOOD})
    deep = tmp_path
    for _n in range(MAX_DEPTH + 3):
        deep = deep / "d"
        deep.mkdir()
    names, refused = found(tmp_path)
    assert names == ["One"]
    assert refused == {"/".join("d" * MAX_DEPTH): "too deep; not looked into"}


def test_a_folder_that_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"files/One.txt": GOOD, "shut/x": b""})
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    names, refused = found(tmp_path)
    assert names == ["One"]
    assert refused == {"shut": "cannot be read (Permission denied)"}


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "/"], ids=["zero", "long", "root"])
def test_a_source_that_cannot_be_is_one_line(name: str) -> None:
    with pytest.raises(DatasetError) as caught:
        found(Path(name), ArchiveLimits(max_members=3))
    assert str(caught.value).isprintable()
