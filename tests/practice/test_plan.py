"""The plan of the practice dataset: numbers only, so thousands of lines are checked in a moment."""

import re
from collections import Counter

import numpy as np
import pytest

from facedet.boxes import iou_matrix
from facedet.practice.dataset import label_texts
from facedet.practice.faults import all_faults, deal
from facedet.practice.plan import FITS_IOU, PRIVATE_URLS, PlannedLine, plan_lines
from facedet.practice.sites import AddressBook
from facedet.practice.studio import CastStudio, Shot
from facedet.vggface.lines import UNUSUAL_URL

PORT = 8642


@pytest.fixture(scope="module")
def lines() -> list[PlannedLine]:
    return plan_lines(CastStudio(12, 0), 1500, 0.4, 0, PORT)


def of_fault(lines: list[PlannedLine], *names: str) -> list[PlannedLine]:
    found = [line for line in lines if line.fault in names]
    assert found
    return found


def test_every_fault_is_among_half_a_percent_of_the_lines() -> None:
    dealt = Counter(deal(2000, 0.4, np.random.default_rng(0)))
    assert set(dealt) == {fault.name for fault in all_faults()}
    assert min(dealt.values()) >= 10
    assert dealt["ok"] == 1200


@pytest.mark.parametrize(("n", "share"), [(0, 0.4), (1, 0.4), (30, 1.0), (100, 0.0), (70, 0.5)])
def test_faults_add_up_to_what_was_asked(n: int, share: float) -> None:
    dealt = deal(n, share, np.random.default_rng(1))
    assert len(dealt) == n
    assert sum(name != "ok" for name in dealt) == round(n * share)
    if n * share >= 28:
        assert len(set(dealt)) >= 28


def test_ids_count_from_one_for_each_person(lines: list[PlannedLine]) -> None:
    for person in {line.identity for line in lines}:
        mine = [line.photo_id for line in lines if line.identity == person]
        assert mine == list(range(1, len(mine) + 1))
    people = [line.identity for line in lines]
    assert people == sorted(people)


def test_only_repeats_share_an_address(lines: list[PlannedLine]) -> None:
    own = [line for line in lines if line.repeats is None]
    assert len({line.address.url for line in own}) == len(own)


def test_a_repeat_is_an_earlier_good_line_of_its_file_once_more(lines: list[PlannedLine]) -> None:
    repeats = [line for line in lines if line.repeats is not None]
    assert 0.05 < len(repeats) / len(lines) < 0.09
    for line in repeats:
        first = lines[line.repeats or 0]
        assert first.number < line.number
        assert (first.identity, first.repeats, first.fault) == (line.identity, None, "ok")
        assert (line.fault, line.address, line.shot) == ("ok", first.address, first.shot)
        assert np.array_equal(line.label_xyxy, first.label_xyxy)


@pytest.mark.parametrize("share", [0.95, 1.0])
def test_where_nearly_all_is_bad_good_pictures_are_left(share: float) -> None:
    planned = plan_lines(CastStudio(3, 0), 300, share, 0, PORT)
    good = [line for line in planned if line.fault == "ok"]
    assert sum(line.repeats is not None for line in good) <= len(good) / 2


def test_a_few_faces_are_labelled_as_profiles(lines: list[PlannedLine]) -> None:
    assert 0.012 < np.mean([line.pose <= 2 for line in lines]) < 0.04


def test_a_few_labels_begin_outside_and_fit_all_the_same() -> None:
    planned = plan_lines(CastStudio(12, 1), 4000, 0.0, 1, PORT)
    outside = [line for line in planned if (line.label_xyxy[:2] < 0).any()]
    assert 0.004 < len(outside) / len(planned) < 0.012
    for line in outside:
        ious = iou_matrix(line.label_xyxy[None], line.shown_boxes_xyxy)
        assert ious.max() >= FITS_IOU


def test_a_few_addresses_have_what_none_may_have(lines: list[PlannedLine]) -> None:
    found = {c for line in lines for c in re.findall(UNUSUAL_URL, line.address.url)}
    n = sum(bool(re.search(UNUSUAL_URL, line.address.url)) for line in lines)
    assert found == set('|^"')
    assert 0.001 < n / len(lines) < 0.01


def test_one_file_of_ten_has_no_line_end_at_its_end(lines: list[PlannedLine]) -> None:
    texts = label_texts(lines, seed=0)
    assert sum(not text.endswith("\n") for text in texts.values()) == 1
    assert sum(len(text.splitlines()) for text in texts.values()) == len(lines)


def test_people_come_in_the_order_of_their_files() -> None:
    class Two(CastStudio):
        people = ("Ada", "Ada-Bo")

        def plan(self, _person: str, rng: np.random.Generator, faces: int = 1) -> Shot:
            return super().plan(next(iter(self._cast)), rng, faces)

    planned = plan_lines(Two(1, 0), 10, 0.0, 0, PORT)
    files = [f"{line.identity}.txt" for line in planned]
    assert files == sorted(files)


def test_the_label_is_on_the_face_where_it_should_be(lines: list[PlannedLine]) -> None:
    good = of_fault(lines, "ok", "slow", "flaky", "rate_limited", "redirect", "duplicate")
    assert all(line.label_fits for line in [*good, *of_fault(lines, "wrong_extension")])
    assert all(line.label_fits for line in of_fault(lines, "second_face"))


@pytest.mark.parametrize("fault", ["resized", "wrong_label", "no_face"])
def test_the_label_is_off_where_that_is_the_fault(lines: list[PlannedLine], fault: str) -> None:
    assert not any(line.label_fits for line in of_fault(lines, fault))


def test_a_wrong_label_touches_no_face(lines: list[PlannedLine]) -> None:
    for line in of_fault(lines, "wrong_label"):
        assert iou_matrix(line.label_xyxy[None], line.shown_boxes_xyxy).max() == 0


def test_the_number_of_faces_is_what_the_fault_says(lines: list[PlannedLine]) -> None:
    for line in lines:
        n = len(line.shot.boxes_xyxy)
        assert (
            n == 0 if line.fault == "no_face" else n >= 2 if line.fault == "second_face" else n == 1
        )


def test_boxes_are_squares_like_those_of_the_real_files(lines: list[PlannedLine]) -> None:
    sides = np.array([line.label_xyxy[2:] - line.label_xyxy[:2] for line in lines])
    assert np.abs(sides[:, 0] - sides[:, 1]).max() < 0.03


def test_a_duplicate_has_another_address_and_the_same_picture(lines: list[PlannedLine]) -> None:
    for line in of_fault(lines, "duplicate"):
        assert line.twin is not None
        twin = lines[line.twin]
        assert (twin.fault, twin.identity) == ("ok", line.identity)
        assert twin.address != line.address
        assert twin.shot is line.shot


def test_addresses_say_where_they_lead(lines: list[PlannedLine]) -> None:
    for line in lines:
        host, url = line.address.host, line.address.url
        assert host.endswith(".invalid") == (line.fault == "unresolvable")
        assert url.startswith("https:") == (line.fault == "tls")
        port = {"tls": PORT + 1, "refused": PORT + 2}.get(line.fault, PORT)
        assert f"//{host}:{port}/" in url
        assert url.isascii()
        assert " " not in url


def test_private_redirects_lead_where_nobody_is_by_accident(lines: list[PlannedLine]) -> None:
    led = {line.location.url for line in of_fault(lines, "redirect_private") if line.location}
    assert led == set(PRIVATE_URLS)
    hosts = {re.sub(r"http://(\[.*\]|[^/]*)/.*", r"\1", url) for url in led}
    assert hosts == {"169.254.169.254", "192.168.255.254", "10.255.255.254", "[fe80::1]"}


def test_same_seed_same_plan_another_seed_another() -> None:
    def urls(seed: int) -> list[str]:
        return [line.address.url for line in plan_lines(CastStudio(5, seed), 60, 0.5, seed, PORT)]

    assert urls(3) == urls(3) != urls(4)


def test_an_address_book_never_gives_one_twice() -> None:
    book = AddressBook(np.random.default_rng(0), PORT)
    given = [book.new("Ada", ".jpg", site="upload.openportraits") for _n in range(8)]
    assert len({address.path for address in given}) == 8
