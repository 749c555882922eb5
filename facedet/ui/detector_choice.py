"""Which detector looks at the photo, or which two or three side by side."""

import streamlit as st

from facedet.detectors import Entry
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.detectors.batch import Result
from facedet.errors import ModelError
from facedet.i18n import gettext as _
from facedet.types import Detections
from facedet.ui import canvas, look, words
from facedet.ui.photo_source import MODEL
from facedet.ui.shell import plain

MOST_COMPARED = 3


def choose() -> list[Entry]:
    """The controls; returns one detector, or two to three to compare.

    Raises:
        ModelError: where none can run here.
    """
    found = look.catalogue()
    usable = {entry.name: entry for entry in found.usable}
    if not usable:
        raise ModelError(_("no detector can run here; install the packages again"))
    name = st.selectbox(
        _("Detector"), list(usable), format_func=lambda n: usable[n].title, key=MODEL
    )
    compared = [name]
    if st.toggle(_("Compare detectors"), key="detect.compare"):
        others = [n for n in usable if n != name]
        compared += st.pills(
            _("Beside it"),
            others,
            default=others[-1:],
            selection_mode="multi",
            format_func=lambda n: usable[n].title,
            key="detect.beside",
        )[: MOST_COMPARED - 1]
    else:
        entry = usable[name]
        st.caption(
            plain(_("Good: {good}. Weak: {bad}.").format(good=entry.good_at, bad=entry.bad_at))
        )
    _unusable([entry for entry in found if not entry.usable])
    return [usable[n] for n in compared]


def pane_of(entry: Entry, result: Result) -> canvas.Pane:
    """What the canvas needs to show a detector's result."""
    found = result.found if result.found is not None else Detections.empty((1, 1))
    w, h = found.image_wh
    return canvas.Pane(
        name=entry.name,
        title=entry.title,
        found=found,
        threshold=entry.default_score,
        floor=DEFAULT_FLOOR,
        facts=[
            (_("Detector"), words.duration(result.detect_s)),
            (_("Decoding"), words.duration(result.decode_s)),
            (_("Photo"), f"{w:,} x {h:,}"),
        ],
    )


def _unusable(entries: list[Entry]) -> None:
    if entries:
        with st.expander(_("Cannot run here: {n}").format(n=len(entries))):
            for entry in entries:
                st.markdown(f"**{plain(entry.title)}**: {plain(entry.problem or '')}")
