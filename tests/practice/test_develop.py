"""Pixels to files: formats, quality, orientation, and what a site's shrinking does."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from facedet.images import decode
from facedet.practice.develop import FORMATS, File, Format, develop, shrink
from facedet.types import Pixels


@pytest.fixture
def slope() -> Pixels:
    """Dark at the left, bright at the right, red at the top: every turn of it shows."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[..., 1] = np.linspace(0, 250, 90).astype(np.uint8)
    pixels[:20, :, 0] = 200
    return pixels


def exif_of(file: File) -> int:
    from io import BytesIO

    with Image.open(BytesIO(file.data)) as image:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_back_as_the_same_picture(name: Format, slope: Pixels) -> None:
    file = develop(slope, np.random.default_rng(0), name)
    photo = decode(file.data)
    assert photo.format == name
    assert (file.suffix, file.content_type) == FORMATS[name][:2]
    assert np.abs(photo.pixels.astype(int) - slope).mean() < 8


def test_a_turned_file_is_upright_again_when_read(slope: Pixels) -> None:
    rng = np.random.default_rng(3)
    files = [develop(slope, rng, "JPEG") for _n in range(150)]
    tags = {exif_of(file) for file in files}
    assert tags == {1, 3, 6, 8}
    for file in files:
        pixels = decode(file.data).pixels
        assert pixels.shape == slope.shape
        assert np.abs(pixels.astype(int) - slope).mean() < 8


def test_none_is_turned_where_that_is_not_wanted(slope: Pixels) -> None:
    rng = np.random.default_rng(3)
    assert {exif_of(develop(slope, rng, "JPEG", orient=False)) for _n in range(60)} == {1}


def test_the_same_numbers_make_the_same_bytes(slope: Pixels) -> None:
    files = [develop(slope, np.random.default_rng(5)) for _n in range(2)]
    assert files[0] == files[1]


def test_every_file_takes_the_same_count_of_random_numbers(slope: Pixels) -> None:
    rngs = [np.random.default_rng(5) for _name in FORMATS]
    for name, rng in zip(FORMATS, rngs, strict=True):
        develop(slope, rng, name)
    assert len({rng.random() for rng in rngs}) == 1


def test_most_files_are_jpeg_and_every_format_occurs(slope: Pixels) -> None:
    rng = np.random.default_rng(0)
    suffixes = [develop(slope, rng).suffix for _n in range(200)]
    assert suffixes.count(".jpg") > 140
    assert set(suffixes) == {suffix for suffix, _type, _share in FORMATS.values()}


@pytest.mark.parametrize("scale", [0.4, 0.75])
def test_boxes_shrink_with_the_picture(scale: float, slope: Pixels) -> None:
    small, boxes = shrink(slope, np.array([[45, 30, 90, 60]], np.float32), scale)
    h, w = small.shape[:2]
    assert w == round(90 * scale)
    np.testing.assert_allclose(boxes, [[w / 2, h / 2, w, h]])
    assert boxes.dtype == np.float32


def test_a_picture_without_faces_shrinks_too(slope: Pixels) -> None:
    assert shrink(slope, np.empty((0, 4), np.float32), 0.5)[1].shape == (0, 4)
