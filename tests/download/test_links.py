from pathlib import Path
from random import Random

import pytest

from facedet.download.links import MAX_PART_BYTES, Link, host_of, names_of, read_links, safe_part
from facedet.errors import LabelError
from facedet.labels import Problem, read_table

HEADER = "image_path,x1,y1,x2,y2,identity,photo_id,url\n"
BOX = (1.5, 2.0, 30.0, 40.0)


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "labels.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def links_of(folder: Path, *rows: str, header: str = HEADER) -> list[Link]:
    found = read_links(table(folder, *rows, header=header))
    assert found.problems == ()
    return list(found.links)


def problem_of(folder: Path, *rows: str) -> Problem:
    (problem,) = read_links(table(folder, *rows)).problems
    return problem


def test_a_table_without_rows_has_no_links(tmp_path: Path) -> None:
    found = read_links(table(tmp_path))
    assert (found.links, found.problems, found.rows) == ((), (), 0)


def test_every_row_that_is_not_blank_is_counted(tmp_path: Path) -> None:
    face = "images/Ann/7.jpg,1.5,2,30,40,Ann,7,http://a/x"
    found = read_links(table(tmp_path, face, "", face, "not a row", "", ",,,,,,,"))
    assert (found.rows, len(found.problems), len(found.links)) == (4, 2, 1)


def test_two_spellings_of_one_address_are_one_link(tmp_path: Path) -> None:
    spellings = ("http://a.example/x", "HTTP://A.Example:80/x#top", "http://a.example./x")
    rows = (f"images/Ann/7.jpg,,,,,Ann,7,{url}" for url in spellings)
    assert [link.url for link in links_of(tmp_path, *rows)] == [spellings[0]]


def test_a_row_is_a_link(tmp_path: Path) -> None:
    row = "images/Ann/007.jpg,1.5,2,30,40,Ann,007,http://a.example/x.jpg"
    assert links_of(tmp_path, row) == [Link("Ann", "007", "http://a.example/x.jpg", BOX)]


def test_a_photo_without_a_face_has_no_box(tmp_path: Path) -> None:
    (link,) = links_of(tmp_path, "images/Ann/7.jpg,,,,,Ann,7,http://a/x")
    assert link.box_xyxy is None


def test_names_that_are_missing_come_from_the_path(tmp_path: Path) -> None:
    header = "url,image_path,x1,y1,x2,y2\n"
    (link,) = links_of(tmp_path, "http://a/x,images/Ann/007.jpg,1.5,2,30,40", header=header)
    assert (link.identity, link.photo_id) == ("Ann", "007")


def test_a_column_without_a_name_is_nobody(tmp_path: Path) -> None:
    header = ",image_path,x1,y1,x2,y2,url\n"  # as pandas writes its index
    (link,) = links_of(tmp_path, "99,images/Ann/007.jpg,,,,,http://a/x", header=header)
    assert (link.identity, link.photo_id) == ("Ann", "007")


def test_an_empty_name_comes_from_the_path(tmp_path: Path) -> None:
    (link,) = links_of(tmp_path, "images/Ann/007.jpg,,,,,,,http://a/x")
    assert (link.identity, link.photo_id) == ("Ann", "007")


def test_several_faces_of_a_photo_share_the_link(tmp_path: Path) -> None:
    face = "images/Ann/7.jpg,1.5,2,30,40,Ann,7,http://a/x"
    other = "images/Ann/7.jpg,100,2,130,40,Ann,7,http://a/x"
    assert [link.box_xyxy for link in links_of(tmp_path, face, other)] == [BOX]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("i/A/1.jpg,,,,,A,1,", "no link"),
        ("i/A/1.jpg,,,,,A,1, ", "no link"),
        (",1,2,3,4,A,9,http://a/x", "image_path is empty"),
        ("i/A/1.jpg,5,1,4,9,A,1,http://a/x", "not beyond"),
        ("i/A/1.jpg,five,1,4,9,A,1,http://a/x", "not a number"),
        ("i/A/1.jpg,nan,1,4,9,A,1,http://a/x", "not a number"),
        ("i/A/1.jpg,1,1,4,9,A,1", "7 cells"),
        ("i/A/1.jpg,,,,,A,1,http://other/", "another link already"),
        ("i/A/1.jpg,,,,,a,1,http://good/", "would be one file"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_problem(tmp_path: Path, row: str, reason: str) -> None:
    found = problem_of(tmp_path, "i/A/1.jpg,,,,,A,1,http://good/", row)
    assert found.line == 3
    assert reason in found.reason


def test_good_rows_are_those_of_the_label_table(tmp_path: Path) -> None:
    boxes = ["1,2,3,4", ",,,", "1,2,3,", "-1e7,0,1,1", "1e6,0,1e6,1", "-5.5,-2,1e6,9", " 1,2,3 ,4"]
    boxes += ["nan,1,2,3", "inf,1,2,3", "0,0,0.0000000001,1", "1_0,2,30,4", "٣,1,9,2"]
    path = table(
        tmp_path, *(f"i/A/{n}.jpg,{box},A,{n},http://a/{n}" for n, box in enumerate(boxes))
    )
    found = read_links(path)
    expected = read_table(path)
    assert [link.photo_id for link in found.links] == [row["photo_id"] for row in expected.rows]
    assert found.problems == expected.problems


@pytest.mark.parametrize("header", ["", "image_path,x1,y1,x2,y2\n", "url\n"])
def test_a_table_without_needed_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(LabelError, match="the header lacks"):
        read_links(table(tmp_path, header=header))


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"", HEADER.encode() + b'"' + b"x" * 200_000])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(data)
    with pytest.raises(LabelError):
        read_links(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="cannot be read"):
        read_links(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("00000001", "00000001"),
        ("Ann_Lee", "Ann_Lee"),
        ("A.J._Cook", "A.J._Cook"),
        ("..", "photo"),
        (".", "photo"),
        ("", "photo"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("AC/DC", "AC_DC"),
        ("C:\\x", "C__x"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1", "_com1"),
        ("console", "console"),
        ("name. .", "name"),
        (".hidden", "hidden"),
        ("a\x00b\nc", "a_b_c"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("1" * 300, None),
    ],
)
def test_names_are_safe_for_every_file_system(text: str, safe: str | None) -> None:
    assert safe_part(text) == (safe or safe_part(text))
    assert len(safe_part(text).encode()) <= MAX_PART_BYTES


def test_a_safe_name_stays_as_it_is() -> None:
    rng = Random(2)
    pieces = (
        "..",
        ".",
        " ",
        "/",
        "CON",
        "ü",
        "e\u0301",
        "-",
        "a" * 40,
        "x.jpg",
        "\n",
        "~",
        "人",
        ":",
    )
    for _n in range(3000):
        name = safe_part("".join(rng.choices(pieces, k=rng.randrange(12))))
        assert safe_part(name) == name
        assert len(name.encode()) <= MAX_PART_BYTES


def test_long_names_that_differ_at_the_end_stay_apart() -> None:
    assert safe_part("a" * 200 + "1") != safe_part("a" * 200 + "2")


def test_names_of_a_row_are_those_of_its_link(tmp_path: Path) -> None:
    (link,) = links_of(tmp_path, "images/AC~DC/..jpg,,,,,AC/DC,,http://a/x")
    assert names_of("AC/DC", "", "images/AC~DC/..jpg") == (link.identity, link.photo_id)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://WWW.Example.org:8080/a", "www.example.org"),
        ("http://www.example.org/a", "www.example.org"),
        ("http://www.example.org:8642/a", "www.example.org"),
        ("http://Example.org./", "example.org"),
        (" http://Example.org/a b", "example.org"),
        ("http://münchen.example", "xn--mnchen-3ya.example"),
        ("http://１２７.０.０.１/", "127.0.0.1"),
        ("https://[2001:db8::1]:1/", "2001:db8::1"),
        ("https://[2001:DB8:0::1]/", "2001:db8::1"),
        ("http://user@Example.org/", "example.org"),
        ("ftp://Example.org/", "example.org"),
        ("http://[broken/", ""),
        ("no address", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_link(url: str, host: str) -> None:
    assert host_of(url) == host
