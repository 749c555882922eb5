"""The fast reader agrees with the readable one, and loses no line without saying so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedet.vggface.archive import Finding, LabelFile
from facedet.vggface.columns import parse_block, parse_careful, read_blocks
from tests.vggface.made import GOOD, LINES
from tests.vggface.test_lines import BROKEN

FILES = [LabelFile(name, f"files/{name}.txt", b"\n".join(ls) + b"\n") for name, ls in LINES.items()]


def file_of(*lines: bytes, name: str = "One") -> LabelFile:
    return LabelFile(name, f"files/{name}.txt", b"\n".join(lines) + b"\n")


def numbered(n: int) -> bytes:
    return GOOD.replace(b"00000001", b"%08d" % n)


def test_no_file_gives_an_empty_table() -> None:
    assert parse_block([]).table.num_rows == 0


def test_a_block_has_the_lines_of_all_its_files_in_order() -> None:
    block = parse_block(FILES)
    assert block.identities == tuple(LINES)
    assert block.counts == (3, 2, 1)
    assert block.table.column("photo_id").to_pylist() == [1, 2, 3, 1, 2, 5]
    assert block.findings == ()


def test_blocks_come_in_the_order_of_the_files() -> None:
    many = [file_of(numbered(n), name=f"P{n}") for n in range(40)]
    blocks = list(read_blocks(many, block_bytes=200))
    assert len(blocks) > 10
    assert [name for block in blocks for name in block.identities] == [f.identity for f in many]
    ids = [i for block in blocks for i in block.table.column("photo_id").to_pylist()]
    assert ids == list(range(40))


@pytest.mark.parametrize(("raw", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_named_and_the_others_stay(raw: bytes, says: str) -> None:
    bad = file_of(numbered(5), raw, numbered(6))
    block = parse_block([*FILES, bad])
    assert block.counts == (3, 2, 1, 2)
    [finding] = block.findings
    assert (finding.file, finding.line, finding.kind) == ("files/One.txt", 2, "lost")
    assert says in finding.reason


def test_windows_line_ends_lose_nothing_and_are_noted() -> None:
    block = parse_block([LabelFile("W", "files/W.txt", GOOD + b"\r\n" + numbered(2) + b"\r\n")])
    assert block.counts == (2,)
    assert block.table.column("curated").to_pylist() == [True, True]
    [note] = block.findings
    assert (note.kind, note.reason) == ("note", "Windows line ends in 2 lines; read all the same")


def test_a_missing_last_line_end_loses_nothing_and_is_noted() -> None:
    block = parse_block([LabelFile("W", "files/W.txt", GOOD), *FILES])
    assert block.counts == (1, 3, 2, 1)
    assert block.findings == (Finding("files/W.txt", 1, "note", "no line end after the last line"),)


def test_one_windows_line_end_is_one() -> None:
    [note] = parse_block(
        [LabelFile("W", "files/W.txt", GOOD + b"\r\n" + numbered(2) + b"\n")]
    ).findings
    assert note.reason == "a Windows line end in 1 line; read all the same"


def test_a_mark_of_utf8_costs_no_line_and_is_noted() -> None:
    block = parse_block([LabelFile("W", "files/W.txt", b"\xef\xbb\xbf" + GOOD + b"\n"), *FILES])
    assert block.counts == (1, 3, 2, 1)
    [note] = block.findings
    assert (note.kind, note.line) == ("note", 0)
    assert "(BOM) before the first line" in note.reason


def test_a_mark_of_utf8_alone_is_an_empty_file() -> None:
    block = parse_block([LabelFile("E", "files/E.txt", b"\xef\xbb\xbf")])
    assert block.counts == (0,)
    assert [note.reason for note in block.findings][1:] == ["the file is empty"]


def test_an_empty_file_is_noted() -> None:
    block = parse_block([FILES[0], LabelFile("E", "files/E.txt", b""), FILES[1]])
    assert block.counts == (3, 0, 2)
    assert block.findings == (Finding("files/E.txt", 0, "note", "the file is empty"),)


def test_a_second_line_of_one_id_is_lost_and_says_where_the_first_is() -> None:
    block = parse_block([file_of(numbered(7), numbered(8), numbered(7))])
    assert block.counts == (2,)
    assert "00000007 stands in line 1 already" in block.findings[0].reason


def test_ids_that_fall_but_never_repeat_are_fine() -> None:
    block = parse_block([file_of(numbered(9), numbered(3))])
    assert (block.counts, block.findings) == ((2,), ())


WORDS = b"1 0 - . e5 E + nan inf 1e39 12.5 , 00000002 http://a.b/c https://".split()
PIECES = st.sampled_from(
    [*WORDS, b" ", b"\xff", b"\r", b"\t", b'"', b"\n", b"\x00", b"\xef\xbb\xbf"]
)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Good lines with one or two places in them overwritten."""
    data = bytearray(b"\n".join(numbered(n) for n in range(draw(st.integers(1, 4)))) + b"\n")
    for _n in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 6))] = draw(PIECES)
    return bytes(data)


@settings(max_examples=300, deadline=None)
@given(damaged_files())
def test_fast_and_readable_agree_on_anything(data: bytes) -> None:
    file = LabelFile("A", "files/A.txt", data)
    block = parse_block([file])
    table, findings = parse_careful(file)
    assert block.table.equals(table)
    lost = [f for f in findings if f.kind == "lost"]
    assert [f for f in block.findings if f.kind == "lost"] == lost
    # Every line is accounted for.
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.count(b"\n") + (data[-1:] not in (b"\n", b""))
    assert block.table.num_rows + len(lost) == lines
