from pathlib import Path

import pytest

from facedet.download.engine import Settings
from facedet.download.hosts import Manners
from facedet.download.links import read_links
from facedet.download.probe import probe, wilson
from facedet.practice.server import early_requests, most_at_once
from facedet.practice.truth import good_share, read_truth
from tests.download.practice import make_set, served

QUICK = Settings(manners=Manners(per_host=2, backoff_s=0.05, rest_s=0.1, rest_after=50))


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("probe") / "practice", photos=100, faults=0.5)


def test_a_probe_says_what_to_expect_and_keeps_nothing(practice: Path, tmp_path: Path) -> None:
    before = sorted(practice.rglob("*"))
    table = read_links(practice / "labels.csv")
    with served(practice) as (internet, network):
        found = probe(table.links, 60, QUICK, network, seed=1)
        log = internet.log
    assert found is not None
    assert found.tried == 60
    assert found.low < found.rate < found.high
    assert found.low - 0.05 <= good_share(read_truth(practice)) <= found.high + 0.05
    assert sorted(practice.rglob("*")) == before
    # It has the manners of the download itself.
    assert max(most_at_once(log, request.host) for request in log) <= 2
    assert early_requests(log) == []


def test_an_address_that_is_listed_twice_counts_once(practice: Path) -> None:
    table = read_links(practice / "labels.csv")
    with served(practice) as (_internet, network):
        found = probe([*table.links, *table.links], 5, QUICK, network)
    assert found is not None
    assert found.total == len({link.url for link in table.links})


def test_a_probe_that_was_stopped_says_nothing(practice: Path) -> None:
    table = read_links(practice / "labels.csv")
    with served(practice) as (_internet, network):
        assert probe(table.links, 60, QUICK, network, asked=lambda: "stop") is None


@pytest.mark.parametrize(
    ("good", "tried", "low", "high"),
    # Wilson's interval at 95 %, worked out by hand for these.
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (5, 10, 0.237, 0.763)],
)
def test_the_interval_of_a_share(good: int, tried: int, low: float, high: float) -> None:
    assert wilson(good, tried) == pytest.approx((low, high), abs=0.001)
