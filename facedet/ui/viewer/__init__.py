"""One picture of a dataset, large, with its boxes: looked at and judged by keyboard.

Zoom and hover live in the browser. Python hears of it when a visitor goes on to another picture, or
decides about this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import streamlit as st

from facedet.i18n import gettext as _
from facedet.ui.assets import joined

# What a box is: labelled, labelled as one to ignore, a face that counts, one that is too unsure,
# and a face found by the second of two detectors.
Kind = Literal["label", "ignored", "found", "weak", "second"]
Choice = Literal["keep", "set_aside", "forget"]

_component = st.components.v2.component(
    "facedet_viewer",
    js=joined("viewer/viewer.js"),
    css=joined("viewer/viewer.css"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box on the picture: xyxy in pixels of the upright picture, what it is, its words."""

    xyxy: tuple[float, float, float, float]
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is in view.

    Args:
        id: of the picture; comes back with a decision.
        src: a data URL; empty where the picture cannot be shown, then `message` says why.
        image_wh: in whose pixels the boxes are.
        at, n: its place in the list, from 0, and how many there are.
        place: the same in words.
        choice: what a person decided, so that its button is pressed.
        come: whether a visitor has just asked for it from elsewhere, so that it comes into view
            and takes the keys.
    """

    id: str
    src: str
    image_wh: tuple[int, int]
    at: int
    n: int
    place: str
    alt: str
    message: str = ""
    boxes: Sequence[Box] = ()
    choice: Literal["keep", "set_aside", ""] = ""
    come: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """A visitor wants the picture at this place of the list."""

    at: int


@dataclass(frozen=True, slots=True)
class Decide:
    """A visitor decides about a picture."""

    id: str
    choice: Choice


def show(key: str, shown: Shown, on_ask: Callable[[Go | Decide], None]) -> None:
    """Show the picture; `on_ask` is called, before the page runs anew, with what a visitor asks."""

    def asked() -> None:
        wish = _wish(st.session_state[key], shown.n)
        if wish is not None:
            on_ask(wish)

    data = {**asdict(shown), "texts": _texts()}
    _component(key=key, data=data, on_go_change=asked, on_decide_change=asked)


def _wish(result: Any, n: int) -> Go | Decide | None:
    if result.get("decide"):
        return _decide(result["decide"])
    return _go(result.get("go"), n)


def _go(value: Any, n: int) -> Go | None:
    is_place = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n
    return Go(value) if is_place else None


def _decide(value: Any) -> Decide | None:
    try:
        id, choice = str(value["id"]), value["choice"]
    except (KeyError, TypeError):
        return None  # Only our own script sends this; whatever else comes is dropped.
    return Decide(id, choice) if choice in ("keep", "set_aside", "forget") else None


def _texts() -> dict[str, str]:
    return {
        "aside": _("Set aside (A)"),
        "boxes": _("Boxes (B)"),
        "fit": _("Fit (0)"),
        "forget": _("Undecide (U)"),
        "keep": _("Keep (K)"),
        "keys": _("Keys: ← → picture, K keep, A set aside, U leave it to the cleaners."),
        "legend_found": _("found"),
        "legend_ignored": _("label to ignore"),
        "legend_label": _("label"),
        "legend_second": _("found by the second"),
        "legend_weak": _("too unsure"),
        "next": _("Next picture (→)"),
        "previous": _("Previous picture (←)"),
        "stage": _("Picture. Arrow keys go to the next one, K keeps it, A sets it aside."),
        "zoom_in": _("Zoom in (+)"),
        "zoom_out": _("Zoom out (-)"),
    }
