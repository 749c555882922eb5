import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facedet import jobs
from facedet.errors import JobError
from facedet.jobs import Stopped, Worker, ask, look, read_events


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


def wait_for(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        os.sched_yield()


def states(run_dir: Path) -> list[str]:
    events, _end = read_events(run_dir / "events.jsonl")
    return [event["state"] for event in events if event["event"] == "state"]


def test_a_run_that_ends_well_says_so(run_dir: Path) -> None:
    with Worker(run_dir) as worker:
        worker.event("step", n=1, text="naïve ✓")
        assert look(run_dir).state == "running"
    now = look(run_dir)
    assert now.state == "done"
    assert [event["event"] for event in now.events] == ["state", "step", "state"]
    assert now.events[1]["text"] == "naïve ✓"


def test_a_failure_is_kept_with_its_reason_and_goes_on_up(run_dir: Path) -> None:
    with pytest.raises(ValueError, match="no bread"), Worker(run_dir):
        raise ValueError("no bread")
    assert (look(run_dir).state, look(run_dir).reason) == ("failed", "no bread")


def test_a_stop_ends_the_work_between_two_items(run_dir: Path) -> None:
    done = []
    with Worker(run_dir) as worker:
        for n in range(5):
            done.append(n)
            if n == 2:
                ask(run_dir, "stop")
            worker.checkpoint()
    assert done == [0, 1, 2]
    assert look(run_dir).state == "stopped"


def test_a_stop_stands_until_it_is_obeyed_and_no_longer(run_dir: Path) -> None:
    ask(run_dir, "stop")
    ask(run_dir, "")
    ask(run_dir, "pause")
    with Worker(run_dir) as worker:  # asked for while it started
        worker.checkpoint()
    assert look(run_dir).state == "stopped"
    with Worker(run_dir) as worker:
        worker.checkpoint()
    assert look(run_dir).state == "done"


def test_pause_waits_until_told_to_go_on(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.time, "sleep", lambda _s: ask(run_dir, ""))
    with Worker(run_dir) as worker:
        ask(run_dir, "pause")
        worker.checkpoint()
    assert states(run_dir) == ["running", "paused", "running", "done"]


def test_two_can_never_work_in_one_directory(run_dir: Path) -> None:
    with Worker(run_dir), pytest.raises(JobError, match="in use"), Worker(run_dir):
        pass
    assert states(run_dir) == ["running", "done"]


def test_silence_without_an_end_means_that_it_died(run_dir: Path) -> None:
    with Worker(run_dir):
        old = time.time() - 2 * jobs.DEAD_AFTER_S
        os.utime(run_dir / "heartbeat", (old, old))
        assert look(run_dir).state == "died"


def test_events_are_read_on_from_where_one_was(run_dir: Path) -> None:
    with Worker(run_dir) as worker:
        first = look(run_dir)
        worker.event("step", n=1)
        second = look(run_dir, first.offset)
    assert [event["event"] for event in second.events] == ["step"]
    assert look(run_dir, second.offset).events[0]["state"] == "done"


def test_a_torn_line_is_passed_over_and_the_next_is_whole(run_dir: Path) -> None:
    path = run_dir / "events.jsonl"
    path.write_bytes(b'{"event": "photo", "n": 1}\n{"event": "pho')
    assert len(look(run_dir).events) == 1
    with Worker(run_dir):
        pass
    events, _end = read_events(path)
    assert [event["event"] for event in events] == ["photo", "state", "state"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"arguments": 3}'])
def test_a_damaged_config_is_a_job_error(run_dir: Path, content: str) -> None:
    (run_dir / "config.json").write_text(content)
    with pytest.raises(JobError, match=r"config\.json is damaged"):
        jobs.resume(run_dir)


def test_looking_at_nothing_is_harmless(tmp_path: Path) -> None:
    assert look(tmp_path / "nowhere").events == ()


def test_the_last_state_is_found_behind_many_long_events(run_dir: Path) -> None:
    with Worker(run_dir) as worker:
        for n in range(300):
            worker.event("step", n=n, text="x" * 1000)
        assert look(run_dir).state == "running"


def test_what_is_recent_is_the_end_of_the_events_whole_lines_only(run_dir: Path) -> None:
    with Worker(run_dir) as worker:
        for n in range(300):
            worker.event("step", n=n, text="x" * 100)
        now = jobs.recent(run_dir, span=1000)
    assert now.state == "running"
    assert [event["n"] for event in now.events][-1] == 299
    assert 5 <= len(now.events) <= 10
    assert now.offset == jobs.look(run_dir).offset - len(_last_line(run_dir))


def _last_line(run_dir: Path) -> bytes:
    return (run_dir / "events.jsonl").read_bytes().splitlines(keepends=True)[-1]


def test_what_is_recent_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert jobs.recent(tmp_path / "nowhere").events == ()


def a_run(runs: Path, name: str, memo: str = '{"dataset": "a"}', state: str = "running") -> Path:
    run_dir = runs / f"download-{name}"
    run_dir.mkdir(parents=True)
    (run_dir / "config.json").write_text(f'{{"arguments": [], "memo": {memo}}}')
    (run_dir / "events.jsonl").write_text(f'{{"event": "state", "time": 1, "state": "{state}"}}\n')
    (run_dir / "heartbeat").touch()
    return run_dir


def test_the_run_at_work_comes_before_a_newer_one_that_is_not(tmp_path: Path) -> None:
    at_work = a_run(tmp_path, "20260101-000001-a")
    a_run(tmp_path, "20260101-000002-b", state="failed")
    a_run(tmp_path, "20260101-000003-c", memo='{"dataset": "b"}')
    assert jobs.last_run(tmp_path, "download", "dataset", "a") == at_work


def test_of_runs_that_are_over_the_newest_is_the_last(tmp_path: Path) -> None:
    a_run(tmp_path, "20260101-000001-a", state="stopped")
    newest = a_run(tmp_path, "20260101-000002-b", state="failed")
    assert jobs.last_run(tmp_path, "download", "dataset", "a") == newest
    assert jobs.last_run(tmp_path, "download", "dataset", "c") is None


def test_a_damaged_config_hides_no_other_run(tmp_path: Path) -> None:
    good = a_run(tmp_path, "20260101-000001-a")
    a_run(tmp_path, "20260101-000002-b", memo="no JSON")
    assert jobs.last_run(tmp_path, "download", "dataset", "a") == good


def test_a_silent_run_is_not_at_work(tmp_path: Path) -> None:
    run_dir = a_run(tmp_path, "20260101-000001-a")
    assert jobs.is_live(run_dir)
    old = time.time() - 2 * jobs.DEAD_AFTER_S
    os.utime(run_dir / "heartbeat", (old, old))
    assert not jobs.is_live(run_dir)


def test_a_config_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = a_run(tmp_path, "20260101-000001-a")
    assert jobs.memo_of(run_dir) == {"dataset": "a"}
    monkeypatch.setattr(jobs, "read_config", None)
    assert jobs.memo_of(run_dir) == {"dataset": "a"}


def test_a_killed_process_leaves_whole_events_and_can_be_followed(run_dir: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from facedet.jobs import Worker\n"
        "with Worker(Path(sys.argv[1])) as worker:\n"
        "    n = 0\n"
        "    while True:\n"
        "        n += 1; worker.event('step', n=n)\n"
    )
    for _round in range(5):
        with subprocess.Popen([sys.executable, "-c", program, str(run_dir)]) as process:
            size = (run_dir / "events.jsonl").stat().st_size if _round else 0
            wait_for(lambda s=size: _size(run_dir / "events.jsonl") > s + 20_000)
            process.send_signal(signal.SIGKILL)
    with Worker(run_dir):  # the lock died with the process
        pass
    lines = (run_dir / "events.jsonl").read_bytes().splitlines()
    broken = [line for line in lines if not _is_json(line)]
    assert len(broken) <= 5
    assert look(run_dir).state == "done"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_sigterm_is_a_request_to_stop(run_dir: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from facedet.jobs import Worker\n"
        "with Worker(Path(sys.argv[1])) as worker:\n"
        "    while True:\n"
        "        worker.event('step')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(run_dir)]) as process:
        wait_for(lambda: _size(run_dir / "events.jsonl") > 1000)
        process.terminate()
        assert process.wait(20) == 0
    assert look(run_dir).state == "stopped"


def test_stopped_is_not_for_users_of_the_core() -> None:
    assert not issubclass(Stopped, JobError)


def test_a_detached_command_runs_to_its_end(run_dir: Path, both_jpeg: bytes) -> None:
    (run_dir / "photo.jpg").write_bytes(both_jpeg)
    jobs.start(run_dir, ["detect", str(run_dir / "photo.jpg")], {"note": "mine"})
    wait_for(lambda: look(run_dir).state in jobs.FINAL)
    now = look(run_dir)
    assert now.state == "done", (run_dir / "log.txt").read_text()
    assert [len(e["faces"]) for e in now.events if e["event"] == "photo"] == [2]
    assert jobs.read_config(run_dir)["memo"] == {"note": "mine"}
    jobs.resume(run_dir)
    assert look(run_dir).state not in jobs.FINAL
    wait_for(lambda: states(run_dir).count("done") == 2)
    # Nothing was left to do: no photo was looked at twice.
    assert len([e for e in look(run_dir).events if e["event"] == "photo"]) == 1


def test_work_that_asks_by_itself_notes_that_it_pauses_and_goes_on(run_dir: Path) -> None:
    with jobs.Worker(run_dir) as worker:
        assert worker.asked() == ""
        jobs.ask(run_dir, "pause")
        assert [worker.asked(), worker.asked()] == ["pause", "pause"]
        jobs.ask(run_dir, "")
        assert worker.asked() == ""
        jobs.ask(run_dir, "stop")
        assert worker.asked() == "stop"
    assert states(run_dir) == ["running", "paused", "running", "done"]
