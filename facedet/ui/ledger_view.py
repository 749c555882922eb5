"""Every link of a dataset: to filter, to page through, to take along."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from facedet.download.account import Row, Where
from facedet.download.ledger import Ledger
from facedet.download.outcome import ERROR_CLASSES
from facedet.downloads import Dataset
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.ui.shell import plain, show_error

KEY = "download.links"
ROWS = 100  # a page
OFFERED = 3000  # names in a box to choose from; others can be written
ALIKE = 5
# Links of these wait for the next run: no row keeps one of them.
CLASSES = [name for name in ERROR_CLASSES if name not in ("disk", "cancelled")]
SHOWN = (
    *("identity", "photo_id", "state", "error_class", "http_status", "note", "host", "label_fits"),
    *("bytes", "attempts", "last_at", "url", "final_url", "image_path"),
)


def show(dataset: Dataset) -> None:
    """The section, folded. Raises `FacedetError`."""
    with st.expander(_("Every link")):
        st.fragment(_show)(dataset)


def _show(dataset: Dataset) -> None:
    try:
        _table(dataset)
    except FacedetError as error:  # a fragment that runs by itself has no page around it
        show_error(error)


def _table(dataset: Dataset) -> None:
    with Ledger.open(dataset.ledger_path, create=False) as ledger:
        where = _choose(dataset, ledger)
        total = ledger.count(where)
        page = _turn(dataset, where, total)
        rows = ledger.rows(where, offset=page * ROWS, limit=ROWS)
    table = pd.DataFrame([[_cell(row, name) for name in SHOWN] for row in rows], columns=SHOWN)
    st.dataframe(table, hide_index=True, placeholder="", alt=_("Links of the ledger"))
    st.download_button(
        _("All that fit as CSV"),
        lambda: _export(dataset, where),  # when it is clicked, and not before
        f"{dataset.name}-links.csv",
        "text/csv",
        icon=":material/table:",
    )


def _choose(dataset: Dataset, ledger: Ledger) -> Where:
    """The filters' widgets."""
    key = f"{KEY}.{dataset.name}"
    states = {"waiting": _("waits"), "done": _("a picture"), "failed": _("not got")}
    row = st.container(horizontal=True)
    state = _one_of(row, _("State"), states, f"{key}.state", 110)
    error_class = _one_of(row, _("Class"), {name: name for name in CLASSES}, f"{key}.class")
    fits = _one_of(row, _("Label fits"), {True: _("yes"), False: _("no")}, f"{key}.fits", 100)
    host = _named(row, _("Site"), "host", dataset, ledger)
    identity = _named(row, _("Person"), "identity", dataset, ledger)
    text = row.text_input(_("Address or note has"), key=f"{key}.text", width=170)
    return Where(
        state=state,
        error_class=error_class,
        host=host,
        identity=identity,
        label_fits=fits,
        text=text,
    )


def _one_of(row: Any, label: str, names: dict[Any, str], key: str, width: int = 150) -> Any:
    return row.selectbox(
        label,
        list(names),
        index=None,
        format_func=names.__getitem__,
        placeholder=_("All"),
        key=key,
        width=width,
    )


def _named(
    row: Any, label: str, column: Literal["host", "identity"], dataset: Dataset, ledger: Ledger
) -> str | None:
    """A site or a person: chosen, or written in part where that says which one is meant."""
    typed: str | None = row.selectbox(
        label,
        _names(str(dataset.ledger_path), dataset.version, column, ledger),
        index=None,
        placeholder=_("All"),
        accept_new_options=True,
        key=f"{KEY}.{dataset.name}.{column}",
        width=170,
        help=_("Choose, or write a part of the name."),
    )
    if not typed or ledger.count(_is(column, typed)):
        return typed
    alike: list[str] = ledger.names(column, typed, ALIKE + 1)
    if len(alike) == 1:
        return alike[0]
    told = ", ".join(alike[:ALIKE]) or _("none")
    st.caption(
        plain(
            _("{label}: “{typed}” is in these: {told}").format(label=label, typed=typed, told=told)
        )
    )
    return typed


def _is(column: Literal["host", "identity"], name: str) -> Where:
    return Where(host=name) if column == "host" else Where(identity=name)


@st.cache_data(max_entries=32, ttl="1h", show_spinner=False)
def _names(
    path: str, version: tuple[int, ...], column: Literal["host", "identity"], _ledger: Ledger
) -> list[str]:
    return _ledger.names(column, "", OFFERED)


def _turn(dataset: Dataset, where: Where, total: int) -> int:
    """The buttons to page with; returns the page shown, 0 the first. Another filter begins anew."""
    key = f"{KEY}.{dataset.name}.page"
    of, page = st.session_state.get(key, (where, 0))
    last = max(0, (total - 1) // ROWS)
    page = min(page, last) if of == where else 0
    row = st.container(horizontal=True, vertical_alignment="center")
    for label, to, disabled in (
        (_("Previous"), page - 1, page == 0),
        (_("Next"), page + 1, page == last),
    ):
        row.button(
            label, key=f"{key}.{label}", disabled=disabled, on_click=_go, args=(key, where, to)
        )
    first = page * ROWS
    row.caption(
        _("{first:,}–{last:,} of {n:,}").format(
            first=first + 1, last=min(first + ROWS, total), n=total
        )
        if total
        else _("No link fits.")
    )
    return page


def _go(key: str, where: Where, page: int) -> None:
    st.session_state[key] = where, page


def _cell(row: Row, name: str) -> object:
    value = getattr(row, name)
    if name == "last_at":
        return _local(value)
    if name == "label_fits":
        return {None: "", 0: _("no"), 1: _("yes")}[value]
    return value


def _local(seconds: float | None) -> str:
    """A time as the visitor's clock shows it."""
    if seconds is None:
        return ""
    try:
        zone = ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None  # that of this computer
    return datetime.fromtimestamp(seconds).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _export(dataset: Dataset, where: Where) -> bytes:
    # Beside the dataset it would be left behind by whoever leaves at the wrong moment.
    with (
        TemporaryDirectory(prefix="facedet-") as folder,
        Ledger.open(dataset.ledger_path, create=False) as ledger,
    ):
        path = Path(folder) / "links.csv"
        ledger.export_csv(path, where)
        return path.read_bytes()
