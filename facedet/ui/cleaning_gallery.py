"""The pictures of a cell, or of any list: a page of small ones, one of them large, to be judged."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, cast

import pandas as pd
import streamlit as st

from facedet.cleaning import catalogue, decisions, quarantine
from facedet.cleaning.compare import Cell
from facedet.errors import FacedetError, shown_name
from facedet.i18n import gettext as _
from facedet.ui import (
    cleaning_choice,
    cleaning_pictures,
    cleaning_view,
    cleaning_words,
    thumbnails,
    viewer,
)
from facedet.ui.cleaning_view import View
from facedet.ui.shell import plain, show_error

KEY = "cleaning.gallery"
# In the session: what the gallery shows, ("cell", which) or ("list", title, paths); and the list
# itself with the place in it. The list stays as it is while one decides: nothing slips away.
SOURCE = f"{KEY}.source"
OF = f"{KEY}.of"  # of which place that is
OPEN = f"{KEY}.open"
DECIDED = f"{KEY}.decided"
COME = f"{KEY}.come"  # the large picture was asked for from elsewhere
TILES = f"{KEY}.tiles"
PAGE = 24
TILE_PX = 88
# Where two cleaners differ is what one wants to see first.
_FIRST: tuple[Cell, ...] = ("only_first", "only_second", "neither", "both")


def show_cell(cell: str) -> None:
    """From now on the gallery shows this cell."""
    st.session_state[SOURCE] = ("cell", cell)


def show_list(title: str, paths: Sequence[str], at: int = 0) -> None:
    """From now on the gallery shows these pictures, and one of them large."""
    st.session_state[SOURCE] = ("list", title, tuple(paths), at)
    st.session_state[COME] = True


def cell_shown(shown: View) -> Cell | None:
    """The cell in the gallery; None while it shows another list. Another place begins anew."""
    if st.session_state.get(OF) != shown.place.title:
        st.session_state[OF] = shown.place.title
        first = next((cell for cell in _FIRST if shown.compared.cells[cell]), "both")
        show_cell(first)
    source = st.session_state[SOURCE]
    return cast(Cell, source[1]) if source[0] == "cell" else None


def picked(key: str) -> str | None:
    """What was just clicked in a component, known before it is shown once more."""
    return (st.session_state.get(key) or {}).get("picked")


def show(shown: View) -> None:
    """The gallery; runs by itself when one only looks on."""
    st.fragment(_show)(shown)


def _show(shown: View) -> None:
    if st.session_state.pop(DECIDED, False):
        st.rerun()  # the counts above change, too
    try:
        _gallery(shown)
    except FacedetError as error:  # a fragment that runs by itself has no page around it
        show_error(error)


def _gallery(shown: View) -> None:
    title, everything = _source(shown)
    st.subheader(plain(title), anchor=False)
    if not everything:
        st.caption(_("There is no picture here."))
        return
    left, right = st.columns([1.7, 1], gap="medium")
    with right:
        paths = _opened(shown, _filtered(shown, everything))
        _small(shown, paths)
    with left:
        _large(shown, paths)


def _source(shown: View) -> tuple[str, Sequence[str]]:
    """What is to be shown: its title and its pictures."""
    cell = cell_shown(shown)
    if cell is None:
        _list, title, paths, _at = st.session_state[SOURCE]
        known = set[str]().union(*(table.index for table in shown.tables.values()))
        return title, [path for path in paths if path in known]
    paths = shown.compared.cells[cell]
    meaning = cleaning_view.cell_meaning(shown, cell)
    return _("{cell}: {n:,}").format(cell=_capital(meaning), n=len(paths)), paths


def _filtered(shown: View, paths: Sequence[str]) -> Sequence[str]:
    """Those with one reason, where one is chosen."""
    said = [_codes(shown, path) for path in paths]
    counts = Counter(code for codes in said for code in codes)
    codes = [code for code, _n in counts.most_common()]
    chosen = st.selectbox(
        _("Reason"),
        codes,
        index=None,
        format_func=lambda code: f"{cleaning_words.reason(code)} ({counts[code]:,})",
        placeholder=_("All reasons"),
        key=f"{KEY}.reason.{cell_shown(shown)}",
        disabled=not codes,
    )
    if chosen not in counts:
        return paths
    return [path for path, codes in zip(paths, said, strict=True) if chosen in codes]


def _codes(shown: View, image_path: str) -> list[str]:
    """All that either cleaner says against a picture, each once."""
    said = (reasons.get(image_path, "").split() for reasons in shown.reasons.values())
    return list(dict.fromkeys(code for codes in said for code in codes))


def _opened(shown: View, paths: Sequence[str]) -> Sequence[str]:
    """The list as it was when it was opened; another one where something else is asked for."""
    source = st.session_state[SOURCE]
    reason = st.session_state.get(f"{KEY}.reason.{cell_shown(shown)}")
    which = (shown.place.title, shown.names, shown.version, source, reason)
    kept = st.session_state.get(OPEN)
    if kept is None or kept[0] != which:
        at = source[3] if source[0] == "list" else 0
        st.session_state[OPEN] = (which, tuple(paths), min(at, len(paths) - 1))
    opened: tuple[str, ...] = st.session_state[OPEN][1]
    return opened


def _at() -> int:
    return int(st.session_state[OPEN][2])


def _go(at: int) -> None:
    which, paths, _before = st.session_state[OPEN]
    st.session_state[OPEN] = (which, paths, max(0, min(at, len(paths) - 1)))


# --- Small


def _small(shown: View, paths: Sequence[str]) -> None:
    ids = {cleaning_pictures.id_of(path): at for at, path in enumerate(paths)}
    if (clicked := picked(TILES)) in ids:
        _go(ids[clicked])
        st.session_state[COME] = True
    first = _at() // PAGE * PAGE
    thumbnails.show(
        TILES,
        _("Pictures of this part: choose one to see it large"),
        cleaning_pictures.tiles(shown, paths[first : first + PAGE]),
        selected=cleaning_pictures.id_of(paths[_at()]),
        tile_px=TILE_PX,
    )
    _turn(len(paths))


def _turn(n: int) -> None:
    """The buttons to page with; nothing where one page has all."""
    if n <= PAGE:
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    page, last = _at() // PAGE, (n - 1) // PAGE
    for label, to, icon, off in (
        (_("Previous page"), page - 1, ":material/chevron_left:", page == 0),
        (_("Next page"), page + 1, ":material/chevron_right:", page == last),
    ):
        row.button(
            label,
            key=f"{KEY}.{icon}",
            icon=icon,
            disabled=off,
            on_click=_go,
            args=(to * PAGE,),
        )
    first = page * PAGE
    row.caption(
        _("{first:,}–{last:,} of {n:,}").format(first=first + 1, last=min(first + PAGE, n), n=n)
    )


# --- Large


def _large(shown: View, paths: Sequence[str]) -> None:
    at = _at()
    image_path = paths[at]
    src, image_wh, message = cleaning_pictures.large(shown, image_path)
    name, choice = shown_name(image_path), _choice(shown, image_path)
    viewer.show(
        f"{KEY}.viewer",
        viewer.Shown(
            id=cleaning_pictures.id_of(image_path),
            src=src,
            image_wh=image_wh,
            at=at,
            n=len(paths),
            place=_("{i:,} of {n:,}").format(i=at + 1, n=len(paths)),
            alt=_("{name}, with its boxes").format(name=name),
            message=message,
            boxes=cleaning_pictures.boxes_of(shown, image_path) if src else (),
            choice=choice,
            come=st.session_state.pop(COME, False),
        ),
        lambda wish: _ask(shown, paths, wish),
    )
    st.markdown(f"`{name.replace('`', '')}`")
    _said(shown, image_path)
    _values(shown, image_path)


def _choice(shown: View, image_path: str) -> Literal["keep", "set_aside", ""]:
    for table in shown.tables.values():
        if image_path in table.index and table.at[image_path, "by"] == "person":
            return "keep" if table.at[image_path, "verdict"] == "keep" else "set_aside"
    return ""


def _ask(shown: View, paths: Sequence[str], wish: viewer.Go | viewer.Decide) -> None:
    if isinstance(wish, viewer.Go):
        _go(wish.at)
        return
    by_id = {cleaning_pictures.id_of(path): path for path in paths}
    if wish.id not in by_id:
        return
    try:
        if wish.choice == "forget":
            decisions.forget(shown.place.folder, [by_id[wish.id]])
        else:
            decisions.decide(shown.place.folder, [by_id[wish.id]], wish.choice)
    except (FacedetError, OSError) as error:
        cleaning_choice.keep_error(FacedetError(str(error)))
    st.session_state[DECIDED] = True


def _said(shown: View, image_path: str) -> None:
    """Who says what about it, and what is true."""
    lines = []
    for name, title in zip(shown.names, shown.titles, strict=True):
        table = shown.tables[name]
        if image_path in table.index:
            row = table.loc[image_path]
            lines.append(_verdict(title, str(row["reason"]), str(row["note"])))
    choice = _choice(shown, image_path)
    if choice:
        says = _("**You keep it**, whatever they say.")
        aside = _("**You set it aside**, whatever they say.")
        lines.append(says if choice == "keep" else aside)
    fault = shown.known.faults.get(image_path) if shown.known else None
    if fault:
        meaning = cleaning_words.fault_meaning(fault)
        lines.append(
            _("In truth: **{fault}**. {meaning}").format(fault=plain(fault), meaning=plain(meaning))
        )
    st.markdown("  \n".join(lines))
    if image_path in shown.held:
        way_back = st.container(horizontal=True, vertical_alignment="center")
        way_back.markdown(_("It lies in quarantine."))
        way_back.button(
            _("Bring it back"), key=f"{KEY}.back", on_click=_bring_back, args=(shown, image_path)
        )


def _verdict(title: str, codes: str, note: str) -> str:
    if not codes:
        return _("**{name}** would keep it.").format(name=plain(title))
    told = _("**{name}** would set it aside: {reasons}. {meaning}").format(
        name=plain(title),
        reasons=plain(cleaning_words.reasons(codes)),
        meaning=plain(cleaning_words.explained(codes)),
    )
    return f"{told} ({plain(shown_name(note))})" if note else told


def _bring_back(shown: View, image_path: str) -> None:
    try:
        back = quarantine.undo(shown.place.folder, [image_path])
        if not back.restored and back.troubles:
            mine = [one for one in back.troubles if one.image_path == image_path]
            trouble = (mine or back.troubles)[0]
            says = f"{shown_name(trouble.image_path)}: {trouble.says}"
            cleaning_choice.keep_error(FacedetError(says))
    except (FacedetError, OSError) as error:
        cleaning_choice.keep_error(FacedetError(str(error)))
    st.session_state[DECIDED] = True


def _values(shown: View, image_path: str) -> None:
    rows: dict[str, str] = {}
    for name in shown.names:
        table = shown.tables[name]
        if image_path in table.index:
            row: dict[str, Any] = {str(name): one for name, one in table.loc[image_path].items()}
            rows.setdefault(_("file"), cleaning_words.file_size(row["size_bytes"]))
            rows |= dict(cleaning_words.values(row, catalogue.get(name)))
    frame = pd.DataFrame(list(rows.items()), columns=[_("measured"), _("value")])
    with st.expander(_("What was measured")):
        st.dataframe(frame, hide_index=True, alt=_("Measured values of this picture"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
