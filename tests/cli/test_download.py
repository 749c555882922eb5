import csv
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet import jobs
from facedet.cli import download as command
from facedet.cli import main
from facedet.download.ledger import Ledger
from facedet.download.run import opened
from tests.download.practice import make_set, served

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("cli") / "practice", photos=60, faults=0.5, seed=8)


@pytest.fixture(autouse=True)
def network(practice: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command's network leads to the practice set."""
    with served(practice) as (_internet, leading_there):
        monkeypatch.setattr(command, "Network", lambda **_said: leading_there)
        yield


def test_a_download_and_its_account(practice: Path, tmp_path: Path, capsys: Capture) -> None:
    dataset = tmp_path / "set"
    arguments = ["download", str(practice / "labels.csv"), "--out", str(dataset)]
    arguments += ["--allow-private", "--truth", str(practice / "truth.csv")]
    code = main([*arguments, "--json", str(tmp_path / "r.json")])
    result = json.loads((tmp_path / "r.json").read_text())
    assert code == (result["wrong"] > 0)  # so small a set has too few of some placeholders
    with (dataset / "labels.csv").open() as file:
        assert len(list(csv.DictReader(file))) > 30
    assert result["funnel"]["lines in the table"] == 60
    assert sum(result["errors"].values()) + result["funnel"]["pictures"] >= 55
    told = capsys.readouterr()
    assert "addresses of this computer and of private networks are allowed" in told.err
    assert "http_4xx: There is nothing at this address" in told.out
    # Once more: all is settled, and only what failed for these reasons is asked for again.
    capsys.readouterr()
    main([*arguments, "--json", "-"])
    assert json.loads(capsys.readouterr().out)["this_run"]["links"] == 0
    main([*arguments, "--retry", "http_5xx,timeout", "--json", "-"])
    again = json.loads(capsys.readouterr().out)["this_run"]["links"]
    assert again == result["errors"].get("http_5xx", 0) + result["errors"].get("timeout", 0)


def test_a_probe_keeps_nothing(practice: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["download", str(practice / "labels.csv"), "--probe", "20", "--allow-private"]
    assert main([*arguments, "--json", str(tmp_path / "p.json")]) == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["low"] <= found["rate"] <= found["high"]
    assert "of 20 links gave a picture" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["p.json"]


def test_a_probe_as_a_job_ends_with_what_it_found(practice: Path, tmp_path: Path) -> None:
    arguments = ["download", str(practice / "labels.csv"), "--probe", "20"]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    look = jobs.look(tmp_path / "run")
    assert look.state == "done"
    (summary,) = (event for event in look.events if event["event"] == "summary")
    assert summary["tried"] == 20
    assert summary["expected_photos"] == pytest.approx(summary["rate"] * summary["total"])


def test_lines_that_cannot_be_used_are_told_and_kept(
    practice: Path, tmp_path: Path, capsys: Capture
) -> None:
    text = (practice / "labels.csv").read_text() + "images/A/1.jpg,1,1,9,9\n" * 12
    (tmp_path / "l.csv").write_text(text)
    arguments = [
        "download",
        str(tmp_path / "l.csv"),
        "--out",
        str(tmp_path / "set"),
        "--limit",
        "1",
    ]
    assert main(arguments) == 0
    told = capsys.readouterr().err
    assert told.count("l.csv line ") == 10
    assert "and 2 more lines that cannot be used" in told
    assert len((tmp_path / "set/problems.csv").read_text().splitlines()) == 13


def test_as_a_job_it_tells_how_far_it_is(practice: Path, tmp_path: Path) -> None:
    arguments = ["download", str(practice / "labels.csv"), "--out", str(tmp_path / "set")]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    look = jobs.look(tmp_path / "run")
    assert look.state == "done"
    told = [event for event in look.events if event["event"] == "downloaded"]
    assert told[-1]["done"] == told[-1]["total"]
    assert set(told[-1]["seconds"]) == {"network", "decode", "disk", "ledger"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give --out"),
        (["--out", "{out}", "--workers", "0"], "--workers is 0"),
        (["--out", "{out}", "--per-host", "999"], "--per-host is 999"),
        (["--out", "{out}", "--limit", "0"], "--limit is 0"),
        (["--probe", "0"], "--probe is 0"),
        (["--probe", "5", "--limit", "9"], "--limit does not go with it"),
        (["--out", "{out}", "--retry", ""], "there is no class ''"),
        (["--out", "{out}", "--retry", "disk"], "there is no class 'disk'"),
        (["--out", "{out}", "--retry", "dns,nonsense"], "no class 'nonsense'"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    practice: Path, tmp_path: Path, capsys: Capture, options: list[str], says: str
) -> None:
    filled = [option.format(out=tmp_path / "set") for option in options]
    assert main(["download", str(practice / "labels.csv"), *filled]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("text", "says"), [(None, "cannot be read"), ("a,b\n1,2\n", "header"), ("x", "header")]
)
def test_a_table_that_is_none_is_one_line_and_code_1(
    tmp_path: Path, capsys: Capture, text: str | None, says: str
) -> None:
    path = tmp_path / "l.csv"
    if text is not None:
        path.write_text(text)
    assert main(["download", str(path), "--out", str(tmp_path / "set")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_second_download_into_one_dataset_is_refused(
    practice: Path, tmp_path: Path, capsys: Capture
) -> None:
    arguments = ["download", str(practice / "labels.csv"), "--out", str(tmp_path / "set")]
    with opened(practice / "labels.csv", tmp_path / "set"):
        assert main(arguments) == 1
    assert "another download writes to" in capsys.readouterr().err


def test_a_longer_list_may_follow_and_another_may_not(
    practice: Path, tmp_path: Path, capsys: Capture
) -> None:
    lines = (practice / "labels.csv").read_text().splitlines(keepends=True)
    for name, rows in (("half", lines[:20]), ("other", [lines[0], *lines[25:40]])):
        (tmp_path / f"{name}.csv").write_text("".join(rows))
    out = ["--out", str(tmp_path / "set"), "--json", "-"]
    assert main(["download", str(tmp_path / "half.csv"), *out]) == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "set").glob("*.csv")}
    assert main(["download", str(tmp_path / "other.csv"), *out]) == 1
    assert "was made of another list" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (tmp_path / "set").glob("*.csv")} == before
    assert main(["download", str(practice / "labels.csv"), *out]) == 0
    assert json.loads(capsys.readouterr().out)["funnel"]["lines in the table"] == 60


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_with_all_so_far_valid(
    practice: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    """Against a server that hangs, a run would take long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        rows = ["image_path,x1,y1,x2,y2,url"]
        rows += [f"a/{n}.jpg,1,1,9,9,http://127.0.0.1:{port}/{n}.jpg" for n in range(50)]
        (tmp_path / "l.csv").write_text("\n".join(rows) + "\n")
        command = [sys.executable, "-m", "facedet", "download", str(tmp_path / "l.csv")]
        command += ["--out", str(tmp_path / "set"), "--allow-private"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            connection, _address = silent.accept()  # now it is at work
            process.send_signal(kind)
            assert process.stderr is not None
            told = process.stderr.read()
        connection.close()
    assert process.returncode == 1
    assert "stopped; what is done is kept" in told
    assert (tmp_path / "set" / "labels.csv").read_text().splitlines() == [
        "image_path,x1,y1,x2,y2,url,image_width,image_height,label_fits"
    ]
    with Ledger.open(tmp_path / "set" / "ledger.sqlite", create=False) as ledger:
        assert ledger.counts().waiting == 50
