"""The cleaners' thresholds as sliders and switches, with what each does, and who is near it."""

import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from facedet import cleanings
from facedet.cleaning import catalogue, table
from facedet.cleaning.cleaner import Cleaner, Threshold
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.ui import (
    cleaning_choice,
    cleaning_gallery,
    cleaning_pictures,
    cleaning_words,
    thumbnails,
)
from facedet.ui.cleaning_view import View
from facedet.ui.shell import plain

KEY = "cleaning.threshold"
MOVED = f"{KEY}.moved"  # which was moved last: its neighbours are shown
ROUND = f"{KEY}.round"
NEAR = 6  # pictures on each side of a threshold


def show(shown: View) -> None:
    """The whole section."""
    st.subheader(_("Move a threshold"), anchor=False)
    st.caption(
        _(
            "Each number was measured once; moving a threshold reads no picture again. "
            "What you set here is kept with the dataset, and counts when pictures are set aside."
        )
    )
    for column, name in zip(st.columns(2, gap="large"), shown.names, strict=True):
        with column, st.container(border=True):
            _panel(shown, catalogue.get(name))
    _near(shown)


def _panel(shown: View, cleaner: Cleaner) -> None:
    judged = shown.tables[cleaner.name]
    aside = int((judged["verdict"] == table.SET_ASIDE).sum())
    st.markdown(
        _("**{name}** sets {n:,} of {total:,} aside").format(
            name=plain(cleaner.title), n=aside, total=len(judged)
        )
    )
    counts = Counter(code for codes in judged["reason"] for code in codes.split())
    for threshold in cleaner.thresholds:
        _one(shown, cleaner, threshold, counts[threshold.name])
    if cleanings.settings_of(shown.place.folder, cleaner):
        st.button(
            _("As it was"),
            key=f"{KEY}.{cleaner.name}.reset",
            icon=":material/restart_alt:",
            on_click=_reset,
            args=(shown, cleaner),
        )


def _one(shown: View, cleaner: Cleaner, threshold: Threshold, count: int) -> None:
    """A switch where it is a rule, a slider where it has a number, and how many it concerns.

    Where they start is said by argument. Said by session state, a run that is cut short leaves a
    slider in the browser that never hears of it: it stands at its lowest, and tells so.
    """
    number, on = cleanings.setting_of(shown.place.folder, cleaner, threshold)
    turn = st.session_state.get(f"{ROUND}.{cleaner.name}", 0)
    key = f"{KEY}.{shown.place.title}.{cleaner.name}.{turn}.{threshold.name}"
    noted = (shown, cleaner.name, threshold, key)
    if threshold.rule:
        label = f"{threshold.label}: {count:,}" if on else threshold.label
        st.toggle(
            plain(label), on, key=f"{key}.on", help=threshold.help, on_change=_keep, args=noted
        )
    if on and not threshold.is_switch:
        st.slider(
            plain(threshold.label),
            float(threshold.low),
            float(threshold.high),
            number,
            step=float(threshold.step),
            format="%.0f" if threshold.step >= 1 else "%.2f",
            key=f"{key}.number",
            help=None if threshold.rule else threshold.help,
            label_visibility="collapsed" if threshold.rule else "visible",
            on_change=_keep,
            args=noted,
        )


def _keep(shown: View, cleaner: str, threshold: Threshold, key: str) -> None:
    before, _on = cleanings.setting_of(shown.place.folder, catalogue.get(cleaner), threshold)
    number = st.session_state.get(f"{key}.number", before)
    on = bool(st.session_state.get(f"{key}.on", True))
    try:
        cleanings.keep_setting(shown.place.folder, cleaner, threshold.name, float(number), on)
    except FacedetError as error:
        cleaning_choice.keep_error(error)
    if threshold.column and on:
        st.session_state[MOVED] = (cleaner, threshold.name)


def _reset(shown: View, cleaner: Cleaner) -> None:
    cleanings.forget_settings(shown.place.folder, cleaner.name)
    # New widgets: the browser would go on showing what it has in the old ones.
    turn = f"{ROUND}.{cleaner.name}"
    st.session_state[turn] = st.session_state.get(turn, 0) + 1


# --- Near the threshold


def _near(shown: View) -> None:
    """The pictures on both sides of one threshold."""
    offered = _offered(shown)
    if not offered:
        return
    names = list(offered)
    moved = st.session_state.get(MOVED)
    key = f"{KEY}.near.{moved}.{shown.names}"
    at = names.index(moved) if moved in names else names.index(_first(names))
    chosen = st.selectbox(
        _("Pictures on both sides of"),
        names,
        index=at,
        format_func=lambda name: f"{offered[name][0].title}: {offered[name][1].label}",
        key=key,
        width=380,
    )
    cleaner, threshold = offered[chosen]
    level = shown.levels[cleaner.name][threshold.name]
    rows = table.borderline(shown.tables[cleaner.name], threshold, NEAR, level)
    values = rows[threshold.column]
    below, above = rows[values < level], rows[values >= level]
    paths = [*below.index, *above.index]
    told = cleaning_words.threshold_value(threshold, level)
    for column, side, title in zip(
        st.columns(2, gap="large"),
        (below, above),
        (_("Below {value}").format(value=told), _("{value} and above").format(value=told)),
        strict=True,
    ):
        with column:
            _side(shown, threshold, side, title, paths)


def _offered(shown: View) -> dict[tuple[str, str], tuple[Cleaner, Threshold]]:
    """The thresholds that count and have a column, in which pictures can be near them."""
    cleaners = [catalogue.get(name) for name in shown.names]
    return {
        (cleaner.name, each.name): (cleaner, each)
        for cleaner in cleaners
        for each in cleaner.thresholds
        if each.column in shown.tables[cleaner.name]
        and not math.isnan(shown.levels[cleaner.name][each.name])
    }


def _first(names: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The face score, where there is one: it is what people ask about."""
    return next((name for name in names if name[1] == "min_score"), names[0])


def _side(
    shown: View, threshold: Threshold, rows: pd.DataFrame, title: str, paths: Sequence[str]
) -> None:
    st.markdown(f"**{plain(title)}**")
    if not len(rows):
        st.caption(_("No picture."))
        return
    badges = [cleaning_words.threshold_value(threshold, v) for v in rows[threshold.column]]
    clicked = thumbnails.show(
        f"{KEY}.side.{title.partition(' ')[0]}",
        title,
        cleaning_pictures.tiles(shown, list(rows.index), badges),
        tile_px=88,
    )
    ids = [cleaning_pictures.id_of(path) for path in paths]
    if clicked in ids:
        name = _("Near the threshold: {label}").format(label=threshold.label)
        cleaning_gallery.show_list(name, paths, ids.index(clicked))
        st.rerun()
