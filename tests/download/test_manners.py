"""Politeness as the server sees it: a redirect's target is asked by its own manners."""

import json
from pathlib import Path

from PIL import Image

from facedet.download.client import Limits
from facedet.download.engine import Settings
from facedet.download.hosts import Manners
from facedet.download.run import Network, download, opened
from facedet.practice.server import LittleInternet, Request, early_requests, most_at_once

HUB = "hub.localhost"
SITES = 24
PICTURE = {"file": "a.jpg", "type": "image/jpeg"}


def asked(
    folder: Path, hub: dict[str, object], manners: Manners
) -> tuple[list[Request], list[str]]:
    """What the servers saw when many sites redirected to one, and each row's note."""
    folder.joinpath("site").mkdir()
    Image.new("RGB", (60, 40), "teal").save(folder / "site/a.jpg")
    rows: list[dict[str, object]] = []
    lines = ["image_path,x1,y1,x2,y2,identity,photo_id,url"]
    for n in range(SITES):
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
        network = Network(
            limits=Limits(total_s=20.0),
            allow_private=True,
            resolve=lambda host, port: [internet.resolve(host, port)],
        )
        download(folder / "d", ledger, Settings(manners=manners), network)
        return internet.log, [row.note for row in ledger.each()]


def test_many_sites_that_send_to_one_do_not_crowd_it(tmp_path: Path) -> None:
    slow = {"answer": "slow", "seconds": 0.05}
    log, _notes = asked(tmp_path, slow, Manners(per_host=2, spacing_s=0.0))
    assert sum(request.host == HUB for request in log) == SITES
    assert most_at_once(log, HUB) == 2


def test_the_wait_that_a_redirect_s_target_asks_for_is_kept(tmp_path: Path) -> None:
    busy = {"answer": "rate_limited", "times": 1, "retry_after": 0.3}
    log, _notes = asked(tmp_path, busy, Manners(per_host=2, backoff_s=0.01))
    assert {request.status for request in log if request.host == HUB} == {200, 429}
    assert early_requests(log) == []


def test_a_target_that_asks_for_an_hour_is_asked_no_more(tmp_path: Path) -> None:
    busy = {"answer": "rate_limited", "times": 9, "retry_after": 3600}
    log, notes = asked(tmp_path, busy, Manners(per_host=1))
    assert sum(request.host == HUB for request in log) == 1
    assert sum("asks to be left alone for 60 minutes" in note for note in notes) == SITES - 1
