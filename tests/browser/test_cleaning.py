"""What only a browser shows of the Cleaning page: the whole way, by pointer and by keyboard."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from facedet.cleaning import catalogue, decisions
from facedet.cleaning.run import clean
from facedet.cleanings import THRESHOLDS
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make
from tools.lab import Lab, running_lab

LINES = 60


@pytest.fixture(scope="module")
def messy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A messy dataset in the lab's workspace that nobody has looked at."""
    folder = lab.home / "datasets" / "messy"
    practice = tmp_path_factory.mktemp("practice")
    make(practice, Options(photos=LINES, faults=0.6, seed=3))
    lay_out(practice, folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cleaned(messy: Path) -> Path:
    """The same after both have looked, with nothing decided, moved or set aside."""
    for name in ("integrity", "faces"):
        clean(messy, catalogue.get(name))
    for name in (decisions.FILE, THRESHOLDS):
        (messy / name).unlink(missing_ok=True)
    return messy


def settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def cell(page: Page, name: str) -> Locator:
    return page.locator(f".square [data-cell={name}]")


def number(page: Page, name: str) -> int:
    return int(cell(page, name).locator("b").inner_text().replace(",", ""))


def files_of(folder: Path) -> dict[str, bytes]:
    images = folder / "images"
    paths = (path for path in images.rglob("*") if path.is_file())
    return {path.relative_to(images).as_posix(): path.read_bytes() for path in paths}


def open_page(page: Page, lab: Lab, folder: Path) -> None:
    page.goto(f"{lab.url}/cleaning?dataset={folder.name}")
    page.wait_for_selector("h1")


def test_both_cleaners_one_cell_overruled_set_aside_and_back(
    page: Page, lab: Lab, messy: Path
) -> None:
    before = files_of(messy)
    open_page(page, lab, messy)
    # Run both: the comparison appears by itself.
    page.get_by_role("button", name="Clean with both").click()
    page.wait_for_selector(".square", timeout=60_000)
    settle(page)
    # "Only faces": click it, and its pictures are there.
    alone = number(page, "only_first")
    assert alone > 1
    cell(page, "only_first").click()
    page.get_by_role("heading", name=f"Set aside only by Faces: {alone}").wait_for()
    expect(cell(page, "only_first")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".viewer .place")).to_have_text(f"1 of {alone}")
    # Overrule one by keyboard: it counts at once, and no re-run takes it away.
    page.locator(".viewer .stage").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer .place")).to_have_text(f"2 of {alone}")
    page.keyboard.press("k")
    expect(cell(page, "only_first").locator("b")).to_have_text(str(alone - 1))
    expect(page.locator(".viewer .place")).to_have_text(f"2 of {alone}")
    [kept] = [path for path, one in decisions.read(messy).items() if one.choice == "keep"]
    settle(page)
    # Set aside what either says.
    doomed = number(page, "only_first") + number(page, "only_second") + number(page, "neither")
    page.get_by_role("button", name=f"Set aside {doomed} pictures").click()
    page.get_by_role("button", name=f"Bring all {doomed} back").wait_for(timeout=60_000)
    settle(page)
    left = files_of(messy)
    assert len(left) == len(before) - doomed
    assert kept.removeprefix("images/") in left
    # The report goes along, and still has all of them.
    with page.expect_download() as download:
        page.get_by_role("button", name="All verdicts (CSV)").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert len(rows) == len(before)
    assert [row["faces_by"] for row in rows if row["image_path"] == kept] == ["person"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Report with pictures (HTML)").click()
    assert b"data:image/jpeg" in Path(download.value.path()).read_bytes()
    # And back, every byte of it.
    page.get_by_role("button", name=f"Bring all {doomed} back").click()
    page.get_by_role("button", name=f"Set aside {doomed} pictures").wait_for(timeout=60_000)
    assert files_of(messy) == before


def test_a_closed_tab_finds_the_job_again(page: Page, lab: Lab, messy: Path) -> None:
    shutil.rmtree(messy / "cleaning", ignore_errors=True)
    open_page(page, lab, messy)
    page.get_by_role("button", name="Clean with both").click()
    page.get_by_text(re.compile(r"pictures ·|Looking what is there|starting")).first.wait_for()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".square", timeout=60_000)


def test_keys_decide_and_undecide_and_only_the_browser_zooms(
    page: Page, lab: Lab, cleaned: Path
) -> None:
    open_page(page, lab, cleaned)
    stage = page.locator(".viewer .stage")
    stage.focus()
    settle(page)
    page.keyboard.press("a")
    expect(page.locator(".viewer .aside")).to_have_attribute("aria-pressed", "true")
    page.get_by_text("You set it aside").wait_for()
    settle(page)
    assert [one.choice for one in decisions.read(cleaned).values()] == ["set_aside"]
    page.keyboard.press("u")
    expect(page.locator(".viewer .aside")).to_have_attribute("aria-pressed", "false")
    settle(page)
    assert not decisions.read(cleaned)
    whole = stage.locator("svg").get_attribute("viewBox")
    page.keyboard.press("+")
    expect(stage).to_have_class(re.compile("zoomed"))
    assert stage.locator("svg").get_attribute("viewBox") != whole
    page.keyboard.press("0")
    expect(stage.locator("svg")).to_have_attribute("viewBox", str(whole))


def test_quick_keys_go_as_far_as_they_were_pressed(page: Page, lab: Lab, cleaned: Path) -> None:
    open_page(page, lab, cleaned)
    page.locator(".square").wait_for()
    cell(page, "both").click()
    page.get_by_role("heading", name=re.compile("Kept by both")).wait_for()
    settle(page)
    page.locator(".viewer .stage").focus()
    for _n in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer .place")).to_have_text(re.compile("^6 of"))
    expect(page.locator(".thumbnails button").nth(5)).to_have_attribute("aria-pressed", "true")


def test_a_clicked_tile_comes_into_view_and_takes_the_keys(
    page: Page, lab: Lab, cleaned: Path
) -> None:
    open_page(page, lab, cleaned)
    page.locator(".thumbnails button").nth(2).click()
    expect(page.locator(".viewer .place")).to_have_text(re.compile("^3 of"))
    expect(page.locator(".viewer .stage")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".viewer .place")).to_have_text(re.compile("^2 of"))


def test_the_square_is_walked_by_arrow_keys(page: Page, lab: Lab, cleaned: Path) -> None:
    open_page(page, lab, cleaned)
    page.wait_for_selector(".square")
    cell(page, "both").focus()
    page.keyboard.press("ArrowRight")
    expect(cell(page, "only_first")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(cell(page, "neither")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Set aside by both")).wait_for()


def test_a_moved_slider_counts_at_once_and_is_kept(page: Page, lab: Lab, cleaned: Path) -> None:
    open_page(page, lab, cleaned)
    page.wait_for_selector(".square")
    settle(page)
    before = number(page, "both")
    handle = page.get_by_role("slider", name=re.compile("^Face score"))
    handle.focus()
    page.keyboard.press("End")
    expect(cell(page, "both").locator("b")).not_to_have_text(str(before))
    settle(page)
    kept = json.loads((cleaned / "cleaning/thresholds.json").read_text())
    assert kept["faces"]["min_score"] == {"number": 1.0, "on": True}
    page.reload()
    expect(page.get_by_role("slider", name=re.compile("^Face score"))).to_have_value("1")
    settle(page)
    as_it_was = page.get_by_role("button", name="As it was")
    expect(as_it_was).to_have_count(1)
    as_it_was.click()
    expect(cell(page, "both").locator("b")).to_have_text(str(before))


def test_narrow_screens_show_all_of_it(narrow_page: Page, lab: Lab, cleaned: Path) -> None:
    open_page(narrow_page, lab, cleaned)
    narrow_page.wait_for_selector(".viewer svg image")
    settle(narrow_page)
    overflow = narrow_page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    for box in narrow_page.locator(".square button").all():
        at = box.bounding_box()
        assert at is not None
        assert at["x"] >= 0
        assert at["x"] + at["width"] <= 390
    keep = narrow_page.locator(".viewer .keep").bounding_box()
    aside = narrow_page.locator(".viewer .aside").bounding_box()
    assert keep is not None
    assert aside is not None
    assert keep["y"] == aside["y"]


def test_from_nothing_to_a_messy_dataset(browser: Browser, tmp_path: Path) -> None:
    with running_lab(tmp_path / "home") as fresh:
        page = browser.new_page()
        page.goto(f"{fresh.url}/cleaning")
        page.get_by_label("Lines").fill("50")
        page.keyboard.press("Tab")
        settle(page)
        page.get_by_role("button", name="Make a messy practice dataset").click()
        page.get_by_role("button", name="Clean with both").wait_for(timeout=60_000)
        assert "dataset=messy-50" in page.url
        assert (fresh.home / "datasets/messy-50/truth.csv").is_file()
        page.close()
