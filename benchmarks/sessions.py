"""Twenty visitors at once, each in a browser tab of their own, detecting for two minutes.

Each has photos that no other has: another width, another number of faces, and other bytes each
time. What their page shows must be theirs. The server's memory is read at start, middle and end.
FACEDET_BENCH_SECONDS makes it longer, to see that memory stays where it is.
"""

import asyncio
import itertools
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import psutil
from playwright.async_api import Browser, Page, async_playwright

from facedet.examples import find_examples
from facedet.images import decode, encode
from facedet.types import Pixels
from tools.lab import BROWSER_FLAGS, find_browser, running_lab

SESSIONS = 20
SECONDS = int(os.environ.get("FACEDET_BENCH_SECONDS", "120"))


@dataclass
class Tally:
    """What happened, over all visitors."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder) / "home") as lab:
        figures = asyncio.run(_measure(lab.url, psutil.Process(lab.pid)))
    for name, value in figures.items():
        print(f"{name:44} {value:10.4g}")
    if figures["wrong or mixed-up results"] or figures["errors"]:
        raise SystemExit("not every visitor saw what was theirs")
    return figures


async def _measure(url: str, server: psutil.Process) -> dict[str, float]:
    tally, memory_mb = Tally(), []
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=find_browser(), args=list(BROWSER_FLAGS)
        )
        pages = [await _open(browser, url, tally) for _k in range(SESSIONS)]
        end = perf_counter() + SECONDS
        visits = [_visit(page, k, end, tally) for k, page in enumerate(pages)]
        await asyncio.gather(_watch(server, memory_mb), *visits)
        await browser.close()
    for text in [*tally.wrong, *tally.errors][:10]:
        print("!", text)
    return {
        "sessions": SESSIONS,
        "photos detected and checked": len(tally.seconds),
        "wrong or mixed-up results": len(tally.wrong),
        "errors": len(tally.errors),
        "upload to boxes, s, median": median(tally.seconds),
        "RSS at start, MB": memory_mb[0],
        "RSS in the middle, MB": memory_mb[1],
        "RSS after three quarters, MB": memory_mb[2],
        "RSS at the end, MB": memory_mb[3],
    }


async def _open(browser: Browser, url: str, tally: Tally) -> Page:
    page = await browser.new_page(viewport={"width": 1000, "height": 800})
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: tally.errors.append(str(error)))
    page.on("console", lambda m: tally.errors.append(m.text) if m.type == "error" else None)
    await page.goto(url)
    await page.wait_for_selector(".thumbnails button")
    return page


async def _watch(server: psutil.Process, memory_mb: list[float]) -> None:
    for wait in (0, SECONDS / 2, SECONDS / 4, SECONDS / 4):
        await asyncio.sleep(wait)
        memory_mb.append(server.memory_info().rss / 1e6)


async def _visit(page: Page, k: int, end: float, tally: Tally) -> None:
    for turn in itertools.count():
        if perf_counter() > end:
            return
        pixels, faces = _photo(k, turn)
        h, w = pixels.shape[:2]
        file = {"name": f"{k}-{turn}.jpg", "mimeType": "image/jpeg", "buffer": encode(pixels)}
        began = perf_counter()
        try:
            await page.set_input_files("input[type=file]", file)  # type: ignore[arg-type]
            await page.wait_for_function(SHOWS, arg=f"{w:,} x {h:,}")
        except Exception as error:  # a visitor who is stuck is counted, and tries again
            tally.errors.append(f"visitor {k}, photo {turn}: {error}"[:300])
            continue
        tally.seconds.append(perf_counter() - began)
        shown = await page.locator(".facts dd").first.inner_text()
        if shown != str(faces):
            tally.wrong.append(f"visitor {k}, photo {turn}: {shown} faces, not {faces}")


SHOWS = """size => [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")].some(
    host => [...(host.shadowRoot?.querySelectorAll(".facts dd") ?? [])].some(
        fact => fact.textContent === size))"""


def _photo(k: int, turn: int) -> tuple[Pixels, int]:
    """A photo of (k mod 3) faces whose size no other visitor and no other turn has."""
    examples = {e.id: e for e in find_examples()}
    base = decode(examples[("cat", "astronaut", "both")[k % 3]].load()).pixels
    wide = np.pad(base, ((0, 2 + turn), (0, 3 + 7 * k), (0, 0)), constant_values=90)
    return wide, k % 3
