"""What is in a list of links: figures and charts, and filters that act on all of them at once."""

import math
from typing import Any

import numpy as np
import streamlit as st

from facedet import figures
from facedet.i18n import gettext as _
from facedet.ui import words
from facedet.ui.shell import plain
from facedet.vggface import Filters, Index, Statistics, statistics

KEY = "dataset.filter"
OFFERED_HOSTS = 500
NO_LIMIT = (0.0, 6.0)
SIDES = (0.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, math.inf)


def choose_filters(index: Index) -> Filters:
    """The filters' widgets; the default lets every line through."""
    st.subheader(_("Filters"), anchor=False)
    curated = st.toggle(_("Only the curated set"), key=f"{KEY}.curated")
    frontal = st.toggle(_("Only frontal faces"), key=f"{KEY}.frontal", help=_("Pose above 2"))
    inside = st.toggle(
        _("Only boxes within the photo"),
        key=f"{KEY}.inside",
        help=_("Some boxes begin left of or above their photo: their numbers are negative."),
    )
    https = st.toggle(_("Only https addresses"), key=f"{KEY}.https")
    low, high = st.slider(_("Detection score"), *NO_LIMIT, NO_LIMIT, 0.1, key=f"{KEY}.score")
    least, most = st.select_slider(
        _("Size of the face, pixels"),
        SIDES,
        value=(SIDES[0], SIDES[-1]),
        format_func=lambda side: _("any") if math.isinf(side) else f"{side:g}",
        key=f"{KEY}.side",
        help=_("The shorter side of the box. In the photo as it was in 2015."),
    )
    name = index.path.parent.name  # people and sites are those of this list
    identity = st.selectbox(
        _("Person"),
        index.identities,
        index=None,
        placeholder=_("Everybody"),
        format_func=lambda identity: identity.replace("_", " "),
        key=f"{KEY}.identity.{name}",
    )
    host = _choose_host(index, f"{KEY}.host.{name}")
    st.button(_("Clear the filters"), icon=":material/filter_alt_off:", on_click=_clear)
    return Filters(
        curated=curated,
        frontal=frontal,
        inside=inside,
        https=https,
        min_score=low if low > NO_LIMIT[0] else Filters().min_score,
        max_score=high if high < NO_LIMIT[1] else Filters().max_score,
        min_side=least,
        max_side=most,
        identity=identity or "",
        host=host,
    )


def _choose_host(index: Index, key: str) -> str:
    """One of the largest sites, or any other by its name; "" for all."""
    typed = st.selectbox(
        _("Site"),
        _largest_hosts(str(index.path), index.path.stat().st_mtime, index),
        index=None,
        placeholder=_("All; choose, or write a name"),
        accept_new_options=True,
        key=key,
    )
    host = (typed or "").strip().lower()
    if host and host not in index.hosts:
        st.error(plain(_("There is no site {host} in this list.").format(host=host)))
        return ""
    return host


@st.cache_data(max_entries=8, ttl="1h", show_spinner=False)
def _largest_hosts(_path: str, version: float, _index: Index) -> list[str]:
    counts = np.bincount(_index.host, minlength=len(_index.hosts))
    return [_index.hosts[i] for i in np.argsort(-counts, kind="stable")[:OFFERED_HOSTS]]


def show(index: Index, filters: Filters) -> None:
    """Figures and charts of the lines that pass. Raises `UsageError` for an unknown site."""
    version = index.path.stat().st_mtime
    found = _statistics(str(index.path), version, filters, index)
    _facts(found, len(index))
    if not found.lines:
        st.info(_("No line passes these filters. Loosen one of them."))
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _chart(figures.lines_per_identity(found), _per_person(found))
        _chart(figures.sides(found), figures.describe(found.sides))
        _chart(figures.poses(found), figures.describe(found.poses))
        _chart(figures.schemes(found), figures.describe(found.schemes))
    with right:
        _chart(figures.hosts(found), figures.describe(found.hosts))
        _chart(figures.scores(found), figures.describe(found.scores))
        _chart(figures.extensions(found), figures.describe(found.extensions))
        _chart(figures.curation(found), figures.describe(found.curation))


def _clear() -> None:
    for key in list(st.session_state):
        if str(key).startswith(f"{KEY}."):
            del st.session_state[key]


@st.cache_data(max_entries=64, ttl="1h", show_spinner=False)
def _statistics(_path: str, version: float, filters: Filters, _index: Index) -> Statistics:
    return statistics(_index, filters)


def _facts(found: Statistics, total: int) -> None:
    of_all = _("of {n:,}").format(n=total) if found.lines != total else None
    facts = (
        (_("Lines"), found.lines, of_all),
        (_("People"), found.identities, None),
        (_("Different addresses"), found.unique_urls, None),
        (_("Sites"), found.n_hosts, None),
    )
    with st.container(horizontal=True):
        for label, value, note in facts:
            st.metric(
                label,
                f"{value:,}",
                note,
                delta_color="off",
                delta_arrow="off",
                border=True,
                width=150,
            )
    strange = (
        (found.repeated, _("repeat an address of the same person")),
        (found.negative, _("have a box that begins outside the photo")),
        (found.unusual, _("have characters in the address that do not belong there")),
        (found.without_extension, _("have an address without a file extension")),
    )
    parts = [
        f"**{n:,}** {what} ({words.three_digits(100 * n / found.lines)} %)"
        for n, what in strange
        if n
    ]
    if parts:
        st.markdown(_("Strange in these lines: {parts}.").format(parts="; ".join(parts)))


def _per_person(found: Statistics) -> str:
    counts = found.lines_per_identity
    return _("{n:,} people; from {low:,} to {high:,} lines each").format(
        n=len(counts), low=int(counts[0]), high=int(counts[-1])
    )


def _chart(figure: Any, alt: str) -> None:
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=alt)
