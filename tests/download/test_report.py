from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet.download import report
from facedet.download.account import Outcome
from facedet.download.content import Picture
from facedet.download.ledger import Ledger
from facedet.download.links import Link
from facedet.download.outcome import ERROR_CLASSES, ErrorClass, Failed, Fetched
from facedet.errors import DatasetError
from facedet.practice.dataset import Options, make
from facedet.practice.faults import all_faults

SET = Options(photos=120, faults=0.7)


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "set"
    make(folder, SET, workers=1)
    return folder


def outcome(url: str, said: report.Verdict) -> Outcome:
    if said != "ok":
        return Outcome.of_failure(url, Failed(said, ""))
    return Outcome.of_picture(url, Fetched(b"x", 200, url), Picture("jpg", 9, 9, url), "images/x")


def filled(path: Path, practice: Path) -> Ledger:
    """Every practice link, with what is expected of it."""
    ledger = Ledger.open(path / "ledger.sqlite")
    truth = report.read_truth(practice / "truth.csv")
    urls = {key: f"http://x/{n}" for n, key in enumerate(truth)}
    ledger.add(Link(*key, url, None) for key, url in urls.items())
    ledger.record([outcome(urls[key], report.expected_class(truth[key])) for key in truth])
    return ledger


def test_every_fault_of_the_practice_links_is_expected_to_come_to_something() -> None:
    for fault in all_faults():
        assert (report.expected_class(fault.name) == "ok") is fault.picture


def test_an_unknown_fault_is_not_expected() -> None:
    with pytest.raises(KeyError):
        report.expected_class("gremlins")


def test_a_perfect_download_is_diagonal(tmp_path: Path, practice: Path) -> None:
    with filled(tmp_path, practice) as ledger:
        found = report.confusion(ledger, practice / "truth.csv")
    assert found.is_diagonal
    assert (found.unscored, sum(found.counts.values())) == (0, 120)
    assert set(found.faults) == {fault.name for fault in all_faults()}
    assert found.verdicts[0] == "ok"


def test_what_lies_beside_the_diagonal_is_counted(tmp_path: Path, practice: Path) -> None:
    with filled(tmp_path, practice) as ledger:
        row = next(row for row in ledger.each() if row.error_class == "tls")
        ledger.record([outcome(row.url, "disk")])
        found = report.confusion(ledger, practice / "truth.csv")
    assert (found.wrong, found.is_diagonal) == (1, False)
    assert found.counts["tls", "disk"] == 1
    assert "disk" in found.verdicts


def test_links_that_wait_are_not_scored(tmp_path: Path, practice: Path) -> None:
    with filled(tmp_path, practice) as ledger:
        n = ledger.retry(["http_4xx"])
        found = report.confusion(ledger, practice / "truth.csv")
    assert found.unscored == n > 0
    assert "http_404" not in found.faults


def test_without_any_link_the_table_is_empty(tmp_path: Path, practice: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        found = report.confusion(ledger, practice / "truth.csv")
    assert (found.faults, found.verdicts, found.unscored) == ((), (), 120)


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n", "identity,photo_id,fault\nA,1,odd\n", "\xff"])
def test_a_file_that_is_no_truth_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "truth.csv").write_bytes(text.encode("latin-1"))
    with (
        Ledger.open(tmp_path / "ledger.sqlite") as ledger,
        pytest.raises(DatasetError, match=r"truth\.csv"),
    ):
        report.confusion(ledger, tmp_path / "truth.csv")


@pytest.mark.parametrize("error_class", ERROR_CLASSES)
def test_every_class_has_its_sentence(error_class: ErrorClass) -> None:
    assert report.explain(error_class).endswith(".")


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 410, 418, 429, 451, 499, 500, 502, 503, 504, 520, 599]
)
def test_every_status_has_its_sentence(status: int) -> None:
    said = report.explain("http_4xx" if status < 500 else "http_5xx", status)
    assert said.endswith(f"({status}).")


def test_a_status_says_nothing_about_what_is_no_refusal() -> None:
    assert report.explain("not_an_image", 200) == report.explain("not_an_image")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Ledger]:
    said: list[report.Verdict] = ["ok", "dns", "ok", "dns"]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(Link("A", str(n), f"http://h{n % 2}.example/{n}", None) for n in range(5))
        ledger.record([outcome(f"http://h{n % 2}.example/{n}", it) for n, it in enumerate(said)])
        yield ledger


def test_the_funnel_has_shares_of_the_step_before(small: Ledger) -> None:
    steps = report.funnel(small)
    assert [step.n for step in steps] == [5, 5, 5, 4, 2, 2, 2]
    assert [step.share for step in steps] == [1.0, 1.0, 1.0, 0.8, 0.5, 1.0, 1.0]


def test_the_funnel_begins_with_every_line_of_the_table(small: Ledger) -> None:
    small.note_source(10, 2)
    steps = report.funnel(small)[:3]
    assert [(step.name, step.n, step.share) for step in steps] == [
        ("lines in the table", 10, 1.0),
        ("lines with a usable link", 8, 0.8),
        ("different addresses", 5, 0.625),
    ]


def test_an_empty_funnel_divides_by_nothing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert {(step.n, step.share) for step in report.funnel(ledger)} == {(0, 0.0)}


def test_classes_come_with_their_meaning(small: Ledger) -> None:
    assert report.by_class(small) == [report.ClassCount("dns", None, 2, report.explain("dns"))]


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Ledger]:
    """Three links with 404, two with 403, one that was not asked; one web page with status 200."""
    statuses = [404, 403, 404, None, 404, 403]
    urls = [f"http://x.example/{n}" for n in range(len(statuses) + 1)]
    page = Failed("not_an_image", "a web page")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(Link("A", str(n), url, None) for n, url in enumerate(urls))
        ledger.record(
            [
                Outcome.of_failure(url, Failed("http_4xx", "", status))
                for url, status in zip(urls, statuses, strict=False)
            ]
        )
        ledger.record(
            [Outcome.of_failure(urls[-1], page, fetched=Fetched(b"<p>", 200, "http://x/"))]
        )
        yield ledger


def test_answers_of_sites_are_counted_by_their_status(refused: Ledger) -> None:
    assert [(row.error_class, row.http_status, row.n) for row in report.by_class(refused)] == [
        *(("http_4xx", 404, 3), ("http_4xx", 403, 2)),
        *(("http_4xx", None, 1), ("not_an_image", None, 1)),
    ]


def test_what_was_not_asked_is_said_to_be_so(refused: Ledger) -> None:
    [unasked] = [
        row for row in report.by_class(refused) if row.n == 1 and "http" in row.error_class
    ]
    assert "we asked no more" in unasked.meaning


def test_a_class_that_may_hold_unasked_links_says_so(small: Ledger) -> None:
    small.record([outcome("http://h0.example/4", "connect")])
    [row] = [row for row in report.by_class(small) if row.error_class == "connect"]
    assert "not asked" in row.meaning


def test_yields_are_of_what_was_tried(small: Ledger) -> None:
    assert report.by_identity(small) == [report.Yield("A", 5, 1, 2, 0.5)]
    assert report.by_host(small)[0] == report.Yield("h0.example", 3, 1, 2, 1.0)
