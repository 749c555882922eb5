"""The whole download on a practice set with every fault, over real sockets."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet.download import engine, room
from facedet.download.engine import Progress, Settings
from facedet.download.folder import DiskError
from facedet.download.hosts import Manners
from facedet.download.ledger import Ledger
from facedet.download.report import confusion, funnel
from facedet.download.run import download, opened, possible_workers, take_up_again
from facedet.errors import DatasetError, LabelError
from facedet.images import read
from facedet.practice.server import early_requests, most_at_once
from tests.download.practice import make_set, served

QUICK = Settings(manners=Manners(backoff_s=0.05, rest_s=0.1, rest_after=50))


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("run") / "practice")


@pytest.fixture(scope="module")
def done(practice: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ledger]]:
    """The whole set downloaded once, with the server's own account beside it."""
    dataset = tmp_path_factory.mktemp("run") / "dataset"
    with (
        served(practice) as (_internet, network),
        opened(practice / "labels.csv", dataset) as (ledger, table),
    ):
        assert table.problems == ()
        download(dataset, ledger, QUICK, network)
        yield dataset, ledger


def rows_of(dataset: Path) -> list[tuple[object, ...]]:
    """Every row, but for what two runs may differ in."""
    with Ledger.open(dataset / "ledger.sqlite", create=False) as ledger:
        return [
            (row.identity, row.photo_id, row.state, row.error_class, row.sha256, row.image_path)
            for row in ledger.each()
        ]


def files_of(dataset: Path) -> dict[str, str]:
    return {
        path.relative_to(dataset).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((dataset / "images").rglob("*"))
        if path.is_file()
    }


def test_every_fault_is_told_as_what_it_is(practice: Path, done: tuple[Path, Ledger]) -> None:
    table = confusion(done[1], practice / "truth.csv")
    # A small set has too few placeholders of one host to know them by.
    wrong = {
        (fault, verdict): n
        for (fault, verdict), n in table.counts.items()
        if n and verdict not in (run_expected(fault), "ok" if fault == "placeholder" else "")
    }
    assert wrong == {}


def run_expected(fault: str) -> str:
    from facedet.download.report import expected_class

    return expected_class(fault)


def test_each_picture_lies_where_its_row_says_with_the_bytes_that_it_says(
    done: tuple[Path, Ledger],
) -> None:
    dataset, ledger = done
    pictures = [row for row in ledger.each() if row.state == "done"]
    assert len(pictures) > 60
    for row in pictures:
        data = (dataset / row.image_path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256
        assert read(dataset / row.image_path).image_wh == (row.image_width, row.image_height)
    assert set(files_of(dataset)) == {row.image_path for row in pictures}


def test_labels_of_what_came(practice: Path, done: tuple[Path, Ledger]) -> None:
    dataset, ledger = done
    with (dataset / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ledger.counts().done
    assert all((dataset / row["image_path"]).is_file() for row in rows)
    assert {row["label_fits"] for row in rows} == {"0", "1"}
    # What was asked for is kept.
    assert (dataset / "links.csv").read_bytes() == (practice / "labels.csv").read_bytes()


def test_the_funnel_never_grows(done: tuple[Path, Ledger]) -> None:
    counts = [step.n for step in funnel(done[1])]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 140


def test_a_second_run_asks_for_nothing(practice: Path, done: tuple[Path, Ledger]) -> None:
    dataset, ledger = done
    with served(practice) as (internet, network):
        progress = download(dataset, ledger, QUICK, network)
        assert (progress.total, progress.done) == (0, 0)
        assert internet.log == []


def test_only_the_classes_that_were_named_are_tried_again(
    practice: Path, done: tuple[Path, Ledger]
) -> None:
    dataset, ledger = done
    before = ledger.counts()
    with served(practice) as (internet, network):
        take_up_again(ledger, ["http_5xx"])
        progress = download(dataset, ledger, QUICK, network, only_again=True)
        assert progress.total == before.failed["http_5xx"]
        assert {request.status for request in internet.log} == {500}
    assert ledger.counts() == before


def test_what_waits_is_left_alone_by_a_retry(practice: Path, tmp_path: Path) -> None:
    with (
        opened(practice / "labels.csv", tmp_path / "d") as (ledger, _table),
        served(practice) as (internet, network),
    ):
        download(tmp_path / "d", ledger, QUICK, network, limit=5)
        internet.reset()
        assert take_up_again(ledger, ["bomb"]) == 0
        assert download(tmp_path / "d", ledger, QUICK, network, only_again=True).total == 0
        assert internet.log == []
        assert ledger.funnel().tried == 5


def test_each_row_s_own_box_and_link_decide(practice: Path, tmp_path: Path) -> None:
    with (practice / "truth.csv").open() as file:
        good = next(row for row in csv.DictReader(file) if row["fault"] == "ok")
    rows = [
        "image_path,x1,y1,x2,y2,identity,photo_id,url",
        f"images/A/1.jpg,10,10,60,60,A,1,{good['url']}",
        f"images/A/1.jpg,5000,5000,5100,5100,A,1,{good['url']}",
        "images/A/1.jpg,10,10,60,60,A,1,http://other.localhost/x.jpg",
        f"images/{'con.' + 96 * 'x'}/1.jpg,1,1,9,9,,,{good['url']}",
    ]
    (tmp_path / "l.csv").write_text("\n".join(rows) + "\n")
    with (
        opened(tmp_path / "l.csv", tmp_path / "d") as (ledger, table),
        served(practice) as (_internet, network),
    ):
        assert [problem.line for problem in table.problems] == [4]
        download(tmp_path / "d", ledger, QUICK, network)
    with (tmp_path / "d/labels.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["label_fits"] for row in written] == ["1", "0", "1"]


def test_a_stop_keeps_what_was_done_and_a_later_run_ends_as_if_there_had_been_none(
    practice: Path, done: tuple[Path, Ledger], tmp_path: Path
) -> None:
    dataset = tmp_path / "stopped"
    seen: list[int] = []

    def report(progress: Progress) -> None:
        seen.append(progress.done)

    with (
        opened(practice / "labels.csv", dataset) as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        stop = lambda: "stop" if seen and seen[-1] > 20 else ""  # noqa: E731
        slow = Settings(manners=Manners(per_host=1, spacing_s=0.1))
        download(dataset, ledger, slow, network, report=report, asked=stop)
        assert 0 < ledger.counts().waiting < 120
        assert len((dataset / "labels.csv").read_text().splitlines()) == ledger.counts().done + 1
        # Nothing lies there without a row: what was being written when the stop came has one.
        there = {row.image_path for row in ledger.each() if row.state == "done"}
        assert set(files_of(dataset)) == there
        download(dataset, ledger, QUICK, network)
    assert rows_of(dataset) == rows_of(done[0])
    assert files_of(dataset) == files_of(done[0])


def test_a_limit_takes_so_many_and_no_more(practice: Path, tmp_path: Path) -> None:
    with (
        opened(practice / "labels.csv", tmp_path / "d") as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        assert download(tmp_path / "d", ledger, QUICK, network, limit=15).done == 15
        assert ledger.funnel().tried == 15


def test_no_host_is_asked_more_at_once_than_allowed_and_none_before_its_time(
    practice: Path, tmp_path: Path
) -> None:
    settings = Settings(manners=Manners(per_host=2, backoff_s=0.05))
    with (
        opened(practice / "labels.csv", tmp_path / "d") as (ledger, _table),
        served(practice) as (internet, network),
    ):
        download(tmp_path / "d", ledger, settings, network, limit=80)
        log = internet.log
    hosts = {request.host for request in log}
    assert len(hosts) > 5
    assert max(most_at_once(log, host) for host in hosts) <= 2
    assert early_requests(log) == []


def test_a_full_disk_ends_the_run_cleanly_and_it_goes_on_later(
    practice: Path, done: tuple[Path, Ledger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tmp_path / "full"
    written: list[str] = []
    store = engine.store_picture

    def full_after_ten(folder: Path, link: object, body: bytes, suffix: str) -> str:
        if len(written) >= 10:
            raise DiskError("no space left on device")
        written.append(store(folder, link, body, suffix))  # type: ignore[arg-type]
        return written[-1]

    with (
        opened(practice / "labels.csv", dataset) as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(engine, "store_picture", full_after_ten)
            with pytest.raises(DiskError, match="no space left"):
                download(dataset, ledger, QUICK, network)
        assert len({row.image_path for row in ledger.each() if row.state == "done"}) <= 12
        download(dataset, ledger, QUICK, network)
    assert rows_of(dataset) == rows_of(done[0])


@pytest.mark.parametrize("free", [1_000_000, 203_000_000])
def test_a_disk_without_room_is_refused_before_anything_is_asked(
    practice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _place: free)
    with (
        opened(practice / "labels.csv", tmp_path / "d") as (ledger, _table),
        served(practice) as (internet, network),
    ):
        with pytest.raises(DiskError, match="make room"):
            download(tmp_path / "d", ledger, QUICK, network)
        assert internet.log == []


def test_the_reserve_of_the_disk_stays_free_while_it_runs(
    practice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [10**12, 10**12, 10**12]
    monkeypatch.setattr(room, "free_bytes", lambda _place: left.pop() if left else 1000)
    slow = Settings(manners=Manners(per_host=1, spacing_s=0.2))
    with (
        opened(practice / "labels.csv", tmp_path / "d") as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        with pytest.raises(DiskError, match="make room and start again"):
            download(tmp_path / "d", ledger, slow, network)
        assert ledger.counts().waiting > 0
        assert len((tmp_path / "d/labels.csv").read_text().splitlines()) > 1


@pytest.mark.parametrize("header", ["image_path,x1,y1,x2,y2,{}", "x1,y1,x2,y2,{},image_path"])
def test_a_broken_row_of_a_photo_that_came_is_left_out_of_the_labels(
    practice: Path, tmp_path: Path, header: str
) -> None:
    with (practice / "truth.csv").open() as file:
        good = next(row for row in csv.DictReader(file) if row["fault"] == "ok")
    columns = header.format("identity,photo_id,url").split(",")
    whole = {"image_path": "images/A/1.jpg", "identity": "A", "photo_id": "1", "url": good["url"]}
    boxes = [(10, 10, 60, 60), ("abc", 10, 60, 60), (60, 10, 10, 60)]
    rows = [whole | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in boxes]
    with (tmp_path / "l.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
        file.write("1,2,3,4,A,1\n")  # too short a row
    with (
        opened(tmp_path / "l.csv", tmp_path / "d") as (ledger, table),
        served(practice) as (_internet, network),
    ):
        assert len(table.problems) == 3
        download(tmp_path / "d", ledger, QUICK, network)
    with (tmp_path / "d/labels.csv").open() as file:
        assert [row["x1"] for row in csv.DictReader(file)] == ["10"]


def test_a_retry_that_was_interrupted_goes_on_with_what_it_had_left(
    practice: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "d"
    with (
        opened(practice / "labels.csv", dataset) as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        download(dataset, ledger, QUICK, network)
        wanted = take_up_again(ledger, ["http_4xx", "http_5xx"])
        assert wanted > 8
        download(dataset, ledger, QUICK, network, only_again=True, limit=5)
        assert take_up_again(ledger, ["http_4xx", "http_5xx"]) == wanted - 5
        assert download(dataset, ledger, QUICK, network, only_again=True).total == wanted - 5
        assert ledger.counts().waiting == 0


def test_pictures_that_went_from_the_folder_are_asked_for_again(
    practice: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "d"
    with (
        opened(practice / "labels.csv", dataset) as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        download(dataset, ledger, QUICK, network, limit=40)
        first, second, third = sorted(files_of(dataset))[:3]
        (dataset / first).unlink()
        aside = dataset / "quarantine" / second
        aside.parent.mkdir(parents=True)
        (dataset / second).rename(aside)
        done = download(dataset, ledger, QUICK, network, limit=1)
        assert done.missed == 1
        assert aside.exists()
        assert not (dataset / second).exists()
        assert (dataset / third).exists()


def test_a_label_that_was_corrected_is_judged_anew(practice: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "d"
    lines = (practice / "labels.csv").read_text().splitlines()
    with (
        opened(practice / "labels.csv", dataset) as (ledger, _table),
        served(practice) as (_internet, network),
    ):
        download(dataset, ledger, QUICK, network)
        assert ledger.funnel().fitting > 50
    columns = lines[0].split(",")
    moved = []
    for cells in csv.reader(lines[1:]):
        row = dict(zip(columns, cells, strict=True)) | {"x1": "9000", "x2": "9100"}
        moved.append(row)
    with (tmp_path / "moved.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(moved)
    with opened(tmp_path / "moved.csv", dataset) as (ledger, _table):
        assert ledger.funnel().fitting == 0


def test_the_labels_of_a_dataset_may_be_its_own(practice: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "d"
    dataset.mkdir()
    (dataset / "labels.csv").write_bytes((practice / "labels.csv").read_bytes())
    for _round in range(2):
        with (
            opened(dataset / "labels.csv", dataset) as (ledger, _table),
            served(practice) as (_internet, network),
        ):
            download(dataset, ledger, QUICK, network, limit=20)
            assert ledger.counts().total == 140
    assert (dataset / "links.csv").read_bytes() == (practice / "labels.csv").read_bytes()


def test_a_list_that_cannot_be_read_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("image_path,x1,y1,x2,y2\n")
    with pytest.raises(LabelError, match="url"), opened(tmp_path / "l.csv", tmp_path / "d"):
        pass
    assert not (tmp_path / "d").exists()


def test_two_downloads_into_one_dataset_are_refused(practice: Path, tmp_path: Path) -> None:
    labels = practice / "labels.csv"
    with (
        opened(labels, tmp_path / "d"),
        pytest.raises(DatasetError, match="another download writes"),
        opened(labels, tmp_path / "d"),
    ):
        pass


def test_rows_that_cannot_be_used_are_listed_beside_the_others(
    practice: Path, tmp_path: Path
) -> None:
    text = (practice / "labels.csv").read_text() + "images/A/1.jpg,1,1,9,9\n"
    (tmp_path / "l.csv").write_text(text)
    with opened(tmp_path / "l.csv", tmp_path / "d") as (ledger, _table):
        assert funnel(ledger)[0].n == 141
        assert funnel(ledger)[1].n == 140
    with (tmp_path / "d/problems.csv").open() as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["142"]


@pytest.mark.parametrize(
    ("soft", "hard", "workers"),
    [(256, 256, 64), (256, 100_000, 128), (-1, -1, 128), (100_000, 100_000, 128), (100, 100, 1)],
)
def test_there_are_no_more_workers_than_the_system_has_handles_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, workers: int
) -> None:
    resource = pytest.importorskip("resource")
    now = [soft, hard]
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: tuple(now))
    monkeypatch.setattr(
        resource, "setrlimit", lambda _kind, limits: now.__setitem__(slice(2), limits)
    )
    assert possible_workers(128) == workers
