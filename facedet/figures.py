"""Plotly figures out of values. Letters and ground come from the theme of whoever shows them."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from facedet.i18n import gettext as _
from facedet.vggface.query import Bars, Histogram, Statistics

HEIGHT_PX = 260
FUNNEL_TEXT_PX = 14
# Those of the theme, which Streamlit hands on to its own charts and not to Plotly's.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_MARGIN = {"l": 8, "r": 8, "t": 44, "b": 8}


def hosts(found: Statistics) -> go.Figure:
    """Which sites the photos are on: horizontal bars, the largest on top."""
    bars = found.hosts
    names = [*bars.names, *([_("{n:,} others").format(n=bars.rest_names)] if bars.rest else [])]
    counts = [*bars.counts, *([bars.rest] if bars.rest else [])]
    figure = _figure(_("Which sites are the photos on?"))
    figure.add_bar(
        x=counts,
        y=[_cut(name) for name in names],
        customdata=names,
        orientation="h",
        hovertemplate="%{customdata}: %{x:,}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title_text=_("lines"))
    return figure.update_layout(height=420)


def sides(found: Statistics) -> go.Figure:
    """How large the faces are."""
    figure = _histogram(found.sides, _("How large are the faces?"))
    return figure.update_xaxes(title_text=_("shorter side of the box, from … pixels"))


def scores(found: Statistics) -> go.Figure:
    """How sure the detector of 2015 was."""
    figure = _histogram(found.scores, _("How sure was the detector of 2015?"))
    return figure.update_xaxes(title_text=_("detection score, from … (0 hardly, 6 very)"))


def poses(found: Statistics) -> go.Figure:
    """Frontal faces and profiles."""
    figure = _bars(found.poses, _("Frontal or profile?"))
    return figure.update_xaxes(title_text=_("pose: 1 and 2 profile, 3 and more frontal"))


def extensions(found: Statistics) -> go.Figure:
    """What kind of files the addresses promise."""
    bars = found.extensions
    names = tuple(name or _("none") for name in bars.names)
    shown = Bars(names, bars.counts, bars.rest_names, bars.rest)
    figure = _bars(shown, _("Which kinds of file?"))
    return figure.update_xaxes(title_text=_("extension in the address"))


def curation(found: Statistics) -> go.Figure:
    """How many lines are in the curated set."""
    names = (_("curated"), _("not curated"))
    figure = _bars(Bars(names, found.curation.counts), _("How much of it is curated?"))
    return figure.update_xaxes(title_text=_("checked by people, and kept"))


def schemes(found: Statistics) -> go.Figure:
    """How many addresses are encrypted."""
    figure = _bars(found.schemes, _("Which addresses are encrypted?"))
    return figure.update_xaxes(title_text=_("scheme of the address"))


def lines_per_identity(found: Statistics) -> go.Figure:
    """How many lines each person has: one point a person, sorted."""
    counts = found.lines_per_identity
    # 500 points show the curve of thousands.
    shown = np.unique(np.linspace(0, len(counts) - 1, min(len(counts), 500)).astype(int))
    figure = _figure(_("How many lines has each person?"))
    figure.add_scatter(
        x=(shown + 1).tolist(),
        y=counts[shown].tolist(),
        mode="lines+markers" if len(shown) < 60 else "lines",
        hovertemplate="%{y:,}<extra></extra>",
    )
    figure.update_yaxes(rangemode="tozero", title_text=_("lines"))
    return figure.update_xaxes(title_text=_("people, from fewest lines to most"))


def funnel(steps: Sequence[tuple[str, int]]) -> go.Figure:
    """How many are left at each step, from the first to the last, in per cent of the first.

    Names stand above their bars and not beside them, so that they are whole on a phone, too.
    """
    counts = [n for _name, n in steps]
    most = max(counts, default=0) or 1
    shares = [100 * n / (counts[0] or 1) for n in counts]
    figure = _figure(_("From lines to photos that fit"))
    figure.add_bar(
        x=counts,
        y=list(range(len(steps))),
        customdata=[[name, share] for (name, _n), share in zip(steps, shares, strict=True)],
        orientation="h",
        width=0.5,
        text=[f"{n:,} · {share:.0f} %" for n, share in zip(counts, shares, strict=True)],
        textposition=["inside" if n > most / 2 else "outside" for n in counts],
        insidetextanchor="start",
        textfont={"size": FUNNEL_TEXT_PX},
        constraintext="none",
        cliponaxis=False,
        hovertemplate="%{customdata[0]}: %{x:,} (%{customdata[1]:.1f} %)<extra></extra>",
    )
    for k, (name, _n) in enumerate(steps):
        figure.add_annotation(
            x=0,
            y=k - 0.26,
            text=name,
            font={"size": FUNNEL_TEXT_PX},
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
        )
    figure.update_yaxes(visible=False, range=[len(steps) - 0.6, -0.75])
    figure.update_xaxes(visible=False, range=[0, most])
    return figure.update_layout(height=60 + 54 * len(steps))


def _figure(title: str) -> go.Figure:
    return go.Figure(
        layout={
            "title": {"text": title, "font": {"size": 15}},
            "height": HEIGHT_PX,
            "margin": _MARGIN,
            "showlegend": False,
            "bargap": 0.08,
            "colorway": COLOURS,
        }
    )


def _bars(bars: Bars, title: str) -> go.Figure:
    figure = _figure(title)
    names, counts = list(bars.names), list(bars.counts)
    if bars.rest:
        names, counts = [*names, _("others")], [*counts, bars.rest]
    figure.add_bar(x=names, y=counts, hovertemplate="%{x}: %{y:,}<extra></extra>")
    # Names that look like numbers are names.
    figure.update_xaxes(type="category")
    return figure.update_yaxes(title_text=_("lines"))


def _histogram(histogram: Histogram, title: str) -> go.Figure:
    """Bars of equal width, whatever the edges: they spread over two orders of magnitude."""
    low, high = histogram.edges[:-1], histogram.edges[1:]
    figure = _figure(title)
    figure.add_bar(
        x=[f"{edge:g}" for edge in low],
        y=list(histogram.counts),
        customdata=[_span(a, b) for a, b in zip(low, high, strict=True)],
        hovertemplate="%{customdata}: %{y:,}<extra></extra>",
    )
    # Every second edge is named: there is no room for more.
    figure.update_xaxes(type="category", tickangle=0, tickvals=[f"{edge:g}" for edge in low[::2]])
    return figure.update_yaxes(title_text=_("lines"))


def _span(low: float, high: float) -> str:
    return f"{low:g}+" if high == np.inf else f"{low:g}–{high:g}"


def _cut(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def describe(bars: Bars | Histogram, most: int = 5) -> str:
    """The largest counts in words, for those who cannot see the chart."""
    if isinstance(bars, Histogram):
        names: Sequence[str] = [
            _span(a, b) for a, b in zip(bars.edges, bars.edges[1:], strict=False)
        ]
    else:
        names = bars.names
    pairs = sorted(zip(bars.counts, names, strict=True), reverse=True)[:most]
    return "; ".join(f"{name or _('none')}: {count:,}" for count, name in pairs if count)
