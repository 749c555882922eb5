"""Some links tried first, at random: offered, followed, and what they say of all."""

from pathlib import Path

import streamlit as st

from facedet import downloads, jobs
from facedet.download.probe import Probe
from facedet.downloads import PROBE_LINKS, Dataset
from facedet.i18n import gettext as _
from facedet.settings import load_settings
from facedet.ui import download_live, job_view, words
from facedet.ui.download_live import REFRESH_S

KEY = "download.probe"


def found(dataset: Dataset) -> Probe | None:
    """What the dataset's last probe has found; None where it has none that ended well."""
    run_dir = downloads.probe_of(load_settings(), dataset)
    return downloads.result_of(jobs.recent(run_dir).events) if run_dir else None


def show_live(run_dir: Path) -> None:
    """A probe at work, followed until it ends; then the page runs anew."""
    st.fragment(run_every=REFRESH_S)(_follow)(run_dir)


def start(dataset: Dataset, allow_private: bool) -> None:
    """What the button does."""
    downloads.start_probe(load_settings(), dataset, allow_private=allow_private)


def show_result(dataset: Dataset) -> None:
    """What the last probe says of all links, or why it says nothing."""
    run_dir = downloads.probe_of(load_settings(), dataset)
    if run_dir is None:
        return
    now = jobs.recent(run_dir)
    result = downloads.result_of(now.events)
    if result is not None:
        _tell(result)
        return
    job_view.show_failure(now)
    if now.state == "stopped":
        st.caption(_("The probe was stopped: what came by then says nothing of the rest."))
    elif now.state == "died":
        st.caption(_("The probe's process is gone; start it again."))


def _follow(run_dir: Path) -> None:
    now = jobs.recent(run_dir)
    if not job_view.is_live(now):
        st.rerun()
    st.markdown(
        _("Trying {n:,} addresses at random; nothing is kept.").format(n=PROBE_LINKS),
    )
    download_live.bar(now)
    if jobs.memo_of(run_dir).get("allow_private"):
        download_live.banner()
    job_view.controls(run_dir, now, f"{KEY}.job", resume=False)


def _tell(result: Probe) -> None:
    share = _(
        "**{rate:.0f} %** of {tried:,} addresses gave a picture: of all {total:,}, most likely "
        "{low:.0f} to {high:.0f} % do."
    ).format(
        rate=100 * result.rate,
        tried=result.tried,
        total=result.total,
        low=100 * result.low,
        high=100 * result.high,
    )
    whole = _("All of them are about **{photos:,.0f} photos**, {size} and {time}.").format(
        photos=result.expected_photos,
        size=words.size(result.expected_bytes),
        time=words.duration(max(1, round(result.expected_seconds))),
    )
    with st.container(border=True):
        st.markdown(f"{share} {whole}")
        st.caption(
            _(
                "Some, drawn at random, are not all: another draw gives another share. "
                "“From … to” is the 95 % interval: 95 of 100 draws give one that holds the true "
                "share of all. A long run is often faster than a short one."
            )
        )
