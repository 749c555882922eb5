"""Downloading on screen: live while it runs, then what came and what did not, and why."""

import inspect
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from facedet import downloads, figures, jobs
from facedet.download import report
from facedet.download.content import examine
from facedet.download.engine import Download
from facedet.download.hosts import Hosts
from facedet.download.ledger import Ledger, Where
from facedet.download.outcome import ERROR_CLASSES, ErrorClass
from facedet.downloads import Dataset
from facedet.errors import ImageError
from facedet.i18n import gettext as _
from facedet.jobs import Look
from facedet.linklists import LinkList
from facedet.settings import load_settings
from facedet.ui import job_view, look, thumbnails, words
from facedet.ui.shell import plain

DATASET = "dataset"  # in the address: which dataset is looked at
KEY = "download"
PRIVATE = f"{KEY}.private"  # never on by itself: only this visitor's own click sets it
NEWEST = 12
ROWS = 200


def show(each: LinkList | None) -> None:
    """The whole section. Raises `FacedetError`."""
    datasets = {found.name: found for found in downloads.find_datasets(load_settings())}
    if not datasets:
        return
    st.header(_("Download the photos"), anchor=False)
    dataset = _choose(datasets)
    if dataset is None:
        return
    if each is not None and each.kind == "practice":
        running = downloads.internet_of(load_settings(), each) is not None
        # While it runs it is looked at: a stop takes a moment, and it may end by itself.
        st.fragment(run_every=1.0 if running else None)(_internet)(each)
    run_dir = downloads.run_of(load_settings(), dataset)
    live = run_dir is not None and job_view.is_live(jobs.look(run_dir))
    if run_dir is not None:
        refresh = job_view.REFRESH_S if live else None
        st.fragment(run_every=refresh)(_live)(dataset, run_dir, live)
    if not live:
        _start(dataset)
        if dataset.begun:
            _result(dataset)
    _code(dataset)


def _choose(datasets: dict[str, Dataset]) -> Dataset | None:
    names = list(datasets)
    wanted = st.query_params.get(DATASET, names[0])
    shown = names.index(wanted) if wanted in names else 0
    key = f"{KEY}.dataset.{names[shown]}.{len(names)}"
    name = st.selectbox(_("Dataset"), names, index=shown, key=key, on_change=_go_to, args=(key,))
    return datasets.get(name)


def _go_to(key: str) -> None:
    st.query_params[DATASET] = st.session_state[key]


def _internet(each: LinkList) -> None:
    """The practice list's servers: start and stop."""
    running = downloads.internet_of(load_settings(), each)
    row = st.container(horizontal=True, vertical_alignment="center")
    if running is None:
        row.markdown(_("The links of the practice set lead to this computer: start its servers."))
        row.button(
            _("Start the little internet"),
            icon=":material/dns:",
            on_click=_serve,
            args=(each,),
        )
        last = downloads.last_internet_of(load_settings(), each)
        if last is not None:
            job_view.show_failure(jobs.look(last))
    else:
        row.markdown(_("The little internet is running."))
        row.button(_("Stop it"), on_click=jobs.ask, args=(running, "stop"))


def _serve(each: LinkList) -> None:
    downloads.serve(load_settings(), each)


def _start(dataset: Dataset) -> None:
    free = shutil.disk_usage(dataset.folder).free
    # Kept apart from the widget, which Streamlit forgets while a run hides it.
    allow_private = st.toggle(
        _("Allow addresses of this computer and of private networks"),
        st.session_state.get(PRIVATE, False),
        help=_("For practice and classrooms. Links of strangers must not reach your own network."),
    )
    st.session_state[PRIVATE] = allow_private
    if allow_private:
        _banner()
    waiting = _waiting(dataset)
    inwards = downloads.leads_here(dataset)
    if inwards and not allow_private:
        st.info(
            _("These links lead to this computer: allow that above, or all of them would fail.")
        )
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        _("Download") if not dataset.begun else _("Go on"),
        type="primary",
        icon=":material/download:",
        disabled=waiting == 0 or (inwards and not allow_private),
        on_click=_begin,
        args=(dataset, allow_private, ()),
    )
    row.caption(_("{size} free on the disk.").format(size=words.size(free)))
    if waiting == 0:
        row.caption(_("Nothing waits: every link has been settled."))


def _banner() -> None:
    st.warning(
        _("Private addresses are allowed: use this for practice sets only."),
        icon=":material/lock_open:",
    )


def _waiting(dataset: Dataset) -> int | None:
    if not dataset.begun:
        return None
    with Ledger.open(dataset.ledger_path, create=False) as ledger:
        return ledger.counts().waiting


def _begin(dataset: Dataset, allow_private: bool, retry: tuple[ErrorClass, ...]) -> None:
    downloads.start_download(load_settings(), dataset, allow_private=allow_private, retry=retry)
    st.query_params[DATASET] = dataset.name


def _live(dataset: Dataset, run_dir: Path, was_live: bool) -> None:
    now = job_view.follow(run_dir)
    if was_live != job_view.is_live(now):
        st.rerun()
    progress = downloads.progress_of(now.events)
    if job_view.is_live(now) or now.state in ("failed", "died", "stopped"):
        _bar(now, progress)
        job_view.show_failure(now)
        job_view.controls(run_dir, now, f"{KEY}.job")
    if job_view.is_live(now) and jobs.read_config(run_dir)["memo"].get("allow_private"):
        _banner()
    if job_view.is_live(now) and progress:
        _facts(progress)
        _newest(dataset)


def _bar(now: Look, progress: dict[str, Any]) -> None:
    total, done = progress.get("total", 0), progress.get("done", 0)
    parts = [_("{done:,} of {total:,} links").format(done=int(done), total=int(total))]
    if now.state == "running" and progress.get("left_s") is not None:
        parts.append(words.rate(progress["pictures_per_s"], _("pictures")))
        parts.append(_("{size} a second").format(size=words.size(progress["bytes_per_s"])))
        parts.append(_("{time} left").format(time=words.duration(progress["left_s"])))
    parts.append(job_view.state_words(now.state))
    st.progress(min(1.0, done / total) if total else 0.0, text=" · ".join(parts))


def _facts(progress: dict[str, Any]) -> None:
    done, good = progress["done"], progress["good"]
    alive = f"{100 * good / done:.0f} %" if done else "–"
    facts = {
        _("Pictures"): f"{good:,}",
        _("Alive"): alive,
        _("Requests now"): f"{progress['active']} / {progress['workers']}",
        _("Sites at rest"): str(progress.get("n_resting", 0)),
    }
    with st.container(horizontal=True):
        for label, value in facts.items():
            st.metric(label, value, border=True, width=150)
    errors = sorted(dict(progress["errors"]).items(), key=lambda pair: -pair[1])
    if errors:
        told = ", ".join(f"{name} {n:,}" for name, n in errors)
        st.caption(plain(_("Not got: {told}").format(told=told)))
    resting = dict(progress["resting"])
    if resting:
        told = ", ".join(f"{host} ({words.duration(s)})" for host, s in list(resting.items())[:5])
        st.caption(plain(_("At rest: {told}").format(told=told)))


def _newest(dataset: Dataset) -> None:
    with Ledger.open(dataset.ledger_path, create=False) as ledger:
        rows = ledger.newest(NEWEST)
    tiles = [
        thumbnails.Tile(
            id=row.image_path,
            title=row.identity,
            src=_thumbnail(str(dataset.folder / row.image_path)),
        )
        for row in rows
    ]
    if tiles:
        thumbnails.show(f"{KEY}.newest", _("The newest pictures"), tiles, tile_px=96)


@st.cache_data(max_entries=500, ttl="1h", show_spinner=False)
def _thumbnail(path: str) -> str:
    try:
        return look.thumbnail_url(Path(path).read_bytes())
    except (ImageError, OSError):
        return ""


def _result(dataset: Dataset) -> None:
    with Ledger.open(dataset.ledger_path, create=False) as ledger:
        steps = report.funnel(ledger)
        st.plotly_chart(
            figures.funnel([(step.name, step.n) for step in steps]),
            config={"displayModeBar": False},
            alt="; ".join(f"{step.name}: {step.n:,}" for step in steps),
        )
        left, right = st.columns(2, gap="large")
        with left:
            _errors(dataset, ledger)
        with right:
            _yields(ledger)
        _table(dataset, ledger)


def _errors(dataset: Dataset, ledger: Ledger) -> None:
    rows = report.by_class(ledger)
    st.subheader(_("What went wrong"), anchor=False)
    if not rows:
        st.caption(_("Nothing."))
        return
    table = pd.DataFrame(
        [(row.error_class, row.n, row.meaning) for row in rows],
        columns=[_("class"), _("links"), _("meaning")],
    )
    st.dataframe(table, hide_index=True, alt=_("Failures by class, with their meaning"))
    classes = [row.error_class for row in rows]
    retry = st.multiselect(_("Try only these again"), classes, key=f"{KEY}.retry.{dataset.name}")
    st.button(
        _("Try again"),
        disabled=not retry,
        on_click=_begin,
        args=(dataset, bool(st.session_state.get(PRIVATE)), tuple(retry)),
    )


def _yields(ledger: Ledger) -> None:
    st.subheader(_("Who came"), anchor=False)
    by = st.segmented_control(
        _("Yield by"), [_("person"), _("site")], default=_("person"), key=f"{KEY}.by", required=True
    )
    rows = report.by_identity(ledger) if by == _("person") else report.by_host(ledger)
    table = pd.DataFrame(
        [(row.name, row.links, row.pictures, row.share) for row in rows[:1000]],
        columns=[by, _("links"), _("pictures"), _("share")],
    )
    column = st.column_config.ProgressColumn(_("share"), min_value=0, max_value=1, format="percent")
    st.dataframe(
        table, hide_index=True, column_config={_("share"): column}, alt=_("Pictures of each")
    )


def _table(dataset: Dataset, ledger: Ledger) -> None:
    with st.expander(_("Every link")):
        row = st.container(horizontal=True)
        error_class = row.selectbox(
            _("Only this class"), ERROR_CLASSES, index=None, placeholder=_("All"), key=f"{KEY}.only"
        )
        text = row.text_input(_("Address or note has"), key=f"{KEY}.text")
        where = Where(error_class=error_class, text=text)
        rows = ledger.rows(where, limit=ROWS)
        st.caption(_("{n:,} of {all:,} that fit").format(n=len(rows), all=ledger.count(where)))
        shown = ("identity", "photo_id", "state", "error_class", "http_status", "note", "url")
        table = pd.DataFrame([[getattr(r, name) for name in shown] for r in rows], columns=shown)
        st.dataframe(table, hide_index=True, alt=_("Links of the ledger"))
        st.download_button(
            _("All that fit as CSV"),
            lambda: _export(dataset, where),
            f"{dataset.name}-links.csv",
            "text/csv",
        )


def _export(dataset: Dataset, where: Where) -> bytes:
    path = dataset.folder / "links-export.csv"
    with Ledger.open(dataset.ledger_path, create=False) as ledger:
        ledger.export_csv(path, where)
    return path.read_bytes()


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
            st.code(inspect.cleandoc(inspect.getsource(part)), language="python")
