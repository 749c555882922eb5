"""The box canvas: a photo with boxes whose threshold, zoom and table live in the browser.

`show` mounts it and returns what a visitor asked for. No slider movement reaches Python; when faces
are to be taken away, the request carries threshold and choice with it.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from facedet.detectors.agreement import shared_faces
from facedet.files import safe_name
from facedet.i18n import gettext as _
from facedet.i18n import language
from facedet.types import Detections
from facedet.ui.assets import joined

_component = st.components.v2.component(
    "facedet_canvas",
    js=joined("canvas/geometry.js", "canvas/paint.js", "canvas/pane.js", "canvas/canvas.js"),
    css=joined("canvas/canvas.css"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What lies under the boxes.

    Args:
        key: changes when the picture does.
        src: a data URL; may be smaller than the photo.
        image_wh: size of the photo itself, in whose pixels the boxes are.
    """

    key: str
    src: str
    image_wh: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One detector's boxes on the picture.

    Args:
        name, title: of the detector.
        found: all boxes, down to the lowest score that the slider shall reach.
        threshold: where the slider starts, 0-1.
        floor: the lowest score that the slider reaches, 0-1.
        facts: label and value of each fact to stand beside the number of faces.
    """

    name: str
    title: str
    found: Detections
    threshold: float
    floor: float
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TakeAway:
    """A visitor wants these faces: of one photo and model, at this score, perhaps chosen ones."""

    photo: str
    model: str
    min_score: float
    chosen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pasted:
    """Files from the clipboard, or dropped on the stage: name and bytes of each, one at least."""

    files: tuple[tuple[str, bytes], ...]


def show(key: str, picture: Picture, panes: Sequence[Pane]) -> TakeAway | Pasted | None:
    """Show the picture, with one pane a detector; returns what the visitor just asked for."""
    data = {
        "image": {
            "key": picture.key,
            "src": picture.src,
            "width": picture.image_wh[0],
            "height": picture.image_wh[1],
        },
        "panes": pane_data(panes),
    }
    return _mount(key, data)


def show_empty(key: str, title: str, text: str) -> Pasted | None:
    """The same frame with an invitation in it; takes a pasted picture as well."""
    asked = _mount(key, {"empty": {"title": title, "text": text}})
    return asked if isinstance(asked, Pasted) else None


def pane_data(panes: Sequence[Pane]) -> list[dict[str, Any]]:
    """The panes as the browser gets them; equal faces of several panes carry the same number."""
    faces = shared_faces([pane.found for pane in panes])
    number: list[dict[int, int]] = [{} for _pane in panes]
    for n, face in enumerate(faces):
        for k in face.finders:
            index = face.index_by_detector[k]
            assert index is not None
            number[k][index] = n
    return [
        {
            "name": pane.name,
            "title": pane.title,
            "heading": len(panes) > 1,
            "boxes": [
                [*map(float, box), float(score), number[k][i]]
                for i, (box, score) in enumerate(
                    zip(pane.found.boxes_xyxy, pane.found.scores, strict=True)
                )
            ],
            "threshold": pane.threshold,
            "floor": pane.floor,
            "facts": [list(fact) for fact in pane.facts],
        }
        for k, pane in enumerate(panes)
    ]


def _mount(key: str, data: dict[str, Any]) -> TakeAway | Pasted | None:
    result = _component(
        key=key,
        data={**data, "texts": _texts(), "language": language()},
        on_take_away_change=_nothing,
        on_pasted_change=_nothing,
    )
    if result.pasted:
        return _pasted(result.pasted)
    return _take_away(result.take_away) if result.take_away else None


def _nothing() -> None:
    """Streamlit returns only those values that have a callback."""


def _pasted(value: Any) -> Pasted | None:
    try:
        files = [
            (safe_name(str(f["name"])), base64.b64decode(f["base64"], validate=True)) for f in value
        ]
    except (KeyError, TypeError, binascii.Error):
        return None  # Only our own script sends this; whatever else comes is dropped.
    return Pasted(tuple(files)) if files else None


def _take_away(value: Any) -> TakeAway | None:
    try:
        chosen = tuple(int(index) for index in value["chosen"])
        min_score = float(value["min_score"])
        return TakeAway(str(value["photo"]), str(value["model"]), min_score, chosen)
    except (KeyError, TypeError, ValueError):
        return None


def _texts() -> dict[str, str]:
    return {
        "as_table": _("{faces} as a table"),
        "boxes": _("Boxes"),
        "boxes_label": _("Boxes: show or hide (B)"),
        "by_all": _("found by all: {n}"),
        "chosen": _("{n} chosen"),
        "face": _("{n} face"),
        "face_at": _("left {left}, top {top}, {width} by {height} pixels, score {score}"),
        "face_i_of_n": _("Face {i} of {n}: {face}"),
        "faces": _("{n} faces"),
        "faces_fact": _("Faces"),
        "fit": _("Fit"),
        "fit_label": _("Fit: show the whole photo (0)"),
        "height": _("height"),
        "keys": _(
            "Click a face to choose it. Keys: ← → face, Space choose, Enter zoom to it. "
            "Ctrl and the wheel zoom."
        ),
        "left": _("left"),
        "only_by": _("only {title}: {n}"),
        "score": _("score"),
        "stage": _("Photo. Arrow keys go from face to face."),
        "table": _("Table of faces"),
        "take_away": _("Take away …"),
        "threshold": _("Show faces scored at least"),
        "top": _("top"),
        "width": _("width"),
        "zoom_in": _("Zoom in (+)"),
        "zoom_out": _("Zoom out (-)"),
    }
