import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facedet import images
from facedet.errors import DamagedImageError, ImageError, ImageTooLargeError, NotAnImageError
from facedet.images import Limits, decode, encode, fit, read
from tests.conftest import as_bytes, turned_png


def corner_picture() -> Image.Image:
    """40 x 24, red at the top left, green at the top right, blue at the bottom left."""
    pixels = np.full((24, 40, 3), 255, np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    pixels[:8, -8:] = (0, 255, 0)
    pixels[-8:, :8] = (0, 0, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF"])
def test_each_format_is_decoded_whatever_it_is_called(format: str) -> None:
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    photo = decode(as_bytes(corner_picture(), format), "wrong.txt")
    assert photo.format == format
    assert photo.image_wh == (40, 24)
    assert photo.pixels.dtype == np.uint8
    red = photo.pixels[3, 3].astype(int)
    assert red[0] > 200
    assert red[1] < 80
    assert red[2] < 80


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    upright = corner_picture()
    photo = decode(turned_png(upright, orientation))
    np.testing.assert_array_equal(photo.pixels, np.asarray(upright))


def test_sixteen_bits_keep_their_full_range() -> None:
    deep = np.array([[0, 32768, 65535]], np.uint16)
    photo = decode(as_bytes(Image.fromarray(deep), "PNG"))
    assert photo.pixels[0, :, 0].tolist() == [0, 128, 255]


def test_float_pictures_are_stretched_to_what_a_viewer_shows() -> None:
    values = np.array([[-2.0, 0.0, 2.0]], np.float32)
    photo = decode(as_bytes(Image.fromarray(values), "TIFF"))
    assert photo.pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LAB"])
def test_other_modes_look_like_what_they_were_made_of(mode: str) -> None:
    grey = Image.new("RGB", (16, 16), (180, 180, 180))
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        image = ImageCms.applyTransform(grey, to_lab)
        assert image is not None
    else:
        image = grey.convert(mode)
    photo = decode(as_bytes(image, "TIFF"))
    assert photo.pixels.shape == (16, 16, 3)
    assert abs(float(photo.pixels.mean()) - 180) < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    assert decode(as_bytes(image, "PNG", **options)).pixels.min() == 255


def swapped_profile() -> bytes:
    """sRGB's own profile with its red and blue primaries exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {data[132 + 12 * n : 136 + 12 * n]: 132 + 12 * n for n in range(data[131])}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    out = bytearray(data)
    out[red + 4 : red + 12], out[blue + 4 : blue + 12] = (
        data[blue + 4 : blue + 12],
        data[red + 4 : red + 12],
    )
    return (
        bytes(out).replace(b"s\0R\0G\0B", b"m\0i\0n\0e").replace(b"\0s\0R\0G\0B", b"\0m\0i\0n\0e")
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_of_a_profile_are_brought_to_srgb(mode: str) -> None:
    image = Image.new("RGB", (4, 4), (220, 40, 30)).convert(mode)
    red, _green, blue = decode(as_bytes(image, "PNG", icc_profile=swapped_profile())).pixels[0, 0]
    assert blue > 200
    assert red < 60


def test_thirty_two_bits_are_stretched_from_the_darkest_to_the_brightest() -> None:
    image = Image.fromarray(np.array([[0, 100, 200]], np.int32))
    assert decode(as_bytes(image, "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]


def test_a_broken_profile_is_ignored() -> None:
    data = as_bytes(Image.new("RGB", (4, 4), "red"), "PNG", icc_profile=b"no profile")
    assert decode(data).pixels[0, 0].tolist() == [255, 0, 0]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = as_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).pixels[0, 0].tolist() == [255, 0, 0]


def declared_png(w: int, h: int) -> bytes:
    """A PNG whose header declares w x h pixels and whose body holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_thirty_thousand_pixels_square_are_refused_before_decoding() -> None:
    with pytest.raises(ImageTooLargeError, match="30,000 x 30,000 pixels, the limit is 50 million"):
        decode(declared_png(30_000, 30_000))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="limit"):
        decode(b"x" * 2_000_001, limits=Limits(max_bytes=2_000_000))


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", NotAnImageError, "empty"),
        (b"hello there, this is text", NotAnImageError, "not a picture"),
        (b"<!DOCTYPE html><html>404</html>", NotAnImageError, "web page"),
        (b"%PDF-1.7 ...", NotAnImageError, "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NotAnImageError, "SVG"),
        (b"\x89PNG\r\n\x1a\n", NotAnImageError, "not a picture"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, error: type[ImageError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        decode(data, "thing.jpg")
    assert str(caught.value).startswith("thing.jpg: ")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_half_a_picture_is_damaged(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = as_bytes(Image.fromarray(noise), format)
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


def test_a_bad_checksum_is_damage() -> None:
    data = bytearray(as_bytes(corner_picture(), "PNG"))
    data[data.index(b"IDAT") + 10] ^= 0xFF
    with pytest.raises(DamagedImageError):
        decode(bytes(data))


@pytest.mark.parametrize("name", ["../../x", "n" * 300, "a\nb", "<script>", "a\x00b"])
def test_hostile_names_stay_on_one_short_line(name: str) -> None:
    with pytest.raises(NotAnImageError) as caught:
        decode(b"no picture", name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 220


@pytest.mark.parametrize("name", ["missing.jpg", "n" * 300, "a\x00b"])
def test_a_file_that_cannot_be_read_is_an_image_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAnImageError, match="cannot be read"):
        read(tmp_path / name)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(NotAnImageError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_nothing_of_the_metadata_is_written_out_again(format: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)  # GPS latitude
    options = {"exif": exif, "comment": b"SecretComment"} if format == "JPEG" else {"exif": exif}
    photo = decode(as_bytes(corner_picture(), format, **options))
    written = encode(photo.pixels, "JPEG" if format == "JPEG" else "PNG")
    assert b"Secret" not in written
    with Image.open(BytesIO(written)) as again:
        assert not again.getexif()
        assert set(again.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_fit_scales_down_and_never_up() -> None:
    pixels = np.zeros((30, 100, 3), np.uint8)
    assert fit(pixels, 50).shape == (15, 50, 3)
    assert fit(pixels, 200) is pixels
    assert fit(np.zeros((1, 1000, 3), np.uint8), 100).shape == (1, 100, 3)


def test_limits_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from facedet.settings import load_settings

    monkeypatch.setenv("FACEDET_MAX_MEGAPIXELS", "0.0001")
    with pytest.raises(ImageTooLargeError):
        images.decode(as_bytes(corner_picture(), "PNG"), limits=Limits.of(load_settings()))
