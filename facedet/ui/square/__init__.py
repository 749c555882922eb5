"""The 2 x 2 picture of two cleaners: four large buttons, told apart by colour, edge, sign, word."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from facedet.ui.assets import joined

_component = st.components.v2.component(
    "facedet_square",
    js=joined("square/square.js"),
    css=joined("square/square.css"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One button: what a click returns (and its looks), its number, what it means, and why."""

    id: str
    count: str
    meaning: str
    why: str


def show(
    key: str,
    label: str,
    columns: Sequence[str],
    rows: Sequence[str],
    cells: Sequence[Cell],
    selected: str | None,
) -> str | None:
    """Show it; returns the id of the cell that was just clicked, or None.

    Args:
        columns, rows: the words at its edges, two each.
        cells: four, row by row: ``both``, ``only_first``, ``only_second``, ``neither``.
    """
    data = {
        "label": label,
        "columns": list(columns),
        "rows": list(rows),
        "cells": [asdict(cell) for cell in cells],
        "selected": selected,
    }
    picked = _component(key=key, data=data, on_picked_change=_nothing).picked
    return str(picked) if any(cell.id == picked for cell in cells) else None


def _nothing() -> None:
    """Streamlit returns only those values that have a callback."""
