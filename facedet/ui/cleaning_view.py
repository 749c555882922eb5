"""What two cleaners came to, in one value that all visitors share, and where each finds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import cleanings
from facedet.cleaning import catalogue, truth
from facedet.cleaning.compare import Cell, Comparison, compare
from facedet.cleaning.pictures import Labels, read_labels
from facedet.cleaning.truth import Truth, read_truth, reasons_of
from facedet.cleanings import Place
from facedet.i18n import gettext as _
from facedet.i18n import language

PAIR = "cleaning.pair"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Two cleaners on one place; shared by all sessions, so nobody changes it.

    Args:
        tables: judged, by the cleaners' names, the first and the second.
        compared: what that comes to.
        labels: of the place.
        known: what is known to be wrong; None where nothing is.
        held: where each picture in quarantine lies.
        levels: of each cleaner, the number of each threshold; NaN where it is off.
        reasons: of each cleaner, what it says against each picture.
        version: changes when the cleaners have measured anew, or a threshold moved.
    """

    place: Place
    tables: Mapping[str, pd.DataFrame]
    compared: Comparison
    labels: Labels
    known: Truth | None
    held: Mapping[str, str]
    levels: Mapping[str, Mapping[str, float]]
    reasons: Mapping[str, Mapping[str, str]]
    version: tuple[int, ...]

    @property
    def names(self) -> tuple[str, str]:
        """Of the two cleaners."""
        return self.compared.names

    @property
    def titles(self) -> tuple[str, str]:
        """The same for people."""
        first, second = self.names
        return catalogue.get(first).title, catalogue.get(second).title


def view(place: Place, names: tuple[str, str]) -> View:
    """The comparison as it stands now; made anew only when a file has changed.

    Raises:
        FacedetError: a table, the labels, the truth or the decisions cannot be used.
    """
    return _view(str(place.folder), place.name, names, place.version(names), language())


@st.cache_resource(max_entries=12, ttl="1h", show_spinner=False)
def _view(
    folder: str, name: str, names: tuple[str, str], version: tuple[int, ...], reader: str
) -> View:
    return _make(Place(Path(folder), name), names)


def _make(place: Place, names: Sequence[str]) -> View:
    tables = {name: _judged(place, name) for name in names}
    labels = read_labels(place.folder)
    known = _truth(place.folder / truth.FILE)
    can_say = {name: reasons_of(catalogue.get(name)) for name in names}
    compared = compare(tables, known, labels.identity_of, can_say)
    cleaners = {name: catalogue.get(name) for name in names}
    return View(
        place,
        tables,
        compared,
        labels,
        known,
        held=cleanings.held_paths(place),
        levels={
            name: cleaner.levels(cleanings.settings_of(place.folder, cleaner))
            for name, cleaner in cleaners.items()
        },
        reasons={
            name: dict(zip(map(str, table.index), table["reason"], strict=True))
            for name, table in tables.items()
        },
        version=place.measured_version(names),
    )


def _judged(place: Place, name: str) -> pd.DataFrame:
    """A cleaner's table; a slider of one cleaner does not judge with the other once more."""
    moved = cleanings.settings_of(place.folder, catalogue.get(name))
    key = (*place.judged_version(name), *sorted(moved.items()))
    return _judged_before(str(place.folder), name, key)


@st.cache_resource(max_entries=12, ttl="1h", show_spinner=False)
def _judged_before(folder: str, name: str, key: tuple[object, ...]) -> pd.DataFrame:
    return cleanings.judged(Place(Path(folder)), name)


def _truth(path: Path) -> Truth | None:
    """What is known to be wrong, where anything is; remembered while the file stays."""
    try:
        return _read_truth(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4)
def _read_truth(path: Path, _mtime_ns: int) -> Truth:
    return read_truth(path)


def choose_pair(measured: Sequence[str]) -> tuple[str, str]:
    """Which two to put side by side; asked only where there are more than two."""
    pairs = list(combinations(measured, 2))
    if len(pairs) == 1:
        return pairs[0]
    names = {f"{a}|{b}": f"{catalogue.get(a).title} – {catalogue.get(b).title}" for a, b in pairs}
    if st.session_state.get(PAIR) not in names:
        st.session_state.pop(PAIR, None)
    chosen = st.segmented_control(
        _("Put side by side"),
        list(names),
        format_func=names.__getitem__,
        default=next(iter(names)),
        required=True,
        key=PAIR,
    )
    first, _bar, second = str(chosen).partition("|")
    return first, second


def cell_meaning(shown: View, cell: Cell) -> str:
    """A cell in words; the look of it says the same."""
    first, second = shown.titles
    return {
        "both": _("kept by both"),
        "only_first": _("set aside only by {name}").format(name=second),
        "only_second": _("set aside only by {name}").format(name=first),
        "neither": _("set aside by both"),
    }[cell]
