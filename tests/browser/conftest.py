"""A real server and a real Chromium; each page must end without an error on its console."""

import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from facedet.examples import find_examples
from tools.lab import BROWSER_FLAGS, Lab, find_browser, running_lab

# A busy machine is slow, not wrong: wait as long for what is expected as for everything else.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needed = os.environ.get("FACEDET_NEED_BROWSER")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if find_browser() is None and not needed:
                item.add_marker(pytest.mark.skip(reason="no Chromium or Chrome is installed"))


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab") / "home") as running:
        yield running


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as play:
        yield play


@pytest.fixture(scope="package")
def fake_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera shows: the example with two people, 1280 x 720, without end."""
    data = next(e for e in find_examples() if e.id == "both").load()
    frame = Image.new("RGB", (1280, 720), (58, 70, 78))
    with Image.open(BytesIO(data)) as both:
        frame.paste(both, (68, 20))
    out = BytesIO()
    frame.save(out, "JPEG", quality=92)
    path = tmp_path_factory.mktemp("camera") / "video.mjpeg"
    path.write_bytes(out.getvalue() * 10)
    return path


@pytest.fixture(scope="package")
def browser(playwright: Playwright, fake_video: Path) -> Iterator[Browser]:
    flags = [*BROWSER_FLAGS, f"--use-file-for-fake-video-capture={fake_video}"]
    chromium = playwright.chromium.launch(executable_path=find_browser(), args=flags)
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    yield from watched(browser, lab, (1440, 900))


@pytest.fixture
def narrow_page(browser: Browser, lab: Lab) -> Iterator[Page]:
    yield from watched(browser, lab, (390, 844))


def watched(browser: Browser, lab: Lab, size: tuple[int, int]) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        permissions=["camera", "clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: note_error(message, troubles))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: note_failure(request, troubles))
    page.set_default_timeout(20_000)
    page.goto(lab.url)
    page.wait_for_selector(".thumbnails button")
    yield page
    context.close()
    assert not troubles, troubles


def note_error(message: ConsoleMessage, troubles: list[str]) -> None:
    # Opened at a page's own address, Streamlit first looks for its server below that address.
    looks_around = re.search(r"/\w+/_stcore/", message.location["url"])
    if message.type == "error" and not looks_around:
        troubles.append(message.text)


def note_failure(request: Request, troubles: list[str]) -> None:
    # Aborted: a reload ends what was under way, a download ends as a navigation.
    if request.failure != "net::ERR_ABORTED":
        troubles.append(f"{request.failure}: {request.url}")
