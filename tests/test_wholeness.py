import pytest
from PIL import Image

from facedet.wholeness import end_of, is_cut_off
from tests.conftest import as_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")


def picture(format: str) -> bytes:
    return as_bytes(Image.radial_gradient("L"), format)


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_file_ends_where_it_ends(format: str) -> None:
    data = picture(format)
    assert end_of(data) == len(data)


@pytest.mark.parametrize("format", FORMATS)
def test_what_follows_does_not_move_the_end(format: str) -> None:
    data = picture(format)
    assert end_of(data + b"more than that") == len(data)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_part_is_cut_off(format: str, share: float) -> None:
    data = picture(format)
    assert is_cut_off(data[: int(len(data) * share)])


def test_a_jpeg_without_its_last_byte_is_cut_off() -> None:
    assert is_cut_off(picture("JPEG")[:-1])


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a", b"\xff\xd8\x00\x00\x00\x00"])
def test_of_other_bytes_nothing_is_said(data: bytes) -> None:
    assert end_of(data) is None
