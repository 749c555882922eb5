"""Politeness as the server sees it: a redirect's target is asked by its own manners."""

import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from facedet.download import engine, supply
from facedet.download.client import Limits
from facedet.download.engine import NetworkAwayError, Progress, Settings
from facedet.download.hosts import Manners
from facedet.download.run import Network, download, opened
from facedet.practice.server import LittleInternet, Request, early_requests, most_at_once

HUB = "hub.localhost"
SITES = 24
PICTURE = {"file": "a.jpg", "type": "image/jpeg"}


def network_of(internet: LittleInternet) -> Network:
    return Network(
        limits=Limits(total_s=20.0),
        allow_private=True,
        resolve=lambda host, port: [internet.resolve(host, port)],
    )


def asked(
    folder: Path, hub: dict[str, object], manners: Manners, sites: int = SITES
) -> tuple[list[Request], list[str]]:
    """What the servers saw when many sites redirected to one, and each row's note."""
    folder.joinpath("site").mkdir()
    Image.new("RGB", (60, 40), "teal").save(folder / "site/a.jpg")
    rows: list[dict[str, object]] = []
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    for n in range(sites):
        target = f"http://{HUB}:8642/{n}.jpg"
        moved = {"answer": "redirect", "status": 302, "location": target}
        rows.append({"host": f"s{n}.localhost", "path": "/a.jpg", **moved})
        rows.append({"host": HUB, "path": f"/{n}.jpg", **PICTURE, **hub})
        lines.append(f"images/A/{n}.jpg,,,,,A,{n},http://s{n}.localhost:8642/a.jpg")
    folder.joinpath("site/answers.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    folder.joinpath("links.csv").write_text("\n".join(lines) + "\n")
    with (
        LittleInternet(folder / "site", port=0) as internet,
        opened(folder / "links.csv", folder / "d") as (ledger, _table),
    ):
        download(folder / "d", ledger, Settings(manners=manners), network_of(internet))
        return internet.log, [row.note for row in ledger.each()]


def test_many_sites_that_send_to_one_do_not_crowd_it(tmp_path: Path) -> None:
    slow = {"answer": "slow", "seconds": 0.05}
    log, _notes = asked(tmp_path, slow, Manners(per_host=2, spacing_s=0.0))
    assert sum(request.host == HUB for request in log) == SITES
    assert most_at_once(log, HUB) == 2


def test_the_wait_that_a_redirect_s_target_asks_for_is_kept(tmp_path: Path) -> None:
    busy = {"answer": "rate_limited", "times": 1, "retry_after": 0.3}
    log, _notes = asked(tmp_path, busy, Manners(per_host=2, backoff_s=0.01), sites=3)
    assert {request.status for request in log if request.host == HUB} == {200, 429}
    assert early_requests(log) == []


def test_a_target_that_asks_for_an_hour_is_asked_no_more(tmp_path: Path) -> None:
    busy = {"answer": "rate_limited", "times": 9, "retry_after": 3600}
    log, notes = asked(tmp_path, busy, Manners(per_host=1))
    assert sum(request.host == HUB for request in log) == 1
    assert sum("asks to be left alone for 60 minutes" in note for note in notes) == SITES - 1


def test_a_host_that_refuses_for_ever_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUEUED", 40)
    monkeypatch.setattr(supply, "PORTION", 10)
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "a.jpg")
    busy = {"answer": "rate_limited", "times": 10**6, "retry_after": 30}
    rows = [{"host": HUB, "path": f"/{n}.jpg", **PICTURE, **busy} for n in range(100)]
    rows += [
        {"host": f"s{n}.localhost", "path": "/a.jpg", "answer": "file", **PICTURE}
        for n in range(60)
    ]
    tmp_path.joinpath("answers.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    for n, row in enumerate(rows):
        lines.append(f"images/A/{n}.jpg,,,,,A,{n},http://{row['host']}:8642{row['path']}")
    tmp_path.joinpath("links.csv").write_text("\n".join(lines) + "\n")
    seen = [0]
    give_up_at = time.monotonic() + 20

    def report(progress: Progress) -> None:
        seen[0] = progress.done

    def asked() -> engine.Ask:
        return "stop" if seen[0] >= 60 or time.monotonic() > give_up_at else ""

    with (
        LittleInternet(tmp_path, port=0) as internet,
        opened(tmp_path / "links.csv", tmp_path / "d") as (ledger, _table),
    ):
        network = network_of(internet)
        download(tmp_path / "d", ledger, Settings(), network, report=report, asked=asked)
        assert ledger.counts().done == 60


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME])
def test_while_the_line_is_down_nothing_is_said_of_the_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(engine, "AWAY_LOOKS_S", (0.2, 0.2))
    monkeypatch.setattr(engine, "LOOK_S", 0.05)
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "a.jpg")
    rows = [
        {"host": f"s{n}.localhost", "path": "/a.jpg", "answer": "file", **PICTURE}
        for n in range(120)
    ]
    tmp_path.joinpath("answers.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    lines += [
        f"images/A/{n}.jpg,,,,,A,{n},http://{row['host']}:8642/a.jpg" for n, row in enumerate(rows)
    ]
    lines.append("images/A/gone.jpg,,,,,A,gone,http://gone.example/a.jpg")
    tmp_path.joinpath("links.csv").write_text("\n".join(lines) + "\n")
    away: list[bool] = []

    def report(progress: Progress) -> None:
        away.append(progress.away)

    with (
        LittleInternet(tmp_path, port=0) as internet,
        opened(tmp_path / "links.csv", tmp_path / "d") as (ledger, _table),
    ):

        def resolve(host: str, port: int) -> list[tuple[str, int]]:
            """Down from the beginning until it was noticed."""
            if True not in away:
                raise socket.gaierror(code, "no")
            return [internet.resolve(host, port)]

        network = replace(network_of(internet), resolve=resolve)
        settings = Settings(manners=Manners(backoff_s=0.01))
        download(tmp_path / "d", ledger, settings, network, report=report)
        assert True in away
        assert not away[-1]
        # One picture at many sites, each of which has it once: no placeholder.
        assert (ledger.counts().done, ledger.counts().failed) == (120, {"dns": 1})


def test_a_line_that_stays_down_ends_the_run_and_the_links_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "NEVER_S", 0.3)
    monkeypatch.setattr(engine, "LOOK_S", 0.05)
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    lines += [f"images/A/{n}.jpg,,,,,A,{n},http://s{n}.example/a.jpg" for n in range(5)]
    tmp_path.joinpath("links.csv").write_text("\n".join(lines) + "\n")

    def resolve(host: str, port: int) -> list[tuple[str, int]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with opened(tmp_path / "links.csv", tmp_path / "d") as (ledger, _table):
        with pytest.raises(NetworkAwayError, match="connect this computer"):
            download(tmp_path / "d", ledger, Settings(), Network(resolve=resolve))
        assert ledger.counts().waiting == 5


def test_links_that_failed_are_believed_where_earlier_ones_can_still_be_reached(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "a.jpg")
    row = {"host": "s.localhost", "path": "/a.jpg", "answer": "file", **PICTURE}
    tmp_path.joinpath("answers.jsonl").write_text(json.dumps(row) + "\n")
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    lines.append("images/A/1.jpg,,,,,A,1,http://s.localhost:8642/a.jpg")
    lines.append("images/A/2.jpg,,,,,A,2,http://gone.example/a.jpg")
    tmp_path.joinpath("links.csv").write_text("\n".join(lines) + "\n")
    with (
        LittleInternet(tmp_path, port=0) as internet,
        opened(tmp_path / "links.csv", tmp_path / "d") as (ledger, _table),
    ):
        network = network_of(internet)
        download(tmp_path / "d", ledger, Settings(), network)
        assert ledger.retry(["dns"]) == 1
        download(tmp_path / "d", ledger, Settings(), network, only_again=True)
        assert ledger.counts().failed == {"dns": 1}
