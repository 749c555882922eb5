import csv
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from facedet.download import folder
from facedet.download.account import Outcome, Tally, Where
from facedet.download.content import Picture
from facedet.download.folder import DiskError, store_picture
from facedet.download.ledger import Ledger
from facedet.download.links import Box, Link
from facedet.download.outcome import ErrorClass, Failed, Fetched
from facedet.errors import DatasetError

BOX = (10.0, 10.0, 50.0, 50.0)


def link(who: str, n: int, url: str | None = None) -> Link:
    return Link(who, f"{n:03d}", url or f"http://{who.lower()}.example/{n}", BOX)


def picture(url: str, body: bytes, path: str, wh: tuple[int, int] = (100, 80)) -> Outcome:
    found = Picture("jpg", *wh, sha256(body).hexdigest())
    return Outcome.of_picture(url, Fetched(body, 200, url), found, path)


def failure(url: str, error_class: ErrorClass = "http_4xx", status: int | None = 404) -> Outcome:
    return Outcome.of_failure(url, Failed(error_class, "so it is", status, url))


def stored(ledger: Ledger, each: Link, body: bytes) -> None:
    path = store_picture(ledger.path.parent, each, body, "jpg")
    ledger.record([picture(each.url, body, path)])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "dataset" / "ledger.sqlite") as ledger:
        yield ledger


# --- Links and their fate


def test_an_empty_ledger_is_ordinary(ledger: Ledger) -> None:
    ledger.record([])
    assert ledger.add([]) == 0
    assert list(ledger.waiting()) == ledger.rows() == ledger.placeholders() == []
    assert ledger.counts() == Tally("", 0, 0, {})
    assert ledger.funnel().lines == ledger.funnel().urls == 0


def test_links_come_back_as_they_were_in_their_order(ledger: Ledger) -> None:
    links = [link("B", 2), link("A", 9), Link("A", "x", "http://z/", None), link("B", 1)]
    assert ledger.add(links) == 4
    assert list(ledger.waiting()) == links
    assert list(ledger.waiting(limit=2)) == links[:2]
    assert list(ledger.waiting(limit=0)) == []


def test_many_links_come_page_by_page(ledger: Ledger) -> None:
    links = [link("A", n) for n in range(2500)]
    ledger.add(iter(links))
    assert list(ledger.waiting()) == links
    assert list(ledger.waiting(limit=1500)) == links[:1500]


def test_adding_again_adds_nothing(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    ledger.record([failure(link("A", 1).url)])
    assert ledger.add([link("A", 1), link("A", 2)]) == 1
    assert [row.state for row in ledger.rows()] == ["failed", "waiting"]


def test_a_photo_with_another_link_is_refused_and_nothing_added(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    with pytest.raises(DatasetError, match="A/001 is in this dataset with another link"):
        ledger.add([link("A", 2), link("A", 1, "http://other/")])
    assert ledger.count() == 1


def test_none_comes_twice_while_outcomes_are_recorded(ledger: Ledger) -> None:
    ledger.add(link("A", n) for n in range(1200))
    seen = []
    for each in ledger.waiting():
        seen.append(each.photo_id)
        ledger.record([failure(each.url)])
    assert len(seen) == len(set(seen)) == 1200


def test_a_url_is_fetched_once_and_its_rows_share_the_result(ledger: Ledger) -> None:
    links = [link("A", 1, "http://x/"), link("B", 1, "http://x/"), link("B", 2, "http://y/")]
    ledger.add(links)
    assert list(ledger.waiting()) == [links[0], links[2]]
    ledger.record([picture("http://x/", b"one", "images/A/001.jpg")])
    assert [row.image_path for row in ledger.rows()] == ["images/A/001.jpg"] * 2 + [""]


SPELLINGS = ("http://x.example/a", "HTTP://X.Example:80/a", "http://x.example./a#b")


def test_a_url_in_several_spellings_is_fetched_once(ledger: Ledger) -> None:
    links = [link("A", n, url) for n, url in enumerate(SPELLINGS)]
    ledger.add(links)
    assert list(ledger.waiting()) == links[:1]
    ledger.record([picture(SPELLINGS[2], b"one", "images/A/000.jpg")])
    assert [row.image_path for row in ledger.rows()] == ["images/A/000.jpg"] * 3
    assert [row.url for row in ledger.rows()] == list(SPELLINGS)
    assert {row.host for row in ledger.rows()} == {"x.example"}


def test_a_photo_may_spell_its_link_otherwise_later(ledger: Ledger) -> None:
    ledger.add([link("A", 1, SPELLINGS[0])])
    assert ledger.add([link("A", 1, SPELLINGS[1]), link("B", 1, SPELLINGS[2])]) == 1
    assert list(ledger.waiting()) == [link("A", 1, SPELLINGS[0])]


def test_an_address_that_cannot_be_asked_is_recorded_as_it_stands(ledger: Ledger) -> None:
    ledger.add([link("A", 1, "ftp://X/a b")])
    ledger.record([failure("ftp://X/a b", "blocked_address", None)])
    assert ledger.counts() == Tally("", 0, 0, {"blocked_address": 1})


def test_a_new_row_of_a_known_url_gets_what_is_known(ledger: Ledger) -> None:
    ledger.add([link("A", 1, "http://x/"), link("A", 2, "http://y/")])
    ledger.record([picture("http://x/", b"one", "images/A/001.jpg"), failure("http://y/")])
    ledger.add([Link("B", "001", "http://x/", (0, 0, 1, 1)), link("B", 2, "http://y/")])
    assert list(ledger.waiting()) == []
    old, _gone, new, gone = ledger.rows()
    assert (new.sha256, new.image_path, new.attempts) == (old.sha256, old.image_path, 1)
    assert (old.label_fits, new.label_fits) == (1, 0)
    assert (gone.state, gone.error_class) == ("failed", "http_4xx")


def test_a_row_says_all_about_its_picture(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    outcome = picture(link("A", 1).url, b"body", "images/A/001.jpg")
    ledger.record([outcome])
    (row,) = ledger.rows()
    assert (row.state, row.error_class, row.http_status, row.bytes) == ("done", "", 200, 4)
    assert (row.sha256, row.attempts) == (sha256(b"body").hexdigest(), 1)
    assert row.first_at == row.last_at == outcome.at
    assert (row.image_width, row.image_height, row.label_fits) == (100, 80, 1)
    assert row.host == "a.example"


def test_each_label_is_judged_by_itself(ledger: Ledger) -> None:
    boxes = [BOX, (900.0, 0.0, 950.0, 50.0), None]
    ledger.add(Link("A", str(n), "http://x/", box) for n, box in enumerate(boxes))
    ledger.record([picture("http://x/", b"one", "images/A/0.jpg")])
    assert [row.label_fits for row in ledger.rows()] == [1, 0, None]


def test_attempts_add_up_and_the_first_time_stays(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    for at, attempts in ((10.0, 3), (20.0, 1)):
        each = failure(link("A", 1).url, "timeout", None)
        ledger.record([replace(each, at=at, attempts=attempts)])
    (row,) = ledger.rows()
    assert (row.attempts, row.first_at, row.last_at) == (4, 10.0, 20.0)


def test_a_failure_of_the_body_says_how_much_came(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    page = Fetched(b"<html>", 200, "http://moved/")
    failed = Failed("not_an_image", "a web page")
    ledger.record([Outcome.of_failure(link("A", 1).url, failed, fetched=page)])
    (row,) = ledger.rows()
    assert (row.http_status, row.bytes, row.final_url) == (200, 6, "http://moved/")


def test_a_failure_without_a_class_is_no_outcome() -> None:
    with pytest.raises(ValueError, match="does not go"):
        Outcome(url="http://x/", state="failed")


def test_an_outcome_that_the_table_refuses_spoils_no_other(ledger: Ledger) -> None:
    ledger.add([link("A", 1), link("A", 2)])
    bad = Outcome(url=link("A", 2).url, state="failed", error_class="odd")  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        ledger.record([failure(link("A", 1).url), bad])
    assert ledger.counts().waiting == 2


def test_only_the_classes_asked_for_are_tried_again(ledger: Ledger) -> None:
    links = [link("A", n) for n in range(4)]
    ledger.add(links)
    classes: list[ErrorClass] = ["timeout", "http_4xx", "http_5xx"]
    ledger.record([failure(a.url, b) for a, b in zip(links, classes, strict=False)])
    assert ledger.retry(["timeout", "http_5xx"]) == 2
    assert ledger.retry([]) == 0
    assert list(ledger.waiting()) == [links[0], links[2], links[3]]
    assert ledger.rows()[0].note == ""
    assert ledger.rows()[0].attempts == 1


def test_done_is_never_tried_again(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    ledger.record([picture(link("A", 1).url, b"x", "images/A/001.jpg")])
    assert ledger.retry(["http_4xx", "placeholder", "disk"]) == 0


# --- Placeholders


def removed(ledger: Ledger, n: int = 3, body: bytes = b"image removed") -> list[Link]:
    links = [link(f"P{i}", i, f"http://pins.example/{i}") for i in range(n)]
    ledger.add(links)
    for each in links:
        stored(ledger, each, body)
    return links


def test_a_placeholder_is_found_marked_and_kept_once(ledger: Ledger) -> None:
    links = removed(ledger)
    (found,) = ledger.placeholders()
    assert ledger.mark_placeholders(*found) == 3
    (kept,) = {row.image_path for row in ledger.rows(Where(error_class="placeholder"))}
    dataset = ledger.path.parent
    assert (dataset / kept).read_bytes() == b"image removed"
    assert kept == f"placeholders/{sha256(b'image removed').hexdigest()}.jpg"
    assert not any((dataset / f"images/{e.identity}/{e.photo_id}.jpg").exists() for e in links)


def test_what_is_marked_is_not_found_again(ledger: Ledger) -> None:
    removed(ledger)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    assert ledger.placeholders() == []


def test_one_more_of_a_known_placeholder_is_found_alone(ledger: Ledger) -> None:
    removed(ledger)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    late = link("P0", 77, "http://pins.example/late")
    ledger.add([late])
    stored(ledger, late, b"image removed")
    (found,) = ledger.placeholders([sha256(b"image removed").hexdigest()])
    assert ledger.mark_placeholders(*found) == 1
    assert ledger.counts() == Tally("", 0, 0, {"placeholder": 4})


def test_a_placeholder_that_is_tried_again_is_known_at_once(ledger: Ledger) -> None:
    links = removed(ledger)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    ledger.retry(["placeholder"])
    stored(ledger, links[0], b"image removed")
    assert len(ledger.placeholders()) == 1


def test_the_same_picture_at_two_addresses_is_no_placeholder(ledger: Ledger) -> None:
    links = [link("A", 1), link("A", 2), link("B", 1, "http://b.example/x")]
    ledger.add(links)
    for each in links:  # twice at one host, once at another
        stored(ledger, each, b"the same")
    assert ledger.placeholders() == []


def test_rows_of_one_url_are_one_address(ledger: Ledger) -> None:
    links = [link(f"P{n}", 1, "http://pins.example/") for n in range(9)]
    ledger.add(links)
    stored(ledger, links[0], b"a group")
    assert ledger.placeholders() == []


def test_spellings_of_one_address_are_one_address(ledger: Ledger) -> None:
    ledger.add([link(f"P{n}", n, url) for n, url in enumerate(SPELLINGS)])
    stored(ledger, link("P0", 0, SPELLINGS[0]), b"a group")
    assert ledger.placeholders() == []


GROUP = ((5.0, 10.0, 30.0, 40.0), (36.0, 12.0, 62.0, 42.0), (68.0, 8.0, 95.0, 38.0))


def shown(ledger: Ledger, boxes: Sequence[Box | None], body: bytes = b"a group") -> None:
    """One picture at as many addresses of one site, for as many people."""
    links = [Link(f"P{n}", "1", f"http://x.example/{n}", box) for n, box in enumerate(boxes)]
    ledger.add(links)
    for each in links:
        stored(ledger, each, body)


def test_a_photo_of_three_listed_people_stays(ledger: Ledger) -> None:
    shown(ledger, GROUP)
    assert ledger.placeholders() == []


@pytest.mark.parametrize(
    "odd", [None, (500.0, 8.0, 530.0, 38.0), (8.0, 10.0, 33.0, 40.0), (1.0, 1.0, 3.0, 3.0)]
)
def test_a_label_that_contradicts_the_others_tells_a_placeholder(
    ledger: Ledger, odd: Box | None
) -> None:
    shown(ledger, [*GROUP[:2], odd])
    assert [site for _sum, site in ledger.placeholders()] == ["x.example"]


def test_five_addresses_need_no_labels(ledger: Ledger) -> None:
    boxes = [(20.0 * n, 10.0, 20.0 * n + 15, 25.0) for n in range(5)]
    shown(ledger, boxes)
    assert len(ledger.placeholders()) == 1


def test_labels_contradict_a_picture_that_was_found_before(ledger: Ledger) -> None:
    shown(ledger, [BOX] * 3)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    ledger.retry(["placeholder"])
    stored(ledger, Link("P1", "1", "http://x.example/1", BOX), b"a group")
    assert len(ledger.placeholders()) == 1


def moved(ledger: Ledger, n: int, final_url: str = "http://Gone.example./removed.png") -> None:
    """Links of as many sites that all end at one picture."""
    links = [link(f"P{i}", i) for i in range(n)]
    ledger.add(links)
    for each in links:
        path = store_picture(ledger.path.parent, each, b"removed", "png")
        found = picture(each.url, b"removed", path)
        ledger.record([replace(found, final_url=final_url)])


def test_a_picture_to_which_many_sites_send_is_a_placeholder(ledger: Ledger) -> None:
    moved(ledger, 40)
    (found,) = ledger.placeholders()
    assert found[1] == "gone.example"
    assert ledger.mark_placeholders(*found) == 40
    assert not list(ledger.path.parent.glob("images/*/*"))
    assert ledger.placeholders() == []


def test_a_site_s_own_links_and_those_sent_to_it_count_together(ledger: Ledger) -> None:
    moved(ledger, 2)
    own = link("P7", 7, "http://gone.example/removed.png")
    ledger.add([own])
    stored(ledger, own, b"removed")
    assert ledger.mark_placeholders(*ledger.placeholders()[0]) == 3


def test_a_site_that_sends_to_itself_is_counted_once(ledger: Ledger) -> None:
    links = [link("A", n) for n in range(3)]
    ledger.add(links)
    ledger.record([picture(each.url, b"x", f"images/A/00{n}.jpg") for n, each in enumerate(links)])
    assert ledger.placeholders() == []


def test_where_it_ended_is_not_forgotten_when_a_placeholder_is_tried_again(ledger: Ledger) -> None:
    moved(ledger, 3)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    ledger.retry(["placeholder"])
    late = link("P9", 9, "http://gone.example/late")
    ledger.add([late])
    stored(ledger, late, b"removed")
    assert len(ledger.placeholders()) == 1


def test_only_the_sums_asked_for_are_looked_at(ledger: Ledger) -> None:
    removed(ledger)
    assert ledger.placeholders([]) == ledger.placeholders(["0" * 64]) == []


# --- The folder


def test_a_picture_lies_under_its_names(tmp_path: Path) -> None:
    path = store_picture(tmp_path, link("Ann", 7), b"body", "png")
    assert path == "images/Ann/007.png"
    assert (tmp_path / path).read_bytes() == b"body"


def test_a_picture_takes_the_place_of_one_with_another_suffix(tmp_path: Path) -> None:
    beside = store_picture(tmp_path, Link("Ann", "007.x", "", None), b"beside", "jpg")
    store_picture(tmp_path, link("Ann", 7), b"old", "jpg")
    store_picture(tmp_path, link("Ann", 7), b"new", "webp")
    names = sorted(path.name for path in (tmp_path / "images/Ann").iterdir())
    assert names == ["007.webp", Path(beside).name]


@pytest.mark.parametrize("name", ["..", "a/b", "", "NUL", "x."])
def test_no_picture_lies_outside_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not safe"):
        store_picture(tmp_path, Link(name, "1", "", None), b"", "jpg")
    with pytest.raises(ValueError, match="not safe"):
        store_picture(tmp_path, Link("A", name, "", None), b"", "jpg")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_is_full_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_args: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(folder, "write_atomically", full)
    with pytest.raises(DiskError, match="make room"):
        store_picture(tmp_path, link("A", 1), b"body", "jpg")


def test_a_ledger_on_a_full_disk_says_so_and_goes_on_when_there_is_room(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskError, match="full"):
        ledger.add(link("B", n) for n in range(5000))
    ledger._db.execute("PRAGMA max_page_count = 1000000")
    assert ledger.count() == 1
    assert ledger.add([link("B", 1)]) == 1


def test_tidying_takes_what_a_crash_left_and_nothing_else(ledger: Ledger) -> None:
    links = removed(ledger)
    ledger.mark_placeholders(*ledger.placeholders()[0])
    dataset = ledger.path.parent
    left = dataset / f"images/P1/{links[1].photo_id}.jpg"
    left.write_bytes(b"image removed")  # died between the rows and the files
    other = dataset / "images/P2/mine.jpg"
    other.write_bytes(b"put here by hand")
    half = dataset / "images/P0/.0123456789abcdef.part"
    half.write_bytes(b"ha")
    assert ledger.tidy() == 2
    assert (left.exists(), half.exists(), other.exists()) == (False, False, True)


def names_in(dataset: Path) -> set[str]:
    """Every file below ``images``."""
    files = (path for path in (dataset / "images").rglob("*") if path.is_file())
    return {path.relative_to(dataset / "images").as_posix() for path in files}


def test_an_orphan_goes_once_its_row_says_something_else(ledger: Ledger) -> None:
    dataset = ledger.path.parent
    links = [link("A", n) for n in range(4)]
    ledger.add(links)
    for each in links:
        store_picture(dataset, each, b"x", "jpg")  # died before any row was written
    (dataset / "images/A/002.png").write_bytes(b"older attempt")
    ledger.record([failure(links[0].url)])
    ledger.record([picture(links[2].url, b"x", "images/A/002.jpg")])
    assert ledger.tidy() == 4
    assert names_in(dataset) == {"A/002.jpg"}


def test_a_row_that_shares_a_picture_has_no_file_of_its_own(ledger: Ledger) -> None:
    dataset = ledger.path.parent
    links = [link("A", 1, "http://x/"), link("B", 1, "http://x/")]
    ledger.add(links)
    stored(ledger, links[0], b"x")
    store_picture(dataset, links[1], b"x", "jpg")
    assert ledger.tidy() == 1
    assert names_in(dataset) == {"A/001.jpg"}


@pytest.mark.parametrize(
    "name",
    [
        *("A/002.jpg", "A/001.txt", "A/001.jpg.bak", "A/001", "A/001.JPG", "A/.001.jpg"),
        *("B/001.jpg", "001.jpg", "A/deep/001.jpg", "A/001.webp/mine.jpg", "A/\udcff.jpg"),
    ],
)
def test_files_that_no_row_knows_are_never_touched(ledger: Ledger, name: str) -> None:
    ledger.add([link("A", 1)])
    ledger.record([failure(link("A", 1).url)])
    path = ledger.path.parent / "images" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    assert ledger.tidy() == 0
    assert path.read_bytes() == b"mine"


def test_pictures_that_are_older_than_the_ledger_stay(ledger: Ledger) -> None:
    """Somebody moved a damaged ledger away and began again."""
    ledger.add([link("A", 1)])
    path = ledger.path.parent / store_picture(ledger.path.parent, link("A", 1), b"x", "jpg")
    made_at = ledger.path.stat().st_mtime
    os.utime(path, (made_at - 60, made_at - 60))
    assert ledger.tidy() == 0
    assert path.exists()


def test_there_is_nothing_to_tidy_where_nothing_was_downloaded(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    assert ledger.tidy() == 0


# --- Questions


@pytest.fixture
def mixed(ledger: Ledger) -> Ledger:
    links = [link("A", n) for n in range(4)] + [link("B", 1), link("B", 2, link("A", 0).url)]
    ledger.add(links)
    ledger.record([picture(links[0].url, b"p0", "images/A/000.jpg")])
    ledger.record([picture(links[1].url, b"p1", "images/A/001.jpg", (20, 20))])
    ledger.record([failure(links[2].url), failure(links[4].url, "dns", None)])
    return ledger


def test_counts_are_by_state_and_class(mixed: Ledger) -> None:
    assert mixed.counts() == Tally("", 1, 3, {"dns": 1, "http_4xx": 1})
    assert mixed.counts().total == 6


def test_counts_are_by_identity_and_host(mixed: Ledger) -> None:
    assert mixed.by_identity() == [Tally("A", 1, 2, {"http_4xx": 1}), Tally("B", 0, 1, {"dns": 1})]
    assert [(tally.name, tally.total) for tally in mixed.by_host()] == [
        *(("a.example", 5), ("b.example", 1)),
    ]


def test_the_funnel_counts_each_url_once(mixed: Ledger) -> None:
    found = mixed.funnel()
    assert (found.lines, found.usable, found.urls, found.tried) == (6, 6, 5, 4)
    assert (found.answered, found.pictures, found.fitting) == (3, 2, 1)


def test_the_last_table_that_was_noted_counts(mixed: Ledger) -> None:
    mixed.note_source(9, 3)
    mixed.note_source(12, 4)
    assert (mixed.funnel().lines, mixed.funnel().usable) == (12, 8)


@pytest.mark.parametrize(("rows", "unusable"), [(3, 4), (3, -1), (-1, 0)])
def test_no_more_rows_can_be_unusable_than_there_are(
    ledger: Ledger, rows: int, unusable: int
) -> None:
    with pytest.raises(ValueError, match="cannot be unusable"):
        ledger.note_source(rows, unusable)


def test_failures_are_by_class_and_status(mixed: Ledger) -> None:
    mixed.record([failure(link("A", 3).url, "http_4xx", 403)])
    mixed.record([failure(link("A", 2).url, "http_4xx", 403)])
    assert mixed.failures() == [("http_4xx", 403, 2), ("dns", None, 1)]


def test_the_mean_size_is_of_pictures_that_are_there_each_once(ledger: Ledger) -> None:
    links = [link("A", n) for n in range(20)]
    ledger.add([*links, link("B", 0, links[0].url), link("B", 1)])
    for n, each in enumerate(links):
        assert ledger.mean_bytes() is None
        ledger.record([picture(each.url, b"x" * (n + 1), f"images/A/{n:03d}.jpg")])
    assert ledger.mean_bytes() == 10.5


def test_names_are_found_by_a_part_in_any_case(ledger: Ledger) -> None:
    ledger.add(
        [
            *(link("Zoë", n, f"http://b.example/{n}") for n in range(3)),
            *(link("Ann", n, f"http://a.example/{n}") for n in range(2)),
            *(link("Zoltán", n, f"http://c.other/{n}") for n in range(2)),
        ]
    )
    assert ledger.names("identity", "", 9) == ["Zoë", "Ann", "Zoltán"]
    assert ledger.names("identity", "ZOË", 9) == ["Zoë"]
    assert ledger.names("host", "example", 1) == ["b.example"]
    assert ledger.names("host", "%", 9) == []


def test_rows_are_filtered_and_paged(mixed: Ledger) -> None:
    assert [row.photo_id for row in mixed.rows(Where(identity="A"), offset=1, limit=2)] == [
        *("001", "002"),
    ]
    assert mixed.count(Where(state="failed")) == 2
    assert mixed.count(Where(error_class="dns", host="b.example")) == 1
    assert mixed.count(Where(label_fits=False)) == 1
    assert mixed.count(Where(text="SO IT")) == 2
    assert mixed.count(Where(text="%")) == 0


def test_every_row_comes_once_however_many(ledger: Ledger) -> None:
    ledger.add(link("A", n) for n in range(2100))
    assert len({row.photo_id for row in ledger.each()}) == 2100


def test_the_table_is_exported_whole(mixed: Ledger, tmp_path: Path) -> None:
    assert mixed.export_csv(tmp_path / "out.csv", Where(state="done")) == 3
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_path"] for row in rows] == [
        *("images/A/000.jpg", "images/A/001.jpg", "images/A/000.jpg"),
    ]
    assert rows[0]["last_at"].endswith("+00:00")


def test_no_exported_cell_is_a_formula(ledger: Ledger, tmp_path: Path) -> None:
    ledger.add([Link("=cmd()", "+1", "@x", None)])
    ledger.export_csv(tmp_path / "out.csv")
    row = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1]
    assert row.startswith("'=cmd(),'+1,'@x,")


# --- The file


def test_a_ledger_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "odd #?% name" / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.add([link("A", 1)])
    with Ledger.open(path, create=False) as ledger:
        assert list(ledger.waiting()) == [link("A", 1)]


def test_looking_does_not_make_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be opened"):
        Ledger.open(tmp_path / "ledger.sqlite", create=False)
    assert list(tmp_path.glob("ledger*")) == []


def test_another_reads_while_one_writes(ledger: Ledger) -> None:
    ledger.add([link("A", 1)])
    with Ledger.open(ledger.path, create=False) as page:
        ledger._db.execute("BEGIN IMMEDIATE")
        ledger._db.execute("UPDATE links SET note = 'half'")
        assert page.rows()[0].note == ""
        ledger._db.execute("COMMIT")
        assert page.rows()[0].note == "half"


def test_a_ledger_that_is_kept_is_said(ledger: Ledger) -> None:
    with Ledger.open(ledger.path) as other:
        other._db.execute("PRAGMA busy_timeout = 1")
        ledger._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatasetError, match="in use"):
            other.add([link("A", 1)])
        ledger._db.execute("ROLLBACK")


def test_many_may_open_a_new_one_at_once(tmp_path: Path) -> None:
    def use(n: int) -> int:
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            return ledger.add([link("A", n)])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(16))) == [1] * 16


def test_threads_may_share_a_ledger(ledger: Ledger) -> None:
    links = [link("A", n) for n in range(200)]
    ledger.add(links)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: ledger.record([failure(each.url)]), links))
    assert ledger.counts().failed == {"http_4xx": 200}


@pytest.mark.parametrize(
    "data", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\x01" * 90]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(data)
    with pytest.raises(DatasetError, match="damaged or no ledger"):
        Ledger.open(tmp_path / "ledger.sqlite")


def test_a_damaged_ledger_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.add(link("A", n) for n in range(500))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x00" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(DatasetError, match="damaged"), Ledger.open(path) as ledger:
        ledger.counts()


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.execute("CREATE TABLE links (url TEXT)")
    db.close()
    with pytest.raises(DatasetError, match="something else"):
        Ledger.open(tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(
    ("version", "advice"),
    [(1, "older version .* download into a new folder"), (99, "newer version .* update")],
)
def test_a_ledger_of_another_version_is_refused(ledger: Ledger, version: int, advice: str) -> None:
    ledger._db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(DatasetError, match=advice):
        Ledger.open(ledger.path)


# --- Killed

CHILD = """
import sys
from hashlib import sha256
from pathlib import Path
from facedet.download.content import Picture
from facedet.download.account import Outcome
from facedet.download.folder import store_picture
from facedet.download.ledger import Ledger
from facedet.download.outcome import Fetched

dataset = Path(sys.argv[1])
with Ledger.open(dataset / "ledger.sqlite") as ledger:
    ledger.tidy()
    for link in ledger.waiting():
        body = link.url.encode() * 200
        path = store_picture(dataset, link, body, "jpg")
        picture = Picture("jpg", 100, 80, sha256(body).hexdigest())
        ledger.record([Outcome.of_picture(link.url, Fetched(body, 200, link.url), picture, path)])
        sys.stdout.write("one\\n")
        sys.stdout.flush()
"""


def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    rng = Random(4)
    links = [link(f"P{n % 7}", n) for n in range(3000)]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(links)
    done = 0
    for _kill in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout as lines:
            n = rng.randrange(1, 60)
            assert [lines.readline() for _n in range(n)] == ["one\n"] * n
            child.kill()
        assert child.wait() != 0
        done = _checked(tmp_path, at_least=done + n)
    assert done < len(links)  # each was killed at work
    subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], check=True, stdout=subprocess.DEVNULL
    )
    assert _checked(tmp_path, at_least=3000) == 3000
    assert len(list(tmp_path.glob("images/*/*"))) == 3000
    assert not list(tmp_path.glob("images/*/.*.part"))


def _checked(dataset: Path, at_least: int) -> int:
    """The rows that are done; each has its file with its sum."""
    with Ledger.open(dataset / "ledger.sqlite", create=False) as ledger:
        assert ledger._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = list(ledger.each(Where(state="done")))
        assert ledger.counts().failed == {}
    assert len(rows) >= at_least
    for row in rows:
        assert sha256((dataset / row.image_path).read_bytes()).hexdigest() == row.sha256
    return len(rows)
