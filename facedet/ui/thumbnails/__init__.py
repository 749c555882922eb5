"""A grid of pictures to click: examples, and the photos of a batch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from facedet.ui.assets import joined

_component = st.components.v2.component(
    "facedet_thumbnails",
    js=joined("thumbnails/thumbnails.js"),
    css=joined("thumbnails/thumbnails.css"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One picture: what a click returns, its name, a data URL ("" where broken), a short mark."""

    id: str
    title: str
    src: str
    badge: str = ""


def show(
    key: str,
    label: str,
    tiles: Sequence[Tile],
    *,
    selected: str | None = None,
    tile_px: int = 64,
    captions: bool = False,
) -> str | None:
    """Show the grid; returns the id of the tile that was just clicked, or None."""
    data = {
        "label": label,
        "items": [asdict(tile) for tile in tiles],
        "selected": selected,
        "tile_px": tile_px,
        "captions": captions,
    }
    picked = _component(key=key, data=data, on_picked_change=_nothing).picked
    return str(picked) if any(tile.id == picked for tile in tiles) else None


def _nothing() -> None:
    """Streamlit returns only those values that have a callback."""
