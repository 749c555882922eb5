"""Cleaners at work: starting them, how far each is, what it has found, and its code."""

import inspect
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import streamlit as st

from facedet import cleanings, jobs
from facedet.cleaning import catalogue
from facedet.cleaning.cleaner import Cleaner
from facedet.cleanings import Place
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.jobs import Look
from facedet.settings import load_settings
from facedet.ui import cleaning_choice, cleaning_words, job_view, words
from facedet.ui.shell import plain

KEY = "cleaning.live"
REFRESH_S = 1.0  # as often as a job says something
BOTH = ("integrity", "faces")
MOST_REASONS = 6


def show(place: Place, measured: Sequence[str], row: Any) -> list[str]:
    """Jobs and the buttons that start them; returns which are at work. Raises `FacedetError`.

    Args:
        measured: the cleaners that have looked there.
        row: a container for what may be started beside the two.
    """
    runs = _runs(place)
    live = [name for name, run_dir in runs.items() if jobs.is_live(run_dir)]
    if live:
        st.fragment(run_every=REFRESH_S)(_follow)(place, live)
        _start_others(row, place, [*measured, *live])
        return live
    _ended_badly(runs)
    _start(place, measured)
    if not set(BOTH) - set(measured):
        _start_others(row, place, measured)
    return live


def code(place: Place, names: Sequence[str]) -> None:
    """The code of these cleaners and their command lines, folded."""
    with st.expander(_("The code that cleans, and the same on the command line")):
        st.caption(
            _(
                "measure looks at one picture at a time; verdict then judges all of them by the "
                "numbers, so that a threshold can be moved without reading a picture again."
            )
        )
        for column, name in zip(st.columns(len(names), gap="medium"), names, strict=True):
            with column:
                st.markdown(f"**{plain(catalogue.get(name).title)}**")
                _code_of(place, catalogue.get(name))


def _runs(place: Place) -> dict[str, Path]:
    """The last job of each cleaner that had one here."""
    found = {
        name: cleanings.cleaning_of(load_settings(), place, name) for name in catalogue.CLEANERS
    }
    return {name: run_dir for name, run_dir in found.items() if run_dir is not None}


# --- At work


def _follow(place: Place, names: Sequence[str]) -> None:
    looks = {name: jobs.recent(run_dir) for name, run_dir in _runs(place).items()}
    live = [name for name, now in looks.items() if job_view.is_live(now)]
    if set(live) - set(names) or not live:
        st.rerun()
    shown = [name for name in catalogue.CLEANERS if name in names]
    for column, name in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column, st.container(border=True):
            _card(place, catalogue.get(name), looks[name])


def _card(place: Place, cleaner: Cleaner, now: Look) -> None:
    st.markdown(f"**{plain(cleaner.title)}**  \n{plain(cleaner.summary)}")
    progress = _bar(now)
    run_dir = cleanings.cleaning_of(load_settings(), place, cleaner.name)
    assert run_dir is not None
    job_view.controls(run_dir, now, f"{KEY}.{cleaner.name}")
    told = cleaning_words.most_frequent(progress.reasons, MOST_REASONS)
    if told:
        told = _("So far: {reasons}.").format(reasons=told)
    elif now.state == "done":
        told = _("Done.")
    else:
        told = _("Nothing found so far; copies show themselves at the end.")
    st.caption(plain(told))
    _code_of(place, cleaner)


def _bar(now: Look) -> cleanings.Progress:
    """Done of total, rate, time left and state; returns the progress behind it."""
    progress = cleanings.progress_of(now.events)
    if progress.total:
        parts = [
            _("{done:,} of {total:,} pictures").format(done=progress.done, total=progress.total)
        ]
    else:
        parts = [_("Looking what is there")] if now.state == "running" else []
    if now.state == "running" and progress.left_s is not None and progress.per_second:
        parts.append(words.rate(progress.per_second, _("pictures")))
        parts.append(cleaning_words.time_left(progress.left_s))
    parts.append(job_view.state_words(now.state))
    share = progress.done / progress.total if progress.total else 0.0
    st.progress(min(1.0, share), text=" · ".join(parts))
    job_view.show_failure(now)
    return progress


def _ended_badly(runs: dict[str, Path]) -> None:
    """Jobs that were stopped, failed or died: how far they came, and going on."""
    for name, run_dir in runs.items():
        now = jobs.recent(run_dir)
        if now.state in ("stopped", "failed", "died"):
            with st.container(border=True):
                st.markdown(f"**{plain(catalogue.get(name).title)}**")
                _bar(now)
                job_view.controls(run_dir, now, f"{KEY}.{name}")


# --- Starting


def _start(place: Place, measured: Sequence[str]) -> None:
    missing = [name for name in BOTH if name not in measured]
    if missing and not pictures_in(place):
        _no_pictures()
    elif missing:
        row = st.container(horizontal=True, vertical_alignment="center")
        row.button(
            _start_label(missing),
            type="primary",
            icon=":material/cleaning_services:",
            on_click=_begin,
            args=(place, tuple(missing)),
        )
        row.caption(_said_before(place))


def _no_pictures() -> None:
    st.info(_("No pictures are there yet: download them first."), icon=":material/info:")
    st.page_link("pages/dataset.py", label=_("Dataset"), icon=":material/photo_library:")


def _start_label(missing: Sequence[str]) -> str:
    if len(missing) == len(BOTH):
        return _("Clean with both")
    return _("Clean with {name}, too").format(name=catalogue.get(missing[0]).title)


def _said_before(place: Place) -> str:
    n = pictures_in(place)
    return _("{n:,} pictures. Nothing is moved or changed: they are only looked at.").format(n=n)


def _start_others(row: Any, place: Place, known: Sequence[str]) -> None:
    """More cleaners than the two, and once more what is new."""
    for name in catalogue.CLEANERS:
        if name not in known:
            cleaner = catalogue.get(name)
            row.button(
                _("Add {name}").format(name=cleaner.title),
                icon=":material/add:",
                key=f"{KEY}.start.{name}",
                help=cleaner.summary,
                on_click=_begin,
                args=(place, (name,)),
            )
    settled = [name for name in known if not _is_live(place, name)]
    if settled and len(settled) == len(known):
        row.button(
            _("Look for new pictures"),
            icon=":material/refresh:",
            help=_("Pictures that were looked at before are not read again."),
            on_click=_begin,
            args=(place, tuple(settled)),
        )


def _is_live(place: Place, name: str) -> bool:
    run_dir = cleanings.cleaning_of(load_settings(), place, name)
    return run_dir is not None and jobs.is_live(run_dir)


@st.cache_data(max_entries=16, ttl=20, show_spinner=False)
def _count(folder: str) -> int:
    return cleanings.count_pictures(Place(Path(folder)))


def pictures_in(place: Place) -> int:
    """How many pictures lie there, as of some seconds ago. Raises `DatasetError`."""
    return _count(str(place.folder))


def _begin(place: Place, names: Sequence[str]) -> None:
    try:
        for name in names:
            cleanings.start_cleaning(load_settings(), place, name)
    except (FacedetError, OSError) as error:
        cleaning_choice.keep_error(FacedetError(str(error)))


# --- Its code


def _code_of(place: Place, cleaner: Cleaner) -> None:
    measure, verdict, command = st.tabs([_("measure"), _("verdict"), _("Command line")])
    measure.code(_source(cleaner.measure), language="python", height=330, wrap_lines=True)
    verdict.code(_source(cleaner.verdict), language="python", height=330, wrap_lines=True)
    arguments = cleanings.clean_args(place, cleaner.name)
    command.code(
        shlex.join(["python", "-m", "facedet", *arguments]), language="bash", wrap_lines=True
    )


def _source(part: Callable[..., object]) -> str:
    """As it runs."""
    return dedent(inspect.getsource(part))
