from pathlib import Path

import pandas as pd
import pytest

from facedet.cleaning.pictures import read_labels
from facedet.cleaning.truth import (
    ANSWERS,
    Score,
    Truth,
    read_truth,
    score,
    too_few,
    with_copies,
)
from facedet.errors import DatasetError
from facedet.practice.faults import all_faults


def judged(**reasons: str) -> pd.DataFrame:
    """A table in which an empty reason means: kept."""
    rows = [("set_aside" if reason else "keep", reason) for reason in reasons.values()]
    paths = pd.Index(list(reasons), dtype=object, name="image_path")
    return pd.DataFrame(rows, columns=["verdict", "reason"], index=paths)


def recall(found: Score, fault: str) -> float | None:
    return next(one.recall for one in found.faults if one.fault == fault)


def precision(found: Score, reason: str) -> float:
    return next(one.precision for one in found.reasons if one.reason == reason)


def mistakes(found: Score) -> dict[str, str]:
    return {one.image_path: one.mistake for one in found.wrong}


def test_every_reason_answers_for_faults_that_exist() -> None:
    names = {fault.name for fault in all_faults()}
    assert all(faults <= names for faults in ANSWERS.values())


def test_recall_and_precision_are_shares_of_the_right_ones() -> None:
    truth = Truth({"a": "no_face", "b": "no_face", "c": "ok", "d": "wrong_label"})
    found = score(judged(a="no_face", b="", c="no_face", d="no_face"), truth)
    assert recall(found, "no_face") == 0.5
    assert precision(found, "no_face") == pytest.approx(1 / 3)
    assert mistakes(found) == {"b": "missed", "c": "false_alarm", "d": "false_alarm"}


def test_a_picture_set_aside_for_something_else_is_a_wrong_reason() -> None:
    truth = Truth({"a": "wrong_label"})
    can_say = {"no_face", "does_not_fit"}
    found = score(judged(a="no_face"), truth, can_say)
    assert mistakes(found) == {"a": "wrong_reason"}
    assert recall(found, "wrong_label") == 0
    assert found.faults[0].set_aside == 1


def test_a_second_reason_finds_but_does_not_count_for_precision() -> None:
    truth = Truth({"a": "second_face"})
    found = score(judged(a="does_not_fit unlabelled_face"), truth)
    assert recall(found, "second_face") == 1
    assert precision(found, "does_not_fit") == 0
    assert [one.reason for one in found.reasons] == ["does_not_fit"]


def test_what_a_cleaner_has_no_reason_for_is_not_held_against_it() -> None:
    truth = Truth({"a": "no_face", "b": "bomb"})
    found = score(judged(a="", b="bomb"), truth, {"bomb"})
    assert recall(found, "no_face") is None
    assert recall(found, "bomb") == 1
    assert mistakes(found) == {}
    assert [one.fault for one in found.faults] == ["bomb", "no_face"]


@pytest.mark.parametrize("kept", ["a", "b", "c"])
def test_of_copies_any_one_may_stay(kept: str) -> None:
    truth = Truth({"a": "ok", "b": "duplicate", "c": "ok"}, dict.fromkeys("abc", "a"))
    found = score(judged(**{name: "" if name == kept else "duplicate" for name in "abc"}), truth)
    assert recall(found, "duplicate") == precision(found, "duplicate") == 1
    assert mistakes(found) == {}


def test_setting_all_copies_aside_loses_one() -> None:
    truth = Truth({"a": "ok", "b": "duplicate"}, dict.fromkeys("ab", "a"))
    found = score(judged(a="duplicate", b="duplicate"), truth)
    assert recall(found, "duplicate") == 1
    assert precision(found, "duplicate") == 0.5
    assert mistakes(found) == {"a": "false_alarm"}


def test_keeping_all_copies_misses_all_but_one() -> None:
    truth = Truth({"a": "ok", "b": "duplicate", "c": "ok"}, dict.fromkeys("abc", "a"))
    found = score(judged(a="", b="", c=""), truth, {"duplicate"})
    assert recall(found, "duplicate") == 0
    assert mistakes(found) == {"b": "missed", "c": "missed"}


def test_what_a_person_decided_and_what_nobody_knows_is_not_scored() -> None:
    table = judged(a="no_face", b="no_face", c="no_face").assign(
        by=["cleaner", "person", "cleaner"]
    )
    found = score(table, Truth({"a": "no_face", "b": "ok"}))
    assert precision(found, "no_face") == 1
    assert found.unscored == 2


def test_nothing_is_scored_without_pictures() -> None:
    assert score(judged(), Truth({})) == Score((), (), (), 0)


def test_the_truth_of_a_dataset_reads_with_its_copies(tmp_path: Path) -> None:
    rows = [
        "identity,photo_id,fault,image_path,same_as",
        "A,1,ok,a.jpg,",
        "A,2,duplicate,b.jpg,a.jpg",
        "A,3,http_404,,",
        "A,4,ok,./=c.jpg,",
    ]
    (tmp_path / "truth.csv").write_text("\n".join(rows))
    truth = read_truth(tmp_path / "truth.csv")
    assert truth.faults == {"a.jpg": "ok", "b.jpg": "duplicate", "=c.jpg": "ok"}
    assert truth.groups == {"a.jpg": "a.jpg", "b.jpg": "a.jpg"}


@pytest.mark.parametrize(
    "text", [None, "", "identity,fault\nA,ok\n", "identity,photo_id,fault\nA,1,ok\n"]
)
def test_what_is_no_truth_says_so(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"truth\.csv: no truth"):
        read_truth(tmp_path / "truth.csv")


def test_the_truth_of_a_set_is_placed_by_the_labels_of_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("identity,photo_id,fault\nA,1,ok\nA,2,http_404\n")
    labels = "image_path,x1,y1,x2,y2,identity,photo_id\nimages/A/1.png,1,2,3,4,A,1\n"
    (tmp_path / "labels.csv").write_text(labels)
    truth = read_truth(tmp_path / "truth.csv", tmp_path / "labels.csv")
    assert truth == Truth({"images/A/1.png": "ok"})
    with pytest.raises(DatasetError, match="no truth"):
        read_truth(tmp_path / "truth.csv", tmp_path / "nowhere.csv")


def test_equal_sums_make_copies_but_of_placeholders() -> None:
    faults = {"a": "ok", "b": "ok", "c": "duplicate", "p": "placeholder", "q": "placeholder"}
    sums = {"a": "1", "b": "2", "c": "1", "p": "3", "q": "3", "d": "", "e": ""}
    assert with_copies(Truth(faults), sums).groups == {"a": "a", "c": "a"}


def test_what_too_few_equal_files_hide_is_counted(tmp_path: Path) -> None:
    sums = {"A/1": "p", "B/1": "p", "C/1": "p", "A/2": "q", "B/2": "c", "B/3": "c", "C/2": "d"}
    table = judged(**dict.fromkeys(sums, "")).assign(sha256=list(sums.values()), problem="")
    faults = dict.fromkeys(("A/1", "B/1", "C/1", "A/2"), "placeholder")
    truth = Truth(faults | {"B/3": "duplicate", "C/2": "duplicate", "B/2": "ok"})
    found = too_few(table, truth, read_labels(tmp_path))
    assert found == {"placeholder": (1, 4), "duplicate": (1, 2)}


def test_of_a_table_without_sums_nothing_is_said(tmp_path: Path) -> None:
    assert too_few(judged(a=""), Truth({"a": "placeholder"}), read_labels(tmp_path)) == {}
