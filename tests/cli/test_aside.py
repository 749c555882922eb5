"""``facedet aside``: what moves, and under whose name."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facedet.cleaning import catalogue, decisions, quarantine
from facedet.cleaning.run import clean
from facedet.cleanings import keep_setting
from facedet.cli import main


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A picture without a face, a file that is no picture, and a copy of the first; judged."""
    folder = tmp_path / "set"
    (folder / "images/a").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    for name in ("faceless.png", "copy.png"):
        Image.fromarray(noise).save(folder / "images/a" / name)
    (folder / "images/a/page.jpg").write_text("<html>")
    for name in ("integrity", "faces"):
        clean(folder, catalogue.get(name))
    return folder


def aside(dataset: Path, *arguments: str) -> dict[str, str]:
    assert main(["aside", str(dataset), *arguments]) == 0
    return {row.image_path.rpartition("/")[2]: row.by for row in quarantine.manifest(dataset)}


def test_by_default_both_must_say_so(dataset: Path) -> None:
    moved = aside(dataset)
    assert moved["page.jpg"] == "integrity, faces"
    assert len(moved) == 2  # and one of the two copies


def test_either_of_them_is_enough(dataset: Path) -> None:
    moved = aside(dataset, "--agree", "either")
    assert sorted(moved.values()) == ["faces", "integrity, faces", "integrity, faces"]


def test_one_cleaner_alone(dataset: Path) -> None:
    assert set(aside(dataset, "--cleaners", "integrity").values()) == {"integrity"}


def test_thresholds_of_the_page_and_decisions_of_people_count(dataset: Path) -> None:
    keep_setting(dataset, "integrity", "duplicate", 1, False)
    decisions.decide(dataset, ["images/a/faceless.png"], "set_aside")
    assert aside(dataset) == {"faceless.png": "person", "page.jpg": "integrity, faces"}


def test_what_could_not_move_is_named_and_no_success(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "images/a/page.jpg").write_text("<html> of another size")
    assert main(["aside", str(dataset), "--cleaners", "integrity"]) == 1
    assert "images/a/page.jpg: it has changed" in capsys.readouterr().err


def test_json_says_what_moved(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aside(dataset, "--cleaners", "integrity", "--json", "-")
    told = json.loads(capsys.readouterr().out)
    assert told["moved"] == len(told["image_paths"]) == 2
    assert told["troubles"] == []


@pytest.mark.parametrize("names", ["", "a", "integrity,integrity", "integrity,faces,faces-haar"])
def test_names_of_no_cleaners_are_wrong_use(dataset: Path, names: str) -> None:
    assert main(["aside", str(dataset), "--cleaners", names]) == 2


def test_a_cleaner_that_has_not_looked_says_what_to_do(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["aside", str(dataset), "--cleaners", "faces-haar"]) == 1
    assert "first: facedet clean --cleaner faces-haar" in capsys.readouterr().err


def test_as_a_job_it_tells_how_far_it_is(dataset: Path, tmp_path: Path) -> None:
    aside(dataset, "--agree", "either", "--run-dir", str(tmp_path / "run"))
    lines = (tmp_path / "run/events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    moved = [event for event in events if event["event"] == "moved"]
    assert (moved[-1]["done"], moved[-1]["total"]) == (3, 3)
    assert events[-1]["state"] == "done"
