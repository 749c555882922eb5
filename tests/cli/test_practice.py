import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from facedet import jobs
from facedet.cli import main
from facedet.practice.dataset import is_complete, read_options
from facedet.practice.options import LOCK
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
        (["--port", "65534"], "the port is 65534"),
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


def test_one_line_of_one_person_is_said_so(tmp_path: Path, capsys: Capture) -> None:
    arguments = ["practice", str(tmp_path / "p"), "--photos", "1", "--faults", "0"]
    assert main(arguments) == 0
    assert "1 line of 1 person; 0 with" in capsys.readouterr().out


def test_a_store_that_lacks_lines_is_a_failure(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "p"
    assert main(["practice", str(folder), *SMALL]) == 0
    file = min((folder / "vgg_face_dataset/files").iterdir())
    file.write_text(file.read_text().partition("\n")[2] + "no line\n")
    assert main(["practice", str(folder), "--store", str(tmp_path / "i.parquet")]) == 1
    assert "has 39 of the 40 lines" in capsys.readouterr().err


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "facedet", "practice", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(told: Callable[[], bool], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not told():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)  # the other processes need the cores


def workers_of(pid: int) -> list[int]:
    """The painting processes of a command, as Linux lists them."""
    pids = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # dead, though nobody has asked how it died


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists processes so")
def test_workers_end_with_a_killed_parent_and_the_set_is_finished_as_begun(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "p"
    options = ("--photos", "160", "--seed", "3", "--workers", "2")
    record = folder / "painted.txt"
    with running(str(folder), *options) as process:
        until(lambda: record.exists() and record.stat().st_size > 0)
        workers = workers_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    assert len(workers) == 2
    until(lambda: not any(is_alive(pid) for pid in workers), patience_s=2.0)
    assert not is_complete(folder)
    assert main(["practice", str(folder)]) == 0
    assert "160 lines" in capsys.readouterr().out
    assert read_options(folder).seed == 3


def test_a_damaged_note_is_one_line_that_says_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "practice.json").write_text("{")
    assert main(["practice", str(folder)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "practice.json is damaged" in line
    assert "delete the folder" in line


def test_a_second_maker_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    with FileLock(folder / LOCK):
        assert main(["practice", str(folder), *SMALL]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "another process is making" in line


def test_it_serves_until_it_is_told_to_end(tmp_path: Path, free_port: int) -> None:
    port, log = str(free_port), str(tmp_path / "log.jsonl")
    with running(str(tmp_path / "p"), *SMALL, "--serve", "--port", port, "--log", log) as server:
        said = said_by(server)
        assert f"http://127.0.0.1:{port}" in said
        assert len(first_picture(tmp_path / "p", free_port)) > 1000
        server.terminate()
        server.wait(10)
    [asked] = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert (asked["status"], asked["answer"]) == (200, "file")


def test_a_whole_set_is_served_at_any_port_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert main(["practice", str(folder), *SMALL]) == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with running(str(folder), "--serve", "--port", "0") as server:
        said = said_by(server)
        port = int(said.rpartition(":")[2])
        assert f"serving at port {port}; the links say 8642" in said
        assert len(first_picture(folder, port)) > 1000
        server.terminate()
        server.wait(10)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert read_options(folder).port == 8642


def test_a_new_set_for_any_port_has_the_usual_one_in_its_links(tmp_path: Path) -> None:
    assert main(["practice", str(tmp_path / "p"), *SMALL, "--port", "0"]) == 0
    assert read_options(tmp_path / "p").port == 8642


def said_by(server: subprocess.Popen[str]) -> str:
    """All that it says until it serves."""
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if line.startswith("serving;"):
            break
    return said


def first_picture(folder: Path, port: int) -> bytes:
    [row] = [row for row in truth(folder) if row["fault"] == "ok"][:1]
    proxy = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
    with urllib.request.build_opener(proxy).open(row["url"], timeout=10) as answer:
        assert answer.status == 200
        data: bytes = answer.read()
        return data


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open() as file:
        return list(csv.DictReader(file))
