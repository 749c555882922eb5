import asyncio

import pytest

from facedet.download.line import SILENT, SILENT_FROM_THE_START, SILENT_HOSTS, Line


def line(*reachable: str) -> tuple[Line, list[str]]:
    """A line on which these can be reached, and at what it knocked."""
    asked: list[str] = []

    async def reaches(url: str) -> bool:
        asked.append(url)
        return url in reachable

    return Line(reaches), asked


def silence(of: Line, n: int, hosts: int) -> None:
    for k in range(n):
        of.silent(f"host{k % hosts}")


@pytest.mark.parametrize(
    ("n", "hosts", "suspicious"),
    [
        (SILENT, SILENT_HOSTS, True),
        (SILENT - 1, SILENT_HOSTS, False),
        (50, SILENT_HOSTS - 1, False),
        (SILENT_FROM_THE_START, SILENT_FROM_THE_START, True),
    ],
)
def test_many_silent_ends_at_several_hosts_are_suspicious(
    n: int, hosts: int, *, suspicious: bool
) -> None:
    it, _asked = line()
    it.answered("http://a.example/")
    silence(it, n, hosts)
    assert it.is_suspicious is suspicious


def test_where_nothing_is_known_it_takes_more_to_be_suspicious() -> None:
    it, _asked = line()
    silence(it, 500, SILENT_FROM_THE_START - 1)
    assert not it.is_suspicious
    silence(it, 500, SILENT_FROM_THE_START)
    assert it.is_suspicious


def test_one_answer_takes_the_suspicion_away() -> None:
    it, _asked = line()
    silence(it, SILENT_FROM_THE_START, SILENT_FROM_THE_START)
    it.answered("http://a.example/")
    assert not it.is_suspicious


def test_it_knocks_at_those_that_have_answered_before() -> None:
    it, asked = line("b")
    it.answered("a")
    it.answered("b")
    assert asyncio.run(it.holds(["c"]))
    assert asked == ["a", "b"]


def test_where_none_has_it_knocks_at_the_others() -> None:
    it, asked = line()
    assert not it.has_held
    assert not asyncio.run(it.holds(["c", "d"]))
    assert asked == ["c", "d"]
