from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from facedet.cleaning import faces, integrity, pool, table
from facedet.cleaning.pool import Conditions
from facedet.cleaning.run import Ask, Progress, clean
from facedet.errors import DatasetError, FacedetError, LabelError, UsageError
from tests.cleaning.made import as_file, photo, write_files

ONE = Conditions(workers=1)
CLEANER = integrity.cleaner()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    good = {f"images/P/{n:02d}.jpg": as_file(photo(n)) for n in range(20)}
    bad = {
        "images/P/90.jpg": b"",
        "images/P/91.jpg": b"<html>",
        "images/P/92.jpg": good["images/P/00.jpg"],
    }
    return write_files(tmp_path / "set", good | bad)


def test_every_picture_has_a_verdict(dataset: Path) -> None:
    done = clean(dataset, CLEANER, conditions=ONE)
    assert done.reasons == {"zero_bytes": 1, "not_an_image": 1, "duplicate": 1}
    assert (len(done.table), done.measured_now, done.stopped) == (23, 23, False)
    assert done.here.all()


def test_a_second_run_reads_only_what_is_new(dataset: Path) -> None:
    clean(dataset, CLEANER, conditions=ONE)
    write_files(dataset, {"images/P/50.jpg": as_file(photo(50))})
    assert clean(dataset, CLEANER, conditions=ONE).measured_now == 1


def test_a_folder_without_pictures_is_clean(tmp_path: Path) -> None:
    done = clean(tmp_path, CLEANER, conditions=ONE)
    assert (len(done.table), done.reasons, done.ms_per_picture) == (0, {}, 0.0)


def test_progress_is_told_from_nothing_to_all(dataset: Path) -> None:
    told: list[Progress] = []
    clean(dataset, CLEANER, conditions=ONE, report=told.append)
    assert (told[0].done, told[0].total) == (0, 23)
    assert (told[-1].done, told[-1].total) == (23, 23)
    assert told[-1].reasons["zero_bytes"] == 1
    assert told[-1].per_second > 0


def test_a_stop_keeps_what_is_measured(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHUNK", 1)
    asked: list[Ask] = ["", "", "stop"]
    first = clean(dataset, CLEANER, conditions=ONE, asked=lambda: asked.pop(0) if asked else "stop")
    assert first.stopped
    assert len(first.table) == first.measured_now < 23
    second = clean(dataset, CLEANER, conditions=ONE)
    assert first.measured_now + second.measured_now == 23
    assert len(second.table) == 23


def test_a_pause_waits_for_the_word(dataset: Path) -> None:
    asked: list[Ask] = ["pause", "pause", ""]
    done = clean(dataset, CLEANER, conditions=ONE, asked=lambda: asked.pop(0) if asked else "")
    assert not asked
    assert len(done.table) == 23


def test_a_killed_run_goes_on_where_it_was(dataset: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        clean(dataset, CLEANER, conditions=ONE, asked=_interrupt)
    left = table.journal_path(dataset, "integrity")
    known = left.read_bytes().count(b"\n{") + left.read_bytes().startswith(b"{")
    assert clean(dataset, CLEANER, conditions=ONE).measured_now == 23 - known


def _interrupt() -> Ask:
    raise KeyboardInterrupt


def test_the_table_is_the_same_however_many_work(dataset: Path) -> None:
    tables = []
    for workers in (1, 3):
        table.csv_path(dataset, "integrity").unlink(missing_ok=True)
        done = clean(dataset, CLEANER, conditions=Conditions(workers=workers))
        tables.append(done.table.drop(columns="seconds"))
    pd.testing.assert_frame_equal(*tables)


def test_two_at_once_on_one_folder_are_refused(dataset: Path) -> None:
    (dataset / "cleaning").mkdir()
    with (
        FileLock(dataset / "cleaning/.integrity.lock"),
        pytest.raises(DatasetError, match="another process cleans"),
    ):
        clean(dataset, CLEANER, conditions=ONE)


def test_two_cleaners_work_beside_each_other(dataset: Path) -> None:
    (dataset / "cleaning").mkdir()
    with FileLock(dataset / "cleaning/.integrity.lock"):
        done = clean(dataset, faces.yunet(), conditions=ONE)
    assert done.reasons == {"no_face": 21, "zero_bytes": 1, "not_an_image": 1}


def test_a_wrong_threshold_is_told_before_the_work(dataset: Path) -> None:
    with pytest.raises(UsageError):
        clean(dataset, CLEANER, thresholds={"nonsense": 1}, conditions=ONE)
    assert not (dataset / "cleaning").exists()


@pytest.mark.parametrize("name", ["cleaning/decisions.csv", "quarantine/manifest.csv"])
def test_damage_is_told_before_the_work(dataset: Path, name: str) -> None:
    write_files(dataset, {name: b"nonsense"})
    with pytest.raises(DatasetError):
        clean(dataset, CLEANER, conditions=ONE)
    assert not table.journal_path(dataset, "integrity").exists()


def test_reasons_so_far_are_the_most_frequent_first_and_none_that_compares(dataset: Path) -> None:
    told: list[Progress] = []
    write_files(dataset, {f"{n}.jpg": b"<html>" for n in range(3)})
    clean(dataset, CLEANER, conditions=ONE, report=told.append)
    assert list(told[-1].reasons.items()) == [("not_an_image", 4), ("zero_bytes", 1)]


def test_reasons_so_far_are_those_of_the_thresholds_that_are_set(dataset: Path) -> None:
    told: list[Progress] = []
    clean(dataset, CLEANER, thresholds={"tiny": 500}, conditions=ONE, report=told.append)
    assert told[-1].reasons["tiny"] == 21


def test_without_labels_the_answer_says_that_none_were_there(dataset: Path) -> None:
    assert clean(dataset, CLEANER, conditions=ONE).n_labels == 0
    rows = b"image_path,x1,y1,x2,y2\nimages/P/00.jpg,1,2,3,4\ngone.jpg,1,2,3,4\n"
    write_files(dataset, {"labels.csv": rows})
    assert clean(dataset, CLEANER, conditions=ONE).n_labels == 1


def test_labels_that_cannot_be_read_are_told_before_the_work(dataset: Path) -> None:
    write_files(dataset, {"labels.csv": b"nonsense"})
    with pytest.raises(LabelError):
        clean(dataset, CLEANER, conditions=ONE)
    assert not table.read(dataset, "integrity").size


def test_labels_are_never_changed(dataset: Path) -> None:
    text = b"image_path,x1,y1,x2,y2\nimages/P/00.jpg,1,2,3,4\n"
    write_files(dataset, {"labels.csv": text})
    clean(dataset, faces.yunet(), conditions=ONE)
    assert (dataset / "labels.csv").read_bytes() == text


def test_a_folder_that_takes_no_table_is_told(dataset: Path) -> None:
    (dataset / "cleaning").write_bytes(b"a file where a folder should be")
    with pytest.raises(FacedetError):
        clean(dataset, CLEANER, conditions=ONE)
