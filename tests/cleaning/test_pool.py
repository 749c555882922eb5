"""The functions that measure stand at the top of the file: workers find them by name."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from facedet.cleaning.cleaner import Picture, Values
from facedet.cleaning.pictures import list_pictures
from facedet.cleaning.pool import Conditions, Row, measure_all
from facedet.errors import FacedetError, ModelError
from tests.cleaning.made import write_files


def mischief(picture: Picture) -> Values:
    """Does what the file says."""
    if picture.data == b"hang":
        threading.Event().wait()
    if picture.data == b"die":
        os._exit(3)
    if picture.data == b"eat":
        return {"n": len(bytearray(8 << 30))}
    if picture.data.startswith(b"die once "):
        mark = Path(picture.data.removeprefix(b"die once ").decode())
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if picture.data == b"mistake":
        return {"n": 1 // 0}
    return {"n": len(picture.data)}


def ready() -> Callable[[Picture], Values]:
    return mischief


def cannot() -> Callable[[Picture], Values]:
    raise ModelError("no weights here")


def dies() -> Callable[[Picture], Values]:
    os._exit(1)


def measured(
    folder: Path, files: dict[str, bytes], workers: int = 2, timeout_s: float = 20.0
) -> dict[str, Row]:
    entries = list_pictures(write_files(folder, files)).entries
    conditions = Conditions(workers=workers, timeout_s=timeout_s)
    found = [row for batch in measure_all(ready, entries, conditions) for row in batch]
    assert len(found) == len(entries)
    return {entry.image_path: row for entry, row in found}


def plain(n: int) -> dict[str, bytes]:
    return {f"{k:03d}.jpg": bytes(k + 1) for k in range(n)}


@pytest.mark.parametrize("n", [0, 1, 100])
def test_every_picture_comes_once(tmp_path: Path, n: int) -> None:
    rows = measured(tmp_path, plain(n))
    assert [rows[name]["n"] for name in sorted(rows)] == list(range(1, n + 1))


def test_one_that_hangs_costs_itself_alone(tmp_path: Path) -> None:
    rows = measured(tmp_path, plain(40) | {"010.jpg": b"hang"}, timeout_s=0.5)
    assert rows["010.jpg"]["problem"] == "hangs"
    assert Counter("problem" in row for row in rows.values()) == {False: 39, True: 1}


def test_one_that_kills_costs_itself_alone(tmp_path: Path) -> None:
    rows = measured(tmp_path, plain(40) | {"010.jpg": b"die", "020.jpg": b"die"})
    assert rows["010.jpg"]["problem"] == rows["020.jpg"]["problem"] == "crashed"
    assert Counter("problem" in row for row in rows.values()) == {False: 38, True: 2}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")
def test_one_that_eats_memory_costs_itself_alone(tmp_path: Path) -> None:
    rows = measured(tmp_path, plain(5) | {"002.jpg": b"eat"})
    assert [name for name, row in rows.items() if "problem" in row] == ["002.jpg"]
    assert rows["002.jpg"]["problem"] == "crashed"


def test_a_worker_shot_in_the_middle_costs_nothing_but_time(tmp_path: Path) -> None:
    victim = b"die once " + str(tmp_path / "shot.txt").encode()
    rows = measured(tmp_path, plain(40) | {"010.jpg": victim})
    assert not [row for row in rows.values() if "problem" in row]


def test_a_picture_that_kills_does_not_stop_a_single_worker(tmp_path: Path) -> None:
    rows = measured(tmp_path, plain(5) | {"000.jpg": b"die"}, workers=1)
    assert len(rows) == 5


def test_each_row_says_how_long_it_took(tmp_path: Path) -> None:
    assert all(float(row["seconds"]) >= 0 for row in measured(tmp_path, plain(3)).values())


def test_a_mistake_in_the_cleaner_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(FacedetError, match=r"the cleaner fails at 001\.jpg"):
        measured(tmp_path, plain(3) | {"001.jpg": b"mistake"})


def test_a_detector_that_cannot_run_is_told(tmp_path: Path) -> None:
    entries = list_pictures(write_files(tmp_path, plain(1))).entries
    with pytest.raises(FacedetError, match="no weights here"):
        list(measure_all(cannot, entries))


def test_workers_that_never_begin_are_given_up(tmp_path: Path) -> None:
    entries = list_pictures(write_files(tmp_path, plain(1))).entries
    with pytest.raises(FacedetError, match="end before they begin"):
        list(measure_all(dies, entries))


def test_ending_early_ends_the_workers(tmp_path: Path) -> None:
    entries = list_pictures(write_files(tmp_path, plain(5) | {"000.jpg": b"hang"})).entries
    batches = measure_all(ready, entries, Conditions(workers=1))
    next(batches)
    batches.close()
    assert multiprocessing.active_children() == []
