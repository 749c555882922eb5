"""What only a browser shows of the Detect page."""

import json
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, WebSocket, expect

from facedet.cli import main
from facedet.images import decode
from facedet.labels import from_coco, from_voc, from_yolo, parse_table
from tests.conftest import turned_png

DETECTION = np.array([0x56, 0xB4, 0xE9])


@pytest.fixture
def photo(tmp_path: Path, both_jpeg: bytes) -> Path:
    path = tmp_path / "two people.jpg"
    path.write_bytes(both_jpeg)
    return path


def boxes_by_command_line(path: Path, capsys: pytest.CaptureFixture[str]) -> list[list[float]]:
    assert main(["detect", str(path), "--json", "-"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    return [[face[key] for key in ("x1", "y1", "x2", "y2")] for face in row["faces"]]


def upload(page: Page, *paths: Path) -> None:
    page.set_input_files("input[type=file]", list(paths))
    if len(paths) == 1:
        page.wait_for_selector(".canvas[data-ready]")


def faces_shown(page: Page) -> int:
    return int(page.locator(".facts dd").first.inner_text())


def stage_pixels(page: Page) -> np.ndarray:
    """What the canvas shows, as (H, W, 3)."""
    url = page.locator(".stage canvas").first.evaluate("c => c.toDataURL('image/png')")
    import base64

    with Image.open(BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB"))


def settled(page: Page) -> None:
    """Two frames later, whatever was asked to be drawn is drawn."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def test_boxes_are_drawn_where_the_json_says(
    page: Page, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(page, photo)
    expected = boxes_by_command_line(photo, capsys)
    settled(page)
    picture = stage_pixels(page)
    view = json.loads(page.locator(".stage").get_attribute("data-view") or "")
    for x1, y1, x2, y2 in expected:
        left, right = x1 * view["scale"] + view["dx"], x2 * view["scale"] + view["dx"]
        bottom = y2 * view["scale"] + view["dy"]
        middle = ((y1 + y2) / 2) * view["scale"] + view["dy"]
        for x, y in ((left, middle), (right, middle), ((left + right) / 2, bottom)):
            patch = picture[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].astype(int)
            assert np.abs(patch - DETECTION).sum(axis=2).min() < 30, (x, y)
    name = page.locator(".stage canvas").get_attribute("aria-label") or ""
    assert name.startswith("2 faces: left 773, top 160, 169 by 216 pixels, score 0.94")


def test_the_threshold_moves_without_the_server(page: Page, photo: Path) -> None:
    sockets: list[WebSocket] = []  # filled by lambdas: Playwright cannot hold a built-in method
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108
    page.reload()
    page.wait_for_selector(".thumbnails button")
    upload(page, photo)
    page.wait_for_load_state("networkidle")
    sent: list[object] = []
    sockets[-1].on("framesent", lambda frame: sent.append(frame))  # noqa: PLW0108
    slider = page.locator(".threshold input")
    slider.fill("0.3")
    expect(page.locator(".threshold output")).to_have_text("0.30")
    low = faces_shown(page)
    slider.fill("0.99")
    assert faces_shown(page) == 0
    assert page.locator("details.table summary").inner_text() == "0 faces as a table"
    slider.focus()
    slider.press("Home")
    assert faces_shown(page) == low
    assert low >= 2
    settled(page)
    assert sent == []


def test_a_row_highlights_its_box_and_sorting_is_by_any_column(page: Page, photo: Path) -> None:
    upload(page, photo)
    page.click("details.table summary")
    before = stage_pixels(page)
    page.hover("tbody tr >> nth=0")
    settled(page)
    assert (stage_pixels(page) != before).any()
    page.get_by_role("button", name="left").click()
    lefts = [float(t) for t in page.locator("tbody td:first-child").all_inner_texts()]
    assert lefts == sorted(lefts)
    expect(page.locator("th").first).to_have_attribute("aria-sort", "ascending")


def test_zoom_and_pan_and_back(page: Page, photo: Path) -> None:
    upload(page, photo)

    def view() -> dict[str, float]:
        return json.loads(page.locator(".stage").get_attribute("data-view") or "")

    fitted = view()
    page.get_by_role("button", name="Zoom in").click()
    assert view()["scale"] == pytest.approx(fitted["scale"] * 1.5)
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    before = view()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 20, steps=4)
    page.mouse.up()
    assert view()["dx"] == pytest.approx(before["dx"] - 40)
    assert view()["dy"] == pytest.approx(before["dy"] - 20)
    page.get_by_role("button", name="Fit: show the whole photo").click()
    assert view() == fitted


def open_take_away(page: Page) -> None:
    page.locator(".canvas .primary").click()
    dialog_is_whole(page)


def dialog_is_whole(page: Page) -> None:
    """Its button is there: what comes before is not built anew under the finger any more."""
    page.get_by_role("dialog").get_by_role("button", name="Download the picture").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def download(page: Page, click: Callable[[], None]) -> tuple[str, bytes]:
    # A button whose run is not over yet is about to be replaced.
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    with page.expect_download() as caught:
        click()
    return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()


def test_every_download_opens(
    page: Page, photo: Path, both_pixels: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = np.array(boxes_by_command_line(photo, capsys), np.float32)
    upload(page, photo)
    open_take_away(page)
    dialog = page.get_by_role("dialog")

    def press(name: str) -> Callable[[], None]:
        return lambda: dialog.get_by_role("button", name=name).click()

    name, data = download(page, press("Download the picture with boxes"))
    assert name == "two people-boxes.jpg"
    assert decode(data).pixels.shape == both_pixels.shape
    dialog.get_by_role("tab", name="Redacted").click()
    dialog.get_by_text("Fill", exact=True).click()
    expect(dialog.get_by_text("painted over")).to_be_visible()
    name, data = download(page, press("Download the redacted picture"))
    assert decode(data).pixels[260, 850].sum() < 60
    dialog.get_by_role("tab", name="Labels").click()
    name, data = download(page, press("CSV"))
    assert name == "labels.csv"
    np.testing.assert_array_equal(parse_table(data.decode()).boxes_xyxy, expected)
    name, data = download(page, press("COCO JSON"))
    [(_file, found)] = from_coco(json.loads(data))
    np.testing.assert_allclose(found.boxes_xyxy, expected, rtol=1e-6)
    name, data = download(page, press("YOLO"))
    assert name == "two people.txt"
    np.testing.assert_allclose(
        from_yolo(data.decode(), (1144, 680)).boxes_xyxy, expected, atol=0.01
    )
    name, data = download(page, press("Pascal VOC"))
    np.testing.assert_allclose(from_voc(data.decode())[1].boxes_xyxy, expected, atol=0.5)


def test_a_click_while_the_page_is_still_at_work_is_kept(page: Page, photo: Path) -> None:
    """The upload's run is cut short by the click: both must take effect, and nothing fails."""
    for _time in range(5):
        page.reload()
        page.wait_for_selector(".thumbnails button")
        upload(page, photo)
        page.locator(".canvas .primary").click()
        dialog_is_whole(page)


def test_only_chosen_faces_are_redacted(page: Page, photo: Path, both_pixels: np.ndarray) -> None:
    upload(page, photo)
    page.click("details.table summary")
    page.locator("tbody tr").first.click()
    expect(page.locator("tbody tr.chosen")).to_have_count(1)
    open_take_away(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Only the 1 chosen")).to_be_visible()
    dialog.get_by_role("tab", name="Redacted").click()
    dialog.get_by_text("Fill", exact=True).click()
    expect(dialog.get_by_text("painted over")).to_be_visible()
    _name, data = download(
        page, dialog.get_by_role("button", name="Download the redacted picture").click
    )
    pixels = decode(data).pixels.astype(int)
    assert pixels[260, 850].sum() < 60
    assert np.abs(pixels[160, 265] - both_pixels[160, 265]).max() < 30


def test_the_camera_gives_boxes(page: Page) -> None:
    page.get_by_text("Camera", exact=True).click()
    page.wait_for_function("document.querySelector('video')?.currentTime > 0.3")
    page.get_by_role("button", name="Take Photo").click()
    page.wait_for_selector(".canvas[data-ready]")
    expect(page.locator(".facts dd").first).to_have_text("2")
    expect(page.locator(".facts dd").last).to_have_text("1,280 x 720")


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_pasted_or_dropped_picture_gives_boxes(page: Page, both_jpeg: bytes, way: str) -> None:
    page.locator(".stage").evaluate(
        """(stage, [bytes, way]) => {
            const file = new File([new Uint8Array(bytes)], "shot.jpg", { type: "image/jpeg" });
            const data = new DataTransfer();
            data.items.add(file);
            if (way === "paste")
                document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
            else stage.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        [list(both_jpeg), way],
    )
    page.wait_for_selector(".canvas[data-ready]")
    expect(page.locator(".facts dd").first).to_have_text("2")


FOCUSED = """() => {
    let e = document.activeElement;
    while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    const label = e?.getAttribute("aria-label");
    return `${e?.className} ${label} ${e?.title} ${e?.textContent}`.slice(0, 200);
}"""


def tab_to(page: Page, what: str) -> None:
    for _step in range(60):
        page.keyboard.press("Tab")
        if re.search(what, page.evaluate(FOCUSED)):
            return
    raise AssertionError(f"the Tab key never reaches {what}")


def test_the_keyboard_alone_does_the_main_job(page: Page) -> None:
    tab_to(page, "Two people on one canvas")
    page.keyboard.press("Enter")
    page.wait_for_selector(".canvas[data-ready]")
    assert "Two people" in page.evaluate(FOCUSED)  # where it was, though the page was built anew
    for _step in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(FOCUSED).startswith("stage"):
            break
    page.keyboard.press("ArrowRight")
    expect(page.locator(".sr-only")).to_contain_text("Face 1 of 2")
    page.keyboard.press("Space")
    expect(page.locator("tr.chosen")).to_have_count(1)
    page.keyboard.press("Enter")
    view = json.loads(page.locator(".stage").get_attribute("data-view") or "")
    assert view["scale"] > 0.8
    page.keyboard.press("0")
    tab_to(page, "null ")  # the slider: an input without text
    page.keyboard.press("End")
    expect(page.locator(".facts dd").first).to_have_text("0")
    page.keyboard.press("Home")
    tab_to(page, "^primary")
    page.keyboard.press("Enter")
    dialog_is_whole(page)
    tab_to(page, "Download the picture with boxes")
    with page.expect_download() as caught:
        page.keyboard.press("Enter")
    assert caught.value.suggested_filename == "both-boxes.jpg"


def overflowing(page: Page) -> list[str]:
    return page.evaluate(
        """() => {
            const found = [];
            const look = (root) => {
                for (const e of root.querySelectorAll("*")) {
                    if (e.shadowRoot) look(e.shadowRoot);
                    const box = e.getBoundingClientRect();
                    const hidden = e.closest(".sr-only, [data-testid=stSidebar]");
                    if (box.width && box.right > innerWidth + 1 && !hidden)
                        found.push(`${e.tagName}.${e.className} ${Math.round(box.right)}`);
                }
            };
            look(document.querySelector("[data-testid=stMain]"));
            return found.slice(0, 5);
        }"""
    )


def test_nothing_overflows_on_a_phone(narrow_page: Page, photo: Path) -> None:
    page = narrow_page
    assert overflowing(page) == []
    upload(page, photo)
    page.click("details.table summary")
    assert overflowing(page) == []
    page.get_by_text("Compare detectors").click()
    page.wait_for_selector(".pane >> nth=1")
    assert overflowing(page) == []


def test_a_bad_file_stands_as_text_and_runs_nothing(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    bad.write_text("<html>")
    upload_only = [bad]
    page.set_input_files("input[type=file]", upload_only)
    expect(page.get_by_text("web page, not a picture")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_compared_detectors_tell_which_faces_only_one_found(page: Page, photo: Path) -> None:
    upload(page, photo)
    page.get_by_text("Compare detectors").click()
    page.wait_for_selector(".pane >> nth=1")
    expect(page.locator(".canvas .summary")).to_have_text(
        "found by all: 2 · only YuNet, original size: 0 · only Haar cascade: 0"
    )
    page.locator(".threshold input").nth(1).fill("0.85")
    expect(page.locator(".canvas .summary")).to_contain_text("only YuNet, original size: 1")


def test_many_photos_with_a_broken_one(page: Page, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(4):
        (folder / f"photo {n}.jpg").write_bytes(photo.read_bytes())
    (folder / "broken.jpg").write_bytes(photo.read_bytes()[:3000])
    upload(page, *sorted(folder.iterdir()))
    expect(page.get_by_text("1 file is not readable")).to_be_visible(timeout=30_000)
    expect(page.locator(".thumbnails button b").filter(has_text="2 faces")).to_have_count(4)
    page.reload()  # the address finds the job again
    page.get_by_role("button", name="Make the ZIP").click()
    ready = page.get_by_role("button", name="Download the ZIP")
    ready.wait_for(timeout=30_000)
    name, data = download(page, ready.click)
    assert name == "photos.zip"
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert "not-read.txt" in archive.namelist()
        table = parse_table(archive.read("labels.csv").decode())
    assert len(table.rows) == 8
    page.get_by_role("button", name="photo 2.jpg").click()
    page.wait_for_selector(".canvas[data-ready]")
    expect(page.locator(".facts dd").first).to_have_text("2")
    page.get_by_role("button", name="Back to all photos").click()
    page.locator(".thumbnails button").filter(has=page.get_by_alt_text("A cat")).click()
    page.get_by_role("button", name="Back to your batch").click()  # left for a photo, found again
    page.get_by_role("button", name="Forget these photos").click()
    page.get_by_role("button", name="Forget them now").click()
    expect(page.get_by_role("button", name="Forget these photos")).to_be_hidden()
    expect(page.get_by_role("button", name="Back to your batch")).to_be_hidden()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_shown_upright_with_the_same_boxes(
    page: Page, tmp_path: Path, both_pixels: np.ndarray, orientation: int
) -> None:
    path = tmp_path / "turned.png"
    path.write_bytes(turned_png(Image.fromarray(both_pixels), orientation))
    upload(page, path)
    label = page.locator(".stage canvas").get_attribute("aria-label") or ""
    numbers = [int(n) for n in re.findall(r"(?:left|top) (\d+)", label)]
    assert numbers == pytest.approx([773, 160, 219, 106], abs=1)
    expect(page.locator(".facts dd").last).to_have_text("1,144 x 680")


def test_a_batch_can_be_paused_stopped_and_taken_up_again(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n:02}.jpg").write_bytes(photo.read_bytes())
    page.get_by_role("combobox", name="Detector").click()
    page.get_by_role("option", name="Haar cascade").click()  # the slow one: there is time to click
    upload(page, *sorted(folder.iterdir()))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ of 60 photos"))).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped; what is done is kept")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    expect(page.get_by_role("button", name="Make the ZIP")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="59.jpg")).to_be_hidden()  # on the second page
    page.get_by_label("Page, of 2").fill("2")
    page.get_by_label("Page, of 2").press("Enter")
    expect(page.get_by_role("button", name="59.jpg")).to_be_visible()
