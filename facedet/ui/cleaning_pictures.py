"""Pictures of a place as the page shows them: small, large, and with their boxes."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from facedet.cleaning.faces import Faces
from facedet.cleaning.pictures import path_of
from facedet.cleaning.report import NEVER_READ, lies_inside
from facedet.errors import ImageError, shown_name
from facedet.i18n import gettext as _
from facedet.images import Limits, fit, read
from facedet.settings import load_settings
from facedet.ui import cleaning_words, look, thumbnails, viewer
from facedet.ui.cleaning_view import View

LARGE_PX = 1400


def id_of(image_path: str) -> str:
    """A short name that goes to the browser and back: file names need not be valid UTF-8."""
    return blake2b(image_path.encode(errors="surrogateescape"), digest_size=12).hexdigest()


def tiles(
    shown: View, paths: Sequence[str], badges: Sequence[str] | None = None
) -> list[thumbnails.Tile]:
    """Small pictures, each with what is written on it."""
    badges = badges or [_badge(shown, path) for path in paths]
    return [
        thumbnails.Tile(
            id=id_of(path),
            title=shown_name(path),
            src=_small(shown, path),
            badge=badge,
        )
        for path, badge in zip(paths, badges, strict=True)
    ]


def large(shown: View, image_path: str) -> tuple[str, tuple[int, int], str]:
    """A picture as a data URL and its size; or an empty URL, and why not."""
    path = _file(shown, image_path)
    codes = " ".join(_problems(shown, image_path))
    if path is None:
        return "", (1, 1), _("The file is not there any more.")
    if NEVER_READ & set(codes.split()):
        return "", (1, 1), cleaning_words.explained(codes)
    try:
        src, image_wh = _large(str(path), path.stat().st_mtime_ns)
    except (ImageError, OSError) as error:
        return "", (1, 1), cleaning_words.explained(codes) or str(error)
    return src, image_wh, ""


def boxes_of(shown: View, image_path: str) -> list[viewer.Box]:
    """What is labelled and what was found, the doubtful too."""
    return [*_labelled(shown, image_path), *_found(shown, image_path)]


def _badge(shown: View, image_path: str) -> str:
    said = [table.loc[image_path] for table in shown.tables.values() if image_path in table.index]
    marks = [_("quarantine")] if image_path in shown.held else []
    if any(row["by"] == "person" for row in said):
        marks.append(_("you: keep") if said[0]["verdict"] == "keep" else _("you: aside"))
    else:
        codes = (reasons.get(image_path, "") for reasons in shown.reasons.values())
        first = next((code.split()[0] for code in codes if code), "")
        marks += [cleaning_words.reason(first)] if first else []
    return " · ".join(marks)


def _small(shown: View, image_path: str) -> str:
    path = _file(shown, image_path)
    if path is None or NEVER_READ & _problems(shown, image_path):
        return ""
    return _thumbnail(str(path), path.stat().st_mtime_ns)


def _problems(shown: View, image_path: str) -> set[str]:
    rows = (table for table in shown.tables.values() if image_path in table.index)
    return {str(table.at[image_path, "problem"]) for table in rows} - {""}


def _file(shown: View, image_path: str) -> Path | None:
    folder = shown.place.folder
    try:
        places = [path_of(folder, image_path)]
    except OSError:  # no name that a disk could have
        return None
    if image_path in shown.held:
        places.append(folder / shown.held[image_path])
    # A table is a file that anyone may have written.
    return next((path for path in places if lies_inside(folder, path)), None)


@st.cache_data(max_entries=2000, ttl="2h", show_spinner=False)
def _thumbnail(path: str, version: int) -> str:
    try:
        pixels = read(Path(path), Limits.of(load_settings())).pixels
    except ImageError:
        return ""
    return look.data_url(fit(pixels, look.THUMBNAIL_PX))


@st.cache_data(max_entries=64, ttl="1h", show_spinner=False)
def _large(path: str, version: int) -> tuple[str, tuple[int, int]]:
    photo = read(Path(path), Limits.of(load_settings()))
    return look.data_url(fit(photo.pixels, LARGE_PX)), photo.image_wh


def _labelled(shown: View, image_path: str) -> list[viewer.Box]:
    labels = shown.labels
    rows = np.flatnonzero(labels.image_paths == image_path)
    return [
        viewer.Box(
            xyxy=_numbers(labels.boxes_xyxy[row]),
            kind="ignored" if labels.ignored[row] else "label",
            text=_("label"),
        )
        for row in rows
    ]


def _found(shown: View, image_path: str) -> list[viewer.Box]:
    finders = [(n, table) for n, table in shown.tables.items() if "found" in table]
    drawn = []
    for k, (name, table) in enumerate(finders):
        if image_path not in table.index or not table.at[image_path, "found"]:
            continue
        faces = Faces.found(pd.DataFrame({"found": [table.at[image_path, "found"]]}))
        sure = np.float32(shown.levels[name].get("min_score", 0))
        for box, score in zip(faces.boxes_xyxy, faces.scores, strict=True):
            kind: viewer.Kind = "weak" if score < sure else "second" if k else "found"
            drawn.append(viewer.Box(xyxy=_numbers(box), kind=kind, text=f"{score:.2f}"))
    return drawn


def _numbers(box: "np.ndarray") -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, x2, y2
