"""A batch of photos on screen: progress, a gallery with counts, one photo large, all as one ZIP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import streamlit as st

from facedet import jobs
from facedet.batches import Batch, open_batch, progress_of
from facedet.detectors import Entry
from facedet.detectors.base import DEFAULT_FLOOR
from facedet.draw import REDACTION_STYLES
from facedet.errors import FacedetError, ImageError, UnknownModelError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.jobs import Event
from facedet.settings import load_settings
from facedet.ui import job_view, look, thumbnails
from facedet.ui.photo_source import LAST_BATCH, OPENED
from facedet.ui.shell import plain

PAGE = 48  # thumbnails a page: some hundred kilobytes


def open_from_address(batch_id: str) -> Batch:
    """The batch that the address names; the session remembers it. Raises `JobError`."""
    batch = open_batch(load_settings(), batch_id)
    st.session_state[LAST_BATCH] = batch.id
    return batch


def entry_of(batch: Batch) -> Entry | None:
    """The detector that looked at the batch; None where its checkpoint is not there any more."""
    try:
        return look.catalogue().get(jobs.read_config(batch.run_dir)["memo"]["model"])
    except UnknownModelError:
        return None


def show(batch: Batch) -> None:
    """Everything about one batch; keeps itself up to date while its job is at work."""
    entry = entry_of(batch)
    st.caption(
        plain(
            _("Detected by {title}.").format(
                title=entry.title if entry else _("a checkpoint that is gone")
            )
        )
    )
    live = job_view.is_live(jobs.look(batch.run_dir))
    refresh = job_view.REFRESH_S if live else None
    default_score = entry.default_score if entry else DEFAULT_FLOOR
    st.fragment(run_every=refresh)(_panel)(batch, default_score, live)


def opened(batch: Batch) -> look.Given | None:
    """The photo of the batch that a visitor clicked, if any."""
    name = st.session_state.get(OPENED)
    path = batch.uploads_dir / name if name else None
    return look.Given.of(path.name, path.read_bytes()) if path and path.is_file() else None


def back_button() -> None:
    """From the large photo to the gallery."""
    if st.button(_("Back to all photos"), icon=":material/arrow_back:"):
        st.session_state[OPENED] = None
        st.rerun()


def _panel(batch: Batch, default_score: float, was_live: bool) -> None:
    now = job_view.follow(batch.run_dir)
    if was_live != job_view.is_live(now):
        st.rerun()  # the page as a whole, which then begins, or ends, to look every half second
    rows = [event for event in now.events if event["event"] == "photo"]
    job_view.progress_bar(now, progress_of(now.events, "photo"), _("photos"))
    job_view.controls(batch.run_dir, now, "batch")
    with _remembered(batch, "score", default_score) as key:
        min_score = st.slider(
            _("Count faces scored at least"), DEFAULT_FLOOR, 1.0, step=0.01, key=key
        )
    _summary(rows, min_score)
    _gallery(batch, rows, min_score)
    if rows and not was_live:
        _take_away(batch, min_score)
    _forget(batch)


@contextmanager
def _remembered(batch: Batch, name: str, default: float) -> Iterator[str]:
    """The key for a widget whose value outlives it: Streamlit forgets one that is not shown."""
    key, kept = f"{batch.id}.{name}", f"{batch.id}.{name}.kept"
    if key not in st.session_state:
        st.session_state[key] = st.session_state.get(kept, default)
    yield key
    st.session_state[kept] = st.session_state[key]


def _summary(rows: Sequence[Event], min_score: float) -> None:
    good = [row for row in rows if row["error"] is None]
    counts = [_count(row, min_score) for row in good]
    facts = {
        _("Photos"): len(rows),
        _("Faces"): sum(counts),
        _("Without a face"): counts.count(0),
        _("Not readable"): len(rows) - len(good),
    }
    with st.container(horizontal=True):
        for label, value in facts.items():
            st.metric(label, f"{value:,}", border=True, width=150)
    failed = [row for row in rows if row["error"] is not None]
    if failed:
        n = len(failed)
        title = ngettext("{n} file is not readable", "{n} files are not readable", n).format(n=n)
        with st.expander(title, icon=":material/warning:"):
            for row in failed[:100]:
                st.markdown("- " + plain(str(row["error"])))


def _gallery(batch: Batch, rows: Sequence[Event], min_score: float) -> None:
    pages = max(1, -(-len(rows) // PAGE))
    page = 1
    if pages > 1:
        with _remembered(batch, "page", 1) as key:
            page = int(
                st.number_input(
                    _("Page, of {pages}").format(pages=pages), 1, pages, key=key, width=160
                )
            )
    tiles = [_tile(batch, row, min_score) for row in rows[(page - 1) * PAGE : page * PAGE]]
    if not tiles:
        return
    picked = thumbnails.show("batch.gallery", _("Photos"), tiles, tile_px=130, captions=True)
    if picked is not None:
        st.session_state[OPENED] = picked
        st.rerun()


def _tile(batch: Batch, row: Event, min_score: float) -> thumbnails.Tile:
    path = batch.photo_path(row)
    if row["error"] is not None:
        return thumbnails.Tile(id=path.name, title=path.name, src="", badge=_("not readable"))
    n = _count(row, min_score)
    badge = ngettext("{n} face", "{n} faces", n).format(n=n)
    return thumbnails.Tile(id=path.name, title=path.name, src=_thumbnail(str(path)), badge=badge)


@st.cache_data(max_entries=1000, ttl="1h", show_spinner=False)
def _thumbnail(path: str) -> str:
    try:
        return look.thumbnail_url(Path(path).read_bytes())
    except (ImageError, OSError):
        return ""


def _count(row: Event, min_score: float) -> int:
    least = float(np.float32(min_score))  # scores are float32; every tick counts all rows
    return sum(face["score"] >= least for face in row["faces"])


def _take_away(batch: Batch, min_score: float) -> None:
    st.header(_("Take all away"), anchor=False)
    choices = {"": _("With boxes"), "blur": _("Blur"), "pixelate": _("Pixelate"), "fill": _("Fill")}
    assert set(choices) == {"", *REDACTION_STYLES}
    style = st.segmented_control(
        _("Faces in the pictures"),
        list(choices),
        default="",
        required=True,
        format_func=choices.__getitem__,
        key="batch.style",
    )
    # One job a setting: the same again is ready at once, another does not overwrite it.
    pack_dir = batch.run_dir / f"zip-{style or 'boxes'}-{min_score:.2f}"
    archive = pack_dir / "photos.zip"
    if not pack_dir.exists():
        st.button(
            _("Make the ZIP"),
            type="primary",
            on_click=_start_packing,
            args=(batch.run_dir, pack_dir, archive, style, min_score),
        )
        return
    now = jobs.look(pack_dir)
    live = job_view.is_live(now)
    st.fragment(run_every=job_view.REFRESH_S if live else None)(_packing)(pack_dir, archive, live)


def _start_packing(
    run_dir: Path, pack_dir: Path, archive: Path, style: str, min_score: float
) -> None:
    pack_dir.mkdir()
    arguments = ["pack", str(run_dir), "--out", str(archive), "--min-score", str(min_score)]
    jobs.start(pack_dir, [*arguments, *(["--redact", style] if style else [])])


def _packing(pack_dir: Path, archive: Path, was_live: bool) -> None:
    now = jobs.look(pack_dir)
    if was_live != job_view.is_live(now):
        st.rerun()
    job_view.progress_bar(now, progress_of(now.events, "packed"), _("photos"))
    job_view.controls(pack_dir, now, f"pack.{pack_dir.name}")
    if now.state == "done":
        st.download_button(
            _("Download the ZIP ({mb:.1f} MB)").format(mb=archive.stat().st_size / 1e6),
            lambda: archive.open("rb"),
            file_name="photos.zip",
            mime="application/zip",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
        )


def _forget(batch: Batch) -> None:
    st.caption(
        _("These photos lie in the workspace. Whoever has this page's address can see them.")
    )
    with st.popover(_("Forget these photos"), icon=":material/delete:"):
        st.write(_("Deletes the uploaded copies and all that was made of them."))
        if st.button(_("Forget them now"), key="batch.forget"):
            try:
                batch.forget()
            except OSError as error:
                raise FacedetError(str(error)) from error
            st.query_params.clear()
            st.session_state[LAST_BATCH] = None
            st.rerun()
