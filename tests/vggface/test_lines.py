import pytest

from facedet.vggface import format_line, parse_line
from tests.vggface.made import GOOD


def test_a_line_is_read_by_the_letter() -> None:
    line = parse_line(GOOD)
    assert (line.photo_id, line.url) == (1, "http://a.example/x.jpg")
    assert line.box_xyxy == (10, 20, 110.5, 120.5)
    assert (line.pose, line.curated) == (3, True)
    assert line.detection_score == pytest.approx(2.31)


def test_what_is_written_reads_back() -> None:
    assert format_line(parse_line(GOOD)) == GOOD.decode()


BROKEN = {
    "8 fields": (GOOD.rsplit(b" ", 1)[0], "8 fields, expected 9"),
    "10 fields": (GOOD + b" 1", "10 fields, expected 9"),
    "nothing": (b"", "0 fields, expected 9"),
    "two spaces": (GOOD.replace(b" ", b"  ", 1), "10 fields"),
    "letters": (GOOD.replace(b"20.00", b"abc"), "top is 'abc', not a number"),
    "NaN": (GOOD.replace(b"10.00", b"nan"), "left is 'nan', not a number"),
    "infinity": (GOOD.replace(b"10.00", b"-inf"), "left is '-inf'"),
    "underscores": (GOOD.replace(b"10.00", b"1_0.0"), "left is '1_0.0'"),
    "ten to the nine": (GOOD.replace(b"110.50", b"1000000000"), "right is '1000000000'"),
    "binary": (b"\x00\x01\xff\xfe" * 20, "byte 0xff at column 3 is not UTF-8"),
    "Latin-1": (GOOD.replace(b"x.jpg", b"caf\xe9.jpg"), "byte 0xe9 at column 30 is not UTF-8"),
    "turned box": (GOOD.replace(b"110.50", b"9.00"), "right (9.00) is not beyond left (10.00)"),
    "flat box": (GOOD.replace(b"120.50", b"20.00"), "bottom (20.00) is not beyond top (20.00)"),
    "no address": (GOOD.replace(b"http://a.example/x.jpg", b"x.jpg"), "no http or https address"),
    "a script": (GOOD.replace(b"http", b"javascript"), "no http or https address"),
    "no host": (GOOD.replace(b"a.example", b""), "no http or https address"),
    "a control character": (GOOD.replace(b"x.jpg", b"x\x1b.jpg"), "no http or https address"),
    "id": (GOOD.replace(b"00000001", b"one"), "the id is 'one'"),
    "id below zero": (GOOD.replace(b"00000001", b"-1"), "the id is '-1'"),
    "id too large": (GOOD.replace(b"00000001", b"9999999999"), "the id is '9999999999'"),
    "curation": (GOOD[:-1] + b"2", "curation is '2', not 0 or 1"),
}


@pytest.mark.parametrize(("raw", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_says_what_is_wrong(raw: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(").replace(")", r"\)")):
        parse_line(raw)
