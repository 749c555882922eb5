import asyncio

import pytest

from facedet.download.line import SILENT, SILENT_HOSTS, Line


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
    ],
)
def test_many_silent_ends_at_several_hosts_are_suspicious(
    n: int, hosts: int, *, suspicious: bool
) -> None:
    it, _asked = line()
    silence(it, n, hosts)
    assert it.is_suspicious is suspicious


def test_one_answer_takes_the_suspicion_away() -> None:
    it, _asked = line()
    silence(it, SILENT, SILENT_HOSTS)
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
