"""Choosing what to clean: a dataset of the workspace, a folder, or a messy practice set to make."""

import shlex
from typing import Any

import streamlit as st

from facedet import cleanings, jobs
from facedet.cleanings import Place
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.settings import load_settings
from facedet.ui import cleaning_words, job_view, shell
from facedet.ui.shell import plain, show_error

DATASET = "dataset"  # in the address: which dataset is looked at
FOLDER = "folder"  # or which folder of this computer
KEY = "cleaning.choice"
ERROR = "cleaning.error"
PHOTOS = 600


def choose(row: Any) -> Place | None:
    """What the address names, or else the newest dataset; None where there is none such.

    Args:
        row: a container for the widgets to choose with.
    """
    places = {place.name: place for place in cleanings.find_places(load_settings())}
    try:
        shown = _named(places)
    except FacedetError as error:
        show_error(error)
        shown = None
    if not places and shown is None:
        _invite()
        return None
    _pick(row, places, shown)
    if shell.is_local_visitor():
        with row.popover(_("Another folder"), icon=":material/folder_open:"):
            _any_folder()
    with row.popover(_("Practice"), icon=":material/auto_fix_high:"):
        _explain_messy()
        _make(primary=False)
    return shown


def show_making(place: Place) -> bool:
    """The job that makes a messy practice set, while it does; True where there is one."""
    run_dir = cleanings.making_of(load_settings(), place)
    if run_dir is None:
        return False
    live = jobs.is_live(run_dir)
    st.fragment(run_every=job_view.REFRESH_S if live else None)(_making)(place, live)
    return True


def show_error_of_click() -> None:
    """What went wrong in a callback, which has no place on the page."""
    error = st.session_state.pop(ERROR, None)
    if error is not None:
        show_error(error)


def keep_error(error: FacedetError) -> None:
    """To be shown in the next run by `show_error_of_click`."""
    st.session_state[ERROR] = error


def _named(places: dict[str, Place]) -> Place | None:
    name, folder = st.query_params.get(DATASET), st.query_params.get(FOLDER)
    if folder:
        if not shell.is_local_visitor():
            raise FacedetError(
                _("folders are for those who sit at this computer; choose a dataset")
            )
        return cleanings.open_folder(folder)
    if name and name not in places:
        place = cleanings.named(load_settings(), name)  # it may be about to be made
        if cleanings.making_of(load_settings(), place) is None:
            return cleanings.open_place(load_settings(), name)
        return place
    return places[name] if name else next(iter(places.values()), None)


def _pick(row: Any, places: dict[str, Place], shown: Place | None) -> None:
    names = list(places)
    at = names.index(shown.name) if shown and shown.name in names else None
    # The key follows the address, so that the box shows what the address says.
    key = f"{KEY}.{shown.title if shown else ''}.{len(names)}"
    row.selectbox(
        _("Dataset"),
        names,
        index=at,
        placeholder=plain(shown.title) if shown else _("Choose a dataset"),
        key=key,
        on_change=_go_to_chosen,
        args=(key,),
        width=300,
    )


def _invite() -> None:
    with st.container(border=True):
        st.subheader(_("Nothing to clean yet"), anchor=False)
        _explain_messy()
        _make(primary=True)
        st.markdown(_("Or get photos of your own choice first:"))
        st.page_link("pages/dataset.py", label=_("Dataset"), icon=":material/photo_library:")
    if shell.is_local_visitor():
        with st.expander(_("Another folder")):
            _any_folder()


def _explain_messy() -> None:
    st.markdown(
        _(
            "A messy practice set: photos of invented people as a careless downloader leaves "
            "them, with web pages, empty and cut files, bombs, placeholders, copies, strangers "
            "and pictures without a face among them. What is wrong with which is known, so the "
            "cleaners can be marked like pupils."
        )
    )


def _make(*, primary: bool) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom")
    photos = row.number_input(_("Lines"), 50, 20_000, PHOTOS, 50, key=f"{KEY}.photos", width=150)
    row.button(
        _("Make a messy practice dataset"),
        type="primary" if primary else "secondary",
        icon=":material/auto_fix_high:",
        on_click=_start_making,
        args=(int(photos),),
    )


def _any_folder() -> None:
    path = st.text_input(
        _("A folder of pictures on the computer that runs this lab"),
        key=f"{KEY}.folder",
        max_chars=1000,
    )
    st.button(_("Open it"), disabled=not path, on_click=_open_folder, args=(path,))


def _start_making(photos: int) -> None:
    try:
        _go_to(DATASET, cleanings.start_messy(load_settings(), photos).name)
    except FacedetError as error:
        keep_error(error)


def _open_folder(path: str) -> None:
    try:
        _go_to(FOLDER, str(cleanings.open_folder(path).folder))
    except FacedetError as error:
        keep_error(error)


def _go_to_chosen(key: str) -> None:
    if st.session_state[key]:
        _go_to(DATASET, st.session_state[key])


def _go_to(what: str, value: str) -> None:
    st.query_params.from_dict({what: value})


def _making(place: Place, was_live: bool) -> None:
    run_dir = cleanings.making_of(load_settings(), place)
    now = jobs.recent(run_dir) if run_dir else None
    if now is None or run_dir is None or was_live != job_view.is_live(now):
        st.rerun()
    progress = cleanings.progress_of(now.events)
    what = _("Storing what comes") if _is_storing(now) else _("Painting the photos")
    parts = [what, f"{100 * progress.done / progress.total:.0f} %"] if progress.total else [what]
    if progress.left_s is not None and now.state == "running":
        parts.append(cleaning_words.time_left(progress.left_s))
    parts.append(job_view.state_words(now.state))
    share = progress.done / progress.total if progress.total else 0.0
    st.progress(min(1.0, share), text=" · ".join(parts))
    job_view.show_failure(now)
    # A half made one cannot be gone on with: it is made anew.
    job_view.controls(run_dir, now, f"{KEY}.making", resume=False)
    if not job_view.is_live(now):
        st.button(_("Make it anew"), on_click=_start_making, args=(_photos_of(place),))
    command = jobs.read_config(run_dir)["arguments"]
    with st.expander(_("The same on the command line")):
        st.code(shlex.join(["python", "-m", "facedet", *command]), language="bash", wrap_lines=True)


def _is_storing(now: jobs.Look) -> bool:
    told = [event["event"] for event in now.events if "done" in event]
    return bool(told) and told[-1] == "stored"


def _photos_of(place: Place) -> int:
    digits = place.name.split("-")[1:2]
    return int(digits[0]) if digits and digits[0].isdecimal() else PHOTOS
