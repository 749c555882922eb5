"""Two cleaners side by side on screen: the 2 x 2 picture, agreement, costs, truth, who is left."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from facedet import cleanings
from facedet.cleaning import catalogue
from facedet.cleaning.compare import CELLS, Cell
from facedet.cleaning.truth import FaultScore, Score, too_few
from facedet.cleanings import Place
from facedet.errors import shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.ui import cleaning_gallery, cleaning_words, square, words
from facedet.ui.cleaning_view import View, cell_meaning
from facedet.ui.shell import plain

KEY = "cleaning.compare"
SQUARE = f"{KEY}.square"
MOST_REASONS = 3
MOST_PEOPLE = 1000


def show(shown: View) -> None:
    """The whole of it."""
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        _square(shown)
        _costs(shown)
        if shown.known is not None:
            _precision(shown)
    with right:
        if shown.known is None:
            _reasons(shown)
        else:
            _truth(shown)
    _people(shown)


def show_one(place: Place, name: str) -> None:
    """What a single cleaner finds, until there is another to put beside it."""
    title = catalogue.get(name).title
    judged = cleanings.judged(place, name)
    n = int((judged["verdict"] == "set_aside").sum())
    st.markdown(
        _("So far only {name} has looked: it would set {n:,} of {total:,} pictures aside.").format(
            name=plain(title), n=n, total=len(judged)
        )
    )
    _table_of_reasons([title], [_counted(judged)])


def _square(shown: View) -> None:
    compared = shown.compared
    first, second = shown.titles
    told = ngettext("{n:,} picture", "{n:,} pictures", compared.pictures)
    st.subheader(
        _("Two cleaners, {pictures}").format(pictures=told.format(n=compared.pictures)),
        anchor=False,
    )
    clicked = cleaning_gallery.picked(SQUARE)
    if clicked in CELLS:
        cleaning_gallery.show_cell(clicked)
    square.show(
        SQUARE,
        _("What each of the two does with the pictures: choose a part to see it"),
        [_("{name} keeps").format(name=second), _("{name} sets aside").format(name=second)],
        [_("{name} keeps").format(name=first), _("{name} sets aside").format(name=first)],
        [_cell(shown, cell) for cell in CELLS],
        cleaning_gallery.cell_shown(shown),
    )
    st.markdown(plain(_agreement(shown)))
    for name, paths in compared.unmatched.items():
        if paths:
            says = _("{n:,} pictures that only {name} has looked at are left out.")
            st.caption(plain(says.format(n=len(paths), name=name)))


def _cell(shown: View, cell: Cell) -> square.Cell:
    paths = shown.compared.cells[cell]
    return square.Cell(
        id=cell,
        count=f"{len(paths):,}",
        meaning=cell_meaning(shown, cell),
        why=cleaning_words.most_frequent(_why(shown, cell), MOST_REASONS),
    )


def _why(shown: View, cell: Cell) -> Mapping[str, int]:
    """The first reasons in a cell, the most frequent first; a person's decision counts as one."""
    if cell == "both":
        return {}
    saying = {"only_first": shown.names[1:], "only_second": shown.names[:1]}.get(cell, shown.names)
    counts: Counter[str] = Counter()
    paths = list(shown.compared.cells[cell])
    rows = shown.tables[saying[0]].loc[paths]
    for reason, by in zip(rows["reason"], rows["by"], strict=True):
        counts[_("your decision") if by == "person" else reason.partition(" ")[0]] += 1
    counts.pop("", None)
    return dict(counts.most_common())


def _agreement(shown: View) -> str:
    agreement = shown.compared.agreement
    if math.isnan(agreement.kappa):  # nothing to say, or nothing to compare
        return agreement.sentence
    return _(
        "{sentence} (Cohen's kappa {kappa:.2f}; 0 is what chance alone would bring, 1 is always.)"
    ).format(sentence=agreement.sentence, kappa=agreement.kappa)


# --- Beside it


def _costs(shown: View) -> None:
    with st.container(horizontal=True):
        for name, title in zip(shown.names, shown.titles, strict=True):
            ms = shown.compared.ms_per_picture[name]
            told = _("{ms} ms a picture").format(ms=words.three_digits(ms or 0))
            st.metric(
                title,
                _("not told") if ms is None else told,
                border=True,
                width=230,
                help=_("What measuring one picture takes on one core, on average."),
            )


def _reasons(shown: View) -> None:
    """Where nothing is known to be wrong: what each says, and how often."""
    st.subheader(_("What each of them finds"), anchor=False)
    _table_of_reasons(shown.titles, [_counted(shown.tables[name]) for name in shown.names])
    if not shown.labels.known:
        st.caption(
            _("There are no labels (no labels.csv), so no face can be said not to fit its label.")
        )


def _table_of_reasons(titles: Sequence[str], counts: Sequence[Counter[str]]) -> None:
    codes = sorted(
        set[str]().union(*counts), key=lambda code: -max(count[code] for count in counts)
    )
    rows = [[cleaning_words.reason(code), *(count[code] for count in counts)] for code in codes]
    if not rows:
        st.caption(_("Nothing: every picture may stay."))
        return
    st.dataframe(
        pd.DataFrame(rows, columns=[_("reason"), *titles]),
        hide_index=True,
        alt=_("How often each cleaner gives which reason"),
    )


def _counted(judged: pd.DataFrame) -> Counter[str]:
    aside = judged.loc[judged["verdict"] == "set_aside", "reason"]
    return Counter(code for codes in aside for code in codes.split())


# --- Against the truth


def _truth(shown: View) -> None:
    st.subheader(_("Against the truth"), anchor=False)
    st.caption(_("Of the pictures with each fault, the share that was set aside for it."))
    scores = [shown.compared.scores[name] for name in shown.names]
    by_fault = [{one.fault: one for one in score.faults} for score in scores]
    names = list(dict.fromkeys(fault for side in by_fault for fault in side))
    known = [name for name in names if any(_recall(side, name) is not None for side in by_fault)]
    columns = [_("fault"), _("pictures"), *shown.titles]
    rows = [
        [name, _pictures(by_fault, name), *(_recall(side, name) for side in by_fault)]
        for name in known
    ]
    bar = {
        title: st.column_config.ProgressColumn(
            title, min_value=0, max_value=1, format="%.2f", width=94
        )
        for title in shown.titles
    }
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(shown.titles, float))
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            **bar,
            _("fault"): st.column_config.TextColumn(width=112),
            _("pictures"): st.column_config.NumberColumn(width=58),
        },
        alt="; ".join(f"{row[0]}: {row[2:]}" for row in rows),
        height=_all_of(len(rows)),
        placeholder="–",
    )
    _few(shown)
    _wrong(shown, scores)
    with st.expander(_("What the faults are")):
        _meanings(known)


def _all_of(n_rows: int) -> int:
    """The height that shows every row, so that nothing scrolls within the page: pixels."""
    return 35 * (n_rows + 1) + 3


def _few(shown: View) -> None:
    """One sentence where a rule cannot find what it is for."""
    if shown.known is None:
        return
    found = [too_few(table, shown.known, shown.labels) for table in shown.tables.values()]
    counts = next(filter(None, found), {})
    told = [
        _("{n:,} of {total:,} {fault}").format(n=n, total=total, fault=cleaning_words.reason(fault))
        for fault, (n, total) in counts.items()
    ]
    if told:
        says = _(
            "Too few equal files for their rule, as small sets have them: {told}. "
            "No cleaner can find these by comparing."
        )
        st.caption(plain(says.format(told=", ".join(told))))


def _recall(side: Mapping[str, FaultScore], name: str) -> float | None:
    return side[name].recall if name in side else None


def _pictures(by_fault: Sequence[Mapping[str, FaultScore]], name: str) -> int:
    return max(side[name].pictures for side in by_fault if name in side)


def _wrong(shown: View, scores: Sequence[Score]) -> None:
    """A button for the pictures that each got wrong."""
    row = st.container(horizontal=True)
    for title, score in zip(shown.titles, scores, strict=True):
        n = len(score.wrong)
        text = _("{name} got {n:,} wrong").format(name=title, n=n)
        row.button(
            text,
            key=f"{KEY}.wrong.{title}",
            icon=":material/search:",
            disabled=not n,
            help=_("Missed, set aside without a fault, or set aside for another reason."),
            on_click=cleaning_gallery.show_list,
            args=(text, tuple(wrong.image_path for wrong in score.wrong)),
        )


def _precision(shown: View) -> None:
    """For each reason, how many were set aside for it and how often that was right."""
    st.caption(_("Of the pictures set aside for each reason, the share that has such a fault."))
    scores = [shown.compared.scores[name] for name in shown.names]
    by_reason = [{one.reason: one for one in score.reasons} for score in scores]
    codes = list(dict.fromkeys(code for side in by_reason for code in side))
    columns = [_("first reason"), _("pictures"), *shown.titles]
    rows = [
        [
            cleaning_words.reason(code),
            max(side[code].pictures for side in by_reason if code in side),
            *(side[code].precision if code in side else None for side in by_reason),
        ]
        for code in codes
    ]
    bars = {
        title: st.column_config.ProgressColumn(
            title, min_value=0, max_value=1, format="%.2f", width=94
        )
        for title in shown.titles
    }
    st.dataframe(
        pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(shown.titles, float)),
        hide_index=True,
        column_config={
            **bars,
            columns[0]: st.column_config.TextColumn(width=112),
            columns[1]: st.column_config.NumberColumn(width=58),
        },
        alt="; ".join(f"{row[0]}: {row[2:]}" for row in rows),
        height=_all_of(len(rows)),
        placeholder="–",
    )


def _meanings(names: Sequence[str]) -> None:
    rows = [(f"`{name}`", plain(cleaning_words.fault_meaning(name))) for name in names]
    st.table(pd.DataFrame(rows, columns=[_("fault"), _("meaning")]).set_index(_("fault")))


# --- Who is left


def _people(shown: View) -> None:
    people = shown.compared.identities[:MOST_PEOPLE]
    with st.expander(_("Who is left: pictures of each person under each cleaner")):
        first, second = shown.titles
        rows = [
            (
                *(shown_name(one.identity), one.pictures, one.kept_first, one.kept_second),
                100 * one.kept_both / one.pictures,
            )
            for one in people
        ]
        share = _("kept by both")
        columns = [
            *(_("person"), _("pictures"), _("kept by {name}").format(name=first)),
            *(_("kept by {name}").format(name=second), share),
        ]
        bar = st.column_config.ProgressColumn(share, min_value=0, max_value=100, format="%.0f %%")
        st.dataframe(
            pd.DataFrame(rows, columns=columns),
            hide_index=True,
            column_config={share: bar},
            alt=_("What is left of whom, the greatest losses first"),
        )
        if len(shown.compared.identities) > MOST_PEOPLE:
            st.caption(
                _("The {n:,} with the greatest losses; the report has all.").format(n=MOST_PEOPLE)
            )
