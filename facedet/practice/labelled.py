"""A studio that works from one's own labelled pictures instead of the built-in cast.

The same things happen to them as to the built-in ones: cropped, scaled, mirrored, turned a little,
put into another light; the boxes go along.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facedet.boxes import areas, as_boxes, clip
from facedet.errors import ImageError, LabelError, PracticeError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import fit, read
from facedet.labels import read_table
from facedet.practice import finish
from facedet.practice.studio import Affine, Recipe, Rng, Shot, longest_side, paint, plan_empty
from facedet.types import FloatArray, Pixels

MIN_FACE_PX = 28
MIN_SHOWN = 0.8  # of a face's box; with less of it in the picture one would argue if it counts
SOURCE_PX = 1200  # longest side that a source is kept at: larger ones would only fill memory
MAX_SOURCES = 500  # all are decoded once, to know that they can be
MAX_ENLARGED = 2.0
MAX_TILT_DEG = 4.0
TRIES = 12
MAX_NAME = 80  # characters; `facedet.vggface` takes 100, and a number may follow
# Windows gives these to devices, with any suffix and in any case.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
Row = Mapping[str, str]
Crop = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One labelled picture and whose it is: size and faces as it is kept in memory."""

    path: Path
    image_wh: tuple[int, int]
    boxes_xyxy: FloatArray
    subject: int | None


@dataclass(frozen=True, slots=True)
class Retake:
    """What `LabelledStudio.render` needs: a source, the map from its pixels, the finish."""

    path: Path
    into: Affine
    finish: finish.Finish


class LabelledStudio:
    """One's own pictures as a studio: ``LabelledStudio(Path("labels.csv"))``.

    The column ``identity``, where there is one, says who is on a picture; a picture with faces and
    without any name is a person of its own, ``Person_1`` and so on. Names become such as the real
    label files have, see `vgg_names`. A picture with a row that says
    ``ignore`` is left out as a whole, and so is one that cannot be read or lies outside the
    table's folder. Of more than `MAX_SOURCES` pictures, the first are used.

    Args:
        labels_csv: a label table, see `facedet.labels`; image paths are relative to its folder.

    Raises:
        LabelError: the table cannot be read, or no picture with a face can be used.
    """

    def __init__(self, labels_csv: Path) -> None:
        table = read_table(labels_csv)
        self._empty: list[Source] = []
        groups: dict[str | int, list[Source]] = {}  # by name as it stands; a number has none
        for name, source in _sources(labels_csv.parent, table.rows, table.boxes_xyxy):
            if source.subject is None:
                self._empty.append(source)
            else:
                groups.setdefault(name or len(groups), []).append(source)
        names = vgg_names(key if isinstance(key, str) else "" for key in groups)
        self._people = dict(zip(names, groups.values(), strict=True))
        if not self._people:
            good, bad = len(table.rows), len(table.problems)
            raise LabelError(
                _(
                    "{name}: none of its pictures has a face and can be read ({good}, {bad}); "
                    "check image_path and the boxes"
                ).format(
                    name=shown_name(labels_csv.name),
                    good=ngettext("{n} good row", "{n} good rows", good).format(n=good),
                    bad=ngettext("{n} bad one", "{n} bad ones", bad).format(n=bad),
                )
            )

    @property
    def people(self) -> tuple[str, ...]:
        """See `Studio`."""
        return tuple(self._people)

    def plan(self, person: str, rng: Rng, faces: int = 1) -> Shot:
        """See `Studio`; where no picture of the person has that many faces, another count comes.

        Raises:
            PracticeError: nobody of that name.
        """
        if faces == 0:
            return self._plan_empty(rng)
        if person not in self._people:
            n = len(self._people)
            raise PracticeError(
                ngettext(
                    "{person} is not the one person of this studio",
                    "{person} is not one of the {n} people of this studio",
                    n,
                ).format(person=shown_name(person), n=n)
            )
        mine = self._people[person]
        fitting = [s for s in mine if len(s.boxes_xyxy) == faces] or mine
        return _retake(fitting[rng.integers(len(fitting))], rng, faces)

    def render(self, shot: Shot) -> Pixels:
        """See `Studio`.

        Raises:
            ImageError: the source is gone or broken since the studio was made.
        """
        if isinstance(shot.recipe, Recipe):
            return paint(shot)
        retake: Retake = shot.recipe
        pixels, matrix = _pixels(retake.path), np.array(retake.into).reshape(2, 3)
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if scale < 0.7:  # interpolation alone would skip pixels
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.35 / scale))
        turned = cv2.warpAffine(
            pixels, matrix, shot.image_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return finish.finish(np.asarray(turned, np.uint8), retake.finish)

    def _plan_empty(self, rng: Rng) -> Shot:
        if self._empty:
            return _retake(self._empty[rng.integers(len(self._empty))], rng, 0)
        return plan_empty(rng)


# --- Reading


def _sources(
    folder: Path, rows: Sequence[Row], boxes_xyxy: FloatArray
) -> Iterator[tuple[str, Source]]:
    """Each usable picture, once for each person named on it; the name is empty for nobody."""
    by_picture: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        by_picture.setdefault(row["image_path"], []).append(i)
    for name, mine in list(by_picture.items())[:MAX_SOURCES]:
        if any(row_says(rows[i], "ignore") for i in mine) or not _inside(name):
            continue
        try:
            size, scale = _measured(folder / name)
        except ImageError:
            continue
        faces = [i for i in mine if not np.isnan(boxes_xyxy[i, 0])]
        boxes = clip(boxes_xyxy[faces] * np.float32(scale), size)
        yield from _by_person(folder / name, size, boxes, [rows[i] for i in faces])


def _by_person(
    path: Path, image_wh: tuple[int, int], boxes_xyxy: FloatArray, rows: Sequence[Row]
) -> Iterator[tuple[str, Source]]:
    if not rows:
        yield "", Source(path, image_wh, boxes_xyxy, None)
        return
    names = [" ".join(row.get("identity", "").replace("_", " ").split()) for row in rows]
    named = {name: i for i, name in enumerate(names) if name}
    # Nobody has a name: the picture is of its largest face.
    for name, i in (named or {"": int(areas(boxes_xyxy).argmax())}).items():
        x1, y1, x2, y2 = boxes_xyxy[i]
        if min(x2 - x1, y2 - y1) * MAX_ENLARGED >= MIN_FACE_PX:
            yield name, Source(path, image_wh, boxes_xyxy, i)


def vgg_names(names: Iterable[str]) -> list[str]:
    """Names as the real label files have them: ASCII letters, digits, and ``_ . - '``.

    They name files and folders everywhere, and are cells of tables. Accents are dropped, all else
    becomes ``_``. Where nothing is left it is ``Person_1`` and so on; where two are equal but for
    case, ``_2`` and so on follows.
    """
    plain = [_plain(name) for name in names]
    taken = {name.casefold() for name in plain}  # a number must not make somebody else's name
    given: set[str] = set()
    out = []
    for name in plain:
        tries = [name] if name and name.casefold() not in given else []
        stem, n = name or "Person", 2 if name else 1
        while not tries:
            candidate, n = f"{stem}_{n}", n + 1
            tries = [candidate] if candidate.casefold() not in taken | given else []
        given.add(tries[0].casefold())
        out += tries
    return out


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    kept = re.sub(r"[^A-Za-z0-9._'-]+", "_", letters).lstrip("._'-")[:MAX_NAME].rstrip("._'-")
    return f"Person_{kept}" if _DEVICE.fullmatch(kept) else kept


def row_says(row: Row, column: str) -> bool:
    """Whether a yes-or-no column of the table, if there is one, says yes."""
    return row.get(column, "").strip().lower() in ("1", "1.0", "true", "yes")


def _inside(name: str) -> bool:
    """A table from elsewhere must not publish other files of this machine."""
    return not Path(name).is_absolute() and not os.path.normpath(name).startswith("..")


def _measured(path: Path) -> tuple[tuple[int, int], float]:
    """The size that a picture is kept at, and the factor from its own."""
    photo = read(path)
    own = max(photo.image_wh)
    kept = fit(photo.pixels, SOURCE_PX)
    return (kept.shape[1], kept.shape[0]), max(kept.shape[:2]) / own


@lru_cache(maxsize=16)
def _pixels(path: Path) -> Pixels:
    return fit(read(path).pixels, SOURCE_PX)


# --- Planning


def _retake(source: Source, rng: Rng, faces: int) -> Shot:
    """A part of the source that shows each face nearly whole or not at all."""
    best: Shot | None = None
    for _try in range(TRIES):
        shot = _attempt(source, _crop(source, rng), rng, MAX_TILT_DEG)
        if shot is not None and len(shot.boxes_xyxy) == faces:
            return shot
        best = best or shot
    if best is None:
        w, h = source.image_wh
        best = _attempt(source, (0.0, 0.0, float(w), float(h)), rng, 0.0, strict=False)
    assert best is not None  # the whole picture always does
    return best


def _crop(source: Source, rng: Rng) -> Crop:
    """Left, top, right, bottom of a part with the subject in it."""
    w, h = source.image_wh
    if source.subject is None:
        x1, y1 = x2, y2 = rng.uniform(0.35, 0.65) * w, rng.uniform(0.35, 0.65) * h
        air = 0.15 * min(w, h)
    else:
        x1, y1, x2, y2 = (float(v) for v in source.boxes_xyxy[source.subject])
        air = 0.3 * max(x2 - x1, y2 - y1)
    # How much of the room on each side is left out: from none to all but some air.
    cut = 0.7 * rng.random() + 0.3 * rng.random(4)
    return (
        cut[0] * max(0.0, x1 - air),
        cut[1] * max(0.0, y1 - air),
        w - cut[2] * max(0.0, w - x2 - air),
        h - cut[3] * max(0.0, h - y2 - air),
    )


def _attempt(
    source: Source,
    crop: Crop,
    rng: Rng,
    max_tilt_deg: float,
    strict: bool = True,
) -> Shot | None:
    """The shot of one crop; None where a face would be cut, or the subject become too small."""
    x1, y1, x2, y2 = crop
    scale = _scale(source, (x2 - x1, y2 - y1), rng)
    size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    angle = np.deg2rad(rng.uniform(-max_tilt_deg, max_tilt_deg))
    matrix = _into(crop, size, scale, angle, mirrored=bool(rng.random() < 0.5))
    if not _covered(matrix, size, source.image_wh):  # no edge of the source may show
        matrix = _into(crop, size, scale, 0.0, mirrored=bool(matrix[0, 0] < 0))
    mapped = _mapped(source.boxes_xyxy, matrix)
    shown = clip(mapped, size)
    share = areas(shown) / np.maximum(areas(mapped), 1e-6)
    seen = share >= MIN_SHOWN
    if strict and ((share > 0) & ~seen).any():
        return None
    kept = np.flatnonzero(share > 0)
    subject = None
    if source.subject is not None:
        if source.subject not in kept:
            return None
        subject = int(np.flatnonzero(kept == source.subject)[0])
    into: Affine = tuple(float(v) for v in matrix.ravel())  # type: ignore[assignment]
    recipe = Retake(source.path, into, finish.draw(rng, max(size)))
    return Shot(size, as_boxes(shown[kept]), subject, True, recipe)


def _scale(source: Source, crop_wh: tuple[float, float], rng: Rng) -> float:
    scale = min(longest_side(rng) / max(crop_wh), 1.5)
    if source.subject is None:
        return scale
    x1, y1, x2, y2 = source.boxes_xyxy[source.subject]
    # A hair more than the limit, for rounding and turning.
    return max(scale, 1.05 * MIN_FACE_PX / float(min(x2 - x1, y2 - y1)))


def _into(
    crop: Crop,
    size: tuple[int, int],
    scale: float,
    angle: float,
    mirrored: bool,
) -> np.ndarray:
    """The 2 x 3 map that lays the crop's middle on the picture's."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[0] *= -1
    middle = np.array([crop[0] + crop[2], crop[1] + crop[3]]) / 2
    shift = np.array(size) / 2 - linear @ middle
    return np.hstack([linear, shift[:, None]])


def _covered(matrix: np.ndarray, size: tuple[int, int], source_wh: tuple[int, int]) -> bool:
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], list(size)], float)
    there = corners @ back[:, :2].T + back[:, 2]
    return bool((there >= -1).all() and (there <= np.array(source_wh) + 1.0).all())


def _mapped(boxes_xyxy: FloatArray, matrix: np.ndarray) -> FloatArray:
    """Boxes about the ellipses that fill the given ones, mapped: turned corners would be loose."""
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2  # (M, 2)
    reach = np.sqrt(half**2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centre - reach, centre + reach], axis=1).astype(np.float32)
