"""Downloading on screen: which dataset, its job at work or the start of one, and what came."""

import inspect
import shlex
import textwrap

import streamlit as st

from facedet import downloads, jobs
from facedet.download.content import examine
from facedet.download.engine import Download
from facedet.download.hosts import Hosts
from facedet.downloads import Dataset
from facedet.i18n import gettext as _
from facedet.settings import load_settings
from facedet.ui import (
    download_live,
    download_result,
    download_start,
    internet_view,
    probe_view,
)
from facedet.ui.download_start import DATASET
from facedet.ui.shell import plain

KEY = "download"


def show() -> None:
    """The whole section, whichever list of links is looked at above. Raises `FacedetError`."""
    datasets = {found.name: found for found in downloads.find_datasets(load_settings())}
    unknown = st.query_params.get(DATASET, "")
    if datasets:
        st.header(_("Download the photos"), anchor=False)
    if unknown and unknown not in datasets:
        st.info(plain(_not_there(unknown, datasets)))
    dataset = _choose(datasets) if datasets else None
    if dataset is None:
        return
    _job_or_result(dataset)
    _code(dataset)


def _job_or_result(dataset: Dataset) -> None:
    run_dir = downloads.run_of(load_settings(), dataset)
    if run_dir is not None and jobs.is_live(run_dir):
        download_live.show(dataset, run_dir)
        internet_view.show_running(dataset)
        return
    probe_dir = downloads.probe_of(load_settings(), dataset)
    if probe_dir is not None and jobs.is_live(probe_dir):
        probe_view.show_live(probe_dir)
        internet_view.show_running(dataset)
        return
    if run_dir is not None:
        download_live.show_end(run_dir)
    ready = download_start.show(dataset)
    if dataset.begun:
        download_result.show(dataset, ready, run_dir)


def _not_there(name: str, datasets: dict[str, Dataset]) -> str:
    here = _("There is no dataset “{name}” on this computer.").format(name=name[:80])
    return here + " " + _("This is the newest one.") if datasets else here


def _choose(datasets: dict[str, Dataset]) -> Dataset | None:
    names = list(datasets)
    wanted = st.query_params.get(DATASET, names[0])
    shown = names.index(wanted) if wanted in names else 0
    key = f"{KEY}.dataset.{names[shown]}.{len(names)}"
    name = st.selectbox(_("Dataset"), names, index=shown, key=key, on_change=_go_to, args=(key,))
    return datasets.get(name)


def _go_to(key: str) -> None:
    st.query_params[DATASET] = st.session_state[key]


def _code(dataset: Dataset) -> None:
    with st.expander(_("The code that does it, and the same on the command line")):
        arguments = ["download", str(dataset.asked_for), "--out", str(dataset.folder)]
        if downloads.leads_here(dataset):
            arguments.append("--allow-private")
        st.code(
            shlex.join(["python", "-m", "facedet", *arguments]), language="bash", wrap_lines=True
        )
        for what, part in (
            (_("One attempt at one link"), Download._try),
            (_("Whose turn is it?"), Hosts.take),
            (_("Is it a picture?"), examine),
        ):
            st.markdown(f"**{plain(what)}**")
            st.code(textwrap.dedent(inspect.getsource(part)), language="python")
