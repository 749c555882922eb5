"""Where a photo comes from: a file, an example, the camera, the clipboard, the web.

The last one given wins.

What was given is kept as plain values in the session, so that it stays when a widget goes.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from facedet.batches import start_batch
from facedet.errors import FacedetError, shown_name
from facedet.examples import find_examples
from facedet.files import safe_name
from facedet.i18n import gettext as _
from facedet.images import SUFFIXES
from facedet.settings import load_settings
from facedet.ui import look, thumbnails
from facedet.ui.shell import plain, show_error

PHOTO, MODEL, EXAMPLE, ERROR = "detect.photo", "detect.model", "detect.example", "detect.error"
UPLOAD_ROUND = "detect.upload_round"  # part of the uploader's key: a new one empties it
LAST_BATCH = "detect.last_batch"  # its id, so that one finds back to it
OPENED = "detect.opened"  # name of the photo of a batch that is shown large
ADDRESS = "detect.address"
WEB_S = 20.0  # somebody is waiting: less patience than a download has
BATCH = "batch"  # in the address: a reload, or another tab, finds the running job


def given_photo() -> look.Given | None:
    """The one photo that is on the table, if any."""
    name_and_data = st.session_state.get(PHOTO)
    return look.Given.of(*name_and_data) if name_and_data else None


def give(name: str, data: bytes, example: str | None = None) -> None:
    """Put one photo on the table; a batch that lay there is left.

    One that cannot be read is named, and what lies there stays.
    """
    try:
        look.picture_of(look.Given.of(name, data))
    except FacedetError as error:
        st.session_state[ERROR] = str(error)
        return
    st.session_state[PHOTO] = (name, data)
    st.session_state[EXAMPLE] = example
    st.query_params.pop(BATCH, None)


def give_all(files: Sequence[tuple[str, bytes]]) -> None:
    """One photo goes on the table, several become a batch."""
    if len(files) == 1:
        give(*files[0])
    else:
        _start_batch(files)


def choose() -> bool:
    """The controls: file, camera or address, and examples. Returns whether the camera is on."""
    sources = {"file": _("File"), "camera": _("Camera"), "web": _("Web")}
    source = st.segmented_control(
        _("Photo from"),
        list(sources),
        format_func=sources.__getitem__,
        default="file",
        required=True,
        key="detect.source",
        width="stretch",
    )
    if source == "camera":
        st.caption(
            _(
                "No picture? Allow the camera in the browser's address bar. Browsers give it only "
                "to https addresses and to localhost: on another computer, upload a photo instead."
            )
        )
    elif source == "web":
        _address()
    else:
        _upload()
    if (error := st.session_state.pop(ERROR, None)) is not None:
        show_error(FacedetError(error))
    _examples()
    _way_back()
    return source == "camera"


def _upload() -> None:
    key = f"detect.upload.{st.session_state.setdefault(UPLOAD_ROUND, 0)}"
    st.file_uploader(
        _("Drop one photo or many, up to {mb:.0f} MB each").format(
            mb=load_settings().max_image_bytes / 1e6
        ),
        # The content decides what a file is; suffixes only help the file dialog.
        type=None,
        accept_multiple_files=True,
        key=key,
        on_change=_take_upload,
        args=(key,),
        help=_("{formats}. You may also paste a picture: Ctrl+V.").format(
            formats=", ".join(s.lstrip(".") for s in SUFFIXES)
        ),
    )


def _address() -> None:
    with st.form("detect.web", border=False):
        st.text_input(
            _("Address of a picture"),
            key=ADDRESS,
            placeholder="https://…",
            max_chars=8000,
            help=_(
                "It is fetched by this lab's computer, in {n:g} s at most, "
                "and never from private networks."
            ).format(n=WEB_S),
        )
        asked = st.form_submit_button(_("Get it"), type="primary")
    url = st.session_state[ADDRESS].strip()
    if asked and url:
        with st.spinner(_("Fetching"), show_time=True):
            _fetch(url)


def _fetch(url: str) -> None:
    # Loaded when somebody asks: the first screen comes sooner without the network's libraries.
    from facedet.download.client import Limits, fetch_once
    from facedet.download.outcome import Failed
    from facedet.download.report import explain

    limits = Limits(
        first_byte_s=WEB_S / 2,
        between_bytes_s=WEB_S / 2,
        total_s=WEB_S,
        max_bytes=load_settings().max_image_bytes,
    )
    answer = fetch_once(url, limits=limits)
    if isinstance(answer, Failed):
        st.session_state[ERROR] = _("{url}: {note}. {meaning}").format(
            url=shown_name(url),
            note=answer.note,
            meaning=explain(answer.error_class, answer.http_status),
        )
        return
    give(safe_name(urlsplit(answer.final_url).path, "photo.jpg"), answer.body)


def _take_upload(key: str) -> None:
    # Not those that were let go: a run that is cut short by the next click reports them once more.
    files = [file for file in st.session_state[key] if isinstance(file, UploadedFile)]
    if not files:
        return
    give_all([(file.name, file.getvalue()) for file in files])
    for file in files:
        _let_go(file)
    # An empty uploader: the next drop is a new photo, not one more beside this one.
    st.session_state[UPLOAD_ROUND] += 1


def _let_go(file: UploadedFile) -> None:
    """Streamlit would keep each upload until the session ends; we have its bytes."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def _start_batch(photos: Sequence[tuple[str, bytes]]) -> None:
    try:
        batch = start_batch(load_settings(), photos, st.session_state[MODEL])
    except (FacedetError, OSError) as error:
        st.session_state[ERROR] = str(error)
    else:
        st.query_params[BATCH] = st.session_state[LAST_BATCH] = batch.id
        st.session_state[PHOTO] = st.session_state[EXAMPLE] = st.session_state[OPENED] = None


def camera() -> None:
    """The camera's picture, large; call where there is room for it."""
    st.camera_input(
        _("Take a picture"), key="detect.camera", resolution="720p", on_change=_take_camera
    )


def _take_camera() -> None:
    picture: UploadedFile | None = st.session_state["detect.camera"]
    if picture is not None:
        give(_("camera.jpg"), picture.getvalue())


def _way_back() -> None:
    """To the batch that was left for another photo."""
    batch_id = st.session_state.get(LAST_BATCH)
    if batch_id and BATCH not in st.query_params:
        st.button(
            _("Back to your batch of photos"),
            icon=":material/photo_library:",
            on_click=_open_last_batch,
            width="stretch",
        )


def _open_last_batch() -> None:
    st.query_params[BATCH] = st.session_state[LAST_BATCH]
    st.session_state[OPENED] = None


def _examples() -> None:
    examples = {example.id: example for example in find_examples()}
    if not examples:
        return
    st.caption(_("Or click an example:"))
    tiles = [
        thumbnails.Tile(id=e.id, title=e.title, src=_example_thumbnail(e.id))
        for e in examples.values()
    ]
    selected = st.session_state.get(EXAMPLE)
    picked = thumbnails.show("detect.examples", _("Examples"), tiles, selected=selected)
    if picked in examples:
        give(f"{picked}.jpg", examples[picked].load(), picked)
        st.rerun()
    if selected in examples:
        example = examples[selected]
        st.caption(plain(f"{example.title} ({example.credit})"))


@st.cache_data(max_entries=16, show_spinner=False)
def _example_thumbnail(example_id: str) -> str:
    # The picture alone is kept: titles are in the language of whoever looks.
    return next(look.thumbnail_url(e.load()) for e in find_examples() if e.id == example_id)
