from collections.abc import Callable

import pytest

from facedet.download.pace import Pace


def run(pace: Pace, rate_of: Callable[[int], float], seconds: int, start: int = 0) -> None:
    """Let time pass on a network that answers `rate_of(limit)` requests a second."""
    finished = 0.0
    for second in range(start, start + seconds):
        pace.tick(float(second), round(finished), busy=True)
        finished += rate_of(pace.limit)


@pytest.mark.parametrize(("capacity", "latency"), [(100, 0.5), (400, 0.1), (20, 1.0), (1000, 0.05)])
def test_it_reaches_most_of_what_the_network_gives(capacity: float, latency: float) -> None:
    pace = Pace(most=256)
    run(pace, lambda limit: min(capacity, limit / latency), 40)
    enough = capacity * latency
    assert pace.limit >= min(16, 0.7 * enough)
    assert pace.limit <= max(30, 2.5 * enough)


def test_it_never_goes_beyond_its_bound() -> None:
    pace = Pace(most=24)
    run(pace, lambda limit: limit * 10.0, 60)
    assert pace.limit == 24


def test_it_steps_back_when_the_network_gets_worse() -> None:
    pace = Pace(most=200)
    run(pace, lambda limit: limit * 2.0, 20)
    before = pace.limit
    run(pace, lambda _limit: 10.0, 40, start=20)
    assert pace.limit < before / 2


def test_a_rate_that_the_limit_did_not_hold_back_says_nothing() -> None:
    pace = Pace(most=200)
    for second in range(20):
        pace.tick(float(second), second * 500, busy=False)
    assert pace.limit == 16


def test_a_small_bound_is_kept_from_the_start() -> None:
    assert Pace(most=2).limit == 2
