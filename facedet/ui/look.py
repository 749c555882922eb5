"""What the server keeps in memory for all sessions: detectors, previews, results. All bounded."""

import base64
import hashlib
from dataclasses import dataclass

import streamlit as st

from facedet.detectors import Catalogue, Detector, load_catalogue
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.detectors.batch import Result, detect_one
from facedet.images import Limits, Photo, decode, encode, fit
from facedet.settings import load_settings
from facedet.types import Pixels
from facedet.ui.canvas import Picture

PREVIEW_PX = 1600  # sharp on a wide screen, and a few hundred kilobytes
THUMBNAIL_PX = 160


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
    """Decode what a visitor gave. Raises `ImageError`."""
    return decode(given.data, given.name, Limits.of(load_settings()))


def picture_of(given: Given) -> Picture:
    """The picture as the canvas shows it. Raises `ImageError`."""
    return _picture(given.key, given)


def find_faces(given: Given, model: str) -> Result:
    """What a detector finds, down to `DEFAULT_FLOOR`; an unreadable picture is an error row."""
    return _result(given.key, model, _version(model), given)


def thumbnail_url(data: bytes) -> str:
    """A small JPEG of a picture as a data URL. Raises `ImageError`."""
    return data_url(fit(decode(data).pixels, THUMBNAIL_PX))


def data_url(pixels: Pixels) -> str:
    """Pixels as a JPEG in a URL, with nothing of the original file's metadata."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(pixels)).decode()


# Streamlit leaves arguments that begin with "_" out of a cache's key: the bytes are, `key` is not.


@st.cache_data(max_entries=32, ttl="1h", show_spinner=False)
def _picture(key: str, _given: Given) -> Picture:
    photo = open_given(_given)
    preview = fit(photo.pixels, PREVIEW_PX)
    return Picture(key=key, src=data_url(preview), image_wh=photo.image_wh)


@st.cache_data(max_entries=256, ttl="1h", show_spinner=False)
def _result(key: str, model: str, version: str, _given: Given) -> Result:
    return detect_one(lambda: open_given(_given), _given.name, model, _detector(model, version))


@st.cache_resource(max_entries=4, show_spinner=False)
def _detector(model: str, version: str) -> Detector:
    # Shared by all sessions: a detector lends itself to threads safely, see `Pool`.
    return catalogue().get(model).load(DEFAULT_FLOOR)


def _version(model: str) -> str:
    """A checkpoint that is replaced under the same name is another detector."""
    entry = catalogue().get(model)
    return f"{entry.source}:{entry.size_bytes}"
