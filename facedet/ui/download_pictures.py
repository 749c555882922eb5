"""Pictures that came, small: the newest while a download runs, some of them when it is over."""

import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from facedet.download.account import Row
from facedet.download.ledger import Ledger
from facedet.downloads import Dataset
from facedet.errors import ImageError
from facedet.i18n import gettext as _
from facedet.images import fit
from facedet.ui import look, thumbnails
from facedet.ui.thumbnails import Tile

KEY = "download.pictures"
SHOWN = 12
DRAWN_FROM = 240  # of the newest, for the gallery
TILE_PX = 96
SHARED_S = 0.9  # all tabs that look within so long are told the same; shorter than they wait
_BROKEN = (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error)  # what Pillow says


def show_newest(dataset: Dataset) -> None:
    """Those that came last, while others come. Raises `DatasetError`."""
    tiles = _newest(str(dataset.ledger_path))
    thumbnails.show(f"{KEY}.newest", _("The newest pictures"), tiles, tile_px=TILE_PX)


def show_some(dataset: Dataset) -> None:
    """Some of those that are there. Raises `DatasetError`."""
    tiles = _some(str(dataset.ledger_path), dataset.version)
    if tiles:
        thumbnails.show(f"{KEY}.some", _("Some of the pictures"), tiles, tile_px=TILE_PX)


@st.cache_data(max_entries=64, ttl=SHARED_S, show_spinner=False)
def _newest(ledger_path: str) -> list[Tile]:
    with Ledger.open(Path(ledger_path), create=False) as ledger:
        return _tiles(Path(ledger_path).parent, ledger.newest(SHOWN))


@st.cache_data(max_entries=16, ttl="1h", show_spinner=False)
def _some(ledger_path: str, version: tuple[int, ...]) -> list[Tile]:
    with Ledger.open(Path(ledger_path), create=False) as ledger:
        by_file = {row.image_path: row for row in ledger.newest(DRAWN_FROM)}
    rows = list(by_file.values())
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), SHOWN)).astype(int))
    return _tiles(Path(ledger_path).parent, [rows[n] for n in chosen])


def _tiles(folder: Path, rows: Sequence[Row]) -> list[Tile]:
    return [
        Tile(
            id=f"{row.identity}/{row.photo_id}",
            title=row.identity,
            src=_thumbnail(str(folder / row.image_path)),
        )
        for row in rows
    ]


@st.cache_data(max_entries=1000, ttl="1h", show_spinner=False)
def _thumbnail(path: str) -> str:
    """A small picture as a data URL; "" where it cannot be read."""
    try:
        data = Path(path).read_bytes()
        return _drafted(data) or look.thumbnail_url(data)
    except (ImageError, OSError):
        return ""


def _drafted(data: bytes) -> str:
    """A JPEG read at a part of its size, eight times faster for a large one; "" for others.

    Only for what a download has kept: that was judged, and decoded as a whole, when it came.
    """
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as image:
            image.draft("RGB", (look.THUMBNAIL_PX, look.THUMBNAIL_PX))
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except _BROKEN:
        return ""
    return look.data_url(fit(pixels, look.THUMBNAIL_PX))
