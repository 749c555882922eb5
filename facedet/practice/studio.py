"""The practice dataset's photographs: planned as numbers, then painted.

`Studio.plan` decides everything, boxes included, in well under a millisecond; `Studio.render`
paints it, the same pixels for the same shot. So a dataset can be dealt out in one process and
painted in many.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import cv2
import numpy as np

from facedet.boxes import as_boxes, clip
from facedet.errors import PracticeError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.practice import backdrops, finish, overlays
from facedet.practice.cast import Member, cast
from facedet.practice.portraits import Look, Portrait, build, outline
from facedet.practice.shapes import FRAME_WH
from facedet.types import FloatArray, Pixels

Rng = np.random.Generator
Rect = tuple[int, int, int, int]  # left, top, right, bottom
Affine = tuple[float, float, float, float, float, float]

MIN_FACE_PX = 42  # height; the width, the shorter side, is then 30 at least
MAX_FACE_PX = 330  # higher, and one would see that the sources are small
MAX_TILT_DEG = 9.0
MAX_GROUP = 4
# So many of the pictures of one face have it at the left edge, where its square label begins
# outside the picture: 0.7 % of the real ones do, at one edge or another.
EDGE_SHARE = 0.008


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture planned but not yet painted.

    Args:
        image_wh: its upright size.
        boxes_xyxy: (M, 4) float32, all faces in it, panel by panel and there from left to
            right, clipped to the picture.
        subject: which of them is the person asked for; None where M = 0.
        frontal: whether the subject looks at the camera.
        recipe: what the studio that planned it needs to paint it.
    """

    image_wh: tuple[int, int]
    boxes_xyxy: FloatArray
    subject: int | None
    frontal: bool
    recipe: Any


class Studio(Protocol):
    """Whoever makes pictures of people whose faces' places are known."""

    @property
    def people(self) -> tuple[str, ...]:
        """The identities, as VGG Face's file stems."""
        ...

    def plan(self, person: str, rng: Rng, faces: int = 1) -> Shot:
        """A picture of that person with `faces` faces in all; 0: a picture without any face."""
        ...

    def render(self, shot: Shot) -> Pixels:
        """Its pixels, (H, W, 3) uint8 RGB, upright; the same for the same shot."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """One person in a picture: which look, and the affine map from its frame to the picture."""

    look: Look
    into: Affine


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the picture with its own background; mostly there is one, the whole."""

    rect: Rect
    backdrop: str
    seed: int
    sharp: bool
    figures: tuple[Figure, ...]
    shadow_xy: tuple[float, float] | None = None  # cast on the background; in face heights


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `CastStudio.render` needs."""

    panels: tuple[Panel, ...]
    overlay: overlays.Overlay
    overlay_seed: int
    finish: finish.Finish


class CastStudio:
    """The built-in studio: invented people made from the photographs of installed packages.

    Args:
        n_people: how many identities.
        seed: of the cast's looks; the pictures' own chance comes with `plan`.

    Raises:
        PracticeError: fewer than one person.
    """

    def __init__(self, n_people: int, seed: int) -> None:
        if n_people < 1:
            raise PracticeError(
                _("{n} people are too few for pictures of people; ask for 1 or more").format(
                    n=n_people
                )
            )
        self._cast = {member.name: member for member in cast(n_people, seed)}

    @property
    def people(self) -> tuple[str, ...]:
        """See `Studio`."""
        return tuple(self._cast)

    def plan(self, person: str, rng: Rng, faces: int = 1) -> Shot:
        """See `Studio`; at most `MAX_GROUP` faces, and no person twice while the cast suffices."""
        if faces == 0:
            return plan_empty(rng)
        cast_of_shot = self._companions(person, rng, min(faces, MAX_GROUP))
        looks = [member.looks[rng.integers(len(member.looks))] for member in cast_of_shot]
        if len(looks) > 1 and rng.random() < 0.25:
            return _plan_collage(looks, rng)
        return _plan_group(looks, rng)

    def render(self, shot: Shot) -> Pixels:
        """See `Studio`."""
        return paint(shot)

    def _companions(self, person: str, rng: Rng, faces: int) -> list[Member]:
        if person not in self._cast:
            n = len(self._cast)
            raise PracticeError(
                ngettext(
                    "{person} is not the one person of this studio",
                    "{person} is not one of the {n} people of this studio",
                    n,
                ).format(person=person, n=n)
            )
        members = [self._cast[person]]
        others = [member for name, member in self._cast.items() if name != person] or members
        if faces > 1:
            chosen = rng.choice(len(others), faces - 1, replace=faces - 1 > len(others))
            members += [others[i] for i in chosen]
        return members


# --- Planning


@lru_cache(maxsize=512)
def _outline(look: Look) -> FloatArray:
    return outline(look)


@lru_cache(maxsize=48)  # 2.3 MB each
def portrait_of(look: Look) -> Portrait:
    """The portrait of a look, kept for the next picture of it."""
    return build(look)


def longest_side(rng: Rng) -> int:
    """Thumbnails to large pictures, most of them as the web of 2015 had them."""
    low, high = ((160, 250), (250, 700), (700, 1000), (1000, 1200))[
        int(rng.choice(4, p=(0.1, 0.7, 0.15, 0.05)))
    ]
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _size(aspect: float, longest: int) -> tuple[int, int]:
    if aspect >= 1:
        return longest, max(1, round(longest / aspect))
    return max(1, round(longest * aspect)), longest


def _plan_group(looks: list[Look], rng: Rng) -> Shot:
    """All in one place, side by side; the first look is the subject's, wherever it stands."""
    n = len(looks)
    if n == 1:
        aspect = float(rng.choice([0.67, 0.75, 0.8, 1.0, 1.25, 1.33, 1.5]))
    else:
        aspect = rng.uniform(0.62, 0.72) * n if n > 2 else rng.uniform(1.0, 1.6)
    longest = max(longest_side(rng), round(175 * max(1.0, aspect)))
    w, h = _size(aspect, longest)
    rect = (0, 0, w, h)
    order = rng.permutation(n)  # place from the left -> index into looks
    at_edge = n == 1 and rng.random() < EDGE_SHARE
    figures = _side_by_side([looks[i] for i in order], rect, rng, at_edge)
    panel = _panel(rect, rng, figures)
    return _shot((w, h), [panel], int(np.nonzero(order == 0)[0][0]), rng)


def _side_by_side(looks: list[Look], rect: Rect, rng: Rng, at_edge: bool = False) -> list[Figure]:
    n = len(looks)
    w, h = rect[2] - rect[0], rect[3] - rect[1]
    # A body reaches 1.5 face heights below the face's middle: smaller ones would float.
    low, high = 0.28 * h, min(0.6 * h, (0.66 if n == 1 else 0.58) * w / n, MAX_FACE_PX)
    low = max(low, MIN_FACE_PX)
    face_px = low + max(0.0, high - low) * rng.random() ** 1.3
    slot = w / n
    figures = []
    for i, look in enumerate(looks):
        mine = max(MIN_FACE_PX, face_px * (rng.uniform(0.9, 1.08) if n > 1 else 1.0))
        spare = max(0.0, (slot - 0.95 * mine) / 2) * (0.3 if n > 1 else 0.75)
        x = rect[0] + slot * (i + 0.5) + rng.uniform(-spare, spare)
        if at_edge:  # a face is 0.7 of its height wide: nine tenths of it are in, or all
            x = rect[0] + rng.uniform(0.32, 0.4) * mine
        figures.append(_figure(look, rect, x, mine, rng))
    return figures


def _figure(look: Look, rect: Rect, x: float, face_px: float, rng: Rng) -> Figure:
    """A person whose face is `face_px` high about `x`, and whose body reaches the rect's bottom."""
    points = _outline(look)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = face_px / (high[1] - low[1])
    angle = np.deg2rad(np.clip(rng.normal(0, 3.5), -MAX_TILT_DEG, MAX_TILT_DEG))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    wide = scale * rng.uniform(0.96, 1.04)
    reach = (FRAME_WH[1] - (low[1] + high[1]) / 2) * scale - 320 * wide * abs(np.sin(angle))
    top = rect[1] + 0.62 * face_px
    least = max(top, rect[3] - reach + 2)
    most = max(least, rect[1] + 0.52 * (rect[3] - rect[1]))
    y = rng.uniform(least, most)
    cos, sin = np.cos(angle), np.sin(angle)
    shear = rng.normal(0, 0.02)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array(
        [[wide * flip, shear * scale], [0, scale]]
    )
    shift = np.array([x, y]) - matrix @ ((low + high) / 2)
    (a, b), (c, d) = matrix.tolist()
    return Figure(look, (a, b, float(shift[0]), c, d, float(shift[1])))


def _plan_collage(looks: list[Look], rng: Rng) -> Shot:
    """Each in a panel of their own, with a gap between the panels."""
    n = len(looks)
    columns = n if n < 4 else 2
    rows = -(-n // columns)
    aspect = rng.uniform(0.7, 1.0)
    longest = max(longest_side(rng), 190 * max(columns, rows))
    w, h = _size(aspect * columns / rows, longest)
    gap = round(rng.uniform(0, 0.02) * longest)
    order = rng.permutation(n)
    panels = []
    for place, i in enumerate(order):
        column, row = place % columns, place // columns
        rect = (
            *(column * w // columns + gap, row * h // rows + gap),
            *((column + 1) * w // columns - gap, (row + 1) * h // rows - gap),
        )
        panels.append(_panel(rect, rng, _side_by_side([looks[i]], rect, rng)))
    return _shot((w, h), panels, int(np.nonzero(order == 0)[0][0]), rng)


def plan_empty(rng: Rng) -> Shot:
    """A picture without any face."""
    w, h = _size(float(rng.choice([0.75, 1.0, 1.33, 1.5])), longest_side(rng))
    kind = str(rng.choice(backdrops.EMPTY_KINDS))
    panel = Panel((0, 0, w, h), kind, int(rng.integers(2**31)), True, ())
    return _shot((w, h), [panel], None, rng)


def _panel(rect: Rect, rng: Rng, figures: list[Figure]) -> Panel:
    kind = str(rng.choice(backdrops.KINDS))
    shadow = (float(rng.uniform(-0.3, 0.3)), float(rng.uniform(-0.02, 0.12)))
    near = kind in backdrops.NEAR and rng.random() < 0.6
    seed = int(rng.integers(2**31))
    return Panel(rect, kind, seed, False, tuple(figures), shadow if near else None)


def _shot(image_wh: tuple[int, int], panels: list[Panel], subject: int | None, rng: Rng) -> Shot:
    found = [_face(figure, panel.rect) for panel in panels for figure in panel.figures]
    overlay = overlays.KINDS[int(rng.choice(6, p=(0.66, 0.08, 0.08, 0.06, 0.07, 0.05)))]
    recipe = Recipe(
        tuple(panels), overlay, int(rng.integers(2**31)), finish.draw(rng, max(image_wh))
    )
    return Shot(image_wh, clip(as_boxes(found), image_wh), subject, True, recipe)


def _face(figure: Figure, rect: Rect) -> FloatArray:
    a, b, x, c, d, y = figure.into
    points = _outline(figure.look)  # (K, 2)
    moved = points @ np.array([[a, c], [b, d]], np.float32) + np.array([x, y], np.float32)
    limits = np.array(rect, np.float32)
    low = np.clip(moved.min(axis=0), limits[:2], limits[2:])
    high = np.clip(moved.max(axis=0), limits[:2], limits[2:])
    return np.concatenate([low, high]).astype(np.float32)


# --- Painting


def paint(shot: Shot) -> Pixels:
    """The pixels of a shot whose recipe is a `Recipe`: (H, W, 3)."""
    recipe: Recipe = shot.recipe
    w, h = shot.image_wh
    canvas = np.full((h, w, 3), 246, np.uint8)
    for panel in recipe.panels:
        x1, y1, x2, y2 = panel.rect
        part = canvas[y1:y2, x1:x2]
        part[:] = backdrops.paint(panel.backdrop, (x2 - x1, y2 - y1), panel.seed, panel.sharp)
        for figure in panel.figures if panel.shadow_xy else ():
            _shade(part, figure, (x1, y1), panel.shadow_xy or (0, 0))
        for figure in panel.figures:
            _paste(part, figure, (x1, y1))
    done = finish.finish(canvas, recipe.finish)
    overlays.lay(done, recipe.overlay, shot.boxes_xyxy, recipe.overlay_seed)
    return done


def _paste(part: Pixels, figure: Figure, origin_xy: tuple[int, int]) -> None:
    """Lay a cut-out over a part of the canvas, in place; its colours are premultiplied."""
    h, w = part.shape[:2]
    laid = _laid(figure, origin_xy, (w, h))
    under = cv2.multiply(part, cv2.merge([255 - laid[..., 3]] * 3), scale=1 / 255)
    part[:] = cv2.add(under, np.ascontiguousarray(laid[..., :3]))


def _shade(
    part: Pixels, figure: Figure, origin_xy: tuple[int, int], shadow_xy: tuple[float, float]
) -> None:
    """The soft shadow that a flash throws on what stands close behind, in place."""
    h, w = part.shape[:2]
    face_px = 211 * float(np.hypot(figure.into[1], figure.into[4]))
    shrink = max(1.0, face_px / 24)  # a shadow is soft: a few pixels are enough to make it
    a, b, x, c, d, y = figure.into
    x, y = x + shadow_xy[0] * face_px - origin_xy[0], y + shadow_xy[1] * face_px - origin_xy[1]
    moved = Figure(
        figure.look, (a / shrink, b / shrink, x / shrink, c / shrink, d / shrink, y / shrink)
    )
    small = max(1, round(w / shrink)), max(1, round(h / shrink))
    alpha = cv2.GaussianBlur(_laid(moved, (0, 0), small)[..., 3], (0, 0), 1.6)
    light = cv2.resize(255 - cv2.convertScaleAbs(alpha, alpha=0.5), (w, h))
    part[:] = cv2.multiply(part, cv2.merge([light] * 3), scale=1 / 255)


def _laid(figure: Figure, origin_xy: tuple[int, int], wh: tuple[int, int]) -> np.ndarray:
    """The figure alone on a transparent part of the canvas: (H, W, 4) uint8, premultiplied."""
    portrait = portrait_of(figure.look)
    a, b, x, c, d, y = figure.into
    scale = float(np.hypot(b, d))
    level = int(np.clip(np.floor(-np.log2(max(scale, 1e-3))), 0, len(portrait.levels) - 1))
    k = 2.0**level
    # A pixel's centre at level k lies at k * (x + 0.5) - 0.5 of the first level.
    half = (k - 1) / 2
    matrix = np.array(
        [
            [a * k, b * k, x - origin_xy[0] + (a + b) * half],
            [c * k, d * k, y - origin_xy[1] + (c + d) * half],
        ]
    )
    return np.asarray(cv2.warpAffine(portrait.levels[level], matrix, wh, flags=cv2.INTER_LINEAR))
