from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet.download import supply
from facedet.download.account import Outcome
from facedet.download.ledger import Ledger
from facedet.download.links import Link
from facedet.download.supply import Listed, Recorded, Supply

LINKS = [
    *(Link("A", f"a{n}", f"http://a.com/{n}", None) for n in range(7)),
    Link("A", "b", "http://b.com/", None),
    *(Link("A", f"c{n}", f"http://c.com/{n}", (1.0, 2.0, 30.0, 40.0)) for n in range(3)),
]


@pytest.fixture(params=["listed", "recorded"])
def supplied(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Supply]:
    monkeypatch.setattr(supply, "PORTION", 3)
    if request.param == "listed":
        yield Listed(LINKS)
        return
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(LINKS)
        yield Recorded(ledger)


def test_the_largest_host_comes_first(supplied: Supply) -> None:
    assert supplied.total == 11
    assert [supplied.next_host() for _n in range(4)] == ["a.com", "c.com", "b.com", None]


def test_links_come_in_portions_and_each_once(supplied: Supply) -> None:
    portions = [supplied.more_of("a.com") for _n in range(4)]
    assert [len(links) for links in portions] == [3, 3, 1, 0]
    assert [link for links in portions for link in links] == LINKS[:7]
    assert supplied.left_of("a.com") == 0
    assert supplied.left_of("c.com") == 3


def test_labels_come_along(supplied: Supply) -> None:
    assert supplied.more_of("c.com")[0].box_xyxy == (1.0, 2.0, 30.0, 40.0)


def test_only_what_is_to_be_tried_again_is_supplied(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(LINKS)
        ledger.record([Outcome(url="http://b.com/", state="failed", error_class="dns")])
        assert ledger.retry(["dns"]) == 1
        again = Recorded(ledger, only_again=True)
        assert again.total == ledger.to_retry() == 1
        assert again.next_host() == "b.com"
        assert again.more_of("b.com") == [LINKS[7]]
        ledger.record([Outcome(url="http://b.com/", state="failed", error_class="dns")])
        assert ledger.to_retry() == 0
