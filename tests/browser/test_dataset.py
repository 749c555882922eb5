"""What only a browser shows of the Dataset page: the whole way, and the line that lights up."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from facedet import jobs
from facedet.download.account import Outcome
from facedet.download.ledger import Ledger
from facedet.download.links import read_links
from facedet.download.report import funnel
from tests.test_jobs import wait_for
from tools.lab import Lab, running_lab


def open_dataset(page: Page) -> None:
    page.get_by_test_id("stSidebarNavLink").get_by_text("Dataset").click()
    page.wait_for_selector(".explainer")


def settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def metric(page: Page, label: str, nth: int = 0) -> Locator:
    found = page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{label}"))
    return found.nth(nth).get_by_test_id("stMetricValue")


def test_from_nothing_to_labels_csv(page: Page, lab: Lab, tmp_path: Path) -> None:
    open_dataset(page)
    page.get_by_label("Lines").fill("60")
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("button", name="Make the practice set").click()
    # Statistics: the charts appear by themselves when the job is done.
    page.get_by_role("heading", name="Practice: 60 lines, seed 0").wait_for(timeout=60_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(8)
    expect(metric(page, "Lines")).to_have_text("60")
    # A filter acts on all of them.
    page.get_by_text("Only the curated set").click()
    expect(page.get_by_test_id("stMetricDelta").first).to_have_text("of 60")
    curated = int(metric(page, "Lines").inner_text())
    assert 0 < curated < 60
    # A sample, and its labels.
    page.get_by_label("Photos of each").fill("4")
    page.keyboard.press("Tab")
    expect(metric(page, "Lines", 1)).to_have_text(re.compile(r"^([1-9]|1[0-2])$"))
    wanted = int(metric(page, "Lines", 1).inner_text())
    page.get_by_label("Name of the dataset").fill("browser test")
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("button", name="Write labels.csv").click()
    page.get_by_text("rows are in").wait_for()
    written = lab.home / "datasets" / "browser test" / "labels.csv"
    rows = list(csv.DictReader(written.read_text().splitlines()))
    assert len(rows) == wanted
    assert all(row["curated"] == "1" for row in rows)
    # The same file, to take along.
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Take labels.csv along").click()
    assert Path(download.value.path()).read_bytes() == written.read_bytes()
    # A closed tab loses nothing: the address has it.
    assert "list=practice-60-0" in page.url


def test_a_field_lights_up_on_the_picture_by_pointer_and_by_keyboard(page: Page) -> None:
    open_dataset(page)
    marks = page.locator(".explainer .marks")
    meaning = page.locator(".explainer .meaning")
    expect(marks).to_be_empty()
    page.hover("[data-field=right]")
    expect(marks.locator("text")).to_have_text("295.47 px")
    expect(meaning).to_contain_text("right: From the photo's left edge")
    line = marks.locator("line.lit:not(.under)").first
    assert (line.get_attribute("x1"), line.get_attribute("x2")) == ("0", "295.4700012207031")
    page.locator("[data-field=right]").focus()
    page.keyboard.press("Tab")
    expect(marks.locator("text")).to_have_text("275.78 px")
    expect(page.locator("[data-field=bottom]")).to_be_focused()
    expect(meaning).to_contain_text("bottom:")


def test_the_page_is_whole_for_the_first_visitor_who_comes_straight_to_it(
    browser: Browser, tmp_path: Path
) -> None:
    with running_lab(tmp_path / "home") as fresh:
        page = browser.new_page()
        page.goto(f"{fresh.url}/dataset")
        page.wait_for_selector(".explainer")
        expect(page.get_by_test_id("stSidebarNav")).to_contain_text("Detect")
        expect(page.get_by_test_id("stSidebarNav")).not_to_contain_text("app")
        page.close()


def test_narrow_screens_show_all_of_it(narrow_page: Page, lab: Lab) -> None:
    narrow_page.goto(f"{lab.url}/dataset")
    narrow_page.wait_for_selector(".explainer")
    overflow = narrow_page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    box = narrow_page.locator(".explainer svg").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


@pytest.fixture
def begun(lab: Lab) -> Iterator[Path]:
    """A dataset in the lab's workspace of which some links have come to something."""
    folder = lab.home / "datasets" / "begun"
    folder.mkdir(parents=True)
    header = "identity,photo_id,image_path,x1,y1,x2,y2,url\n"
    site = f"http://a.localhost:{urlsplit(lab.url).port}"  # where somebody answers
    rows = [f"a,{n},a/{n}.jpg,1,1,9,9,{site}/{n}\n" for n in range(250)]
    (folder / "labels.csv").write_text(header + "".join(rows))
    (folder / "links.csv").write_text(header + "".join(rows))
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        ledger.add(read_links(folder / "links.csv").links)
        gone = [f"{site}/{n}" for n in range(120)]
        ledger.record(
            [Outcome(url=url, state="failed", error_class="dns", note="gone") for url in gone]
        )
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_button_that_cannot_be_pressed_can_be_read(
    browser: Browser, lab: Lab, begun: Path, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{lab.url}/dataset?dataset={begun.name}")
    off = page.get_by_role("button", name="Go on")
    expect(off).to_be_disabled()
    settle(page)
    assert contrast(page, off.locator("p")) >= 3
    page.get_by_text("Allow addresses of this computer").click()
    expect(off).to_be_enabled()
    settle(page)
    assert contrast(page, off.locator("p")) >= 4.5
    page.close()


def contrast(page: Page, words: Locator) -> float:
    """Of an element's letters to what lies behind them (WCAG 2.1)."""
    letters, ground = words.evaluate(
        """element => {
            const seen = [getComputedStyle(element).color];
            for (let e = element; e; e = e.parentElement) {
                const ground = getComputedStyle(e).backgroundColor;
                if (!/, 0\\)$|transparent/.test(ground)) { seen.push(ground); break; }
            }
            return seen.map(colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
        }"""
    )
    high, low = sorted((luminance(letters), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: list[float]) -> float:
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (part / 255 for part in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_all_links_that_fit_are_taken_along(page: Page, lab: Lab, begun: Path) -> None:
    page.goto(f"{lab.url}/dataset?dataset={begun.name}")
    page.get_by_text("Every link").click()
    page.get_by_text("1–100 of 250").wait_for()
    settle(page)
    # Not one of the boxes: their list closes when the table comes, and moves the page.
    page.get_by_label("Address or note has").fill("gone")
    page.keyboard.press("Enter")
    page.get_by_text("1–100 of 120").wait_for()
    settle(page)
    page.get_by_role("button", name="Next").click()
    page.get_by_text("101–120 of 120").wait_for()
    settle(page)
    before = sorted(begun.iterdir())
    with page.expect_download() as download:
        page.get_by_role("button", name="All that fit as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["photo_id"] for row in rows] == [str(n) for n in range(120)]
    assert sorted(begun.iterdir()) == before


def test_the_kind_of_failures_that_was_chosen_stays_while_it_runs(
    page: Page, lab: Lab, begun: Path
) -> None:
    run_dir = lab.home / "runs" / "download-20990101-000000-a"
    run_dir.mkdir(parents=True)
    memo = {"dataset": begun.name, "allow_private": False}
    (run_dir / "config.json").write_text(json.dumps({"arguments": [], "memo": memo}))
    told = {"total": 500, "good": 0, "size_bytes": 0, "errors": {"dns": 3}, "active": 1}
    told |= {"workers": 2, "failing_hosts": {"a.localhost": 3}, "resting": {}}
    with jobs.Worker(run_dir) as worker:
        worker.event("downloaded", done=100, **told)
        page.goto(f"{lab.url}/dataset?dataset={begun.name}")
        page.get_by_text("100 of 500 addresses").wait_for()
        site = page.get_by_test_id("stButtonGroup").get_by_text("site", exact=True)
        site.click()
        for done in (200, 300, 400):
            worker.event("downloaded", done=done, **told)
            page.get_by_text(f"{done} of 500 addresses").wait_for()
            table = page.get_by_test_id("stDataFrame").last
            expect(table.locator("canvas").first).to_be_visible()
            expect(site.locator("xpath=ancestor::button")).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name="Go on").wait_for()  # it sees that the job has ended
    shutil.rmtree(run_dir)


def test_a_download_is_paused_survives_a_restart_of_the_server_and_is_retried(
    browser: Browser, tmp_path: Path, free_port: int
) -> None:
    home, environ = tmp_path / "home", {"FACEDET_PRACTICE_PORT": str(free_port)}
    page = browser.new_page(viewport={"width": 1440, "height": 1400})
    page.set_default_timeout(30_000)
    with running_lab(home, environ) as lab:
        page.goto(f"{lab.url}/dataset")
        page.wait_for_selector(".explainer")
        page.get_by_label("Lines").fill("300")
        page.keyboard.press("Tab")
        settle(page)
        page.get_by_role("button", name="Make the practice set").click()
        page.get_by_text("Choose a sample").wait_for(timeout=60_000)
        settle(page)
        page.get_by_text("All that pass").click()
        settle(page)
        page.get_by_role("button", name="Write labels.csv").click()
        page.get_by_role("button", name="Start the little internet").click()
        page.get_by_text("The little internet is running").wait_for()
        page.get_by_text("Allow addresses of this computer").click()
        page.get_by_text("Private addresses are allowed").wait_for()
        page.get_by_role("button", name="Download", exact=True).click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Go on").wait_for()
        address = page.url.split("/dataset")[1]
    run_dir = next((home / "runs").glob("download-*"))
    assert "dataset=practice-1" in address
    # The server is gone; the paused job is not, and another server finds it.
    with running_lab(home, environ) as lab:
        page.goto(f"{lab.url}/dataset{address}")
        page.get_by_role("button", name="Go on").click()
        page.get_by_text("What went wrong").wait_for(timeout=60_000)
        settle(page)
        with Ledger.open(home / "datasets/practice-1/ledger.sqlite", create=False) as ledger:
            before = ledger.counts()
            shown = page.locator(".js-plotly-plot").filter(has_text="From lines to photos")
            for step in funnel(ledger):
                expect(shown).to_contain_text(step.name)
                expect(shown).to_contain_text(f"{step.n}")
        assert before.waiting == 0
        page.get_by_label("Try only these again").click()
        page.keyboard.type("http_5")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        settle(page)
        page.get_by_text("Allow addresses of this computer").click()
        page.get_by_text("Private addresses are allowed").first.wait_for()
        page.get_by_role("button", name="Try again").click()
        wait_for(lambda: len(list((home / "runs").glob("download-*"))) == 2)
        [again] = [run for run in (home / "runs").glob("download-*") if run != run_dir]
        wait_for(lambda: jobs.look(again).state in jobs.FINAL, 60)
        told = [event for event in jobs.look(again).events if event["event"] == "downloaded"][-1]
        assert told["total"] == told["done"] == before.failed["http_5xx"]
        page.reload()
        page.get_by_text(re.compile(r"The last run asked for \d+ addresses")).wait_for()
        stop = page.get_by_role("button", name="Stop it")
        stop.click()
        expect(stop).to_have_count(0)  # it sees by itself that they have ended
    page.close()
