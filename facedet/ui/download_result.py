"""What a download came to: how much, the funnel, failures and what they mean, who came."""

import csv
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import downloads, figures
from facedet.download import report
from facedet.downloads import Dataset, Told
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.ui import (
    download_account,
    download_pictures,
    download_start,
    internet_view,
    ledger_view,
    shell,
    words,
)
from facedet.ui.download_account import Account
from facedet.ui.shell import plain

KEY = "download.result"
SHOWN_PROBLEMS = 100
NAME_PX, NUMBER_PX, SHARE_PX = 120, 68, 98


def show(dataset: Dataset, ready: bool | None, run_dir: Path | None) -> None:
    """The whole of it.

    Args:
        ready: whether failures may be tried again; None where that is still to be looked at.
        run_dir: of the last job; None where the dataset was downloaded by other means.

    Raises:
        FacedetError: the ledger cannot be read.
    """
    account = download_account.account_of(dataset)
    told = downloads.told_by(run_dir) if run_dir else None
    _headline(dataset, account, told)
    download_pictures.show_some(dataset)
    _funnel(account)
    if dataset.problems_path.is_file():
        _problems(dataset.problems_path)
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        _failures(dataset, account.failures, ready)
    with right:
        _yields(account)
    ledger_view.show(dataset)


def _headline(dataset: Dataset, account: Account, told: Told | None) -> None:
    """How much is there and where, and what the last run had to do with it."""
    n = account.funnel.pictures
    whole = told is not None and told.pictures >= n  # the last run brought all of it
    facts = [
        "**" + ngettext("{n:,} photo", "{n:,} photos", n).format(n=n) + "**",
        words.size(account.size_bytes),
        *([_took(told)] if told and whole and told.links else []),
        _("in {folder}").format(folder=plain(str(dataset.folder))),
    ]
    sentences = [", ".join(facts) + "."]
    if told and told.links and not whole:
        sentences.append(
            _(
                "The last run asked for {links:,} addresses and brought {n:,} photos, {time}."
            ).format(links=told.links, n=told.pictures, time=_took(told))
        )
    if not account.waiting:
        sentences.append(_("Nothing waits: every address has been settled."))
        sentences.append(download_start.free_on_disk(account.space))
    st.markdown(" ".join(sentences))
    if told and told.labels_kept:
        _tell_of_edits(told.labels_kept)


def _took(told: Told) -> str:
    return _("in {time}").format(time=words.duration(max(1, round(told.seconds))))


def _tell_of_edits(name: str) -> None:
    st.info(
        plain(
            _(
                "Somebody had changed labels.csv. It has been written anew from what came; the "
                "changed one is kept beside it as {name}."
            ).format(name=name)
        ),
        icon=":material/edit_document:",
    )


def _funnel(account: Account) -> None:
    figure = figures.funnel([(step.name, step.n) for step in account.steps])
    st.plotly_chart(
        figure.update_layout(font_color=shell.letters()),
        config={"displayModeBar": False},
        alt="; ".join(f"{step.name}: {step.n:,}" for step in account.steps),
    )


def _problems(path: Path) -> None:
    n, first = _read_problems(str(path), path.stat().st_mtime_ns)
    if not n:
        return
    title = ngettext("{n:,} line could not be used", "{n:,} lines could not be used", n)
    with st.expander(title.format(n=n)):
        table = pd.DataFrame(first, columns=[_("line"), _("reason")])
        st.dataframe(table, hide_index=True, alt=_("Lines of the table, and why not"))
        st.download_button(
            _("All of them as CSV"), path.read_bytes, "problems.csv", "text/csv", on_click="ignore"
        )


@st.cache_data(max_entries=16, ttl="1h", show_spinner=False)
def _read_problems(path: str, version: int) -> tuple[int, list[tuple[str, str]]]:
    """How many there are, and the first of them."""
    first: list[tuple[str, str]] = []
    n = 0
    with Path(path).open(encoding="utf-8", newline="") as file:
        for n, row in enumerate(csv.DictReader(file), start=1):
            if n <= SHOWN_PROBLEMS:
                first.append((row["line"], row["reason"]))
    return n, first


def _failures(dataset: Dataset, failures: list[report.ClassCount], ready: bool | None) -> None:
    st.subheader(_("What went wrong"), anchor=False)
    if not failures:
        st.caption(_("Nothing."))
        return
    table = pd.DataFrame(
        [(_class_and_status(row), f"{row.n:,}", row.meaning) for row in failures],
        columns=[_("class"), _("links"), _("meaning")],
    )
    st.table(table.set_index(_("class")), width="stretch")
    classes = list(dict.fromkeys(row.error_class for row in failures))
    retry = st.multiselect(_("Try only these again"), classes, key=f"{KEY}.retry.{dataset.name}")
    if ready is None:  # what it takes is asked where it is needed
        if retry:
            ready = download_start.may_ask(dataset)
        else:
            internet_view.show_running(dataset)
    st.button(
        _("Try again"),
        disabled=not (retry and ready),
        on_click=download_start.begin,
        args=(dataset, download_start.private_allowed(dataset), tuple(retry)),
    )


def _class_and_status(row: report.ClassCount) -> str:
    """As code, so that nothing in it is read as Markdown."""
    status = f" · {row.http_status}" if row.http_status is not None else ""
    return f"`{row.error_class}{status}`"


def _yields(account: Account) -> None:
    st.subheader(_("Who came"), anchor=False)
    kinds = {"person": _("person"), "site": _("site")}
    by = st.segmented_control(
        _("Yield by"),
        list(kinds),
        format_func=kinds.__getitem__,
        default="person",
        key=f"{KEY}.by",
        required=True,
    )
    rows = account.people if by == "person" else account.sites
    table = pd.DataFrame(
        [(row.name, row.links, row.pictures, round(100 * row.share)) for row in rows],
        columns=[kinds[by], _("links"), _("pictures"), _("share")],
    )
    share = st.column_config.ProgressColumn(
        _("share"), min_value=0, max_value=100, format="%.0f %%", width=SHARE_PX
    )
    # All four are seen on a phone, too; long names are cut, and whole when they are clicked.
    widths = {kinds[by]: NAME_PX, _("links"): NUMBER_PX, _("pictures"): NUMBER_PX}
    columns = {name: st.column_config.Column(width=width) for name, width in widths.items()}
    st.dataframe(
        table,
        hide_index=True,
        column_config=columns | {_("share"): share},
        alt=_("Pictures of each"),
    )
