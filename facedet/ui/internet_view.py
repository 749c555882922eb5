"""The little internet of a practice set: whether it runs, and the buttons to start and stop it."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from facedet import downloads, jobs
from facedet.downloads import Dataset, Servers
from facedet.i18n import gettext as _
from facedet.linklists import LinkList
from facedet.practice.options import read_options
from facedet.settings import load_settings
from facedet.ui import job_view, lists_view
from facedet.ui.shell import plain

REFRESH_S = 1.0  # it is looked at: a start and a stop take a moment, and it may end by itself


def show(dataset: Dataset) -> bool:
    """For a dataset whose links lead to this computer; returns whether somebody answers there.

    Of a dataset of a practice list, only that list's own servers count. Raises `FacedetError`.
    """
    each = downloads.practice_list_of(load_settings(), dataset)
    if each is None:
        return _anybody(dataset)
    state = downloads.servers_of(each)
    st.fragment(run_every=REFRESH_S)(_follow)(each, state)
    return state == "on"


def show_running(dataset: Dataset) -> None:
    """Where nothing more is to be asked for just now: that they run, and how to stop them."""
    each = downloads.practice_list_of(load_settings(), dataset)
    running = downloads.internet_of(load_settings(), each) if each else None
    if running is not None:
        st.fragment(run_every=REFRESH_S)(_follow_running)(running)


def _anybody(dataset: Dataset) -> bool:
    if downloads.answers_here(dataset):
        return True
    ports = downloads.inwards(dataset).ports
    st.info(
        _(
            "No server answers at port {port} of this computer, where these links lead. If they "
            "are a practice set's, make that set again above: its servers can then be started here."
        ).format(port=ports[0])
    )
    return False


def _follow_running(run_dir: Path) -> None:
    if not jobs.is_live(run_dir):
        st.rerun()
    _is_on(st.container(horizontal=True, vertical_alignment="center"), run_dir)


def _follow(each: LinkList, before: Servers) -> None:
    state = downloads.servers_of(each)
    if state != before:
        st.rerun()
    row = st.container(horizontal=True, vertical_alignment="center")
    running = downloads.internet_of(load_settings(), each)
    if state == "on":
        _is_on(row, running)
    elif state == "others":
        _are_others(each)
    elif running is not None:
        row.markdown(_("The little internet is starting."))
    else:
        _is_off(row, each)


def _is_on(row: DeltaGenerator, running: Path | None) -> None:
    row.markdown(_("The little internet is running."))
    if running is not None:  # or somebody has started it in a terminal
        row.button(_("Stop it"), on_click=jobs.ask, args=(running, "stop"))


def _is_off(row: DeltaGenerator, each: LinkList) -> None:
    row.markdown(
        _("These links lead to the practice set's own servers, and those are not running.")
    )
    row.button(_("Start the little internet"), icon=":material/dns:", on_click=_serve, args=(each,))
    last = downloads.last_internet_of(load_settings(), each)
    if last is not None:
        job_view.show_failure(jobs.recent(last))


def _are_others(each: LinkList) -> None:
    port = read_options(each.practice_dir).port
    running = downloads.other_internets(load_settings(), each)
    names = ", ".join(lists_view.title(other) for other, _run_dir in running)
    st.warning(
        plain(
            _(
                "At port {port}, where these links lead, something else answers: {what}. Stop that "
                "first, or nearly all links would fail."
            ).format(port=port, what=names or _("a program that was not started here"))
        ),
        icon=":material/dns:",
    )
    if running:
        st.button(
            _("Stop it"),
            key="internet.others",
            on_click=_stop,
            args=([run for _o, run in running],),
        )


def _serve(each: LinkList) -> None:
    downloads.serve(load_settings(), each)


def _stop(run_dirs: list[Path]) -> None:
    for run_dir in run_dirs:
        jobs.ask(run_dir, "stop")
