from random import Random

import pytest

from facedet.download.hosts import Hosts, Manners
from facedet.download.outcome import Failed

BUSY = Failed("http_4xx", "", 429, retry_after_s=3.0)
ERROR = Failed("http_5xx", "", 500)
GONE = Failed("http_4xx", "", 404)


def hosts(**manners: float) -> Hosts[str]:
    rules = Manners(**{"spacing_s": 0.0, **manners})  # type: ignore[arg-type]
    return Hosts(lambda item: item[0], rules, Random(1))


def filled(*items: str, **manners: float) -> Hosts[str]:
    queue = hosts(**manners)
    for item in items:
        queue.add(item)
    return queue


def ended(queue: Hosts[str], item: str, now: float, failed: Failed | None, attempts: int) -> bool:
    """As the engine does it; whether the link is tried again."""
    queue.done(item, now, failed)
    return failed is not None and queue.again(item, item, now, failed, attempts)


def taken(queue: Hosts[str], now: float) -> list[str]:
    found = []
    while (item := queue.take(now)) is not None:
        found.append(item)
    return found


def test_nothing_to_do_is_ordinary() -> None:
    queue = hosts()
    assert queue.take(0) is None
    assert queue.wake_at() is None
    assert queue.pending == 0


def test_hosts_take_turns() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2", "c1")
    assert taken(queue, 0)[:3] == ["a1", "b1", "c1"]


def test_a_host_never_has_more_than_its_limit() -> None:
    queue = filled("a1", "a2", "a3", "a4", "b1", per_host=2)
    assert sorted(taken(queue, 0)) == ["a1", "a2", "b1"]
    queue.done("a1", 1, None)
    assert taken(queue, 1) == ["a3"]


def test_requests_to_a_host_are_spaced() -> None:
    queue = filled("a1", "a2", "b1", spacing_s=0.5)
    assert taken(queue, 0) == ["a1", "b1"]
    assert queue.wake_at() == 0.5
    assert taken(queue, 0.49) == []
    assert taken(queue, 0.5) == ["a2"]


def test_too_many_requests_rests_the_host_as_long_as_it_asks() -> None:
    queue = filled("a1", "a2", per_host=1)
    assert taken(queue, 0) == ["a1"]
    assert ended(queue, "a1", 1, BUSY, 1)
    assert queue.resting(1) == {"a": 3.0}
    assert taken(queue, 3.9) == []
    assert queue.wake_at() == 4.0
    assert taken(queue, 4.0) == ["a1"]


def test_a_rest_holds_even_for_a_host_that_was_just_queued() -> None:
    queue = filled("a1", "a2", "a3", per_host=2)
    assert queue.take(0) == "a1"
    assert queue.take(0) == "a2"
    queue.done("a2", 0.1, None)  # a3 is queued for now
    ended(queue, "a1", 0.2, BUSY, 1)  # and only then the host asks for peace
    assert taken(queue, 1.0) == []
    assert set(taken(queue, 3.3)) == {"a1", "a3"}


def test_a_host_that_asks_for_a_longer_peace_than_we_wait_is_not_asked_again() -> None:
    queue = filled("a1", "a2", "b1", most_wait_s=10.0, per_host=1)
    assert taken(queue, 0) == ["a1", "b1"]
    assert not ended(queue, "a1", 0, Failed("http_5xx", "", 503, retry_after_s=3600), 1)
    ((item, failed),) = queue.unasked()
    assert item == "a2"
    assert (failed.error_class, failed.note) == (
        "http_5xx",
        "not asked: a asks to be left alone for 60 minutes",
    )
    assert queue.pending == 0


def test_too_many_requests_without_a_time_rests_the_host_longer_each_time() -> None:
    queue = filled(*(f"a{n}" for n in range(9)), per_host=1, attempts=1)
    waits, now = [], 0.0
    for _n in range(4):
        (item,) = taken(queue, now)
        ended(queue, item, now, Failed("http_4xx", "", 429), 1)
        wake = queue.wake_at()
        assert wake is not None
        waits.append(wake - now)
        now = wake
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_host_that_only_says_that_it_is_asked_too_much_is_given_up() -> None:
    queue = filled(*(f"a{n}" for n in range(50)), per_host=2, attempts=3, refusals=5)
    now, asked, unasked = 0.0, 0, []
    while queue.pending:
        wake = queue.wake_at()
        assert wake is not None
        now = max(now, wake)
        for item in taken(queue, now):
            asked += 1
            ended(queue, item, now, BUSY, 1)
        unasked += queue.unasked()
    assert now == 15.0  # five times three seconds
    assert asked == 12
    assert "again and again that it is asked too much" in unasked[0][1].note


def test_what_may_be_our_own_line_s_fault_is_no_fault_of_the_host() -> None:
    queue = filled(*(f"a{n}" for n in range(30)), per_host=1, attempts=1, rest_after=3)
    for _n in range(30):
        (item,) = taken(queue, 0)
        ended(queue, item, 0, Failed("timeout", "", doubtful=True), 1)
    assert queue.resting(0) == {}
    assert queue.unasked() == []


def test_how_long_a_host_still_takes_is_known_from_what_it_took() -> None:
    queue = filled("a1", "a2", per_host=2, spacing_s=0.1)
    assert queue.left_s("new", 10, 0) == pytest.approx(1.0)
    assert taken(queue, 0) == ["a1"]
    queue.done("a1", 4, None, 4.0)
    assert queue.left_s("a", 10, 4) == pytest.approx(20.0)
    queue.take(4)
    queue.done("a2", 5, BUSY, 4.0)
    assert queue.left_s("a", 10, 5) == pytest.approx(23.0)


def test_a_redirect_takes_its_turn_at_the_host_that_it_leads_to() -> None:
    queue = filled("a1", "b1", "b2", "b3", per_host=2)
    assert taken(queue, 0) == ["a1", "b1", "b2"]
    queue.done("a1", 1, None)
    queue.add_later("b-from-a1", 1)
    assert taken(queue, 1) == []  # b has two already
    queue.done("b1", 2, None)
    assert taken(queue, 2) == ["b-from-a1"]  # before b3, which only waits


def test_a_redirect_to_a_resting_host_rests() -> None:
    queue = filled("a1", "b1")
    assert taken(queue, 0) == ["a1", "b1"]
    queue.done("b1", 0, BUSY)
    queue.done("a1", 0, None)
    queue.add_later("b-from-a1", 0)
    assert taken(queue, 2.9) == []
    assert taken(queue, 3.0) == ["b-from-a1"]


def test_a_failure_behind_a_redirect_is_the_other_host_s() -> None:
    queue = filled("a1", "a2", "b1", per_host=1)
    assert taken(queue, 0) == ["a1", "b1"]
    queue.done("a1", 0, None)
    queue.done("b1", 0, None)
    queue.add_later("b-from-a1", 0)
    assert set(taken(queue, 0)) == {"b-from-a1", "a2"}
    queue.done("b-from-a1", 0, BUSY)
    assert queue.again("b-from-a1", "a1", 0, BUSY, 1)  # the attempt begins anew, at a
    queue.done("a2", 1, None)
    assert queue.wake_at() == 3.0
    assert taken(queue, 3.0) == ["a1"]


def test_a_redirect_to_a_host_that_was_given_up_is_not_asked() -> None:
    queue = filled("a1", "b1", most_wait_s=1.0)
    assert taken(queue, 0) == ["a1", "b1"]
    queue.done("b1", 0, BUSY)
    queue.done("a1", 0, None)
    queue.add_later("b-from-a1", 0)
    assert [item for item, _failed in queue.unasked()] == ["b-from-a1"]


def test_what_may_pass_is_tried_again_later_and_later() -> None:
    queue = filled("a1", attempts=4)
    waits = []
    now = 0.0
    for attempt in range(1, 4):
        assert taken(queue, now) == ["a1"]
        assert ended(queue, "a1", now, ERROR, attempt)
        wake = queue.wake_at()
        assert wake is not None
        waits.append(wake - now)
        now = wake
    assert taken(queue, now) == ["a1"]
    assert not ended(queue, "a1", now, ERROR, 4)
    assert queue.pending == 0
    for wait, base in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert base <= wait <= 1.5 * base


@pytest.mark.parametrize("failed", [GONE, Failed("timeout", ""), Failed("dns", ""), None])
def test_what_does_not_pass_is_not(failed: Failed | None) -> None:
    queue = filled("a1")
    queue.take(0)
    assert not ended(queue, "a1", 0, failed, 1)
    assert queue.pending == 0
    assert queue.wake_at() is None


def test_a_host_that_fails_in_a_row_rests_longer_each_time() -> None:
    items = [f"a{n}" for n in range(20)]
    queue = filled(*items, rest_after=3, rest_s=5.0, per_host=1, attempts=1)
    now, rests = 0.0, []
    for _n in range(9):
        wake = queue.wake_at()
        assert wake is not None
        now = max(now, wake)
        item = queue.take(now)
        assert item is not None
        queue.done(item, now, Failed("timeout", ""))
        rests += [rest for rest in queue.resting(now).values() if rest > 0]
    assert rests == [5.0, 10.0, 20.0]


def test_one_answer_ends_the_row() -> None:
    queue = filled(*(f"a{n}" for n in range(9)), rest_after=3, per_host=1, attempts=1)
    for n in range(9):
        item = queue.take(0)
        assert item is not None
        queue.done(item, 0, GONE if n % 3 == 2 else Failed("connect", ""))
    assert queue.resting(0) == {}


def test_a_host_that_never_answers_is_given_up_and_the_others_go_on() -> None:
    items = [*(f"a{n}" for n in range(500)), "b1"]
    queue = filled(*items, rest_after=4, rest_s=5.0, rests=2, per_host=1, attempts=1)
    now, asked, unasked = 0.0, 0, []
    while queue.pending:
        wake = queue.wake_at()
        assert wake is not None
        now = max(now, wake)
        item = queue.take(now)
        if item is not None:
            asked += 1
            queue.done(item, now, None if item == "b1" else Failed("connect", "refused"))
        unasked += queue.unasked()
    assert now == 15.0  # rests of 5 and 10 seconds
    assert asked == 13
    assert len(unasked) == 488
    assert {failed.error_class for _item, failed in unasked} == {"connect"}
    queue.add("a999")
    assert [item for item, _failed in queue.unasked()] == ["a999"]
