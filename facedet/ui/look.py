"""What the server keeps in memory for all sessions: detectors, previews, results. All bounded."""

import base64
import hashlib
import os
import threading
from dataclasses import dataclass

import streamlit as st

from facedet.detectors import Catalogue, Detector, load_catalogue
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.detectors.batch import Result, detect_one
from facedet.images import Limits, Photo, decode, encode, fit
from facedet.settings import load_settings
from facedet.types import Pixels
from facedet.ui.canvas import Picture

PREVIEW_PIXELS = 4_000_000  # sharp when zoomed into, and about a megabyte
THUMBNAIL_PX = 160
# A photo of 50 million pixels takes half a gigabyte while it is decoded: visitors wait in turn.
_DECODING = threading.BoundedSemaphore(os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Given:
    """A picture as a visitor gave it: its name, its bytes, and a key made of them."""

    name: str
    data: bytes
    key: str

    @classmethod
    def of(cls, name: str, data: bytes) -> "Given":
        """With the key worked out."""
        return cls(name, data, hashlib.sha256(data).hexdigest()[:32])


def catalogue() -> Catalogue:
    """The detectors; new checkpoints appear without a restart."""
    return load_catalogue(load_settings())


def open_given(given: Given) -> Photo:
    """Decode what a visitor gave, no more at once than there are cores. Raises `ImageError`."""
    with _DECODING:
        return decode(given.data, given.name, Limits.of(load_settings()))


def picture_of(given: Given) -> Picture:
    """The picture as the canvas shows it. Raises `ImageError`."""
    return _picture(given.key, given)


def find_faces(given: Given, model: str) -> Result:
    """What a detector finds, down to `DEFAULT_FLOOR`; an unreadable picture is an error row."""
    try:
        return _result(given.key, model, catalogue().get(model).version, given)
    except _FailedError as failed:
        return failed.result


def thumbnail_url(data: bytes) -> str:
    """A small JPEG of a picture as a data URL. Raises `ImageError`."""
    with _DECODING:
        return data_url(fit(decode(data, limits=Limits.of(load_settings())).pixels, THUMBNAIL_PX))


def data_url(pixels: Pixels) -> str:
    """Pixels as a JPEG in a URL, with nothing of the original file's metadata."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(pixels)).decode()


# Streamlit leaves arguments that begin with "_" out of a cache's key: the bytes are, `key` is not.


@st.cache_data(max_entries=32, ttl="1h", show_spinner=False)
def _picture(key: str, _given: Given) -> Picture:
    photo = open_given(_given)
    w, h = photo.image_wh
    preview = fit(photo.pixels, round(max(w, h) * (PREVIEW_PIXELS / (w * h)) ** 0.5))
    return Picture(key=key, src=data_url(preview), image_wh=photo.image_wh)


@st.cache_data(max_entries=256, ttl="1h", show_spinner=False)
def _result(key: str, model: str, version: str, _given: Given) -> Result:
    result = detect_one(lambda: open_given(_given), _given.name, model, _detector(model, version))
    if result.error is not None:
        raise _FailedError(result)  # Not kept: it may pass, and it names this visitor's file.
    return result


class _FailedError(Exception):
    def __init__(self, result: Result) -> None:
        super().__init__(result.error)
        self.result = result


@st.cache_resource(max_entries=4, show_spinner=False)
def _detector(model: str, version: str) -> Detector:
    # Shared by all sessions: a detector lends itself to threads safely, see `Pool`.
    return catalogue().get(model).load(DEFAULT_FLOOR)
