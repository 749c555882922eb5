"""How soon a visitor sees something: server up, first page, first boxes; in a real Chromium."""

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from playwright.sync_api import Browser, sync_playwright

from tools.lab import BROWSER_FLAGS, find_browser, running_lab

ROUNDS = 5


def run() -> dict[str, float]:
    rounds = [_once() for _round in range(ROUNDS)]
    figures = {name: median(r[name] for r in rounds) for name in rounds[0]}
    for name, value in figures.items():
        print(f"{name:44} {value:10.3f}")
    return figures


def _once() -> dict[str, float]:
    """A fresh server each time, so that nothing is warm but the disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as play,
        running_lab(Path(folder) / "home") as lab,
    ):
        browser = play.chromium.launch(executable_path=find_browser(), args=list(BROWSER_FLAGS))
        try:
            return {"server up, s": lab.seconds_to_start, **_visit(browser, lab.url)}
        finally:
            browser.close()


def _visit(browser: Browser, url: str) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    began = perf_counter()
    page.goto(url)
    page.wait_for_selector(".thumbnails button img")
    first_page = perf_counter() - began
    began = perf_counter()
    page.click(".thumbnails button >> nth=0")
    page.wait_for_selector(".canvas[data-ready]")
    first_boxes = perf_counter() - began
    assert page.locator(".facts dd").first.inner_text() == "2"
    return {"first page, s (at most 3)": first_page, "first boxes, s (at most 2)": first_boxes}
