"""Cleaning: which photos would each of the two cleaners set aside, and which of them is right?"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from facedet import cleanings
from facedet.cleanings import Place
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.ui import (
    cleaning_aside,
    cleaning_choice,
    cleaning_compare,
    cleaning_gallery,
    cleaning_live,
    cleaning_thresholds,
    cleaning_view,
    shell,
)


def page() -> None:
    shell.heading(
        _("Cleaning"),
        _("Which photos would each of the two cleaners set aside, and which of them is right?"),
    )
    try:
        cleaning_choice.show_error_of_click()
        row = st.container(horizontal=True, vertical_alignment="bottom")
        place = cleaning_choice.choose(row)
        if place is not None and not cleaning_choice.show_making(place):
            clean(place, row)
    except FacedetError as error:
        shell.show_error(error)


def clean(place: Place, row: DeltaGenerator) -> None:
    measured = cleanings.measured(place)
    live = cleaning_live.show(place, measured, row)
    settled = [name for name in measured if name not in live]
    if len(settled) > 1:
        compare(place, settled)
    elif settled and not live:
        cleaning_compare.show_one(place, settled[0])
    if not live:
        cleaning_live.code(place, measured or cleaning_live.BOTH)


def compare(place: Place, measured: list[str]) -> None:
    shown = cleaning_view.view(place, cleaning_view.choose_pair(measured))
    cleaning_compare.show(shown)
    st.divider()
    cleaning_gallery.show(shown)
    st.divider()
    cleaning_thresholds.show(shown)
    st.divider()
    cleaning_aside.show(shown)


page()
