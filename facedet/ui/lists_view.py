"""Choosing a list of links on screen: make one for practice, fetch Oxford's, or bring one's own."""

import os
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import jobs, linklists
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.linklists import Kind, LinkList
from facedet.settings import load_settings
from facedet.ui import job_view, shell, words
from facedet.ui.shell import plain, show_error
from facedet.vggface import Index
from facedet.vggface.fetch import OFFICIAL_URL

LIST = "list"  # in the address: which list is looked at
KIND = "dataset.kind"
ERROR = "dataset.error"
SHOWN_FINDINGS = 200
CLOSE = "dataset.close"  # close the ways to get a list: one was just asked for
UPLOAD_ROUND = "dataset.upload.round"


def choose() -> LinkList | None:
    """The list that the address names, with ways to get another; None while there is none."""
    name = st.query_params.get(LIST)
    chosen = linklists.open_list(load_settings(), name) if name else None
    if st.session_state.pop(CLOSE, False) or (chosen and KIND not in st.session_state):
        st.session_state[KIND] = None
    st.session_state.setdefault(KIND, "practice")
    with st.container(border=True):
        _pick(chosen)
        kind = st.segmented_control(
            _("Get a list of links"),
            ["practice", "official", "own"],
            format_func=lambda kind: _titles()[kind],
            key=KIND,
        )
        if kind:
            {"practice": _practice, "official": _official, "own": _own}[kind]()
    return chosen


def title(each: LinkList) -> str:
    """A list's name for people."""
    rest = each.name.partition("-")[2]
    if each.kind == "practice":
        photos, _dash, seed = rest.partition("-")
        return _("Practice: {photos} lines, seed {seed}").format(photos=photos, seed=seed)
    if each.kind == "official":
        return _("VGG Face, from Oxford")
    return _("Own: {name}").format(name=rest.rpartition("-")[0])


def show_progress(each: LinkList) -> None:
    """How far the job is that makes this list; the page runs anew when it is done."""
    run_dir = linklists.run_of(load_settings(), each.name)
    if run_dir is None:
        raise FacedetError(_("that list of links is not here; get it, or choose another"))
    live = job_view.is_live(jobs.look(run_dir))
    st.fragment(run_every=job_view.REFRESH_S if live else None)(_progress)(each, run_dir, live)


@st.cache_resource(max_entries=2, show_spinner=False)
def open_index(path: str, _version: float) -> Index:
    """An index, shared by all visitors; `_version` changes when its file does."""
    return Index.open(Path(path))


def index_of(each: LinkList) -> Index:
    """The index of a list that is ready. Raises `DatasetError`."""
    try:
        version = each.index_path.stat().st_mtime
    except OSError:
        version = 0.0
    return open_index(str(each.index_path), version)


def account_line(each: LinkList, index: Index) -> None:
    """What became of every line, and each line and file that is not as it should be."""
    account = index.account
    lines = ngettext("{n:,} line", "{n:,} lines", account.lines).format(n=account.lines)
    files = ngettext("{n:,} file", "{n:,} files", account.files).format(n=account.files)
    text = _("{lines} in {files}: {parsed:,} read, {lost:,} not readable.").format(
        lines=lines, files=files, parsed=account.parsed, lost=account.lost
    )
    if each.source:
        text += " " + _("Read from {path}").format(path=each.source)
    st.caption(plain(text))
    n = account.lost + account.refused + account.notes
    if n:
        _findings(each, n)


def _findings(each: LinkList, n: int) -> None:
    title = ngettext("{n:,} finding in the files", "{n:,} findings in the files", n).format(n=n)
    with st.expander(title, icon=":material/warning:"):
        try:
            table = pd.read_csv(each.findings_path, nrows=SHOWN_FINDINGS, dtype=str)
        except (OSError, ValueError):
            st.caption(_("Their table is not there any more."))
            return
        st.dataframe(table, hide_index=True, alt=_("What was strange, by file and line"))
        st.download_button(
            _("All of them as CSV"), each.findings_path.read_bytes, "findings.csv", "text/csv"
        )


def _titles() -> dict[str, str]:
    return {
        "practice": _("Practice set"),
        "official": _("Oxford's archive"),
        "own": _("Own archive"),
    }


def _pick(chosen: LinkList | None) -> None:
    lists = {each.name: each for each in linklists.find_lists(load_settings())}
    if not lists:
        return
    names = list(lists)
    shown = chosen.name if chosen and chosen.name in names else None
    # The key follows the address, so that the box shows what the address says, whoever changed it.
    key = f"dataset.list.{shown}.{len(names)}"
    row = st.container(horizontal=True, vertical_alignment="bottom")
    row.selectbox(
        _("On this computer"),
        names,
        index=names.index(shown) if shown else None,
        format_func=lambda name: title(lists[name]),
        placeholder=_("Choose a list of links"),
        key=key,
        on_change=_go_to_chosen,
        args=(key,),
    )
    if shown:
        with row.popover(_("Remove"), icon=":material/delete:"):
            st.markdown(_("Take this list off this computer? It can be made again. Datasets stay."))
            st.button(_("Yes, remove it"), on_click=_remove, args=(lists[shown],))


def _go_to_chosen(key: str) -> None:
    if st.session_state[key]:
        _go_to(st.session_state[key])


def _remove(each: LinkList) -> None:
    try:
        linklists.remove(load_settings(), each)
        st.query_params.pop(LIST, None)
    except FacedetError as error:
        st.session_state[ERROR] = error


def _go_to(name: str) -> None:
    st.query_params[LIST] = name
    st.session_state[CLOSE] = True


def _practice() -> None:
    st.markdown(
        _(
            "Invented people on an invented internet on this computer, in VGG Face's own format, "
            "with every fault at a known place: dead links, lying servers, wrong labels. "
            "Needs no network, and is made in seconds."
        )
    )
    row = st.container(horizontal=True, vertical_alignment="bottom")
    photos = row.number_input(_("Lines"), 50, 20_000, 2000, 50, key="dataset.photos", width=160)
    seed = row.number_input(_("Seed"), 0, 9999, 0, key="dataset.seed", width=120)
    row.button(
        _("Make the practice set"),
        type="primary",
        on_click=_start,
        args=("practice", int(photos), int(seed)),
    )


def _official() -> None:
    st.markdown(
        _(
            "The list itself: 2.6 million links of 2,622 people, some 100 MB from {host}. For "
            "research and teaching only (CC BY-NC 4.0). A broken connection goes on where it broke."
        ).format(host=plain(OFFICIAL_URL.split("/")[2]))
    )
    st.button(_("Get Oxford's archive"), type="primary", on_click=_start, args=("official",))


def _own() -> None:
    st.markdown(
        _("An archive or an unpacked folder in VGG Face's format: files/Name.txt, one a person.")
    )
    if shell.is_local_visitor():
        path = st.text_input(
            _("Its path on the computer that runs this lab"), key="dataset.path", max_chars=1000
        )
        st.button(
            _("Read it"), type="primary", disabled=not path, on_click=_start, args=("own", path)
        )
    number = st.session_state.setdefault(UPLOAD_ROUND, 0)
    upload = st.file_uploader(
        _("Upload the archive"),
        type=["gz", "tar", "tgz", "xz", "bz2"],
        key=f"dataset.up.{number}",
    )
    if upload is not None:
        each = linklists.index_upload(load_settings(), upload.name, upload.getvalue())
        st.session_state[UPLOAD_ROUND] = number + 1  # or the next run would take it again
        _go_to(each.name)
        st.rerun()


def _start(kind: Kind, *arguments: object) -> None:
    begin = {
        "practice": linklists.make_practice,
        "official": linklists.get_official,
        "own": lambda settings, path: linklists.index_own(
            settings,
            Path(os.path.expanduser(path)),  # noqa: PTH111 - Path's own raises for ~nobody
        ),
    }[kind]
    try:
        _go_to(begin(load_settings(), *arguments).name)  # type: ignore[operator]
    except FacedetError as error:
        st.session_state[ERROR] = error


def show_error_of_start() -> None:
    """What went wrong when a list was asked for: a callback has no place on the page."""
    error = st.session_state.pop(ERROR, None)
    if error is not None:
        show_error(error)


def _progress(each: LinkList, run_dir: Path, was_live: bool) -> None:
    now = job_view.follow(run_dir)
    if was_live != job_view.is_live(now) or each.ready:
        st.rerun()
    event, done, total, rate = linklists.painted_so_far(now.events)
    what = {
        "painted": _("Painting photos"),
        "fetched": _("Fetching the archive"),
        "read": _("Reading the lines"),
    }.get(event, _("Starting"))
    parts = [what]
    if total:
        parts.append(f"{100 * done / total:.0f} %")
    if rate and total and now.state == "running":
        parts.append(_("{time} left").format(time=words.duration((total - done) / rate)))
    parts.append(job_view.state_words(now.state))
    st.progress(done / total if total else 0.0, text=" · ".join(parts))
    job_view.show_failure(now)
    job_view.controls(run_dir, now, "dataset.job")
