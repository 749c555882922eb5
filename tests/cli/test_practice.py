import csv
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from facedet import jobs
from facedet.cli import main
from facedet.practice.dataset import read_options
from facedet.vggface import Index

Capture = pytest.CaptureFixture[str]
SMALL = ["--photos", "40", "--faults", "0.5", "--seed", "2"]


def test_it_makes_what_was_asked_and_says_what(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "p"
    assert main(["practice", str(folder), *SMALL, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["lines"] == sum(result["faults"].values()) == 40
    assert result["faults"]["ok"] == 20
    with (folder / "truth.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 40
    # Again without options: it is there, as it was made.
    assert main(["practice", str(folder)]) == 0
    assert "40 lines of 3 people; 20 with something wrong" in capsys.readouterr().out


def test_it_can_be_indexed_in_one_go_as_a_job(tmp_path: Path) -> None:
    store = tmp_path / "i.parquet"
    run_dir = tmp_path / "run"
    arguments = ["practice", str(tmp_path / "p"), *SMALL, "--store", str(store)]
    assert main([*arguments, "--run-dir", str(run_dir)]) == 0
    assert len(Index.open(store)) == 40
    look = jobs.look(run_dir)
    assert look.state == "done"
    assert [e["event"] for e in look.events if e["event"] in ("painted", "made")][-1] == "made"


def test_own_labelled_pictures_can_be_the_source(tmp_path: Path, both_jpeg: bytes) -> None:
    (tmp_path / "two.jpg").write_bytes(both_jpeg)
    rows = ["image_path,x1,y1,x2,y2,identity", "two.jpg,773,160,942,376,Somebody"]
    rows.append("two.jpg,250,80,345,210,Somebody_Else")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    folder = tmp_path / "p"
    source = ["--source", str(tmp_path / "labels.csv")]
    assert main(["practice", str(folder), *SMALL, *source]) == 0
    names = {path.stem for path in (folder / "vgg_face_dataset/files").iterdir()}
    assert names == {"Somebody", "Somebody_Else"}
    assert read_options(folder).source == str(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--photos", "0"], "0 photos"),
        (["--faults", "2"], "share of faults"),
        (["--port", "80"], "the port is 80"),
        (["--latency", "-1"], "--latency"),
        (["--bandwidth", "0"], "--bandwidth"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    tmp_path: Path, capsys: Capture, options: list[str], says: str
) -> None:
    assert main(["practice", str(tmp_path / "p"), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "p").exists()


def test_a_folder_of_something_else_is_one_line_and_code_1(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x").write_text("mine")
    assert main(["practice", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err


def test_it_serves_until_it_is_told_to_end(tmp_path: Path, free_port: int) -> None:
    command = [sys.executable, "-m", "facedet", "practice", str(tmp_path / "p"), *SMALL]
    command += ["--serve", "--port", str(free_port), "--log", str(tmp_path / "log.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("serving"):
                break
        [row] = [row for row in truth(tmp_path / "p") if row["fault"] == "ok"][:1]
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{free_port}"})
        )
        with opener.open(row["url"], timeout=10) as answer:
            assert answer.status == 200
            assert len(answer.read()) > 1000
        server.terminate()
    [asked] = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert (asked["status"], asked["answer"]) == (200, "file")


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open() as file:
        return list(csv.DictReader(file))
