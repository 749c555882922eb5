import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from facedet.download.content import (
    SUFFIX,
    Picture,
    count_misfits,
    examine,
    is_placeholder,
    label_fits,
)
from facedet.download.links import Box
from facedet.download.outcome import Failed
from facedet.images import FORMATS, Limits, decode
from facedet.wholeness import is_cut_off
from tests.conftest import as_bytes, turned_png

FORMATS_WRITTEN = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def noise(w: int = 48, h: int = 32) -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 255, (h, w, 3), np.uint8))


def said(body: bytes, limits: Limits | None = None) -> str:
    result = examine(body, "x.jpg", limits)
    return result.error_class if isinstance(result, Failed) else "ok"


@pytest.mark.parametrize("format", FORMATS_WRITTEN)
def test_a_picture_is_known_by_its_bytes(format: str) -> None:
    body = as_bytes(noise(), format)
    expected = Picture(SUFFIX[format], 48, 32, sha256(body).hexdigest())
    assert examine(body, "called.txt") == expected


def test_every_format_that_the_lab_reads_has_a_suffix() -> None:
    assert set(SUFFIX) == set(FORMATS)


def test_an_heic_photo_is_a_picture() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    assert examine(as_bytes(noise(), "HEIF"), "x") == Picture(
        "heic", 48, 32, sha256(as_bytes(noise(), "HEIF")).hexdigest()
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_upright_picture(orientation: int) -> None:
    body = turned_png(noise(), orientation)
    result = examine(body, "x")
    assert isinstance(result, Picture)
    assert (result.width, result.height) == decode(body).image_wh == (48, 32)


def test_a_tiff_that_turns_itself_is_not_turned_twice() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = as_bytes(noise(), "TIFF", exif=exif)
    result = examine(body, "x")
    assert isinstance(result, Picture)
    assert (result.width, result.height) == decode(body).image_wh


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html><body>Not here</body></html>",
        b"\x00" * 100,
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff\xe0\x00\x02not a picture at all",
        b"%PDF-1.4",
    ],
)
def test_what_is_no_picture_is_not_an_image(body: bytes) -> None:
    assert said(body) == "not_an_image"


def test_a_web_page_is_called_one() -> None:
    assert examine(b"  <html>gone</html>", "x") == Failed("not_an_image", "a web page")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("format", FORMATS_WRITTEN)
def test_a_picture_that_is_cut_off_is_truncated(format: str, share: float) -> None:
    body = as_bytes(noise(200, 160), format)
    assert said(body[: int(len(body) * share)]) == "truncated"


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 3, 5])
def test_a_jpeg_without_its_end_is_truncated(progressive: bool, missing: int) -> None:
    body = as_bytes(noise(), "JPEG", progressive=progressive)
    assert said(body[:-missing]) == "truncated"


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture() -> None:
    body, thumbnail = as_bytes(noise(), "JPEG"), as_bytes(noise(8, 8), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    body = body[:2] + segment + body[2:]
    assert said(body) == "ok"
    assert said(body[:-2]) == "truncated"


@pytest.mark.parametrize("format", FORMATS_WRITTEN)
def test_what_follows_the_end_is_no_matter(format: str) -> None:
    assert said(as_bytes(noise(), format) + b"\x00\x00\x00\x20more <html>" * 3) == "ok"


def test_a_jpeg_with_restart_markers_is_whole() -> None:
    assert not is_cut_off(as_bytes(noise(), "JPEG", restart_marker_blocks=1))


def test_a_picture_that_is_broken_inside_is_not_an_image() -> None:
    body = bytearray(as_bytes(noise(), "PNG"))
    at = body.index(b"IDAT") + 20
    body[at : at + 10] = bytes(10)
    assert said(bytes(body)) == "not_an_image"


def test_a_bomb_is_known_before_it_is_opened() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert said(body) == "bomb"


def test_a_picture_at_the_limit_is_taken() -> None:
    body = as_bytes(noise(), "PNG")
    assert said(body, Limits(max_pixels=48 * 32)) == "ok"
    assert said(body, Limits(max_pixels=48 * 32 - 1)) == "bomb"


def test_more_bytes_than_the_limit_are_too_large() -> None:
    assert said(as_bytes(noise(), "PNG"), Limits(max_bytes=100)) == "too_large"


def test_nothing_is_raised_for_any_damage() -> None:
    rng = np.random.default_rng(5)
    for format in FORMATS_WRITTEN:
        body = as_bytes(noise(), format)
        for _n in range(40):
            broken = bytearray(body)
            for at in rng.integers(0, len(body), 6):
                broken[at] = rng.integers(256)
            assert said(bytes(broken), Limits(max_pixels=10**6)) in (
                *("ok", "not_an_image", "truncated", "bomb"),
            )


def test_threads_come_to_the_same_results() -> None:
    bodies = [as_bytes(noise(40 + n, 30), "JPEG") for n in range(20)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda body: examine(body, "x"), bodies))
    assert found == [examine(body, "x") for body in bodies]


@pytest.mark.parametrize(
    ("box", "fits"),
    [
        ((10, 10, 50, 50), True),
        ((0, 0, 100, 80), True),
        ((-12, 10, 28, 50), True),  # 70 % of it inside
        ((-13, 10, 27, 50), False),
        ((200, 10, 240, 50), False),
        ((-50, -50, -10, -10), False),
        ((0, 0, 101, 20), False),
        ((10, 10, 13.9, 50), False),
        ((10, 10, 14, 14), True),
    ],
)
def test_a_label_fits_where_it_lies_in_the_picture(
    box: tuple[float, float, float, float], fits: bool
) -> None:
    assert label_fits(box, (100, 80)) is fits


@pytest.mark.parametrize(
    ("urls", "people", "misfit", "is_one"),
    [
        *((1, 1, 1, False), (2, 2, 2, False), (3, 1, 3, False), (3, 2, 3, False)),
        *((4, 1, 4, False), (3, 3, 0, False), (4, 4, 0, False)),
        *((3, 3, 1, True), (4, 3, 4, True), (5, 1, 0, True), (5, 5, 0, True)),
    ],
)
def test_the_same_picture_everywhere_is_a_placeholder(
    urls: int, people: int, misfit: int, is_one: bool
) -> None:
    assert is_placeholder(urls, people, misfit) is is_one


LEFT, MIDDLE, RIGHT = (0.0, 10.0, 30.0, 40.0), (35.0, 10.0, 65.0, 40.0), (70.0, 10.0, 99.0, 40.0)


@pytest.mark.parametrize(
    ("boxes", "n"),
    [
        ({}, 0),
        ({"A": LEFT}, 0),
        ({"A": LEFT, "B": MIDDLE, "C": RIGHT}, 0),
        ({"A": LEFT, "B": (20.0, 10.0, 50.0, 40.0), "C": RIGHT}, 0),  # cheek to cheek
        ({"A": LEFT, "B": (14.0, 10.0, 44.0, 40.0), "C": RIGHT}, 2),
        ({"A": LEFT, "B": LEFT, "C": LEFT}, 3),
        ({"A": (5.0, 15.0, 15.0, 25.0), "B": LEFT}, 2),  # a small face within a large one
        ({"A": LEFT, "B": None, "C": RIGHT}, 1),
        ({"A": LEFT, "B": (300.0, 10.0, 330.0, 40.0), "C": RIGHT}, 1),
    ],
)
def test_labels_of_one_photo_do_not_contradict_each_other(boxes: dict[str, Box], n: int) -> None:
    assert count_misfits(list(boxes.items()), (100, 80)) == n


def test_one_person_may_be_labelled_twice_in_one_place() -> None:
    assert count_misfits([("A", LEFT), ("A", LEFT)], (100, 80)) == 0
