"""One real line of VGG Face: point at a field and see on a picture what it means."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from facedet.examples import hopper_with_face_at
from facedet.i18n import gettext as _
from facedet.ui.assets import joined
from facedet.ui.look import data_url
from facedet.vggface import FIELDS, parse_line

# Line 1 of one of the real files. The photo that it speaks of is somebody's, and not shown here.
REAL_LINE = (
    "00000001 http://aplive.net/wp-content/uploads/2014/07/aamir_khan_86215.jpg "
    "119.19 99.49 295.47 275.78 3.00 2.31 1"
)
IMAGE_WH = (420, 400)

_component = st.components.v2.component(
    "facedet_line_explainer",
    js=joined("line_explainer/line_explainer.js"),
    css=joined("line_explainer/line_explainer.css"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the line: which, its text, its name for people, what it means."""

    id: str
    text: str
    title: str
    meaning: str


def show(key: str) -> None:
    """Show the line with a picture that stands in for the one it labels."""
    box = parse_line(REAL_LINE.encode()).box_xyxy
    pixels = _stand_in(box)
    data = {
        "label": _("One line of a label file, field by field"),
        "hint": _("Point at a field, or reach it with Tab, to see what it means."),
        "src": pixels,
        "alt": _(
            "Grace Hopper in uniform (US Navy, public domain), standing in for the labelled photo"
        ),
        "width": IMAGE_WH[0],
        "height": IMAGE_WH[1],
        "box": list(box),
        "fields": [asdict(field) for field in fields(REAL_LINE)],
    }
    _component(key=key, data=data)


@st.cache_data(max_entries=1, show_spinner=False)
def _stand_in(box: tuple[float, float, float, float]) -> str:
    pixels = hopper_with_face_at(box, IMAGE_WH)
    return "" if pixels is None else data_url(pixels)


def fields(line: str) -> Sequence[Field]:
    """The line's fields with their names and meanings."""
    meanings = {
        "id": (_("id"), _("The number of the photo within this person's file.")),
        "url": (_("address"), _("Where the photo was in 2015. Half of these are dead by now.")),
        "left": (_("left"), _("From the photo's left edge to the box, in pixels.")),
        "top": (_("top"), _("From the photo's upper edge to the box, in pixels.")),
        "right": (_("right"), _("From the photo's left edge to the box's right side, in pixels.")),
        "bottom": (_("bottom"), _("From the photo's upper edge to the box's lower side.")),
        "pose": (_("pose"), _("Above 2: a frontal face. 1 and 2: seen from the side.")),
        "detection_score": (
            _("detection score"),
            _("How sure the detector of 2015 was, a deformable parts model (DPM): 0 to 6."),
        ),
        "curation": (_("curation"), _("1: checked by people, and in the final set. 0: not.")),
    }
    return [
        Field(id, text, *meanings[id]) for id, text in zip(FIELDS, line.split(" "), strict=True)
    ]
