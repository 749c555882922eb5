import json
import os
from pathlib import Path

import pytest

from facedet import jobs
from facedet.cleanings import keep_setting
from facedet.cli import main
from tests.cleaning.made import as_file, photo, write_files

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    good = {f"images/P/{n}.jpg": as_file(photo(n)) for n in range(5)}
    bad = {"images/P/6.jpg": b"", "images/P/7.jpg": good["images/P/0.jpg"]}
    return write_files(tmp_path / "set", good | bad)


def clean(dataset: Path, *more: str) -> int:
    return main(["clean", str(dataset), "--cleaner", "integrity", "--workers", "1", *more])


def test_the_machine_readable_result(dataset: Path, capsys: Capture) -> None:
    assert clean(dataset, "--json", "-") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["pictures"] == result["keep"] + result["set_aside"] == len(result["rows"]) == 7
    assert result["reasons"] == {"zero_bytes": 1, "duplicate": 1}
    assert result["measured_now"] == 7
    assert result["ms_per_picture"] > 0
    assert result["rows"][-1] == {
        "image_path": "images/P/7.jpg",
        "verdict": "set_aside",
        "reason": "duplicate",
    }


def test_a_person_is_told_what_and_why(dataset: Path, capsys: Capture) -> None:
    assert clean(dataset) == 0
    told = capsys.readouterr().out
    assert "7 pictures: keep 5, set aside 2" in told
    assert "zero_bytes: The file is empty." in told
    assert "--apply" in told


def test_apply_moves_and_undo_brings_back(dataset: Path, capsys: Capture) -> None:
    before = {path: path.read_bytes() for path in dataset.rglob("*.jpg")}
    assert clean(dataset, "--apply") == 0
    assert "2 pictures moved to quarantine/" in capsys.readouterr().out
    assert not (dataset / "images/P/6.jpg").exists()
    assert clean(dataset, "--json", "-") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["pictures"], again["set_aside"], again["in_quarantine"]) == (5, 0, 2)
    assert main(["clean", str(dataset), "--undo", "images/P/6.jpg"]) == 0
    assert "1 picture is back" in capsys.readouterr().out
    assert main(["clean", str(dataset), "--undo"]) == 0
    assert {path: path.read_bytes() for path in dataset.rglob("*.jpg")} == before


def test_thresholds_are_set_by_name(dataset: Path, capsys: Capture) -> None:
    assert clean(dataset, "--set", "tiny=100", "--set", "duplicate=off", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {"tiny": 6, "zero_bytes": 1}


def test_as_a_job_it_tells_how_far_it_is(dataset: Path, tmp_path: Path) -> None:
    assert clean(dataset, "--run-dir", str(tmp_path / "run"), "--apply") == 0
    look = jobs.look(tmp_path / "run")
    assert look.state == "done"
    told = [event for event in look.events if event["event"] == "cleaned"]
    assert (told[0]["done"], told[-1]["done"], told[-1]["total"]) == (0, 7, 7)
    assert told[-1]["reasons"]["zero_bytes"] == 1
    summary = next(event for event in look.events if event["event"] == "summary")
    assert summary["moved"] == 2
    assert "rows" not in summary


def test_a_job_that_is_asked_to_stop_ends_well(dataset: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "control").write_text("stop")
    assert clean(dataset, "--run-dir", str(run_dir)) == 0
    assert jobs.look(run_dir).state == "stopped"
    assert clean(dataset, "--run-dir", str(run_dir)) == 0
    assert jobs.look(run_dir).state == "done"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--workers", "0"], "--workers is 0"),
        (["--cleaner", "soap"], "there is no cleaner 'soap'"),
        (["--set", "tiny=small"], "--set tiny=small: give NAME=VALUE"),
        (["--set", "size=1"], "no threshold size"),
        (["--set", "duplicate=5"], "it is a switch: give on or off"),
        (["--cleaner", "faces", "--set", "min_iou=off"], "min_iou cannot be off"),
        (["--min-score", "0.5"], "no threshold min_score"),
        (["--cleaner", "faces", "--min-score", "7"], "the score threshold is 7"),
        (["--apply", "--undo"], "not both"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    dataset: Path, options: list[str], says: str, capsys: Capture
) -> None:
    assert clean(dataset, *options) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_without_a_cleaner_the_names_are_told(dataset: Path, capsys: Capture) -> None:
    assert main(["clean", str(dataset)]) == 2
    assert "integrity, faces, faces-haar" in capsys.readouterr().err


def test_a_folder_that_is_none_is_told(tmp_path: Path, capsys: Capture) -> None:
    assert clean(tmp_path / "nowhere") == 1
    assert "is no folder" in capsys.readouterr().err


def test_a_folder_without_pictures_is_told(tmp_path: Path, capsys: Capture) -> None:
    assert clean(tmp_path) == 1
    assert "no pictures here" in capsys.readouterr().err


def test_thresholds_of_the_page_count_and_options_go_on_top(dataset: Path, capsys: Capture) -> None:
    keep_setting(dataset, "integrity", "duplicate", 1, on=False)
    assert clean(dataset, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {"zero_bytes": 1}
    assert clean(dataset, "--set", "duplicate=on", "--json", "-") == 0
    assert "duplicate" in json.loads(capsys.readouterr().out)["reasons"]


def test_undo_of_a_path_that_is_not_there_names_it(dataset: Path, capsys: Capture) -> None:
    assert clean(dataset, "--apply") == 0
    assert main(["clean", str(dataset), "--undo", "images/P/nobody.jpg"]) == 1
    assert "images/P/nobody.jpg: it is not in quarantine" in capsys.readouterr().err


def test_undo_onto_a_taken_place_names_it(dataset: Path, capsys: Capture) -> None:
    assert clean(dataset, "--apply") == 0
    (dataset / "images/P/6.jpg").write_bytes(b"mine")
    assert main(["clean", str(dataset), "--undo"]) == 1
    assert "images/P/6.jpg: another file has its place" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_goes_aside_and_comes_back(dataset: Path) -> None:
    strange = dataset / os.fsdecode(b"images/P/bad\xff\xfename.jpg")
    strange.write_bytes(b"")
    assert clean(dataset, "--apply") == 0
    assert not strange.exists()
    assert main(["clean", str(dataset), "--undo"]) == 0
    assert strange.exists()
