import csv
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from facedet import downloads, jobs
from facedet.download.probe import Probe
from facedet.downloads import Dataset, progress_of
from facedet.errors import FacedetError
from facedet.linklists import open_list
from facedet.settings import Settings, load_settings

HEADER = "image_path,x1,y1,x2,y2,url"


@pytest.fixture
def dataset(home: Path) -> Dataset:
    return write_dataset(home, "mine", ["http://a.example/1.jpg", "http://a.example/2.jpg"])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of the jobs that were started; none is run."""
    arguments_of_all: list[list[str]] = []

    def start(run_dir: Path, arguments: Sequence[str], memo: dict[str, object]) -> None:
        arguments_of_all.append(list(arguments))
        config = {"arguments": list(arguments), "memo": memo}
        (run_dir / "config.json").write_text(json.dumps(config))
        (run_dir / "heartbeat").touch()

    monkeypatch.setattr(downloads.jobs, "start", start)
    return arguments_of_all


def write_dataset(home: Path, name: str, urls: Sequence[str], header: str = HEADER) -> Dataset:
    folder = home / "datasets" / name
    folder.mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows((f"x/{n}.jpg", 1, 1, 9, 9, url) for n, url in enumerate(urls))
    return Dataset(name, folder)


def end(run_dir: Path, state: str) -> None:
    event = json.dumps({"event": "state", "time": 1, "state": state})
    (run_dir / "events.jsonl").write_text(event + "\n")


def told(time: float, done: int, **fields: object) -> dict[str, object]:
    return {"event": "downloaded", "time": time, "done": done, "total": 100, "good": done} | fields


def state(time: float, name: str) -> dict[str, object]:
    return {"event": "state", "time": time, "state": name}


@pytest.mark.parametrize("name", ["../x", "nobody", ""])
def test_a_dataset_that_is_not_there_says_so(name: str) -> None:
    with pytest.raises(FacedetError):
        downloads.open_dataset(load_settings(), name)


def test_links_are_counted_and_columns_missed(home: Path, dataset: Dataset) -> None:
    assert (downloads.count_links(dataset), downloads.missing_columns(dataset)) == (2, [])
    some = write_dataset(home, "some", ["", "http://a.example/1.jpg", " "])
    assert downloads.count_links(some) == 1
    none = write_dataset(home, "none", [], header="image_path,x1,y1,x2,y2,page")
    assert (downloads.count_links(none), downloads.missing_columns(none)) == (0, ["url"])


def test_two_clicks_start_one_job(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    first = downloads.start_download(settings, dataset, allow_private=False)
    assert downloads.start_download(settings, dataset, allow_private=False) == first
    assert len(started) == 1
    assert "--allow-private" not in started[0]


def test_many_at_the_same_moment_start_one_job(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    together = threading.Barrier(4)
    found: list[Path] = []

    def click() -> None:
        together.wait()
        found.append(downloads.start_download(settings, dataset, allow_private=True))

    threads = [threading.Thread(target=click) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == len(set(found)) == 1


def test_a_job_that_is_over_is_followed_by_a_new_one(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    first = downloads.start_download(settings, dataset, allow_private=False, retry=["dns"])
    end(first, "stopped")
    second = downloads.start_download(settings, dataset, allow_private=False)
    assert second != first
    assert "--retry" in started[0]
    assert "--retry" not in started[1]
    assert downloads.run_of(settings, dataset) == second


def test_jobs_of_two_datasets_go_side_by_side(
    settings: Settings, home: Path, dataset: Dataset, started: list[list[str]]
) -> None:
    other = write_dataset(home, "other", ["http://a.example/1.jpg"])
    runs = [
        downloads.start_download(settings, each, allow_private=False) for each in (dataset, other)
    ]
    assert [downloads.run_of(settings, each) for each in (dataset, other)] == runs


def test_one_little_internet_is_served(settings: Settings, started: list[list[str]]) -> None:
    each = open_list(settings, "practice-50-0")
    assert downloads.serve(settings, each) == downloads.serve(settings, each)
    assert len(started) == 1
    assert downloads.internet_of(settings, each) is not None


def test_a_probe_is_a_job_beside_the_download(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    run_dir = downloads.start_probe(settings, dataset, allow_private=True)
    assert started[0][-3:] == ["--probe", "500", "--allow-private"]
    assert downloads.probe_of(settings, dataset) == run_dir
    assert downloads.run_of(settings, dataset) is None


def test_a_probe_of_another_dataset_of_that_name_does_not_count(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    downloads.start_probe(settings, dataset, allow_private=False)
    (dataset.folder / "labels.csv").write_text(f"{HEADER}\n")
    assert downloads.probe_of(settings, dataset) is None


def test_what_a_probe_found_is_read_from_its_last_event() -> None:
    found = {"tried": 500, "good": 310, "rate": 0.62, "low": 0.58, "high": 0.66}
    found |= {"mean_bytes": 50_000.0, "seconds": 20.0, "total": 10_000}
    event = {"event": "summary", "time": 1.0, "expected_photos": 6200.0, **found}
    assert downloads.result_of([state(0, "running"), event]) == Probe(**found)
    assert downloads.result_of([state(0, "stopped")]) is None


def test_of_nothing_told_there_is_no_progress() -> None:
    assert progress_of([state(0, "running")]) == {}


def test_rates_are_of_the_last_minute() -> None:
    events = [state(0, "running"), *(told(t, t // 10, size_bytes=7 * t) for t in range(0, 101, 2))]
    progress = progress_of(events)
    assert progress["pictures_per_s"] == pytest.approx(0.1, rel=0.1)
    assert progress["bytes_per_s"] == pytest.approx(7)
    assert progress["left_s"] == pytest.approx(900, rel=0.1)


def test_a_pause_does_not_count() -> None:
    events = [state(0, "running"), told(1, 10), state(2, "paused"), state(30, "running")]
    progress = progress_of([*events, told(31, 10), told(33, 30)])
    assert progress["links_per_s"] == pytest.approx(10)


def test_slow_links_at_the_end_are_not_told_as_fast_ones() -> None:
    events = [state(0, "running"), told(1, 0), told(20, 90), told(30, 90), told(40, 91)]
    assert progress_of(events)["left_s"] == pytest.approx(9 / 0.1)


@pytest.mark.parametrize("at", [15, 40])
def test_no_time_is_told_where_nothing_moves(at: float) -> None:
    events = [state(0, "running"), told(4, 50), *(told(t, 50, active=3) for t in range(5, 15))]
    progress = progress_of(events, at)
    assert progress["left_s"] is None
    assert not progress["at_rest"]


@pytest.mark.parametrize(
    ("fields", "at", "rests"),
    [
        ({"active": 0, "n_resting": 2}, 10, True),
        ({"active": 1, "n_resting": 2}, 10, False),
        ({"active": 1, "n_resting": 2}, 20, True),  # it fell silent: the last one has ended
        ({"active": 0, "n_resting": 0}, 10, False),
        ({"active": 0, "n_resting": 2, "done": 100}, 10, False),
    ],
)
def test_it_is_known_when_all_that_is_left_rests(
    fields: dict[str, int], at: float, rests: bool
) -> None:
    assert progress_of([told(10, 50) | fields], at)["at_rest"] is rests


def test_the_run_at_work_is_found_though_a_newer_one_failed(
    settings: Settings, dataset: Dataset, started: list[list[str]]
) -> None:
    at_work = downloads.start_download(settings, dataset, allow_private=False)
    newer = settings.runs_dir / "download-29990101-000000-x"
    newer.mkdir()
    (newer / "config.json").write_text((at_work / "config.json").read_text())
    end(newer, "failed")
    assert downloads.run_of(settings, dataset) == at_work
    assert jobs.is_live(at_work)
