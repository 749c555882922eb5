"""What a download came to: the funnel, failures and what they mean, who came, every link."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import figures
from facedet.download import report
from facedet.download.ledger import Ledger
from facedet.downloads import Dataset
from facedet.i18n import gettext as _
from facedet.i18n import language, ngettext
from facedet.ui import download_start, ledger_view, shell

KEY = "download.result"
MOST_YIELDS = 1000
SHOWN_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class _Account:
    """What the ledger says as a whole; counting millions of rows takes seconds, so it is kept."""

    steps: list[report.Step]
    failures: list[report.ClassCount]
    people: list[report.Yield]
    sites: list[report.Yield]


def show(dataset: Dataset, ready: bool) -> None:
    """The whole of it; `ready` says whether failures may be tried again. Raises `FacedetError`."""
    account = _account(str(dataset.ledger_path), dataset.version, language())
    figure = figures.funnel([(step.name, step.n) for step in account.steps])
    st.plotly_chart(
        figure.update_layout(font_color=shell.letters()),
        config={"displayModeBar": False},
        alt="; ".join(f"{step.name}: {step.n:,}" for step in account.steps),
    )
    if dataset.problems_path.is_file():
        _problems(dataset.problems_path)
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        _failures(dataset, account.failures, ready)
    with right:
        _yields(account)
    ledger_view.show(dataset)


@st.cache_data(max_entries=16, ttl="1h", show_spinner=False)
def _account(path: str, version: tuple[int, ...], reader: str) -> _Account:
    with Ledger.open(Path(path), create=False) as ledger:
        return _Account(
            report.funnel(ledger),
            report.by_class(ledger),
            report.by_identity(ledger)[:MOST_YIELDS],
            report.by_host(ledger)[:MOST_YIELDS],
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


def _failures(dataset: Dataset, failures: list[report.ClassCount], ready: bool) -> None:
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
    st.button(
        _("Try again"),
        disabled=not (retry and ready),
        on_click=download_start.begin,
        args=(dataset, download_start.private_allowed(), tuple(retry)),
    )


def _class_and_status(row: report.ClassCount) -> str:
    """As code, so that nothing in it is read as Markdown."""
    status = f" · {row.http_status}" if row.http_status is not None else ""
    return f"`{row.error_class}{status}`"


def _yields(account: _Account) -> None:
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
        [(row.name, row.links, row.pictures, 100 * row.share) for row in rows],
        columns=[kinds[by], _("links"), _("pictures"), _("share")],
    )
    column = st.column_config.ProgressColumn(
        _("share"), min_value=0, max_value=100, format="%.0f %%"
    )
    st.dataframe(
        table, hide_index=True, column_config={_("share"): column}, alt=_("Pictures of each")
    )
