"""The "take away" dialog: one photo with boxes, redacted, or its boxes in four formats."""

from pathlib import PurePath

import numpy as np
import streamlit as st

from facedet.draw import Redaction, RedactionShape, RedactionStyle, redact
from facedet.exports import (
    PICTURE_SUFFIX,
    LabelFormat,
    PictureFormat,
    copy_format,
    copy_suffix,
    label_files,
    picture_copy,
)
from facedet.files import safe_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import Photo, fit
from facedet.types import Detections
from facedet.ui import canvas, look

PREVIEW_PX = 700
ASKED = "take_away.asked"  # what was asked for, until the dialog is closed


def ask(asked: canvas.TakeAway) -> None:
    """Somebody wants to take faces away: the dialog opens in this run and stays in later ones."""
    st.session_state[ASKED] = (asked.photo, asked.model, asked.min_score, asked.chosen)


def show_if_asked(given: look.Given) -> None:
    """The dialog, where it was asked for this very photo."""
    # A dialog lives only as long as each run calls it, and a run may follow for any reason.
    asked = st.session_state.get(ASKED)
    if asked is None or asked[0] != given.key:
        return
    _photo, model, min_score, chosen = asked
    result = look.find_faces(given, model)
    if result.found is not None:
        dialog = st.dialog(_("Take away"), width="medium", on_dismiss=_close)
        dialog(_body)(given, result.found.at_least(min_score), chosen, model)


def _close() -> None:
    st.session_state[ASKED] = None


def _body(given: look.Given, found: Detections, chosen: tuple[int, ...], model: str) -> None:
    kept = found
    if chosen and st.toggle(_("Only the {n} chosen").format(n=len(chosen)), value=True):
        kept = found[np.array(chosen, np.intp)]
    faces = ngettext("{n} face", "{n} faces", len(kept)).format(n=len(kept))
    st.markdown(
        _("{faces}, at the score that you set. No camera data or place goes with it.").format(
            faces=faces
        )
    )
    photo = look.open_given(given)
    stem = PurePath(safe_name(given.name)).stem
    # Only the tab that is open does its work.
    boxes, redacted, labels = st.tabs(
        [_("With boxes"), _("Redacted"), _("Labels")], on_change="rerun"
    )
    if boxes.open:
        with boxes:
            _with_boxes(photo, kept, stem)
    if redacted.open:
        with redacted:
            _redacted(photo, kept, stem)
    if labels.open:
        with labels:
            _labels(kept, f"{stem}{copy_suffix(photo)}", model)


def _with_boxes(photo: Photo, found: Detections, stem: str) -> None:
    w, h = photo.image_wh
    st.caption(_("Full size: {w:,} x {h:,} pixels.").format(w=w, h=h))
    _download(_("Download the picture with boxes"), photo, found, None, f"{stem}-boxes")


def _redacted(photo: Photo, found: Detections, stem: str) -> None:
    how = _redaction_controls()
    n = len(found)
    # As a URL of its own: a file of Streamlit's may be gone before a quick change has loaded it.
    st.image(
        look.data_url(fit(redact(photo.pixels, found, how), PREVIEW_PX)),
        alt=ngettext("The photo with {n} face hidden", "The photo with {n} faces hidden", n).format(
            n=n
        ),
        width="stretch",
    )
    st.caption(
        _("This cannot be undone: each face is first averaged to 8 x 8 values at most.")
        if how.style != "fill"
        else _("This cannot be undone: the faces are painted over.")
    )
    _download(_("Download the redacted picture"), photo, found, how, f"{stem}-redacted")


def _download(
    label: str, photo: Photo, found: Detections, how: Redaction | None, stem: str
) -> None:
    """The button, and the choice of the file's format beside it."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    format: PictureFormat = row.segmented_control(
        _("File type"), list(PICTURE_SUFFIX), default=copy_format(photo), required=True
    )
    row.download_button(
        label,
        lambda: picture_copy(photo, found, how, format),
        file_name=f"{stem}{PICTURE_SUFFIX[format]}",
        mime=f"image/{format.lower()}",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )


def _redaction_controls() -> Redaction:
    styles: dict[RedactionStyle, str] = {
        "blur": _("Blur"),
        "pixelate": _("Pixelate"),
        "fill": _("Fill"),
    }
    shapes: dict[RedactionShape, str] = {"box": _("Box"), "ellipse": _("Ellipse")}
    left, right = st.columns(2)
    style = left.segmented_control(
        _("How"), list(styles), default="blur", required=True, format_func=styles.__getitem__
    )
    shape = right.segmented_control(
        _("Shape"), list(shapes), default="box", required=True, format_func=shapes.__getitem__
    )
    margin = st.slider(_("Margin around the box, % of its side"), 0, 60, 15, step=5)
    return Redaction(style=style, shape=shape, margin=margin / 100)


def _labels(found: Detections, image_name: str, model: str) -> None:
    formats: dict[LabelFormat, tuple[str, str]] = {
        "csv": (_("CSV"), _("the lab's label table: x1, y1, x2, y2 in pixels")),
        "coco": (_("COCO JSON"), _("left, top, width, height in pixels")),
        "yolo": (_("YOLO"), _("centre and size, 0 to 1")),
        "voc": (_("Pascal VOC"), _("XML, whole pixels counted from 1")),
    }
    for format, (title, meaning) in formats.items():
        file = label_files([(image_name, found)], format, model)[0]
        name, note = st.columns([1, 2], vertical_alignment="center")
        name.download_button(
            title,
            file.data,
            file_name=PurePath(file.path).name,
            on_click="ignore",
            icon=":material/download:",
            key=f"take.{format}",
            width="stretch",
        )
        note.caption(meaning)
