"""A download or a probe at work: how far it is, what comes, what does not, and how it ended."""

import time
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from facedet import downloads, jobs
from facedet.downloads import Dataset
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.jobs import Look
from facedet.ui import download_pictures, job_view, words
from facedet.ui.shell import plain, show_error

KEY = "download.live"
REFRESH_S = 1.0  # as often as the job says something
WORST = 8  # classes, sites or people with the most failures, as many as an event names
ROW_PX = 35  # of Streamlit's tables


def show(dataset: Dataset, run_dir: Path) -> None:
    """A download at work, followed until it ends; then the page runs anew."""
    st.fragment(run_every=REFRESH_S)(_follow)(dataset, run_dir)


def show_end(run_dir: Path) -> None:
    """How the last job ended, where that was not well; going on is the page's own button."""
    now = jobs.recent(run_dir)
    if now.state not in ("stopped", "failed", "died"):
        return
    bar(now)
    job_view.show_failure(now)
    job_view.controls(run_dir, now, f"{KEY}.{run_dir.name}", resume=False)


def bar(now: Look) -> dict[str, Any]:
    """Done of total, rates, time left and state, in one bar; returns the progress behind it."""
    progress = downloads.progress_of(now.events, time.time())
    total, done = progress.get("total", 0), progress.get("done", 0)
    if total:
        parts = [_("{done:,} of {total:,} addresses").format(done=done, total=total)]
        parts += _pace(progress) if now.state == "running" else []
    else:
        parts = [_("Reading the links")] if now.state == "running" else []
    parts.append(job_view.state_words(now.state))
    st.progress(min(1.0, done / total) if total else 0.0, text=" · ".join(parts))
    return progress


def banner() -> None:
    """That private addresses are allowed."""
    st.warning(
        _("Private addresses are allowed: use this for practice sets only."),
        icon=":material/lock_open:",
    )


def _follow(dataset: Dataset, run_dir: Path) -> None:
    now = jobs.recent(run_dir)
    if not job_view.is_live(now):
        st.rerun()
    progress = bar(now)
    job_view.controls(run_dir, now, f"{KEY}.job")
    if jobs.memo_of(run_dir).get("allow_private"):
        banner()
    if progress:
        _facts(progress)
        try:
            download_pictures.show_newest(dataset)
        except FacedetError as error:  # a fragment that runs by itself has no page around it
            show_error(error)
        _failures(progress)
        _resting(progress)


def _pace(progress: dict[str, Any]) -> list[str]:
    """Rates and time left; or that there is nothing to do but to wait."""
    if progress.get("away"):
        return [_("this computer's own line seems to be broken: waiting for it")]
    if progress["at_rest"]:
        n = progress["n_resting"]
        return [
            ngettext("waiting for {n:,} site at rest", "waiting for {n:,} sites at rest", n).format(
                n=n
            )
        ]
    if progress["left_s"] is None:
        return [_("waiting for answers")]
    return [
        words.rate(progress["pictures_per_s"], _("pictures")),
        _("{size} a second").format(size=words.size(progress["bytes_per_s"])),
        _("{time} left").format(time=words.duration(max(1, round(progress["left_s"])))),
    ]


def _facts(progress: dict[str, Any]) -> None:
    done, good = progress["done"], progress["good"]
    most = _(
        "Requests that hang count here, but take nobody's place: {n:,} that move are allowed now."
    ).format(n=progress["workers"])
    with st.container(horizontal=True):
        _fact(_("Pictures"), f"{good:,}")
        _fact(_("Alive"), f"{100 * good / done:.0f} %" if done else "–")
        _fact(_("Requests now"), f"{progress['active']:,}", most)
        _fact(_("Sites at rest"), f"{progress.get('n_resting', 0):,}")


def _fact(label: str, value: str, meaning: str | None = None) -> None:
    st.metric(label, value, border=True, width=150, help=meaning)


def _failures(progress: dict[str, Any]) -> None:
    kinds = {"class": _("class"), "site": _("site"), "person": _("person")}
    by = st.segmented_control(
        _("Failures by"),
        list(kinds),
        format_func=kinds.__getitem__,
        default="class",
        required=True,
        key=f"{KEY}.failures",
    )
    fields = {"class": "errors", "site": "failing_hosts", "person": "failing_identities"}
    counts: dict[str, int] = progress.get(fields[by]) or {}
    worst = sorted(counts.items(), key=lambda pair: -pair[1])[:WORST]
    table = pd.DataFrame(worst, columns=[kinds[by], _("links")])
    column = st.column_config.ProgressColumn(
        _("links"), min_value=0, max_value=max(counts.values(), default=1), format="%d"
    )
    # As high as it can become: what stands below must not move.
    st.dataframe(
        table,
        hide_index=True,
        column_config={_("links"): column},
        height=ROW_PX * (WORST + 1) + 3,
        key=f"{KEY}.failures.{by}",
        alt="; ".join(f"{name}: {n:,}" for name, n in worst) or _("No failures so far"),
    )


def _resting(progress: dict[str, Any]) -> None:
    resting = dict(progress.get("resting") or {})
    told = ", ".join(
        f"{host} ({words.duration(max(1, round(s)))})" for host, s in list(resting.items())[:5]
    )
    st.caption(plain(_("At rest: {told}").format(told=told or _("no site"))))
