import csv
import os
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from facedet.cleaning import quarantine, report
from facedet.cleaning.compare import compare
from facedet.cleaning.truth import Truth
from tests.conftest import as_bytes

EVIL = 'images/<script>alert(1)</script>/"&.png'


def judged(reasons: dict[str, str], by: str = "cleaner") -> pd.DataFrame:
    paths = pd.Series(list(reasons), dtype=object)
    verdicts = ["set_aside" if reason else "keep" for reason in reasons.values()]
    columns = {"image_path": paths, "verdict": verdicts, "reason": list(reasons.values())}
    return pd.DataFrame(columns).assign(by=by, seconds=0.002)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for n, name in enumerate(("images/A/1.png", "images/A/2.png", EVIL)):
        path = tmp_path / "d & e" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(Image.new("RGB", (300, 200), (80 * n, 90, 120)), "PNG"))
    (tmp_path / "d & e/images/A/cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "d & e"


TABLES = {
    "integrity": judged(
        {"images/A/1.png": "", "images/A/2.png": "", EVIL: "", "images/A/cut.png": "x"}
    ),
    "faces": judged({"images/A/1.png": "", "images/A/2.png": "no_face", EVIL: "no_face"}),
}


def html(dataset: Path, truth: Truth | None = None) -> str:
    return report.report_html(dataset, compare(TABLES, truth), TABLES)


class Tags(HTMLParser):
    """Which tags there are, and that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_csv_has_all_verdicts_side_by_side() -> None:
    truth = Truth({"images/A/2.png": "no_face"})
    text = report.verdicts_csv(TABLES, truth).decode()
    rows = {row["image_path"]: row for row in csv.DictReader(StringIO(text))}
    assert list(rows) == sorted(rows)
    assert rows["images/A/2.png"] == {
        "image_path": "images/A/2.png",
        "integrity_verdict": "keep",
        "integrity_reason": "",
        "integrity_by": "cleaner",
        "faces_verdict": "set_aside",
        "faces_reason": "no_face",
        "faces_by": "cleaner",
        "fault": "no_face",
    }
    assert rows["images/A/cut.png"]["faces_verdict"] == ""
    assert "fault" not in report.verdicts_csv(TABLES).decode().splitlines()[0]


def test_the_csv_runs_no_formula_and_keeps_every_name() -> None:
    tables = {"a": judged({"=1+1.png": "", "caf\udce9.png": ""})}
    assert report.verdicts_csv(tables).splitlines()[1:] == [
        b"./=1+1.png,keep,,cleaner",
        b"caf\xe9.png,keep,,cleaner",
    ]


def test_the_page_stands_alone(dataset: Path) -> None:
    tags = Tags(html(dataset)).seen
    assert {tag for tag, _attrs in tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead"),
        *("tbody", "tr", "th", "td", "b", "i", "br", "span", "section", "div", "figure"),
        *("figcaption", "img"),
    }
    sources = [attrs["src"] or "" for tag, attrs in tags if tag == "img"]
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"https?://|url\(|@import|href", html(dataset))


def test_names_of_strangers_are_only_text(dataset: Path) -> None:
    text = html(dataset)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;/&quot;&amp;.png" in text
    assert "Cleaning of d &amp; e" in text


def test_a_name_that_is_not_utf8_can_be_written(dataset: Path) -> None:
    tables = {"a": judged({"caf\udce9.png": ""}), "b": judged({"caf\udce9.png": ""})}
    assert report.report_html(dataset, compare(tables), tables).encode()


def test_what_cannot_be_read_is_told_in_its_place(dataset: Path) -> None:
    tables = {"a": judged({"images/A/cut.png": "truncated"}), "b": judged({"images/A/cut.png": ""})}
    assert "no picture to show" in report.report_html(dataset, compare(tables), tables)


def test_what_hangs_is_not_opened_again(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(report, "_thumbnail", lambda path, _source: opened.append(path))
    tables = {"a": judged({"images/A/1.png": "hangs"}), "b": judged({"images/A/1.png": "hangs"})}
    report.report_html(dataset, compare(tables), tables)
    assert opened == []


def test_a_path_that_leads_out_is_not_shown(dataset: Path) -> None:
    (dataset.parent / "secret.png").write_bytes(as_bytes(Image.new("RGB", (9, 9)), "PNG"))
    tables = {"a": judged({"../secret.png": ""}), "b": judged({"../secret.png": ""})}
    assert "data:image" not in report.report_html(dataset, compare(tables), tables)


def test_a_picture_whose_name_is_no_utf8_is_shown(dataset: Path) -> None:
    strange = dataset / os.fsdecode(b"images/bad\xff.png")
    strange.write_bytes(as_bytes(Image.new("RGB", (9, 9)), "PNG"))
    tables = {"a": judged({r"images/bad\xff.png": ""}), "b": judged({r"images/bad\xff.png": ""})}
    assert "data:image" in report.report_html(dataset, compare(tables), tables)


def test_pictures_in_quarantine_are_shown_too(dataset: Path) -> None:
    quarantine.apply(dataset, TABLES["faces"], "faces")
    assert html(dataset).count("data:image/jpeg") == 3


def test_the_number_of_pictures_is_bounded(dataset: Path) -> None:
    table = judged({f"images/A/{n}.png": "" for n in range(10_000)})
    tables = {"a": table, "b": table}
    text = report.report_html(dataset, compare(tables), tables)
    assert text.count("<figure") == report.MOST_PICTURES
    assert len(text) < 100_000


def test_with_truth_the_page_says_who_is_right(dataset: Path) -> None:
    text = html(dataset, Truth({"images/A/1.png": "no_face", "images/A/2.png": "no_face"}))
    assert "Against the truth" in text
    assert "<td>no_face</td><td>2</td><td>–</td><td>0.500</td>" in text
    assert "What faces got wrong: 1" in text
    assert "Against the truth" not in html(dataset)


def test_an_empty_comparison_is_a_page_too(dataset: Path) -> None:
    tables = {"a": judged({}), "b": judged({})}
    assert "no picture that both judged" in report.report_html(dataset, compare(tables), tables)
