"""Photograph every page: 1440 and 390 px wide, light and dark, empty, loaded and failing.

`make shots` writes single pictures and contact sheets to `shots/`, which git ignores. A page joins
by adding its scenes to `SCENES`.
"""

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, sync_playwright

from facedet.packages import package_file
from tools.lab import BROWSER_FLAGS, ROOT, find_browser, running_lab

OUT = ROOT / "shots"
SIZES = {"1440": (1440, 1900), "390": (390, 2600)}
SCHEMES = ("light", "dark")


def _astronaut() -> Path:
    path = package_file("skimage", "data", "astronaut.png")
    assert path is not None
    return path


def detect_empty(page: Page) -> None:
    page.wait_for_selector(".thumbnails button")


def detect_loaded(page: Page) -> None:
    page.click(".thumbnails button >> nth=0")
    page.wait_for_selector(".canvas[data-ready]")
    page.click("details.table summary")


def detect_compare(page: Page) -> None:
    detect_loaded(page)
    page.get_by_text("Compare detectors").click()
    page.wait_for_selector(".pane >> nth=1")


def detect_take_away(page: Page) -> None:
    detect_loaded(page)
    page.click(".canvas .primary")
    page.get_by_role("tab", name="Redacted").click()
    page.get_by_role("dialog").get_by_role("img").wait_for()


def detect_camera(page: Page) -> None:
    page.get_by_text("Camera", exact=True).click()
    page.get_by_text("Take Photo").wait_for()


def detect_error(page: Page) -> None:
    bad = Path(tempfile.mkdtemp()) / "<b>not a *picture*.jpg"
    bad.write_text("<!doctype html>")
    page.set_input_files("input[type=file]", bad)
    page.get_by_text("web page, not a picture").wait_for()


def detect_batch(page: Page) -> None:
    folder = Path(tempfile.mkdtemp())
    for n in range(14):
        shutil.copy(_astronaut(), folder / f"a photo with a long name, number {n}.png")
    (folder / "broken.jpg").write_bytes(_astronaut().read_bytes()[:9000])
    page.set_input_files("input[type=file]", sorted(folder.iterdir()))
    page.get_by_text("Make the ZIP").wait_for(timeout=30_000)


def dataset_empty(page: Page) -> None:
    page.hover("[data-field=right]")


def dataset_loaded(page: Page) -> None:
    heading = page.get_by_role("heading", name="Practice: 600 lines")
    heading.or_(page.get_by_text("that list of links is not here")).wait_for()
    if not heading.is_visible():
        page.get_by_text("Practice set", exact=True).click()
        page.get_by_label("Lines").fill("600")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Make the practice set").click()
    heading.wait_for(timeout=60_000)
    page.locator(".js-plotly-plot").nth(7).wait_for()


def dataset_sample(page: Page) -> None:
    dataset_loaded(page)
    page.get_by_text("Only the curated set").click()
    page.get_by_label("Name of the dataset").fill(f"sample-{time.time_ns()}")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Write labels.csv").click()
    page.get_by_text("rows are in").wait_for()
    page.get_by_text("The same on the command line").click()
    page.get_by_text("The same on the command line").scroll_into_view_if_needed()


def dataset_error(page: Page) -> None:
    page.get_by_text("Own archive").click()
    page.get_by_label("Its path").fill("/no/such/*archive*.tar.gz")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Read it").click()
    page.get_by_text("is not there").wait_for()


def cleaning_empty(page: Page) -> None:
    page.get_by_role("button", name="Make a messy practice dataset").wait_for()


def cleaning_start(page: Page) -> None:
    start = page.get_by_role("button", name="Clean with both")
    make = page.get_by_role("button", name="Make a messy practice dataset")
    start.or_(make).first.wait_for()
    if not start.is_visible():
        make.click()
    start.wait_for(timeout=90_000)
    page.get_by_text("The code that cleans").click()


def cleaning_live(page: Page) -> None:
    """The first look starts both and has them pause; the others find them so."""
    start = page.get_by_role("button", name="Clean with both")
    go_on = page.get_by_role("button", name="Go on")
    start.or_(go_on).first.wait_for()
    if start.is_visible():
        start.click()
        page.get_by_role("button", name="Pause").last.click(timeout=30_000)
    go_on.first.wait_for(timeout=30_000)


def cleaning_compared(page: Page) -> None:
    square, go_on = page.locator(".square"), page.get_by_role("button", name="Go on")
    square.or_(go_on).first.wait_for()
    if not square.is_visible():
        go_on.first.click()
    square.wait_for(timeout=90_000)
    page.wait_for_selector(".viewer svg image")


def cleaning_judged(page: Page) -> None:
    cleaning_compared(page)
    page.locator(".viewer .stage").focus()
    page.keyboard.press("k")
    page.get_by_text("You keep it").wait_for()
    page.get_by_text("Move a threshold").scroll_into_view_if_needed()


def cleaning_aside(page: Page) -> None:
    cleaning_compared(page)
    back = page.get_by_role("button", name=re.compile("Bring all"))
    page.get_by_text("Before and after").scroll_into_view_if_needed()
    if not back.is_visible():
        page.get_by_role("button", name=re.compile(r"Set aside \d+ pictures")).click()
    back.wait_for(timeout=60_000)
    page.get_by_role("button", name="All verdicts").scroll_into_view_if_needed()


def cleaning_error(page: Page) -> None:
    page.get_by_text("there is no dataset nobody").wait_for()


SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "detect-1-empty": ("/", detect_empty),
    "detect-2-loaded": ("/", detect_loaded),
    "detect-3-compare": ("/", detect_compare),
    "detect-4-take-away": ("/", detect_take_away),
    "detect-5-camera": ("/", detect_camera),
    "detect-6-error": ("/", detect_error),
    "detect-7-batch": ("/", detect_batch),
    "dataset-1-empty": ("/dataset", dataset_empty),
    "dataset-2-error": ("/dataset", dataset_error),
    "dataset-3-loaded": ("/dataset?list=practice-600-0", dataset_loaded),
    "dataset-4-sample": ("/dataset?list=practice-600-0", dataset_sample),
    "cleaning-1-empty": ("/cleaning", cleaning_empty),
    "cleaning-2-error": ("/cleaning?dataset=nobody", cleaning_error),
    "cleaning-3-start": ("/cleaning?dataset=messy-600", cleaning_start),
    "cleaning-4-live": ("/cleaning?dataset=messy-600", cleaning_live),
    "cleaning-5-compared": ("/cleaning?dataset=messy-600", cleaning_compared),
    "cleaning-6-judged": ("/cleaning?dataset=messy-600", cleaning_judged),
    "cleaning-7-aside": ("/cleaning?dataset=messy-600", cleaning_aside),
}


def main() -> None:
    """All scenes, or those whose names begin as the arguments do."""
    wanted = [name for name in SCENES if name.startswith(tuple(sys.argv[1:] or [""]))]
    executable = find_browser()
    if executable is None:
        raise SystemExit("no Chromium or Chrome is installed")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    with (
        tempfile.TemporaryDirectory() as home,
        running_lab(Path(home) / "home") as lab,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=executable, args=list(BROWSER_FLAGS))
        for scene in wanted:
            for size in SIZES:
                for scheme in SCHEMES:
                    shoot(browser, lab.url, scene, size, scheme)
        browser.close()
    for size in SIZES:
        for scheme in SCHEMES:
            contact_sheet(size, scheme)


def shoot(browser: Browser, url: str, scene: str, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["camera"]
    )
    path, arrange = SCENES[scene]
    page.goto(url + path)
    page.wait_for_selector("h1")
    arrange(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # for transitions to end: a picture has no event for that
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.screenshot(path=OUT / f"{scene}-{size}-{scheme}.png")
    print(f"{scene:24} {size:>5} {scheme:6}" + (f"  OVERFLOWS by {overflow}" if overflow else ""))
    page.close()


def contact_sheet(size: str, scheme: str) -> None:
    tile_w = 720 if size == "1440" else 300
    pictures = sorted(OUT.glob(f"*-{size}-{scheme}.png"))
    tiles = [Image.open(path) for path in pictures]
    tile_h = round(tile_w * SIZES[size][1] / SIZES[size][0])
    columns = 3 if size == "1440" else 7
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (tile_w + 10), rows * (tile_h + 30)), "#888888")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for n, (path, tile) in enumerate(zip(pictures, tiles, strict=True)):
        x, y = n % columns * (tile_w + 10), n // columns * (tile_h + 30)
        sheet.paste(tile.resize((tile_w, tile_h)), (x, y + 24))
        pen.text((x + 4, y + 3), path.stem, fill="white", font=font)
    sheet.save(OUT / f"sheet-{size}-{scheme}.png")


if __name__ == "__main__":
    main()
