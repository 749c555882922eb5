from pathlib import Path

import pytest

from facedet.download import room
from facedet.download.account import Outcome
from facedet.download.folder import DiskError
from facedet.download.ledger import Ledger
from facedet.download.links import Link

MB = 1_000_000


def came(link: Link, n: int) -> Outcome:
    """Every second one is a picture of a megabyte."""
    if n % 2:
        return Outcome(url=link.url, state="failed", error_class="dns")
    return Outcome(
        url=link.url,
        state="done",
        bytes=MB,
        sha256=f"{n:064x}",
        image_path=f"images/A/{n}.jpg",
        image_wh=(9, 9),
    )


def test_without_a_picture_it_is_an_assumption(tmp_path: Path) -> None:
    found = room.room(tmp_path / "not yet there", 1000)
    assert (found.needed, found.measured) == (40 * MB, False)
    assert found.free > 0


def test_what_came_says_how_large_the_rest_will_be(tmp_path: Path) -> None:
    links = [Link("A", str(n), f"http://a.com/{n}", None) for n in range(200)]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(links)
        ledger.record([came(link, n) for n, link in enumerate(links[:120])])
        found = room.room(tmp_path, 80, ledger)
    assert (found.needed, found.measured) == (40 * MB, True)


@pytest.mark.parametrize(("free", "fits"), [(241 * MB, True), (239 * MB, False)])
def test_a_reserve_stays_free(free: int, *, fits: bool) -> None:
    assert room.Room(free=free, needed=40 * MB, measured=False).fits is fits


def test_what_does_not_fit_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _place: 200 * MB)
    with (
        Ledger.open(tmp_path / "ledger.sqlite") as ledger,
        pytest.raises(DiskError, match="--limit"),
    ):
        room.check_room(tmp_path, 1000, ledger)
