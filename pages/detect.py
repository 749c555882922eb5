"""Detect: where are the faces in this photo, and how sure is the detector?"""

import streamlit as st

from facedet.detectors import Entry
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.ui import batch_view, canvas, detector_choice, look, photo_source, shell, take_away
from facedet.ui.detector_choice import COMPARE
from facedet.ui.photo_source import BATCH


def page() -> None:
    shell.heading(
        _("Detect"), _("Where are the faces in this photo, and how sure is the detector?")
    )
    # Several panes need the width more than the controls do.
    width = 3.6 if st.session_state.get(COMPARE) else 2.3
    picture, controls = st.columns([width, 1], gap="large")
    with controls:
        camera_on = photo_source.choose()
        models = detector_choice.choose()
    with picture:
        if camera_on:
            photo_source.camera()
        show(models, camera_on)


def show(models: list[Entry], camera_on: bool) -> None:
    try:
        if BATCH in st.query_params:
            show_batch(models)
        elif models and (given := photo_source.given_photo()) is not None:
            show_photo(given, models)
        elif not camera_on:
            invite()
    except FacedetError as error:
        shell.show_error(error)


def invite() -> None:
    take_pasted(
        canvas.show_empty(
            "detect.canvas",
            _("Boxes will appear here"),
            _("Drop a photo, paste one with Ctrl+V, or click an example."),
        )
    )


def show_photo(given: look.Given, models: list[Entry]) -> None:
    try:
        picture = look.picture_of(given)
    except FacedetError:
        invite()
        raise
    panes = [detector_choice.pane_of(entry, given) for entry in models]
    asked = canvas.show("detect.canvas", picture, panes)
    take_pasted(asked)
    if isinstance(asked, canvas.TakeAway):
        take_away.ask(asked)
    take_away.show_if_asked(given)


def show_batch(models: list[Entry]) -> None:
    batch = batch_view.open_from_address(st.query_params[BATCH])
    if (given := batch_view.opened(batch)) is not None:
        batch_view.back_button()
        batch_entry = batch_view.entry_of(batch)
        # Alone, it is shown as its gallery counted it; compared, by those that were chosen.
        show_photo(given, [batch_entry] if batch_entry and len(models) == 1 else models)
    else:
        batch_view.show(batch)


def take_pasted(asked: canvas.TakeAway | canvas.Pasted | None) -> None:
    if isinstance(asked, canvas.Pasted):
        photo_source.give_all(asked.files)
        st.rerun()


page()
