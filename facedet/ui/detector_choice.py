"""Which detector looks at the photo, or which two or three side by side."""

from contextlib import nullcontext

import streamlit as st

from facedet.detectors import Entry
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.errors import FacedetError, ModelError
from facedet.i18n import gettext as _
from facedet.ui import canvas, look, words
from facedet.ui.photo_source import MODEL
from facedet.ui.shell import plain, show_error

MOST_COMPARED = 3
COMPARE = "detect.compare"


def choose() -> list[Entry]:
    """The controls; returns one detector, or two to three to compare, or none where none runs."""
    found = look.catalogue()
    usable = {entry.name: entry for entry in found.usable}
    unusable = [entry for entry in found if not entry.usable]
    if not usable:
        show_error(ModelError(_("no detector can run here; install the packages again")))
        _unusable(unusable)
        return []
    name = st.selectbox(
        _("Detector"), list(usable), format_func=lambda n: usable[n].title, key=MODEL
    )
    compared = [name]
    if st.toggle(_("Compare detectors"), key=COMPARE):
        others = [n for n in usable if n != name]
        compared += st.multiselect(
            _("Beside it, two at most"),
            others,
            default=others[-1:],
            max_selections=MOST_COMPARED - 1,
            format_func=lambda n: usable[n].title,
            key=f"detect.beside.{name}",  # a choice that leaves out the first detector
        )
    else:
        entry = usable[name]
        st.caption(
            plain(_("Good: {good}. Weak: {bad}.").format(good=entry.good_at, bad=entry.bad_at))
        )
    _unusable(unusable)
    return [usable[n] for n in compared]


def pane_of(entry: Entry, given: look.Given) -> canvas.Pane:
    """What a detector finds in the photo, as the canvas shows it.

    Raises:
        FacedetError: where it failed, with the reason.
    """
    # Only a network takes long enough to speak of; for the others it would flash and jump.
    waiting = st.spinner(_("{title} is looking …").format(title=plain(entry.title)))
    with waiting if entry.family == "torchvision" else nullcontext():
        result = look.find_faces(given, entry.name)
    if result.found is None:
        raise FacedetError(result.error or "")
    found = result.found
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
