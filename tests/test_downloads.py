import csv
import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from facedet import downloads, jobs
from facedet.download.probe import Probe
from facedet.downloads import Dataset, Told, progress_of
from facedet.errors import FacedetError
from facedet.linklists import LinkList, open_list
from facedet.practice.dataset import Options, make
from facedet.practice.server import LittleInternet
from facedet.practice.truth import read_truth
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


def test_different_addresses_are_counted_however_they_are_spelled(home: Path) -> None:
    urls = ["http://a.example/1", "HTTP://A.example:80/1#top", "", " ", "http://a.example/2"]
    assert downloads.count_links(write_dataset(home, "some", urls)) == 2


def test_a_table_without_links_has_none(home: Path) -> None:
    none = write_dataset(home, "none", [], header="image_path,x1,y1,x2,y2,page")
    assert (downloads.count_links(none), downloads.missing_columns(none)) == (0, ["url"])
    assert not downloads.leads_here(none)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://pictures.localhost:8642/1.jpg", True),
        ("http://LOCALHOST/1.jpg", True),
        ("http://127.0.0.1/1.jpg", True),
        ("http://10.1.2.3/1.jpg", True),
        ("http://[::1]:8000/1.jpg", True),
        ("http://[fd00::1]/1.jpg", True),
        ("http://93.184.216.34/1.jpg", False),
        ("http://169.254.169.254/latest", False),  # never asked, whatever is allowed
        ("http://localhost.example/1.jpg", False),
        ("no address", False),
    ],
)
def test_links_that_lead_inwards_are_known(home: Path, url: str, here: bool) -> None:
    assert downloads.leads_here(write_dataset(home, "one", [url])) is here


def test_one_link_among_many_is_seen_and_is_not_most(home: Path) -> None:
    urls = [f"http://a.example/{n}" for n in range(100)]
    found = downloads.inwards(write_dataset(home, "some", [*urls, "http://192.168.0.9/1"]))
    assert (found.n, found.mostly, found.ports) == (1, False, ())


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


def make_list(settings: Settings, seed: int, port: int) -> LinkList:
    """A small practice list, as a job of the page leaves it."""
    each = open_list(settings, f"practice-30-{seed}")
    make(each.practice_dir, Options(photos=30, faults=0.3, seed=seed, port=port), workers=1)
    each.index_path.touch()
    return each


def urls_of(each: LinkList) -> list[str]:
    return [row.url for row in read_truth(each.practice_dir)]


def test_a_dataset_finds_the_practice_list_of_its_links(
    settings: Settings, home: Path, free_port: int
) -> None:
    lists = [make_list(settings, seed, free_port) for seed in (0, 1)]
    for each in lists:
        dataset = write_dataset(home, f"of {each.name}", urls_of(each))
        assert downloads.practice_list_of(settings, dataset) == each
    mixed = write_dataset(home, "of both", [url for each in lists for url in urls_of(each)])
    assert downloads.practice_list_of(settings, mixed) is None


def test_a_sets_own_servers_are_told_from_those_of_another(
    settings: Settings, free_port: int
) -> None:
    each, other = (make_list(settings, seed, free_port) for seed in (0, 1))
    assert downloads.servers_of(each) == "off"
    with LittleInternet(each.practice_dir / "site", port=free_port):
        assert downloads.servers_of(each) == "on"
        assert downloads.servers_of(other) == "others"


def test_whether_anybody_answers_is_asked_of_this_computer_only(home: Path, free_port: int) -> None:
    here = write_dataset(home, "here", [f"http://a.localhost:{free_port}/1"])
    near = write_dataset(home, "near", ["http://10.255.255.1/1"])
    assert not downloads.answers_here(here)
    assert downloads.answers_here(near)
    with socket.create_server(("127.0.0.1", free_port)):
        assert downloads.answers_here(here)


def test_the_lists_whose_servers_run_beside_are_known(
    settings: Settings, started: list[list[str]]
) -> None:
    each, other = (open_list(settings, f"practice-30-{seed}") for seed in (0, 1))
    for made in (each, other):
        made.folder.mkdir(parents=True)
        made.index_path.touch()
    assert downloads.other_internets(settings, each) == []
    run_dir = downloads.serve(settings, other)
    assert downloads.other_internets(settings, each) == [(other, run_dir)]


def test_what_a_job_tells_of_itself_is_read_from_all_its_events(tmp_path: Path) -> None:
    done = {"this_run": {"links": 40, "pictures": 22, "bytes": 9}}
    events = [
        *(state(0, "starting"), state(1, "running"), state(11, "paused"), state(100, "running")),
        {"event": "labels_kept", "time": 105, "file": "labels-1.csv"},
        {"event": "summary", "time": 105, **done},
        state(106, "done"),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert downloads.told_by(tmp_path) == Told(
        links=40, pictures=22, seconds=16.0, labels_kept="labels-1.csv"
    )


@pytest.mark.parametrize(("events", "seconds"), [([], 0), ([state(5, "running"), told(9, 3)], 4)])
def test_a_job_that_died_was_at_work_until_its_last_word(
    tmp_path: Path, events: list[dict[str, object]], seconds: float
) -> None:
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    assert downloads.told_by(tmp_path).seconds == seconds


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


def test_rates_are_of_the_last_seconds() -> None:
    events = [state(0, "running"), *(told(t, t // 2, size_bytes=7 * t) for t in range(101))]
    progress = progress_of(events)
    assert progress["pictures_per_s"] == pytest.approx(0.5)
    assert progress["bytes_per_s"] == pytest.approx(7)
    assert progress["left_s"] == pytest.approx(100)


def fast_start_and_slow_tail() -> list[dict[str, object]]:
    """1,600 links in ten seconds from many sites; then the last of one site, ten a second."""
    fast = [told(t, 160 * t, total=2000, left_polite_s=40 - t) for t in range(11)]
    slow = [told(t, 1500 + 10 * t, total=2000, left_polite_s=40 - t) for t in range(11, 31)]
    return [state(0, "running"), *fast, *slow]


def test_a_slow_tail_is_told_at_its_own_rate() -> None:
    progress = progress_of(fast_start_and_slow_tail()[:-10])  # at 20 s
    assert progress["pictures_per_s"] == pytest.approx(10)
    assert progress["left_s"] == pytest.approx(30)


def test_the_time_left_is_at_least_what_the_busiest_site_needs() -> None:
    progress = progress_of(fast_start_and_slow_tail()[:10])  # at 8 s, all of it fast
    assert progress["pictures_per_s"] == pytest.approx(160)
    assert progress["left_s"] == pytest.approx(32)


def test_the_time_left_does_not_wait_for_the_rate_to_come_down() -> None:
    progress = progress_of(fast_start_and_slow_tail()[:15])  # at 13 s, three of them slow
    assert progress["pictures_per_s"] > 60
    assert progress["left_s"] == pytest.approx(37)


def test_no_time_is_told_while_all_that_is_left_hangs() -> None:
    events = [state(0, "running"), *(told(t, 20 * t, active=16) for t in range(5))]
    moving = progress_of([*events, told(5, 95, active=5)])
    hanging = progress_of([*events, *(told(t, 95, active=5) for t in (5, 6, 7, 8))])
    assert moving["left_s"] is not None
    assert hanging["left_s"] is None


def test_a_pause_does_not_count() -> None:
    events = [state(0, "running"), told(1, 10), state(2, "paused"), state(30, "running")]
    progress = progress_of([*events, told(31, 10), told(33, 30)])
    assert progress["links_per_s"] == pytest.approx(10)


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
