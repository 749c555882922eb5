"""What stands behind the people of the practice dataset, and its pictures without any people.

Painted scenes are made small and enlarged, for a background is out of focus anyway; photographs
come from installed packages (scikit-image; all of them free to use).
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from facedet.images import read
from facedet.packages import package_file
from facedet.types import Pixels

Rng = np.random.Generator
Crop = tuple[float, float, float, float]

# Name, file, and the part that shows nobody (left, top, right, bottom; 0-1).
_PHOTOS: dict[str, tuple[tuple[str, ...], Crop]] = {
    "coffee": (("skimage", "data", "coffee.png"), (0, 0, 1, 1)),
    "rocket": (("skimage", "data", "rocket.jpg"), (0, 0, 1, 1)),
    "cat": (("skimage", "data", "chelsea.png"), (0, 0, 1, 1)),
    "stars": (("skimage", "data", "hubble_deep_field.jpg"), (0, 0, 1, 1)),
    "brick": (("skimage", "data", "brick.png"), (0, 0, 1, 1)),
    "grass": (("skimage", "data", "grass.png"), (0, 0, 1, 1)),
    "gravel": (("skimage", "data", "gravel.png"), (0, 0, 1, 1)),
    "shuttle": (("skimage", "data", "astronaut.png"), (0.615, 0, 1, 0.62)),
    "flag": (("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg"), (0, 0, 0.28, 0.55)),
}
SUBJECTS = ("coffee", "rocket", "cat", "stars", "brick", "grass", "gravel")
_TINTS = {"brick": (1.1, 0.72, 0.58), "grass": (0.72, 1.0, 0.5), "gravel": (1.05, 1.0, 0.92)}
_SPONSORS = ("NYLKA", "FILMTAL", "KELVIA", "VIXEN 7", "TRAVIATA", "HALLEN", "LUMINA")
_SMALL = 200  # longest side of a painted scene before it is enlarged, pixels


def paint(kind: str, image_wh: tuple[int, int], seed: int, sharp: bool = False) -> Pixels:
    """A background of one kind, (H, W, 3), the same for the same seed.

    Args:
        kind: one of `KINDS`, or of `SUBJECTS` for a photograph.
        image_wh: its size.
        seed: for everything that is left to chance.
        sharp: in focus; a photograph that is the picture's subject.
    """
    rng = np.random.default_rng(seed)
    if kind in _PHOTOS:
        return _photo(kind, image_wh, rng, sharp)
    if kind == "wall":
        return _wall(image_wh, rng)
    scale = _SMALL / max(image_wh)
    small = max(8, round(image_wh[0] * scale)), max(8, round(image_wh[1] * scale))
    painted = np.clip(_PAINTERS[kind](small, rng), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(painted, image_wh, interpolation=cv2.INTER_CUBIC))


@lru_cache(maxsize=16)
def _source(kind: str) -> Pixels | None:
    file, (x1, y1, x2, y2) = _PHOTOS[kind]
    path = package_file(*file)
    if path is None:
        return None
    pixels = read(path).pixels
    h, w = pixels.shape[:2]
    part = pixels[round(y1 * h) : round(y2 * h), round(x1 * w) : round(x2 * w)]
    tint = np.array(_TINTS.get(kind, (1, 1, 1)))
    return np.ascontiguousarray(np.clip(part * tint, 0, 255).astype(np.uint8))


def _photo(kind: str, image_wh: tuple[int, int], rng: Rng, sharp: bool) -> Pixels:
    source = _source(kind)
    if source is None:
        return paint("studio", image_wh, int(rng.integers(2**31)))
    h, w = source.shape[:2]
    aspect = image_wh[0] / image_wh[1]
    most = min(1.0, aspect * h / w), min(1.0, w / h / aspect)  # the largest crop of that aspect
    zoom = rng.uniform(0.72, 1.0)
    cw, ch = max(8, round(most[0] * w * zoom)), max(8, round(most[1] * h * zoom))
    x, y = rng.integers(w - cw + 1), rng.integers(h - ch + 1)
    part = source[y : y + ch, x : x + cw]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    if sharp:
        way = cv2.INTER_AREA if cw > image_wh[0] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(np.ascontiguousarray(part), image_wh, interpolation=way))
    scale = _SMALL / max(image_wh)
    small = max(8, round(image_wh[0] * scale)), max(8, round(image_wh[1] * scale))
    few = cv2.resize(np.ascontiguousarray(part), small, interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), rng.uniform(2.5, 6.0))
    return np.asarray(cv2.resize(few, image_wh, interpolation=cv2.INTER_CUBIC), np.uint8)


# --- Painters: (width, height), rng -> (H, W, 3) floats


def _colour(rng: Rng, low: float = 30, high: float = 220, most: float = 0.6) -> np.ndarray:
    """Any colour between two brightnesses, seldom a loud one."""
    hue, saturation, value = rng.random(), most * rng.random() ** 1.3, rng.uniform(low, high)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation + saturation * wheel))


def _clouds(wh: tuple[int, int], rng: Rng, cells: int) -> np.ndarray:
    """Soft noise about 0, (H, W, 1)."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, wh, interpolation=cv2.INTER_CUBIC))[..., None]


def _grid(wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Both axes from 0 to 1: (1, W, 1) and (H, 1, 1)."""
    return np.linspace(0, 1, wh[0])[None, :, None], np.linspace(0, 1, wh[1])[:, None, None]


def _studio(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    x, y = _grid(wh)
    cx, cy = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.7)
    near = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.15, 0.6))
    light = rng.uniform(0.45, 0.9) + 0.5 * near + rng.uniform(0, 0.06) * _clouds(wh, rng, 6)
    return np.asarray(_colour(rng) * light)


def _gradient(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    x, y = _grid(wh)
    share = np.clip(y * rng.uniform(0.5, 1) + x * rng.uniform(-0.5, 0.5), 0, 1)
    return np.asarray(_colour(rng, 90, 245) * (1 - share) + _colour(rng, 20, 160) * share)


def _bokeh(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    canvas = np.ones((wh[1], wh[0], 3)) * _colour(rng, 12, 50)
    canvas += 10 * _clouds(wh, rng, 4)
    warm = rng.random() < 0.7
    for _light in range(rng.integers(14, 40)):
        spot = np.zeros((wh[1], wh[0]), np.float32)
        centre = int(rng.integers(wh[0])), int(rng.integers(wh[1]))
        cv2.circle(spot, centre, int(rng.integers(3, 13)), 1.0, -1, cv2.LINE_AA)
        hue = np.array([1, rng.uniform(0.45, 0.85), rng.uniform(0.05, 0.35)])
        canvas += spot[..., None] * rng.uniform(25, 120) * (hue if warm else hue[::-1])
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.8, 2.5)))


def _landscape(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    x, y = _grid(wh)
    top = np.array([rng.uniform(90, 190), rng.uniform(140, 205), rng.uniform(195, 245)])
    low = _colour(rng, 190, 250, 0.2)
    canvas = top * (1 - y) + low * y + 9 * _clouds(wh, rng, 5) * (y < 0.6)
    line = rng.uniform(0.35, 0.65)
    for step in range(3):
        waves = rng.uniform(1, 6, 3)[:, None] * x[0, :, 0] + rng.uniform(0, 6, 3)[:, None]
        ridge = line + 0.13 * step + np.sin(waves * 2).sum(axis=0) * 0.03  # (W,)
        green = np.array([82, 92, 62]) * rng.uniform(0.85, 1.15, 3)
        ground = green * rng.uniform(0.6, 1.2) + (2 - step) * 22
        ground = ground + 8 * _clouds(wh, rng, 24)
        canvas = np.where(y > ridge[None, :, None], ground, canvas)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.0, 3.0)))


def _curtain(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    x, y = _grid(wh)
    phase = x * rng.uniform(18, 60) + 1.3 * np.sin(x * rng.uniform(3, 9) + 0.4 * y)
    folds = 0.62 + 0.3 * np.sin(phase) + 0.08 * np.sin(2.3 * phase + 1)
    return np.asarray(_colour(rng, 70, 190, 0.85) * folds * (1.1 - 0.4 * y))


def _shelves(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    w, h = wh
    canvas = np.ones((h, w, 3)) * _colour(rng, 30, 80, 0.5)
    row = int(rng.integers(26, 48))
    for y in range(-int(rng.integers(row)), h, row):
        x = 0
        while x < w:
            thick, tall = int(rng.integers(3, 10)), int(rng.integers(row // 2, row - 3))
            if rng.random() < 0.9:
                top = max(0, y + row - 3 - tall)
                canvas[top : max(0, y + row - 3), x : x + thick] = _colour(rng, 40, 210)
            x += thick
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.2, 2.6)))


def _city(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    w, h = wh
    night = rng.random() < 0.5
    canvas = np.ones((h, w, 3)) * (_colour(rng, 15, 60) if night else _colour(rng, 170, 240, 0.3))
    x = -int(rng.integers(20))
    while x < w:
        wide, top = int(rng.integers(18, 60)), int(rng.uniform(0.0, 0.55) * h)
        wall = _colour(rng, 20, 60) if night else _colour(rng, 80, 190, 0.35)
        canvas[top:, max(0, x) : x + wide] = wall
        pane = np.array([250, 215, 140]) if night else wall * 0.6
        for wy in range(top + 4, h - 3, 8):
            for wx in range(max(0, x) + 3, min(w, x + wide) - 3, 7):
                if rng.random() < 0.6:
                    canvas[wy : wy + 4, wx : wx + 3] = pane
        x += wide + int(rng.integers(0, 8))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.4, 3.0)))


def _room(wh: tuple[int, int], rng: Rng) -> np.ndarray:
    """A wall with a window, a picture frame or a door, out of focus."""
    w, h = wh
    x, _y = _grid(wh)
    canvas = np.ones((h, w, 3)) * _colour(rng, 110, 225, 0.3) * (1.1 - rng.uniform(0, 0.4) * x)
    for _thing in range(rng.integers(1, 4)):
        a, b = int(rng.integers(w)), int(rng.integers(h // 2))
        size = int(rng.integers(w // 6, w // 2 + 2)), int(rng.integers(h // 6, h // 2 + 2))
        canvas[b : b + size[1], a : a + size[0]] = _colour(rng, 30, 120, 0.5)
        inner = _colour(rng, 150, 255, 0.4)
        canvas[b + 4 : b + size[1] - 4, a + 4 : a + size[0] - 4] = inner
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.5, 4.0)))


_PAINTERS: dict[str, Callable[[tuple[int, int], Rng], np.ndarray]] = {
    "studio": _studio,
    "gradient": _gradient,
    "bokeh": _bokeh,
    "landscape": _landscape,
    "curtain": _curtain,
    "shelves": _shelves,
    "city": _city,
    "room": _room,
}
# Some are photographed against more often.
KINDS: tuple[str, ...] = (
    *(("studio",) * 3 + ("wall",) * 3 + ("room", "city", "landscape") * 2),
    *("bokeh", "gradient", "curtain", "shelves", "brick", "grass", "gravel", "shuttle", "flag"),
)
NEAR = ("studio", "wall", "curtain", "brick", "gradient", "room")  # close enough for a shadow
# Detectors see faces in galaxies, cups and a cat's eye: such pictures are few here, as in life.
EMPTY_KINDS: tuple[str, ...] = (
    *(("rocket",) * 6 + ("brick", "grass") * 5 + ("landscape", "city", "shelves") * 3),
    *(("curtain", "room", "coffee") * 2 + ("cat", "stars")),
)


def _wall(image_wh: tuple[int, int], rng: Rng) -> Pixels:
    """A press wall: sponsors' names in rows, shifted from row to row."""
    w, h = image_wh
    ground = _colour(rng, 20, 245, 0.7)
    ink = (245, 245, 245) if ground.mean() < 130 else _colour(rng, 10, 90, 0.9).tolist()
    canvas: npt.NDArray[np.uint8] = np.empty((h, w, 3), np.uint8)
    canvas[:] = ground
    size = max(w, h) / 1000 * rng.uniform(0.9, 1.8)
    step_x, step_y = round(230 * size), round(95 * size)
    names = rng.permutation(_SPONSORS)[:3]
    for row, y in enumerate(range(step_y // 2, h + step_y, max(step_y, 8))):
        for col, x in enumerate(range(-step_x // 2 * (row % 2), w, max(step_x, 20))):
            word = str(names[(row + col) % 3])
            thick = max(1, round(2.4 * size))
            cv2.putText(canvas, word, (x, y), 2, size, ink, thick, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), max(w, h) / 1000 * rng.uniform(0.6, 3)))
