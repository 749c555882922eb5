import csv
import json
import shutil
from pathlib import Path

import pytest

from facedet.cleaning import catalogue
from facedet.cleaning.run import clean
from facedet.cleanings import keep_setting
from facedet.cli import main
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A careless dataset that both cleaners have judged."""
    folder = tmp_path_factory.mktemp("compare")
    make(folder / "set", Options(photos=60, faults=0.7, seed=6), workers=1)
    lay_out(folder / "set", folder / "dataset")
    for name in ("integrity", "faces"):
        clean(folder / "dataset", catalogue.get(name))
    return folder / "dataset"


def compared(dataset: Path, capsys: Capture, *options: str) -> dict[str, object]:
    assert main(["compare", str(dataset), "--json", "-", *options]) == 0
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_the_cells_hold_every_picture_once(dataset: Path, capsys: Capture) -> None:
    result = compared(dataset, capsys)
    files = {p.relative_to(dataset).as_posix() for p in (dataset / "images").glob("*/*")}
    told = [path for cell in result["cells"] for path in cell["image_paths"]]  # type: ignore[attr-defined]
    assert sorted(told) == sorted(files)
    assert result["pictures"] == len(files)
    assert result["cleaners"] == ["integrity", "faces"]
    assert result["dataset"] == str(dataset)


def test_it_tells_agreement_time_identities_and_truth(dataset: Path, capsys: Capture) -> None:
    result = compared(dataset, capsys)
    agreement = result["agreement"]
    assert 0 < agreement["share"] < 1  # type: ignore[index]
    assert "They agree on" in agreement["sentence"]  # type: ignore[index]
    assert all(ms > 0 for ms in result["ms_per_picture"].values())  # type: ignore[attr-defined]
    assert sum(one["pictures"] for one in result["identities"]) == result["pictures"]  # type: ignore[attr-defined]
    recalls = {one["fault"]: one["recall"] for one in result["truth"]["integrity"]["faults"]}  # type: ignore[index]
    assert recalls["zero_bytes"] == recalls["truncated_jpeg"] == recalls["html"] == 1
    assert recalls["no_face"] is None


def test_people_read_a_small_table(dataset: Path, capsys: Capture) -> None:
    assert main(["compare", str(dataset), "--cleaners", "faces,integrity"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split("  ")[-2:] == ["integrity keeps", "integrity sets aside"]
    assert "ms a picture" in said
    assert "found by faces" in said
    assert "They agree on" in said


def test_a_dataset_without_truth_is_compared_without(
    dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copytree(dataset, tmp_path / "d", ignore=shutil.ignore_patterns("truth.csv"))
    assert compared(tmp_path / "d", capsys)["truth"] is None
    truth = ["--truth", str(dataset / "truth.csv")]
    assert compared(tmp_path / "d", capsys, *truth)["truth"]


def test_thresholds_that_were_moved_are_told(
    dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert compared(dataset, capsys)["thresholds"] == {"integrity": {}, "faces": {}}
    shutil.copytree(dataset, tmp_path / "d")
    keep_setting(tmp_path / "d", "faces", "min_score", 0.7, on=True)
    keep_setting(tmp_path / "d", "integrity", "duplicate", 1, on=False)
    told = compared(tmp_path / "d", capsys)["thresholds"]
    assert told == {"integrity": {"duplicate": False}, "faces": {"min_score": 0.7}}
    assert main(["compare", str(tmp_path / "d")]) == 0
    said = capsys.readouterr().out
    assert "chosen for this dataset: integrity: duplicate=off; faces: min_score=0.7" in said


def test_the_truth_of_the_set_says_the_same(dataset: Path, capsys: Capture) -> None:
    of_set = compared(dataset, capsys, "--truth", str(dataset.parent / "set/truth.csv"))
    assert of_set["truth"] == compared(dataset, capsys)["truth"]


def test_the_report_is_two_files(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "new/report"
    n = compared(dataset, capsys, "--report", str(folder))["pictures"]
    assert {path.name for path in folder.iterdir()} == {"comparison.csv", "comparison.html"}
    with (folder / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == n
    assert {row["fault"] for row in rows} >= {"ok", "html", "no_face"}
    assert "data:image/jpeg" in (folder / "comparison.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--cleaners", "integrity"], 2, "give two names"),
        (["--cleaners", "integrity,integrity"], 2, "give two names"),
        (["--cleaners", "integrity,shine"], 2, "no cleaner"),
        (["--truth", "nowhere.csv"], 1, "no truth"),
        (["--cleaners", "integrity,faces-haar"], 1, "--cleaner faces-haar"),
        (["--json", "no/such/folder.json"], 1, "cannot be written"),
        (["--report", "/dev/null/report"], 1, "no report can be written to"),
    ],
)
def test_what_cannot_be_is_one_line(
    dataset: Path, capsys: Capture, options: list[str], code: int, says: str
) -> None:
    assert main(["compare", str(dataset), *options]) == code
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_folder_that_is_none_says_so(tmp_path: Path, capsys: Capture) -> None:
    assert main(["compare", str(tmp_path / "nowhere")]) == 1
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(tmp_path / "empty")]) == 1
    assert "facedet clean" in capsys.readouterr().err
