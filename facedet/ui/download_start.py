"""Before a download: whether it may start and fits the disk, and the buttons that start it."""

from dataclasses import replace

import streamlit as st

from facedet import downloads
from facedet.download.outcome import ErrorClass
from facedet.download.room import ASSUMED_BYTES, Room, room
from facedet.downloads import PROBE_LINKS, Dataset
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.settings import load_settings
from facedet.ui import download_account, download_live, internet_view, probe_view, words
from facedet.ui.shell import plain

DATASET = "dataset"  # in the address: which dataset is looked at
PRIVATE = "download.private"  # never on by itself: only this visitor's own click sets it


def show(dataset: Dataset) -> bool | None:
    """What to know and to press.

    Returns:
        Whether a job may start; None where that was not looked at, for nothing waits.

    Raises:
        FacedetError: the ledger or the list cannot be read.
    """
    missing = downloads.missing_columns(dataset)
    if missing:
        st.warning(_without_links(missing))
        return False
    waiting, space = _space(dataset)
    if not waiting and dataset.begun:
        return None
    open_way = may_ask(dataset)
    allow_private = private_allowed(dataset)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        _("Go on") if dataset.begun else _("Download"),
        type="primary",
        icon=":material/download:",
        disabled=not (open_way and space.fits and waiting),
        on_click=begin,
        args=(dataset, allow_private),
    )
    if not dataset.begun and waiting > PROBE_LINKS:
        row.button(
            _("Try {n:,} addresses first").format(n=PROBE_LINKS),
            icon=":material/science:",
            disabled=not open_way,
            on_click=probe_view.start,
            args=(dataset, allow_private),
        )
    row.caption(_needs(waiting, space))
    if not space.fits:
        st.error(_does_not_fit(space), icon=":material/hard_drive:")
    if not dataset.begun:
        probe_view.show_result(dataset)
    return open_way and space.fits


def may_ask(dataset: Dataset) -> bool:
    """Whether anything may be asked for, with all that it takes; for most datasets nothing.

    Call it once on a page. Only where links lead inwards can private addresses be allowed.
    """
    found = downloads.inwards(dataset)
    if not found.n:
        return True
    allowed = _allow_private(dataset)
    if found.mostly and not internet_view.show(dataset):
        return False
    if allowed:
        return True
    if found.mostly:
        told = _("These links lead to this computer or a private network: allow that above.")
    else:
        told = _("Some of the first links lead into a private network: those will fail.")
    st.info(told)
    return not found.mostly


def begin(dataset: Dataset, allow_private: bool, retry: tuple[ErrorClass, ...] = ()) -> None:
    """Start the job; the address then names the dataset."""
    downloads.start_download(load_settings(), dataset, allow_private=allow_private, retry=retry)
    st.query_params[DATASET] = dataset.name


def private_allowed(dataset: Dataset) -> bool:
    """Whether this visitor has allowed private addresses for this dataset, whose links need it."""
    return downloads.leads_here(dataset) and bool(st.session_state.get(_private(dataset), False))


def free_on_disk(space: Room) -> str:
    """How much is free, in a sentence."""
    return _("{size} free on the disk.").format(size=words.size(space.free))


def _private(dataset: Dataset) -> str:
    return f"{PRIVATE}.{dataset.name}"


def _without_links(missing: list[str]) -> str:
    return plain(
        _(
            "There is nothing to download: the table of this dataset lacks {columns}. "
            "Choose another dataset, or write one from a list of links above."
        ).format(columns=", ".join(missing))
    )


def _allow_private(dataset: Dataset) -> bool:
    # Kept apart from the widget, which Streamlit forgets while a run hides it.
    allowed = st.toggle(
        _("Allow addresses of this computer and of private networks"),
        private_allowed(dataset),
        key=f"{PRIVATE}.toggle.{dataset.name}",
        help=_("For practice and classrooms. Links of strangers must not reach your own network."),
    )
    st.session_state[_private(dataset)] = allowed
    if allowed:
        download_live.banner()
    return allowed


def _space(dataset: Dataset) -> tuple[int, Room]:
    """How many addresses wait, and what they will need."""
    if dataset.begun:
        account = download_account.account_of(dataset)
        return account.waiting, account.space
    waiting = downloads.count_links(dataset)
    space = room(dataset.folder, waiting)
    if (probed := probe_view.found(dataset)) is not None:
        space = replace(space, needed=int(probed.expected_bytes), measured=True)
    return waiting, space


def _needs(waiting: int, space: Room) -> str:
    assumed = _("assumed: half of them work, {size} each").format(size=words.size(ASSUMED_BYTES))
    how = _("measured") if space.measured else assumed
    told = ngettext(
        "{n:,} address waits; it needs about {size} ({how}).",
        "{n:,} addresses wait; they need about {size} ({how}).",
        waiting,
    ).format(n=waiting, size=words.size(space.needed), how=how)
    return f"{told} {free_on_disk(space)}"


def _does_not_fit(space: Room) -> str:
    return _(
        "That does not fit: about {needed} are to come, and {free} are free. Make room, write a "
        "smaller sample, or start the lab with its workspace (FACEDET\\_HOME) on another disk."
    ).format(needed=words.size(space.needed), free=words.size(space.free))
