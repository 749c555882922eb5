"""Setting aside on screen: before and after, the job that moves, the way back, the report."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import cleanings, jobs
from facedet.cleaning.report import report_html, verdicts_csv
from facedet.cleanings import Agree, Place
from facedet.errors import FacedetError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import Limits
from facedet.settings import load_settings
from facedet.ui import cleaning_choice, job_view, words
from facedet.ui.cleaning_view import View
from facedet.ui.shell import plain

KEY = "cleaning.aside"
WHOSE = f"{KEY}.whose"
MOST_TROUBLES = 5


def show(shown: View) -> None:
    """The whole section."""
    st.subheader(_("Before and after"), anchor=False)
    whose = _choose(shown)
    parts = _parts(shown, whose)
    leaving = [path for rows in parts.values() for path in rows.index]
    _before_and_after(shown, leaving)
    if not _moving(shown.place):
        _buttons(shown, whose, len(leaving))
    _commands(shown, whose)
    _report(shown)


def _ways(shown: View) -> Mapping[str, tuple[str, Sequence[str], Agree]]:
    """Whose verdicts may count: words, cleaners, and whether the word of either is enough."""
    first, second = shown.names
    a, b = shown.titles
    return {
        "first": (a, (first,), "either"),
        "second": (b, (second,), "either"),
        "either": (_("Either of them"), shown.names, "either"),
        "both": (_("Only where both agree"), shown.names, "both"),
    }


def _choose(shown: View) -> str:
    ways = _ways(shown)
    chosen = st.segmented_control(
        _("Whose verdicts shall count?"),
        list(ways),
        format_func=lambda way: ways[way][0],
        default="either",
        required=True,
        key=WHOSE,
        help=_("A person's decisions count in any case."),
    )
    return str(chosen)


def _parts(shown: View, whose: str) -> dict[str, pd.DataFrame]:
    _words, names, agree = _ways(shown)[whose]
    return cleanings.to_set_aside({name: shown.tables[name] for name in names}, agree, shown.held)


def _before_and_after(shown: View, leaving: Sequence[str]) -> None:
    judged = max(shown.tables.values(), key=len)
    before = cleanings.stock(judged, shown.labels)
    after = cleanings.stock(judged, shown.labels, {*shown.held, *leaving})
    rows = [
        (_("Pictures"), before.pictures, after.pictures, "{:,}".format),
        (_("People"), before.people, after.people, "{:,}".format),
        (_("On the disk"), before.size_bytes, after.size_bytes, words.size),
    ]
    with st.container(horizontal=True):
        for label, old, new, told in rows:
            st.metric(
                label,
                f"{told(old)} → {told(new)}",
                f"-{told(old - new)}" if old > new else None,
                delta_color="off",
                border=True,
                width=260,
                help=_("As it came, and without what is set aside or would be."),
            )
        if shown.held:
            st.metric(
                _("In quarantine now"),
                f"{len(shown.held):,}",
                border=True,
                width=190,
                help=_("They lie in quarantine/ of the dataset's folder, with a manifest."),
            )


# --- Moving


def _buttons(shown: View, whose: str, n: int) -> None:
    _words, names, agree = _ways(shown)[whose]
    row = st.container(horizontal=True, vertical_alignment="center")
    label = ngettext("Set aside {n:,} picture", "Set aside {n:,} pictures", n).format(n=n)
    row.button(
        label if n else _("Nothing to set aside"),
        type="primary",
        icon=":material/archive:",
        disabled=not n,
        on_click=_begin,
        args=(shown.place, names, agree),
        key=f"{KEY}.apply",
    )
    held = len(shown.held)
    if held:
        label = ngettext("Bring {n:,} picture back", "Bring all {n:,} back", held)
        row.button(
            label.format(n=held),
            icon=":material/undo:",
            on_click=_undo,
            args=(shown.place,),
            key=f"{KEY}.undo",
        )
    row.caption(
        _("Set aside is not deleted: they move to quarantine/, and come back as they were.")
    )


def _moving(place: Place) -> bool:
    """The job that moves pictures, or how the last one ended; True while it moves."""
    run_dir = cleanings.aside_of(load_settings(), place)
    if run_dir is None:
        return False
    if jobs.is_live(run_dir):
        st.fragment(run_every=job_view.REFRESH_S)(_follow)(run_dir)
        return True
    _end(run_dir)
    return False


def _follow(run_dir: Path) -> None:
    now = jobs.recent(run_dir)
    if not job_view.is_live(now):
        st.rerun()
    _bar(now)
    job_view.controls(run_dir, now, f"{KEY}.job")


def _bar(now: jobs.Look) -> None:
    progress = cleanings.progress_of(now.events)
    share = progress.done / progress.total if progress.total else 0.0
    parts = [
        _("{done:,} of {total:,} pictures moved").format(done=progress.done, total=progress.total)
    ]
    parts = parts if progress.total else []
    st.progress(min(1.0, share), text=" · ".join([*parts, job_view.state_words(now.state)]))


def _end(run_dir: Path) -> None:
    """How the last move ended, where there is something to know."""
    now = jobs.recent(run_dir)
    if now.state in ("stopped", "failed", "died"):
        _bar(now)
        job_view.show_failure(now)
        return
    summary = next((e for e in reversed(now.events) if e["event"] == "summary"), {})
    troubles = summary.get("troubles") or []
    if troubles:
        lines = [f"{shown_name(one['image_path'])}: {one['says']}" for one in troubles]
        head = _("Some pictures were not moved as asked:")
        told = "  \n".join(plain(line) for line in lines[:MOST_TROUBLES])
        st.warning(f"{head}  \n{told}", icon=":material/warning:")


def _begin(place: Place, names: Sequence[str], agree: Agree) -> None:
    try:
        cleanings.start_aside(load_settings(), place, names, agree)
    except (FacedetError, OSError) as error:
        cleaning_choice.keep_error(FacedetError(str(error)))


def _undo(place: Place) -> None:
    try:
        cleanings.start_undo(load_settings(), place)
    except (FacedetError, OSError) as error:
        cleaning_choice.keep_error(FacedetError(str(error)))


def _commands(shown: View, whose: str) -> None:
    _words, names, agree = _ways(shown)[whose]
    commands = (
        cleanings.aside_args(shown.place, names, agree),
        cleanings.undo_args(shown.place),
        ["compare", str(shown.place.folder), "--cleaners", ",".join(shown.names)],
    )
    with st.expander(_("The same on the command line")):
        text = "\n".join(shlex.join(["python", "-m", "facedet", *one]) for one in commands)
        st.code(text, language="bash", wrap_lines=True)


# --- Report


def _report(shown: View) -> None:
    """Two files, made when they are asked for and not before."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.download_button(
        _("Report with pictures (HTML)"),
        lambda: report_html(
            shown.place.folder, shown.compared, shown.tables, Limits.of(load_settings())
        ).encode(),
        f"{_stem(shown)}-comparison.html",
        "text/html",
        icon=":material/description:",
        on_click="ignore",
    )
    row.download_button(
        _("All verdicts (CSV)"),
        lambda: verdicts_csv(shown.tables, shown.known),
        f"{_stem(shown)}-verdicts.csv",
        "text/csv",
        icon=":material/table:",
        on_click="ignore",
    )


def _stem(shown: View) -> str:
    return shown.place.name or shown.place.folder.name or "pictures"
