"""Portraits of invented people: what the sitters lend, dyed, bent and given glasses."""

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from facedet.practice.shapes import FRAME_WH, ORIGIN_XY, Shape, bend, displacement
from facedet.practice.sitters import (
    CLOTH,
    HAIR,
    HAT,
    OTHER,
    SKIN,
    Body,
    Face,
    Head,
    Mask,
    body_of,
    head_of,
    mixed,
    roll_neck,
    sitters,
)
from facedet.types import FloatArray, Pixels

Pattern = Literal["plain", "stripes", "checks"]
Colour = tuple[float, float, float]

# The face as WIDER FACE marks it and YuNet finds it, hairline to chin, in the second photograph.
OUTLINES: dict[Head, list[tuple[float, float]]] = {
    "hair": [
        *((176, 205), (175, 170), (183, 140), (205, 122), (260, 116), (315, 122), (337, 140)),
        *((345, 170), (344, 205), (338, 255), (325, 296), (295, 322), (262, 331), (230, 322)),
        *((198, 296), (183, 255)),
    ],
    "hat": [
        *((183, 205), (182, 170), (190, 140), (212, 124), (265, 120), (318, 124), (342, 140)),
        *((352, 170), (353, 205), (345, 258), (332, 298), (305, 324), (265, 335), (228, 324)),
        *((198, 298), (188, 258)),
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything that makes one portrait; colours are RGB 0-255, None keeps the photograph's.

    Args:
        head: whose hair (or hat).
        face: whose features stand in it; ``mouth``: only the mouth is the other sitter's.
        body: the space suit, or the jacket with or without its medals, or over a jumper.
        pattern: woven into the jacket.
        skin: factors on red, green, blue.
        glasses: the frame's colour, None without.
        round_glasses: round ones, else square.
        shape: see `Shape`.
    """

    head: Head = "hair"
    face: Face = "own"
    body: Body = "jacket"
    hair: Colour | None = None
    skin: Colour = (1.0, 1.0, 1.0)
    cloth: Colour | None = None
    shirt: Colour | None = None
    pattern: Pattern = "plain"
    hat: Colour | None = None
    glasses: Colour | None = None
    round_glasses: bool = False
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A cut-out person.

    Args:
        levels: RGBA with the colour already multiplied by alpha, each half as large as the one
            before; (H, W, 4) uint8.
        outline_xy: (K, 2) float32, the face's outline in pixels of the first level.
    """

    levels: tuple[npt.NDArray[np.uint8], ...]
    outline_xy: FloatArray


def build(look: Look) -> Portrait:
    """The portrait of a look; about 25 ms."""
    pixels, alpha, (skin, hair, cloth, hat, shirt) = _assembled(look)
    # Skin first and a little too wide, or a pale line would stay along the hair.
    pixels = _toned(pixels, cv2.dilate(skin, np.ones((9, 9), np.uint8)), look.skin)
    pixels = _dyed(pixels, hair, look.hair, 0.9)
    pixels = _dyed(pixels, cloth, look.cloth, 0.92)
    pixels = _woven(pixels, cloth, look.pattern)
    pixels = _dyed(pixels, shirt, look.shirt, 0.9)
    pixels = _dyed(pixels, hat, look.hat, 0.92)
    if look.glasses:
        pixels = pixels.copy()
        _draw_glasses(pixels, look.glasses, look.head, look.round_glasses)
    rgba = np.dstack([cv2.multiply(pixels, cv2.merge([alpha] * 3), scale=1 / 255), alpha])
    rgba = bend(rgba, look.shape)
    levels = [rgba]
    for _halving in range(3):
        half = cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return Portrait(tuple(levels), outline(look))


def outline(look: Look) -> FloatArray:
    """The face's outline in the frame, (K, 2), as `build` will bend it."""
    points = np.array(OUTLINES[look.head], np.float32) + np.array(ORIGIN_XY, np.float32)
    moved = points.copy()
    for _step in range(4):  # the field says where a pixel comes from; turn it round
        moved = points - displacement(look.shape, moved)
    return moved.astype(np.float32)


def _assembled(look: Look) -> tuple[Pixels, Mask, tuple[Mask, ...]]:
    """The undyed portrait: pixels, alpha, soft masks of skin, hair, cloth, hat and shirt."""
    head_pixels, head_alpha = head_of(look.head, look.face, look.body == "medals")
    body_pixels, body_alpha = body_of(look.body, look.head, look.face)
    head, body = sitters()[look.head], sitters()["hair" if look.body == "suit" else "hat"]
    pixels = mixed(body_pixels, head_pixels, head_alpha)
    alpha = np.maximum(head_alpha, body_alpha)
    rest = 255 - head_alpha
    skin = np.maximum(
        cv2.multiply(head.parts[SKIN], head_alpha, scale=1 / 255),
        cv2.multiply(body.parts[SKIN], rest, scale=1 / 255),
    )
    hair = cv2.multiply(head.parts[HAIR], head_alpha, scale=1 / 255)
    hat = cv2.multiply(head.parts[HAT], head_alpha, scale=1 / 255)
    cloth = cv2.multiply(body.parts[CLOTH], rest, scale=1 / 255)
    inside = roll_neck()[1] if look.body == "roll" else body.parts[OTHER]
    shirt = cv2.multiply(inside, cv2.min(rest, body_alpha), scale=1 / 255)
    if look.body == "roll":
        skin, cloth = cv2.subtract(skin, shirt), cv2.subtract(cloth, shirt)
    return pixels, alpha, tuple(np.asarray(m) for m in (skin, hair, cloth, hat, shirt))


# --- Colours


def _dyed(pixels: Pixels, mask: Mask, colour: Colour | None, strength: float) -> Pixels:
    """What lies under the mask in another colour, with its own light and shade."""
    if colour is None or not mask.any():
        return pixels
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    mean = max(float(cv2.mean(grey, mask=mask)[0]), 1.0)
    levels = np.arange(256) / mean
    # Dark cloth has hardly any shading to keep; a bright dye would turn its grain into noise.
    contrast = 0.8 if mean > 60 else 0.3
    relief = np.clip(1 + contrast * (levels - 1), 0.15, 2.2)
    table = np.clip(relief[:, None] * np.array(colour), 0, 255).astype(np.uint8)  # (256, 3)
    dyed = cv2.LUT(cv2.merge([grey] * 3), table[:, None, :].reshape(1, 256, 3))
    share = cv2.convertScaleAbs(mask, alpha=strength)
    if mean <= 60:  # emblems, medals and buttons keep their colours
        keep = np.clip((np.arange(256) - 55) * 6, 0, 255).astype(np.uint8)
        share = cv2.subtract(share, cv2.LUT(grey, keep))
    return mixed(pixels, dyed, share)


def _woven(pixels: Pixels, cloth: Mask, pattern: Pattern) -> Pixels:
    """Stripes or checks in the cloth, a shade lighter than it."""
    if pattern == "plain":
        return pixels
    threads = np.zeros((FRAME_WH[1], FRAME_WH[0]), np.uint8)
    step, thick = (17, 2) if pattern == "stripes" else (34, 7)
    for k in range(thick):
        threads[:, k::step] = 150
        if pattern == "checks":
            threads[k::step] = 150
    share = cv2.multiply(cloth, cv2.GaussianBlur(threads, (0, 0), 0.9), scale=1 / 255)
    lighter = cv2.convertScaleAbs(pixels, alpha=1.25, beta=34)
    return mixed(pixels, lighter, share)


def _toned(pixels: Pixels, skin: np.ndarray, factors: Colour) -> Pixels:
    """Skin in another tone; highlights keep more of theirs, eyes and teeth are spared."""
    if factors == (1.0, 1.0, 1.0):
        return pixels
    v = np.arange(256) / 255
    gain = np.array(factors)[None, :] + (1 - np.array(factors)[None, :]) * 0.25 * v[:, None] ** 4
    table = np.clip(255 * v[:, None] * gain, 0, 255).astype(np.uint8)
    toned = cv2.LUT(pixels, table.reshape(1, 256, 3))
    red, green, blue = cv2.split(pixels)
    chroma = cv2.subtract(cv2.max(red, green), blue)
    coloured = cv2.LUT(chroma, np.clip((np.arange(256) - 14) * 14, 0, 255).astype(np.uint8))
    bright = cv2.LUT(
        cv2.max(green, blue), np.clip((150 - np.arange(256)) * 8, 0, 255).astype(np.uint8)
    )
    share = cv2.min(skin, cv2.GaussianBlur(cv2.max(coloured, bright), (0, 0), 1.5))
    return mixed(pixels, toned, share)


def _draw_glasses(pixels: Pixels, colour: Colour, head: Head, is_round: bool) -> None:
    """A frame before the eyes, in place, with the shadow that it throws."""
    canvas = _frame_mask(head, is_round)
    shadow = cv2.GaussianBlur(np.roll(canvas, 4, axis=0), (0, 0), 3)
    pixels[:] = mixed(pixels, cv2.convertScaleAbs(pixels, alpha=0.65), shadow)
    paint = np.empty_like(pixels)
    paint[:] = np.array(colour, np.uint8)
    pixels[:] = mixed(pixels, paint, canvas)
    # A little light on the upper rim, for it is a thing and no line.
    shine = cv2.GaussianBlur(np.roll(canvas, -2, axis=0), (0, 0), 1)
    glint = cv2.min(canvas, cv2.subtract(shine, np.roll(canvas, 2, axis=0)))
    pixels[:] = mixed(pixels, np.full_like(pixels, 235), cv2.convertScaleAbs(glint, alpha=0.35))


def _frame_mask(head: Head, is_round: bool) -> Mask:
    canvas = np.zeros((FRAME_WH[1], FRAME_WH[0]), np.uint8)
    eyes = ((218, 191), (304, 190)) if head == "hat" else ((218, 189), (304, 192))
    wide, high, power = (31, 29, 1.0) if is_round else (35, 24, 0.6)
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    ring_x, ring_y = (np.sign(v) * np.abs(v) ** power for v in (cos, sin))
    (xl, yl), (xr, yr) = ((x + ORIGIN_XY[0], y + 2) for x, y in eyes)
    lines = [
        np.stack([xl + wide * ring_x, yl + high * ring_y], axis=1),
        np.stack([xr + wide * ring_x, yr + high * ring_y], axis=1),
        np.array([(xl + wide, yl - 5), ((xl + xr) / 2, (yl + yr) / 2 - 9), (xr - wide, yr - 5)]),
        np.array([(xl - wide, yl - 7), (xl - wide - 9, yl - 9)]),
        np.array([(xr + wide, yr - 7), (xr + wide + 9, yr - 9)]),
    ]
    for i, line in enumerate(lines):
        points = np.round(line * 16).astype(np.int32)  # four bits of a fraction
        cv2.polylines(canvas, [points], i < 2, 255, 3, cv2.LINE_AA, 4)
    return canvas
