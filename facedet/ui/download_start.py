"""Before a download: whether it may start and fits the disk, and the buttons that start it."""

from dataclasses import replace

import streamlit as st

from facedet import downloads
from facedet.download.ledger import Ledger
from facedet.download.outcome import ErrorClass
from facedet.download.room import Room, room
from facedet.downloads import PROBE_LINKS, Dataset
from facedet.i18n import gettext as _
from facedet.settings import load_settings
from facedet.ui import download_live, probe_view, words
from facedet.ui.shell import plain

DATASET = "dataset"  # in the address: which dataset is looked at
PRIVATE = "download.private"  # never on by itself: only this visitor's own click sets it


def show(dataset: Dataset) -> bool:
    """What to know and to press; returns whether a job may start. Raises `FacedetError`."""
    missing = downloads.missing_columns(dataset)
    if missing:
        st.warning(_without_links(missing))
        return False
    allow_private = _allow_private()
    inwards = downloads.leads_here(dataset) and not allow_private
    if inwards:
        st.info(
            _("These links lead to this computer: allow that above, or all of them would fail.")
        )
    waiting, space = _space(dataset)
    ready = space.fits and not inwards
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        _("Go on") if dataset.begun else _("Download"),
        type="primary",
        icon=":material/download:",
        disabled=not (ready and waiting),
        on_click=begin,
        args=(dataset, allow_private),
    )
    if not dataset.begun and waiting > PROBE_LINKS:
        row.button(
            _("Try {n:,} links first").format(n=PROBE_LINKS),
            icon=":material/science:",
            disabled=inwards,
            on_click=probe_view.start,
            args=(dataset, allow_private),
        )
    row.caption(_needs(waiting, space))
    if not space.fits:
        st.error(_does_not_fit(space), icon=":material/hard_drive:")
    if not dataset.begun:
        probe_view.show_result(dataset)
    return ready


def begin(dataset: Dataset, allow_private: bool, retry: tuple[ErrorClass, ...] = ()) -> None:
    """Start the job; the address then names the dataset."""
    downloads.start_download(load_settings(), dataset, allow_private=allow_private, retry=retry)
    st.query_params[DATASET] = dataset.name


def private_allowed() -> bool:
    """Whether this visitor has allowed private addresses."""
    return bool(st.session_state.get(PRIVATE, False))


def _without_links(missing: list[str]) -> str:
    return plain(
        _(
            "There is nothing to download: the table of this dataset lacks {columns}. "
            "Choose another dataset, or write one from a list of links above."
        ).format(columns=", ".join(missing))
    )


def _allow_private() -> bool:
    # Kept apart from the widget, which Streamlit forgets while a run hides it.
    allowed = st.toggle(
        _("Allow addresses of this computer and of private networks"),
        private_allowed(),
        help=_("For practice and classrooms. Links of strangers must not reach your own network."),
    )
    st.session_state[PRIVATE] = allowed
    if allowed:
        download_live.banner()
    return allowed


def _space(dataset: Dataset) -> tuple[int, Room]:
    """How many links wait, and what they will need."""
    if dataset.begun:
        with Ledger.open(dataset.ledger_path, create=False) as ledger:
            counted = ledger.funnel()
            waiting = counted.urls - counted.tried
            return waiting, room(dataset.folder, waiting, ledger)
    waiting = downloads.count_links(dataset)
    space = room(dataset.folder, waiting)
    if (probed := probe_view.found(dataset)) is not None:
        space = replace(space, needed=int(probed.expected_bytes), measured=True)
    return waiting, space


def _needs(waiting: int, space: Room) -> str:
    free = _("{size} free on the disk.").format(size=words.size(space.free))
    if not waiting:
        return _("Nothing waits: every link has been settled.") + " " + free
    how = _("measured") if space.measured else _("assumed")
    return (
        _("{n:,} links wait; they need about {size} ({how}).").format(
            n=waiting, size=words.size(space.needed), how=how
        )
        + " "
        + free
    )


def _does_not_fit(space: Room) -> str:
    return _(
        "That does not fit: about {needed} are to come, and {free} are free. Make room, write a "
        "smaller sample, or start the lab with its workspace (FACEDET\\_HOME) on another disk."
    ).format(needed=words.size(space.needed), free=words.size(space.free))
