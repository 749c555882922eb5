"""Choosing part of a list of links, with what to expect of it, and writing its labels."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet import linklists
from facedet.download.probe import Probe
from facedet.downloads import Dataset
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.linklists import LinkList
from facedet.practice.truth import good_share, read_truth
from facedet.settings import load_settings
from facedet.ui import probe_view, words
from facedet.ui.shell import plain, show_error
from facedet.vggface import (
    COURSE_PHOTOS,
    Filters,
    Index,
    Sample,
    as_options,
    course_lines,
    forecast,
    size_of,
)
from facedet.vggface.sampling import PHOTO_BYTES, PHOTOS_PER_S, SURVIVAL_RATE

KEY = "dataset.sample"
MOST_DOWNLOADED = 50_000_000  # bytes of labels.csv that the page offers to take along
SHOWN_ROWS = 8
WRITTEN = f"{KEY}.written"


def show(each: LinkList, index: Index, filters: Filters) -> None:
    """The whole section. Raises `FacedetError`."""
    st.header(_("Choose a sample"), anchor=False)
    controls, outcome = st.columns([1, 1.4], gap="large")
    measured = _measured(each)
    with controls:
        survival = _survival(each, measured)
        sample = _choose(index, filters, survival)
    with outcome:
        lines = _expect(index, sample, survival, measured)
        if lines:
            _write(each, index, sample)


def _choose(index: Index, filters: Filters, survival: float) -> Sample:
    modes = {
        "people": _("People × photos"),
        "course": _("Course set"),
        "all": _("All that pass"),
    }
    mode = st.segmented_control(
        _("How to choose"),
        list(modes),
        format_func=lambda mode: modes[mode],
        default="people",
        key=f"{KEY}.mode",
        required=True,
    )
    seed = int(
        st.number_input(
            _("Seed"),
            0,
            9999,
            0,
            key=f"{KEY}.seed",
            width=120,
            help=_("Same seed, same sample; a larger sample contains the smaller one."),
        )
    )
    if mode == "course":
        st.caption(
            _("As many lines, spread over all people, as leave about {n:,} photos.").format(
                n=COURSE_PHOTOS
            )
        )
        return Sample(filters=filters, lines=course_lines(survival), seed=seed)
    if mode == "all":
        return Sample(filters=filters, seed=seed)
    people = len(index.identities)
    row = st.container(horizontal=True)
    identities = row.number_input(
        _("People"),
        1,
        people,
        min(people, 100),
        key=f"{KEY}.people.{index.path.parent.name}",
        width=130,
    )
    per_identity = row.number_input(_("Photos of each"), 1, 5000, 50, key=f"{KEY}.each", width=150)
    return Sample(
        filters=filters, identities=int(identities), per_identity=int(per_identity), seed=seed
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a probe of a dataset has found; it outranks what is assumed of any list."""

    name: str
    probe: Probe

    @property
    def percent(self) -> int:
        """Of the links, those that gave a picture; as a slider has it."""
        return max(1, round(100 * self.probe.rate))


def _measured(each: LinkList) -> _Measured | None:
    """Of the dataset that is named here; None where it has not been probed, or nothing came."""
    dataset = _named(each)
    found = probe_view.found(dataset) if dataset is not None else None
    return _Measured(dataset.name, found) if dataset and found and found.good else None


def _survival(each: LinkList, measured: _Measured | None) -> float:
    assumed, why = SURVIVAL_RATE, _("An assumption: in 2018 almost half of the links were dead.")
    if each.kind == "practice":
        assumed = _good_share(str(each.practice_dir))
        why = _("For a practice set it is known: this is its true share.")
    key = f"{KEY}.survival.{each.name}"
    if measured is not None:
        why = _("Measured by the probe of {name}.").format(name=plain(measured.name))
        _take_once(key, measured)
    st.session_state.setdefault(key, max(1, round(100 * assumed)))
    percent = st.slider(_("Links that still work, per cent"), 1, 100, key=key, help=why)
    if measured is not None and percent != measured.percent:
        st.button(
            plain(
                _("Measured by the probe of {name}: {n} %").format(
                    name=measured.name, n=measured.percent
                )
            ),
            icon=":material/science:",
            type="tertiary",
            help=_("Take it"),
            on_click=_take,
            args=(key, measured.percent),
        )
    return percent / 100


def _take_once(slider: str, measured: _Measured) -> None:
    """Set the slider to what was measured, once a probe: whoever moves it then has his reasons.

    Streamlit forgets the slider while the page is left, but not what was taken.
    """
    taken, this = f"{slider}.taken", (measured.name, measured.probe.good, measured.probe.seconds)
    if slider not in st.session_state or st.session_state.get(taken) != this:
        st.session_state[taken] = this
        _take(slider, measured.percent)


def _take(slider: str, percent: int) -> None:
    st.session_state[slider] = percent


def _named(each: LinkList) -> Dataset | None:
    """The dataset whose name stands in the box below, where it is there already."""
    name = st.session_state.get(_name_key(each), _default_name(each))
    try:
        folder = linklists.dataset_dir(load_settings(), name)
    except FacedetError:
        return None
    return Dataset(name, folder) if folder.is_dir() else None


def _default_name(each: LinkList) -> str:
    return f"{each.kind}-1"


def _name_key(each: LinkList) -> str:
    return f"{KEY}.name.{each.name}"


@st.cache_data(max_entries=32, ttl="1h", show_spinner=False)
def _good_share(folder: str) -> float:
    return good_share(read_truth(Path(folder)))


def _expect(index: Index, sample: Sample, survival: float, measured: _Measured | None) -> int:
    """What the sample is, and what to expect of it; returns its lines."""
    lines, people = size_of(index, sample)
    photo_bytes, photos_per_s = _guess(measured)
    expected = forecast(lines, survival, photo_bytes, photos_per_s)
    facts = {
        _("Lines"): f"{lines:,}",
        _("People"): f"{people:,}",
        _("Photos to expect"): f"{expected.photos:,.0f}",
        _("To download"): words.size(expected.size_bytes),
        _("Time"): words.duration(expected.seconds) if lines else "–",
    }
    with st.container(horizontal=True):
        for label, value in facts.items():
            st.metric(label, value, border=True, width=145)
    told = _("{kb:.0f} kB a photo, {rate} photos a second").format(
        kb=photo_bytes / 1000, rate=words.three_digits(photos_per_s)
    )
    how = _("Assumed: {told}.")
    if measured is not None:
        how = _("Measured by the probe of {name}: {told}.")
    once = _("An address that a person has twice is taken once.")
    name = measured.name if measured else ""
    st.caption(plain(f"{how.format(told=told, name=name)} {once}"))
    if sample.lines is not None and lines < sample.lines:
        st.warning(
            _(
                "{wanted:,} lines would be needed, and there are {lines:,}: "
                "loosen the filters, or take a longer list."
            ).format(wanted=sample.lines, lines=lines)
        )
    if not lines:
        st.info(_("No line passes these filters. Loosen one of them."))
    return lines


def _guess(measured: _Measured | None) -> tuple[float, float]:
    """Bytes of a photo, and photos a second."""
    if measured is None:
        return PHOTO_BYTES, PHOTOS_PER_S
    probe = measured.probe
    return probe.mean_bytes, probe.good / max(probe.seconds, 0.001)


def _write(each: LinkList, index: Index, sample: Sample) -> None:
    name = st.text_input(
        _("Name of the dataset"), _default_name(each), key=_name_key(each), max_chars=80
    )
    wanted = (each.name, sample, name)
    if st.button(_("Write labels.csv"), type="primary", icon=":material/save:"):
        st.session_state.pop(WRITTEN, None)
        try:
            path, rows = linklists.write_dataset(load_settings(), index, sample, name)
            st.session_state[WRITTEN] = (wanted, str(path), rows)
        except FacedetError as error:
            show_error(error)
    written = st.session_state.get(WRITTEN)
    if written and written[0] == wanted:  # of this list, this sample and this name
        _show_written(Path(written[1]), written[2])
    with st.expander(_("The same on the command line")):
        st.code(_command(each, sample, name), language="bash", wrap_lines=True)


def _show_written(path: Path, rows: int) -> None:
    """The rows that were written; once a download has begun they are kept in another file."""
    dataset = Dataset(path.parent.name, path.parent)
    asked_for = dataset.asked_for
    try:
        size = asked_for.stat().st_size
    except OSError:
        return  # somebody moved it
    told = _("{rows:,} rows are in {path}")
    if dataset.begun:
        told = _("{rows:,} rows were asked for, see {path}; labels.csv has those that came")
    st.success(plain(told.format(rows=rows, path=asked_for)))
    first = pd.read_csv(asked_for, nrows=SHOWN_ROWS, dtype=str, keep_default_na=False)
    st.dataframe(
        first, hide_index=True, alt=_("The first rows of {name}").format(name=asked_for.name)
    )
    if size <= MOST_DOWNLOADED:
        st.download_button(
            _("Take {name} along").format(name=asked_for.name),
            asked_for.read_bytes,
            asked_for.name,
            "text/csv",
        )


def _command(each: LinkList, sample: Sample, name: str) -> str:
    try:
        out = linklists.dataset_dir(load_settings(), name) / linklists.LABELS
    except FacedetError:
        out = Path(linklists.LABELS)
    words_given = ["index", str(each.index_path), "--out", str(out), *as_options(sample)]
    return shlex.join(["python", "-m", "facedet", *words_given])
