"""A running job on screen: what is done, the rate, the time left; pause, stop, resume."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from facedet import jobs
from facedet.batches import Progress
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.ui import words
from facedet.ui.shell import plain, show_error

REFRESH_S = 0.5


def progress_bar(look: jobs.Look, progress: Progress, unit: str) -> None:
    """Done of total, rate and time left, in one bar; or why it ended early."""
    if look.state == "done":
        return
    share = progress.done / progress.total if progress.total else 0.0
    parts = [
        _("{done:,} of {total:,} {unit}").format(
            done=progress.done, total=progress.total, unit=unit
        )
    ]
    if look.state == "running" and progress.left_s is not None:
        parts.append(words.rate(progress.per_second, unit))
        parts.append(_("{time} left").format(time=words.duration(progress.left_s)))
    st.progress(min(1.0, share), text=" · ".join([*parts, state_words(look.state)]))
    show_failure(look)


def show_failure(look: jobs.Look) -> None:
    """Why it failed, where it did."""
    if look.state == "failed":
        show_error(FacedetError(look.reason))


def follow(run_dir: Path) -> jobs.Look:
    """`jobs.look` with all events; those of earlier looks come from the session, not the disk."""
    key = f"{run_dir.name}.events"
    events, offset = st.session_state.get(key, ((), 0))
    now = jobs.look(run_dir, offset)
    everything = (*events, *now.events)
    st.session_state[key] = (everything, now.offset)
    return replace(now, events=everything)


def controls(run_dir: Path, look: jobs.Look, key: str, *, resume: bool = True) -> None:
    """Pause, stop and resume buttons, those that fit the state.

    Args:
        resume: offer to take up the same run again; not where the page has its own way to go on.
    """
    row = st.container(horizontal=True)
    if look.state == "running":
        row.button(_("Pause"), key=f"{key}.pause", on_click=jobs.ask, args=(run_dir, "pause"))
    if look.state == "paused":
        row.button(_("Go on"), key=f"{key}.go", on_click=jobs.ask, args=(run_dir, ""))
    if look.state in ("running", "paused"):
        row.button(_("Stop"), key=f"{key}.stop", on_click=jobs.ask, args=(run_dir, "stop"))
    if look.state == "died" and (words_left := jobs.last_words(run_dir)):
        st.caption(plain(_("Its last words: {words}").format(words=words_left)))
    if resume and look.state in ("stopped", "failed", "died"):
        row.button(_("Resume"), key=f"{key}.resume", on_click=jobs.resume, args=(run_dir,))


def is_live(look: jobs.Look) -> bool:
    """Whether the screen must keep looking."""
    return look.state in jobs.LIVE


def state_words(state: jobs.State) -> str:
    """The state, for people."""
    return {
        "starting": _("starting"),
        "running": _("running"),
        "paused": _("paused"),
        "done": _("done"),
        "stopped": _("stopped; what is done is kept"),
        "failed": _("failed"),
        "died": _("the process is gone; what is done is kept"),
    }[state]
