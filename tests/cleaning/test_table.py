import csv
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedet.cleaning import catalogue, decisions, integrity, quarantine, table
from facedet.cleaning.cleaner import Value
from facedet.cleaning.pictures import Entry, list_pictures
from facedet.errors import DatasetError, UsageError
from tests.cleaning.made import write_files

VALUES: dict[str, Value] = {
    **{"width": 640, "height": 480, "format": "JPEG", "spare_bytes": 0, "sharpness": 61.25},
    **{"darkest": 0.1, "brightest": 0.9, "information": 7.0, "phash": "", "seconds": 0.002},
}
CLEANER = integrity.cleaner()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "cleaning").mkdir()
    return write_files(tmp_path, {f"images/P/{n}.jpg": bytes(n) for n in range(1, 6)})


def entries(dataset: Path) -> Sequence[Entry]:
    return list_pictures(dataset).entries


def measure(dataset: Path, *names: str, **values: Value) -> None:
    """What a run would write into the journal."""
    with table.Journal(dataset, "integrity") as journal:
        for entry in entries(dataset):
            if not names or entry.path.name in names:
                row = {**VALUES, "sha256": f"{entry.size_bytes:064x}", **values}
                journal.add([table.row_of(entry, CLEANER.version, row)])


def fold(dataset: Path) -> pd.DataFrame:
    return table.fold(dataset, CLEANER, entries(dataset))


def test_before_anything_is_measured_the_table_is_empty(tmp_path: Path) -> None:
    assert table.read(tmp_path, "integrity").empty
    assert table.judged(tmp_path, "integrity")["verdict"].tolist() == []


def test_rows_can_be_read_while_a_cleaner_is_at_work(dataset: Path) -> None:
    measure(dataset, "1.jpg", "2.jpg")
    assert table.read(dataset, "integrity").index.tolist() == ["images/P/1.jpg", "images/P/2.jpg"]


def test_the_table_gives_back_what_the_journal_had(dataset: Path) -> None:
    measure(dataset, note="=1+1 'quoted'", sharpness=1 / 3)
    before = table.read(dataset, "integrity")
    fold(dataset)
    pd.testing.assert_frame_equal(table.read(dataset, "integrity"), before)
    assert not table.journal_path(dataset, "integrity").exists()


def test_the_table_begins_as_the_contract_says(dataset: Path) -> None:
    measure(dataset, "1.jpg", width=8)
    fold(dataset)
    lines = table.csv_path(dataset, "integrity").read_text().splitlines()
    assert lines[0].startswith("image_path,verdict,reason,size_bytes,mtime_ns,version,seconds,")
    assert lines[1].startswith("images/P/1.jpg,set_aside,tiny,1,")


def test_what_was_measured_is_not_measured_again(dataset: Path) -> None:
    measure(dataset, "1.jpg", "2.jpg")
    fold(dataset)
    measure(dataset, "3.jpg")
    left = table.remaining(dataset, CLEANER, entries(dataset))
    assert [entry.path.name for entry in left] == ["4.jpg", "5.jpg"]


def test_what_changed_is_measured_again(dataset: Path) -> None:
    measure(dataset)
    (dataset / "images/P/3.jpg").write_bytes(b"longer than before")
    os.utime(dataset / "images/P/4.jpg", ns=(1, 1))
    left = table.remaining(dataset, CLEANER, entries(dataset))
    assert [entry.path.name for entry in left] == ["3.jpg", "4.jpg"]


def test_another_version_measures_all_again(dataset: Path) -> None:
    measure(dataset, version="0")
    assert len(table.remaining(dataset, CLEANER, entries(dataset))) == 5


def test_what_could_not_be_read_is_tried_again(dataset: Path) -> None:
    measure(dataset, "1.jpg", problem="no_access")
    measure(dataset, "2.jpg", "3.jpg", "4.jpg", "5.jpg", problem="hangs")
    left = table.remaining(dataset, CLEANER, entries(dataset))
    assert [entry.path.name for entry in left] == ["1.jpg"]


def test_half_a_line_of_a_killed_process_is_passed_over(dataset: Path) -> None:
    measure(dataset, "1.jpg")
    with table.journal_path(dataset, "integrity").open("a") as file:
        file.write('{"image_path": "images/P/2.j')
    measure(dataset, "3.jpg")
    names = [Path(path).name for path in table.read(dataset, "integrity").index]
    assert names == ["1.jpg", "3.jpg"]


def test_a_picture_that_is_gone_leaves_the_table(dataset: Path) -> None:
    measure(dataset)
    (dataset / "images/P/3.jpg").unlink()
    assert len(fold(dataset)) == 4


def test_a_picture_in_quarantine_stays_in_the_table(dataset: Path) -> None:
    measure(dataset, "1.jpg", width=8)
    quarantine.apply(dataset, fold(dataset), "integrity")
    assert fold(dataset)["verdict"].tolist() == ["set_aside"]
    assert not (dataset / "images/P/1.jpg").exists()


def test_a_person_s_decision_wins_in_every_direction(dataset: Path) -> None:
    measure(dataset, "1.jpg", width=8)
    measure(dataset, "2.jpg")
    decisions.decide(dataset, ["images/P/1.jpg"], "keep")
    decisions.decide(dataset, ["images/P/2.jpg"], "set_aside")
    for judged in (table.judged(dataset, "integrity"), fold(dataset)):
        assert judged["verdict"].tolist() == ["keep", "set_aside"]
        assert judged["by"].tolist() == ["person", "person"]
        assert judged["reason"].tolist() == ["tiny", ""]


def two_copies(dataset: Path) -> None:
    """The first would stay; the second is larger in bytes only."""
    measure(dataset, "1.jpg", "2.jpg", sha256="a" * 64)


def test_a_copy_stays_where_a_person_sets_the_other_aside(dataset: Path) -> None:
    two_copies(dataset)
    decisions.decide(dataset, ["images/P/1.jpg"], "set_aside")
    for judged in (table.judged(dataset, "integrity"), fold(dataset)):
        assert judged["verdict"].tolist() == ["set_aside", "keep"]


def test_a_copy_stays_where_the_other_lies_in_quarantine(dataset: Path) -> None:
    two_copies(dataset)
    other = pd.DataFrame({"verdict": ["set_aside"], "reason": ["no_face"]}, ["images/P/1.jpg"])
    quarantine.apply(dataset, other.rename_axis("image_path"), "faces")
    assert table.judged(dataset, "integrity")["verdict"].tolist() == ["keep", "keep"]
    quarantine.undo(dataset)
    assert table.judged(dataset, "integrity")["verdict"].tolist() == ["keep", "set_aside"]


def test_a_copy_in_quarantine_is_one_still(dataset: Path) -> None:
    two_copies(dataset)
    quarantine.apply(dataset, fold(dataset), "integrity")
    assert table.judged(dataset, "integrity")["reason"].tolist() == ["", "duplicate"]


def test_what_the_disk_did_not_give_out_stays_where_it_is(dataset: Path) -> None:
    measure(dataset, "1.jpg", problem="no_access")
    judged = fold(dataset)
    assert judged[["verdict", "reason"]].to_numpy().tolist() == [["keep", "no_access"]]
    assert quarantine.apply(dataset, judged, "integrity") == quarantine.Applied()


BAD_CELLS = [
    *(("size_bytes", ""), ("size_bytes", "-1"), ("mtime_ns", "9" * 30), ("mtime_ns", "1.5")),
    *(("phash", "zz"), ("sha256", "abc"), ("width", "inf"), ("width", "0"), ("height", "")),
    *(("problem", "sad"), ("sharpness", "1e300"), ("seconds", "nan"), ("information", "much")),
]


@pytest.mark.parametrize(("column", "cell"), BAD_CELLS)
def test_an_edited_row_that_cannot_be_is_measured_again(
    dataset: Path, column: str, cell: str
) -> None:
    measure(dataset)
    fold(dataset)
    edit(table.csv_path(dataset, "integrity"), 2, column, cell)
    assert len(table.judged(dataset, "integrity")) == 4
    assert table.read(dataset, "integrity").attrs["unusable"] == 1
    left = table.remaining(dataset, CLEANER, entries(dataset))
    assert [entry.path.name for entry in left] == ["3.jpg"]


def edit(path: Path, row: int, column: str, cell: str) -> None:
    """Write another cell into a table, as a hand would."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    lines[row + 1][lines[0].index(column)] = cell
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows(lines)


LINES = ["3", "null", "[" * 100_000, '{"image_path": 3}', '{"image_path": "\\ud800"}', "\0"]


@pytest.mark.parametrize("line", LINES)
def test_an_edited_journal_line_that_cannot_be_is_passed_over(dataset: Path, line: str) -> None:
    measure(dataset)
    with table.journal_path(dataset, "integrity").open("a") as file:
        file.write(line + "\n")
    assert len(fold(dataset)) == 5


CELLS = st.one_of(
    st.sampled_from([cell for _column, cell in BAD_CELLS] + ["1e999", "abc;", "0.9 1 2 3 4;", "="]),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(str),
)


@pytest.mark.parametrize("name", ["integrity", "faces"])
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(edits=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), CELLS), max_size=4))
def test_whatever_is_edited_it_is_judged_or_told(
    name: str, edits: list[tuple[int, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dataset = tmp_path_factory.mktemp("edited")
    (dataset / "cleaning").mkdir()
    write_files(dataset, {f"{n}.jpg": bytes(n + 1) for n in range(3)})
    cleaner = catalogue.get(name)
    values = {**VALUES, "sha256": "a" * 64, "found": "0.9000 1.00 2.00 3.00 4.00;"}
    with table.Journal(dataset, name) as journal:
        journal.add(table.row_of(each, cleaner.version, values) for each in entries(dataset))
    table.fold(dataset, cleaner, entries(dataset))
    path = table.csv_path(dataset, name)
    columns = path.read_text().partition("\n")[0].split(",")
    for row, column, cell in edits:
        edit(path, row, columns[column % len(columns)], cell.replace("\0", ""))
    with suppress(DatasetError):
        table.judged(dataset, name)
        table.remaining(dataset, cleaner, entries(dataset))
        table.fold(dataset, cleaner, entries(dataset))


def test_thresholds_are_moved_without_reading_a_picture(dataset: Path) -> None:
    measure(dataset)
    for entry in entries(dataset):
        entry.path.unlink()
    judged = table.judged(dataset, "integrity", {"tiny": 500})
    assert judged["reason"].tolist() == ["tiny"] * 5


def test_unreadable_pictures_are_set_aside_for_their_problem(dataset: Path) -> None:
    measure(dataset, "1.jpg", problem="bomb", width=1)
    assert table.judged(dataset, "integrity")["reason"].tolist() == ["bomb"]


def test_borderline_pictures_lie_on_both_sides(dataset: Path) -> None:
    for n in range(1, 6):
        measure(dataset, f"{n}.jpg", width=10 * n)
    tiny = next(each for each in CLEANER.thresholds if each.name == "tiny")
    near = table.borderline(table.judged(dataset, "integrity"), tiny, 1, 32)
    assert near["side"].tolist() == [30, 40]


@pytest.mark.parametrize("name", ["=1+1.jpg", "a,b.jpg", 'a"b.jpg', "a\rb\n.jpg", "NA", "ü 漢.jpg"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_any_name_comes_back(tmp_path: Path, name: str) -> None:
    (tmp_path / "cleaning").mkdir()
    measure(write_files(tmp_path, {name: b"x"}))
    fold(tmp_path)
    assert table.read(tmp_path, "integrity").index.tolist() == [name]
    assert table.remaining(tmp_path, CLEANER, entries(tmp_path)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf_8_has_a_row_of_plain_text(tmp_path: Path) -> None:
    (tmp_path / "cleaning").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    measure(tmp_path)
    assert fold(tmp_path).reset_index()["image_path"].tolist() == ["\\xff.jpg"]
    assert table.remaining(tmp_path, CLEANER, entries(tmp_path)) == []


@pytest.mark.parametrize("damage", ["", "nonsense", "image_path,size_bytes\na,b\n"])
def test_a_damaged_table_is_told(dataset: Path, damage: str) -> None:
    table.csv_path(dataset, "integrity").write_text(damage)
    with pytest.raises(DatasetError, match=r"cleaning/integrity\.csv is damaged"):
        table.read(dataset, "integrity")


def test_an_unknown_threshold_is_told(dataset: Path) -> None:
    with pytest.raises(UsageError, match="no threshold size"):
        table.judged(dataset, "integrity", {"size": 1})


def test_a_full_disk_is_told(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    measure(dataset)
    monkeypatch.setattr(table, "write_atomically", full)
    with pytest.raises(DatasetError, match="No space left"):
        fold(dataset)
    assert len(table.read(dataset, "integrity")) == 5


def test_journal_lines_are_plain_json(dataset: Path) -> None:
    measure(dataset, "1.jpg")
    line = table.journal_path(dataset, "integrity").read_text().splitlines()[0]
    assert json.loads(line)["image_path"] == "images/P/1.jpg"
