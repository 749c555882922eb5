from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet.download import report
from facedet.download.content import Picture
from facedet.download.ledger import Ledger, Outcome
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
    truth = report._read_truth(practice / "truth.csv")
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


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Ledger]:
    said: list[report.Verdict] = ["ok", "dns", "ok", "dns"]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(Link("A", str(n), f"http://h{n % 2}.example/{n}", None) for n in range(5))
        ledger.record([outcome(f"http://h{n % 2}.example/{n}", it) for n, it in enumerate(said)])
        yield ledger


def test_the_funnel_has_shares_of_the_step_before(small: Ledger) -> None:
    steps = report.funnel(small)
    assert [step.n for step in steps] == [5, 5, 4, 2, 2, 2]
    assert [step.share for step in steps] == [1.0, 1.0, 0.8, 0.5, 1.0, 1.0]


def test_an_empty_funnel_divides_by_nothing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert {(step.n, step.share) for step in report.funnel(ledger)} == {(0, 0.0)}


def test_classes_come_with_their_meaning(small: Ledger) -> None:
    assert report.by_class(small) == [report.ClassCount("dns", 2, report.explain("dns"))]


def test_yields_are_of_what_was_tried(small: Ledger) -> None:
    assert report.by_identity(small) == [report.Yield("A", 5, 1, 2, 0.5)]
    assert report.by_host(small)[0] == report.Yield("h0.example", 3, 1, 2, 1.0)
