"""What camera, light, film and age do to a picture: colours, shade, blur, grain."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from facedet.types import Pixels

Film = Literal["colour", "grey", "sepia", "faded"]
_LUMA = np.array([[0.299, 0.587, 0.114]] * 3)
_TILE_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """One way to finish a picture; `draw` deals them.

    Args:
        gamma, contrast: 1 leaves them.
        warmth: -1 blue to 1 orange.
        saturation: 0 grey, 1 as it is.
        film: its colours.
        vignette: how much darker the corners are, 0-1.
        slope_xy: how much brighter the right (lower) edge is than the middle, -1 to 1.
        blur_px: standard deviation; motion_px: length, along `motion_angle` in degrees.
        grain: standard deviation in grey levels.
        seed: of the grain.
    """

    gamma: float = 1.0
    contrast: float = 1.0
    warmth: float = 0.0
    saturation: float = 1.0
    film: Film = "colour"
    vignette: float = 0.0
    slope_xy: tuple[float, float] = (0.0, 0.0)
    blur_px: float = 0.0
    motion_px: float = 0.0
    motion_angle: float = 0.0
    grain: float = 0.0
    seed: int = 0


def draw(rng: np.random.Generator, longest_side: int) -> Finish:
    """A finish as pictures on the web have it: mostly mild, seldom strong."""
    dice = rng.random(4)
    film: Film = "colour"
    if dice[0] < 0.15:
        film = "grey" if dice[0] < 0.08 else "sepia" if dice[0] < 0.11 else "faded"
    return Finish(
        gamma=float(np.exp(rng.normal(0, 0.2))),
        contrast=float(rng.uniform(0.78, 1.22)),
        warmth=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        saturation=float(rng.uniform(0.65, 1.15)),
        film=film,
        vignette=float(rng.uniform(0.1, 0.55)) if dice[1] < 0.4 else 0.0,
        slope_xy=(float(rng.normal(0, 0.13)), float(rng.normal(0, 0.1))),
        blur_px=float(rng.uniform(0.4, 0.0016 * longest_side + 0.5)) if dice[2] < 0.35 else 0.0,
        motion_px=float(rng.uniform(2, 0.006 * longest_side + 2.5)) if dice[2] > 0.93 else 0.0,
        motion_angle=float(rng.uniform(0, 180)),
        grain=float(rng.uniform(1, 9)) if dice[3] < 0.6 else 0.0,
        seed=int(rng.integers(2**31)),
    )


def finish(pixels: Pixels, how: Finish) -> Pixels:
    """The picture finished, (H, W, 3); light first, then the lens, then the film."""
    lit = _blurred(_shaded(pixels, how), how)
    out = cv2.transform(lit, _mixing(how))
    out = cv2.LUT(out, _curves(how))
    if how.grain:
        h, w = out.shape[:2]
        noise = _grain(how.seed, (w, h))
        out = cv2.addWeighted(out, 1, noise, how.grain / 32, -128 * how.grain / 32)
    return np.asarray(out, np.uint8)


def _curves(how: Finish) -> np.ndarray:
    """One curve a channel: (1, 256, 3) uint8."""
    v = (np.arange(256) / 255) ** how.gamma
    v = np.clip(0.5 + (v - 0.5) * how.contrast, 0, 1)
    if how.film == "faded":
        v = 0.12 + 0.82 * v
    w = 0.12 * how.warmth
    tint = {"grey": (1, 1, 1), "sepia": (1.06, 0.94, 0.76), "faded": (1.05, 1.0, 0.9)}
    channels = np.array(tint.get(how.film, (1 + w, 1, 1 - w)))
    return np.asarray(np.clip(255 * v[None, :, None] * channels, 0, 255)).astype(np.uint8)


def _mixing(how: Finish) -> np.ndarray:
    keep = {"grey": 0.0, "sepia": 0.12, "faded": 0.6}.get(how.film, how.saturation)
    return np.asarray(keep * np.eye(3) + (1 - keep) * _LUMA)


def _shaded(pixels: Pixels, how: Finish) -> Pixels:
    if not how.vignette and max(map(abs, how.slope_xy)) < 0.02:
        return pixels
    x, y = np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 32))
    light = (
        1 + how.slope_xy[0] * x + how.slope_xy[1] * y - how.vignette * (x**2 + y**2) ** 1.5 / 2.8
    )
    small = np.clip(light * 160, 0, 255).astype(np.uint8)
    h, w = pixels.shape[:2]
    full = cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.multiply(pixels, cv2.merge([full] * 3), scale=1 / 160))


def _blurred(pixels: Pixels, how: Finish) -> Pixels:
    if how.blur_px >= 0.4:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), how.blur_px))
    if how.motion_px < 2:
        return pixels
    side = 2 * int(np.ceil(how.motion_px / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    half, angle = how.motion_px / 2, np.deg2rad(how.motion_angle)
    for t in np.linspace(-half, half, 4 * side):
        x, y = side // 2 + t * np.cos(angle), side // 2 + t * np.sin(angle)
        kernel[min(round(y), side - 1), min(round(x), side - 1)] += 1
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()))


@lru_cache(maxsize=1)
def _tile() -> np.ndarray:
    """Noise about 128 with a standard deviation of 32, (512, 512, 3) uint8, without a seam."""
    noise = np.random.default_rng(0).normal(128, 40, (_TILE_PX, _TILE_PX, 3))
    # Silver grains are larger than a pixel, and mostly the same in all colours.
    soft = cv2.GaussianBlur(noise, (0, 0), 0.6, borderType=cv2.BORDER_REFLECT_101) - 128
    soft = 0.45 * soft + 0.9 * soft.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(128 + soft / soft.std() * 32, 0, 255)).astype(np.uint8)


def _grain(seed: int, image_wh: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(_TILE_PX, size=2)
    tile = np.roll(_tile(), (int(y), int(x)), axis=(0, 1))
    w, h = image_wh
    if w > _TILE_PX or h > _TILE_PX:
        right, down = max(0, w - _TILE_PX), max(0, h - _TILE_PX)
        tile = np.asarray(cv2.copyMakeBorder(tile, 0, down, 0, right, cv2.BORDER_WRAP))
    return np.ascontiguousarray(tile[:h, :w])
