"""Untrusted bytes in, upright 8-bit RGB pixels out, the way a person would see the picture.

`decode` is the only door: an allow-list of formats, limits before decoding, EXIF rotation applied,
ICC colours brought to sRGB, transparency laid on white. `encode` writes pixels and nothing else, so
that no place or camera (EXIF, XMP) is ever passed on.
"""

import struct
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, Self

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from facedet.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, shown_name
from facedet.i18n import gettext as _
from facedet.settings import Settings
from facedet.types import Pixels

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "HEIF")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif"),
)
JPEG_QUALITY = 92

# What Pillow remarks on odd metadata changes nothing in the picture.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

# Our own check of the pixels comes first and is the only limit; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture to accept: bytes of the file, pixels (width x height) when decoded."""

    max_bytes: int = 100_000_000
    max_pixels: int = 50_000_000

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings ask for."""
        return cls(settings.max_image_bytes, settings.max_image_pixels)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One decoded picture: (H, W, 3) uint8 RGB, upright, and the format that it came in."""

    pixels: Pixels
    format: str

    @property
    def image_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        h, w = self.pixels.shape[:2]
        return w, h


def read(path: Path, limits: Limits | None = None) -> Photo:
    """Decode a file, see `decode`; its size is looked at before it is read.

    Raises:
        ImageError: as `decode`, and where the file is missing or may not be read.
    """
    limits = limits or Limits()
    try:
        _check_bytes(path.stat().st_size, path.name, limits)
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NotAnImageError(
            _("{name}: cannot be read ({reason}); check the path and its permissions").format(
                name=shown_name(str(path)), reason=reason
            )
        ) from error
    return decode(data, path.name, limits)


def decode(data: bytes, name: str = "picture", limits: Limits | None = None) -> Photo:
    """Decode a picture: the first frame, upright, 8 bits, RGB, in sRGB colours.

    Args:
        data: the whole file; the format is told from its content, never from `name`.
        name: stands in messages.
        limits: default `Limits()`.

    Raises:
        NotAnImageError: empty, or no format of `FORMATS`.
        ImageTooLargeError: more bytes or declared pixels than `limits`; nothing is decoded then.
        DamagedImageError: cut off or broken inside.
    """
    limits = limits or Limits()
    _check_bytes(len(data), name, limits)
    if not data:
        raise NotAnImageError(_("{name}: the file is empty").format(name=shown_name(name)))
    try:
        with _open(data, name) as image:
            _check_pixels(image.size, name, limits)
            image.load()
            pixels = np.asarray(_as_seen(image))
            return Photo(pixels, "JPEG" if image.format == "MPO" else str(image.format))
    except (NotAnImageError, ImageTooLargeError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        raise DamagedImageError(
            _("{name}: the picture is damaged ({reason}); get it again from where it came").format(
                name=shown_name(name), reason=shown_name(str(error) or type(error).__name__)
            )
        ) from error


def encode(pixels: Pixels, format: Literal["JPEG", "PNG"] = "JPEG") -> bytes:
    """The pixels as a file without any metadata; JPEG at quality 92, PNG without loss."""
    out = BytesIO()
    options = {"quality": JPEG_QUALITY} if format == "JPEG" else {"compress_level": 3}
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def fit(pixels: Pixels, longest_side: int) -> Pixels:
    """The picture scaled down so that its longest side is at most `longest_side`; never up."""
    h, w = pixels.shape[:2]
    scale = longest_side / max(h, w)
    if scale >= 1:
        return pixels
    size = max(1, round(w * scale)), max(1, round(h * scale))
    # reducing_gap: shrink by whole steps first, which is several times faster and looks the same.
    return np.asarray(
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
    )


def _check_bytes(size: int, name: str, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise ImageTooLargeError(
            _("{name}: {size:.0f} MB, the limit is {limit:.0f} MB; make the file smaller").format(
                name=shown_name(name), size=size / 1e6, limit=limits.max_bytes / 1e6
            )
        )


def _check_pixels(image_wh: tuple[int, int], name: str, limits: Limits) -> None:
    w, h = image_wh
    if w * h > limits.max_pixels:
        raise ImageTooLargeError(
            _(
                "{name}: {w:,} x {h:,} pixels, the limit is {limit:.0f} million; scale it down"
            ).format(name=shown_name(name), w=w, h=h, limit=limits.max_pixels / 1e6)
        )


def open_image(data: bytes) -> Image.Image:
    """Pillow's image of a file in one of `FORMATS`, its head read and nothing decoded yet.

    Raises:
        UnidentifiedImageError: another format, or none. And nearly anything else on broken bytes.
    """
    if data[4:8] == b"ftyp":  # Loaded only when a HEIF file comes: its library is large.
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()  # Registers the plugins, once; `formats` may name only what is registered.
    return Image.open(BytesIO(data), formats=[f for f in FORMATS if f in Image.OPEN])


def _open(data: bytes, name: str) -> Image.Image:
    try:
        return open_image(data)
    except UnidentifiedImageError as error:
        raise NotAnImageError(
            _("{name}: {kind}; use JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF or BMP").format(
                name=shown_name(name), kind=_kind(data)
            )
        ) from error


def _kind(data: bytes) -> str:
    """What the bytes seem to be, said to a person; only what people mix up with pictures."""
    start = data[:512].lstrip().lower()
    kinds = {
        (b"<!doctype html", b"<html", b"<head", b"<script"): _("this is a web page, not a picture"),
        (b"<?xml", b"<svg"): _("this is an SVG or XML file, not a photo"),
        (b"%pdf",): _("this is a PDF document, not a photo"),
        (b"pk\x03\x04",): _("this is a ZIP archive or an office document, not a photo"),
        (b"8bps",): _("this is a Photoshop file; save it as JPEG or PNG"),
        (b"\x1aE\xdf\xa3".lower(),): _("this is a WebM or Matroska video, not a photo"),
    }
    for beginnings, kind in kinds.items():
        if start.startswith(beginnings):
            return kind
    return _("this is not a picture that can be read")


def _as_seen(image: Image.Image) -> Image.Image:
    """What a viewer would show: upright, 8-bit RGB, sRGB, on white where transparent."""
    orientation = _orientation(image)
    rgb = _to_rgb(image)
    return _upright(rgb, orientation)


# EXIF orientation -> the transposition that makes the picture upright (EXIF 2.32, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):
        return 1  # Broken metadata is no reason to refuse a good picture.


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"), profile)
    if image.mode == "P":
        image = image.convert("RGB")  # A profile speaks of colours, not of their numbers.
    if profile or image.mode == "LAB":
        image = _to_srgb(image, profile)
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep greyscale (16 or 32 bits, or float) to 8 bits; Pillow's own conversion only cuts off."""
    deep = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((deep >> 8).astype(np.uint8))  # the full range: 65535 is white
    values = deep.astype(np.float32)
    np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    # Otherwise no range is declared: from the darkest to the brightest, as viewers do. In place,
    # for these are the largest arrays that any picture makes.
    values -= low
    values *= 255 / (high - low) if high > low else 1
    return Image.fromarray(np.rint(values, out=values).astype(np.uint8))


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    canvas = Image.new("RGB", image.size, "white")
    coloured = _to_srgb(image.convert("RGB"), profile) if profile else image
    canvas.paste(coloured, mask=image)  # the mask is the alpha channel of an RGBA image
    return canvas


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours as the ICC profile means them; a broken or misplaced profile is ignored."""
    try:
        source = (
            ImageCms.ImageCmsProfile(BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        )
        if profile and "sRGB" in ImageCms.getProfileDescription(source):
            return image
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
