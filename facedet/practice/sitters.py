"""The two photographs that the cast is put together from: heads, bodies, features.

The sitters are Eileen Collins (NASA) and Grace Hopper (US Navy); both pictures are in the public
domain and ride along in the packages scikit-image and matplotlib. They are laid into one frame, the
pixels of the second photograph plus `ORIGIN_XY`, so that both pairs of eyes lie at the same place:
there, heads, bodies and features can be exchanged. The masks come from ``tools/practice_masks.py``.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from facedet.errors import PracticeError
from facedet.i18n import gettext as _
from facedet.images import read
from facedet.packages import package_file
from facedet.practice.shapes import FRAME_WH, ORIGIN_XY
from facedet.types import Pixels

MASKS = Path(__file__).parent / "masks"
EYES_XY = (260.5, 187.5)  # the middle between the eyes, in the second photograph
SCALE = 1.89  # the second photograph's eyes are so many times further apart
FIRST_EYES_XY = (223.5, 102.0)
MOUTH_GAP_PX = 15  # the second sitter's mouth lies lower, after scaling
OTHER, SKIN, HAIR, HAT, CLOTH = range(5)

Head = Literal["hair", "hat"]
# medals: the jacket with them, and the hat with its emblem; roll: over a roll-neck jumper
Body = Literal["suit", "jacket", "medals", "roll"]
Face = Literal["own", "mouth", "other"]
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Sitter:
    """One photograph in the common frame: pixels, alpha and a soft mask a part, all uint8."""

    pixels: Pixels
    alpha: Mask
    parts: tuple[Mask, ...]


def mixed(under: np.ndarray, over: np.ndarray, share: np.ndarray) -> Pixels:
    """`over` where `share` is 255, `under` where it is 0; (H, W, 3), share (H, W); all uint8."""
    share = cv2.merge([share] * 3)
    a = cv2.multiply(over, share, scale=1 / 255)
    return np.asarray(cv2.add(a, cv2.multiply(under, 255 - share, scale=1 / 255)), np.uint8)


# --- The photographs


@lru_cache(maxsize=1)
def sitters() -> dict[Head, Sitter]:
    """Both, by what is on their heads; read once a process.

    Raises:
        PracticeError: a photograph or a mask is missing.
    """
    first = _sitter("astronaut", ("skimage", "data", "astronaut.png"), SCALE, FIRST_EYES_XY)
    second = _sitter(
        "hopper", ("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg"), 1.0, EYES_XY
    )
    return {"hair": first, "hat": second}


def _sitter(name: str, file: tuple[str, ...], scale: float, eyes_xy: tuple[float, float]) -> Sitter:
    path = package_file(*file)
    if path is None:
        raise PracticeError(
            _("{file} of the package {package} is missing; install {package} again").format(
                file=file[-1], package=file[0]
            )
        )
    alpha = cv2.imread(str(MASKS / f"{name}_alpha.png"), cv2.IMREAD_GRAYSCALE)
    parts = cv2.imread(str(MASKS / f"{name}_parts.png"), cv2.IMREAD_GRAYSCALE)
    if alpha is None or parts is None:
        raise PracticeError(
            _("{folder} lacks the masks of {name}; install facedet again").format(
                folder=MASKS.name, name=name
            )
        )
    x = EYES_XY[0] + ORIGIN_XY[0] - scale * eyes_xy[0]
    y = EYES_XY[1] + ORIGIN_XY[1] - scale * eyes_xy[1]
    into = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    pixels = cv2.warpAffine(
        read(path).pixels, into, FRAME_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if scale > 1:  # enlarged: as crisp as the other one again
        pixels = cv2.addWeighted(pixels, 1.7, cv2.GaussianBlur(pixels, (0, 0), 1.6), -0.7, 0)
    soft = [
        cv2.GaussianBlur(_placed(np.where(parts == k, 255, 0), into), (0, 0), 2.0) for k in range(5)
    ]
    return Sitter(np.asarray(pixels), _placed(alpha, into), tuple(np.asarray(s) for s in soft))


def _placed(mask: np.ndarray, into: np.ndarray) -> Mask:
    return np.asarray(cv2.warpAffine(mask.astype(np.uint8), into, FRAME_WH, flags=cv2.INTER_LINEAR))


# --- Heads


@lru_cache(maxsize=12)
def head_of(head: Head, face: Face, emblem: bool) -> tuple[Pixels, Mask]:
    """Hair or hat, face and upper neck; alpha fades out below the chin."""
    sitter = sitters()[head]
    # Added up, for where two soft edges meet each is only half there.
    inside = cv2.add(cv2.add(sitter.parts[SKIN], sitter.parts[HAIR]), sitter.parts[HAT])
    low, high = (328, 348) if head == "hair" else (336, 360)
    rows = np.clip((high - np.arange(FRAME_WH[1])) / (high - low), 0, 1) * 255
    fade = np.repeat(rows.astype(np.uint8)[:, None], FRAME_WH[0], axis=1)
    alpha = cv2.multiply(cv2.min(sitter.alpha, inside), fade, scale=1 / 255)
    pixels = _with_face(head, face)
    if head == "hat" and not emblem:
        pixels = _plain_hat(pixels, sitter.parts[HAT])
    return pixels, np.asarray(alpha)


@lru_cache(maxsize=6)
def _with_face(head: Head, face: Face) -> Pixels:
    own = sitters()[head].pixels
    if face == "own":
        return own
    other = sitters()["hat" if head == "hair" else "hair"].pixels
    region = _MOUTHS[head] if face == "mouth" else _FACES[head]
    if face == "mouth":  # the mouths do not lie at the same height
        other = np.roll(other, -MOUTH_GAP_PX if head == "hair" else MOUTH_GAP_PX, axis=0)
    elif head == "hat":
        other = _about_the_eyes(other)  # the fringe is higher on the side where the rim is
        own = _lit_chin(own)
    if head == "hat":  # cloning keeps differences; on that darker skin they would burn out
        other = np.asarray(cv2.convertScaleAbs(other, alpha=0.8), np.uint8)
    mask = np.zeros((FRAME_WH[1], FRAME_WH[0]), np.uint8)
    outline_xy = np.array(region, np.float32) + np.array(ORIGIN_XY, np.float32)
    cv2.fillPoly(mask, [np.round(outline_xy).astype(np.int32)], 255)
    x, y, w, h = cv2.boundingRect(mask)
    # OpenCV puts the centre of the mask's bounding box at the point given.
    centre = x + w // 2, y + h // 2
    return np.asarray(cv2.seamlessClone(other, own, mask, centre, cv2.NORMAL_CLONE))


def _about_the_eyes(pixels: Pixels) -> Pixels:
    """Mirrored so that the eyes change places."""
    shift = round(2 * (EYES_XY[0] + ORIGIN_XY[0])) - (FRAME_WH[0] - 1)
    return np.asarray(np.roll(pixels[:, ::-1], shift, axis=1))


def _lit_chin(pixels: Pixels) -> Pixels:
    """The second photograph with less shadow under the chin: it would pass for a beard."""
    x, y = ORIGIN_XY[0] + 264, 334
    spot = np.zeros(pixels.shape[:2], np.uint8)
    cv2.ellipse(spot, (round(x), y), (56, 20), 0, 0, 360, 205, -1)
    skin = np.median(pixels[300:318, round(x) - 44 : round(x) + 46].reshape(-1, 3), axis=0)
    light = np.empty_like(pixels)
    light[:] = (skin * 0.72).astype(np.uint8)
    return mixed(pixels, light, cv2.GaussianBlur(spot, (0, 0), 7))


_MOUTHS: dict[Head, list[tuple[int, int]]] = {
    "hair": [
        *((216, 260), (228, 252), (262, 250), (302, 252), (314, 260), (306, 276), (290, 293)),
        *((262, 299), (238, 293), (226, 276)),
    ],
    "hat": [
        *((206, 270), (216, 254), (240, 250), (264, 254), (290, 250), (318, 252), (328, 270)),
        *((322, 296), (300, 314), (262, 322), (228, 314), (208, 296)),
    ],
}
_FACES: dict[Head, list[tuple[int, int]]] = {
    "hair": [
        *((186, 172), (215, 160), (262, 158), (310, 162), (343, 174), (342, 215), (332, 258)),
        *((318, 292), (290, 314), (262, 320), (234, 314), (204, 290), (190, 255), (184, 215)),
    ],
    "hat": [
        *((176, 190), (180, 173), (205, 168), (230, 160), (262, 152), (335, 150), (352, 160)),
        *(
            (358, 176),
            (354, 196),
            (340, 212),
            (338, 250),
            (330, 288),
            (308, 324),
            (264, 342),
            (220, 324),
        ),
        *((196, 288), (190, 250), (188, 212)),
    ],
}


# --- Bodies


@lru_cache(maxsize=12)
def body_of(body: Body, head: Head, face: Face) -> tuple[Pixels, Mask]:
    """Clothes and lower neck, in the neck's colour of that head."""
    sitter = sitters()["hair" if body == "suit" else "hat"]
    pixels = sitter.pixels
    if body in ("jacket", "roll"):
        pixels = _without_medals(sitter)
    below = np.zeros_like(sitter.alpha)
    below[318 if body != "suit" else 262 :] = 255
    hidden = cv2.add(sitter.parts[HAIR], sitter.parts[HAT])
    skin = sitter.parts[SKIN].copy()
    skin[330:] = 0  # the neck stays, jaw and ears go
    alpha = cv2.min(cv2.min(sitter.alpha, below), 255 - cv2.add(hidden, skin))
    if (body == "suit") != (head == "hair") or face == "other":
        pixels = _neck_matched(pixels, sitter.parts[SKIN], _with_face(head, face))
    if body == "roll":
        pixels = mixed(pixels, *roll_neck())
    return pixels, np.asarray(alpha)


def _without_medals(sitter: Sitter) -> Pixels:
    """The jacket without name tag and ribbons: whatever is bright there, painted over."""
    grey = cv2.cvtColor(sitter.pixels, cv2.COLOR_RGB2GRAY)
    bright = np.where((grey > 46) & (sitter.parts[CLOTH] > 200), 255, 0).astype(np.uint8)
    spots = np.zeros_like(grey)
    spots[470:535] = cv2.dilate(bright, np.ones((9, 9), np.uint8))[470:535]
    few = cv2.resize(spots, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    quarter = cv2.resize(sitter.pixels, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    filled = cv2.resize(cv2.inpaint(quarter, few, 3, cv2.INPAINT_TELEA), FRAME_WH)
    return mixed(sitter.pixels, filled, cv2.GaussianBlur(spots, (0, 0), 2))


_ROLL_NECK = [
    *((194, 326), (200, 344), (230, 360), (265, 365), (300, 359), (328, 343), (336, 322)),
    *((338, 345), (328, 382), (306, 440), (290, 466), (252, 534), (226, 482), (212, 446)),
    *((198, 392), (190, 350)),
]


@lru_cache(maxsize=1)
def roll_neck() -> tuple[Pixels, Mask]:
    """A jumper's collar in grey wool, ribbed and folded over once, and where it lies."""
    mask = np.zeros((FRAME_WH[1], FRAME_WH[0]), np.uint8)
    lines = np.array(_ROLL_NECK, np.float32) + np.array(ORIGIN_XY, np.float32)
    cv2.fillPoly(mask, [np.round(lines).astype(np.int32)], 255)
    x, y = np.meshgrid(np.arange(FRAME_WH[0]) - 394.0, np.arange(FRAME_WH[1]) * 1.0)
    across = np.clip(x / 72, -1.1, 1.1)  # the collar is a cylinder of this radius
    below = y - (364 - 22 * across**2)  # its rim, seen from a little above
    ribs = 1 + 0.07 * np.sin(np.arcsin(np.clip(across, -1, 1)) * 60)
    fold = 1 - 0.45 * np.exp(-((below - 40) ** 2) / 18) - 0.25 * np.exp(-((below - 1) ** 2) / 30)
    grey = 125 * (1.05 - 0.5 * across**2) * ribs * fold
    wool = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return wool, np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.2))


def _plain_hat(pixels: Pixels, hat: Mask) -> Pixels:
    """The hat all of its dark felt, without emblem, braid and white sides."""
    rows = np.clip((112 - np.arange(FRAME_WH[1])) / 8, 0, 1)[:, None] * 255
    spots = cv2.min(hat, np.repeat(rows.astype(np.uint8), FRAME_WH[0], axis=1))
    # The brim's own pixels, mirrored upwards: cloth with its grain.
    felt = np.full_like(pixels, 24)
    felt[16:112] = cv2.GaussianBlur(pixels, (0, 0), 0.8)[104:128].repeat(4, axis=0)[::-1]
    x, y = np.meshgrid(np.arange(FRAME_WH[0]), np.arange(FRAME_WH[1]))
    # Rounder at the top: a little light from above left.
    light = 1 + 0.5 * np.exp(-((x - 350) ** 2 / 60**2) - (y - 50) ** 2 / 25**2)
    lit = np.clip(felt * light[..., None], 0, 255).astype(np.uint8)
    return mixed(pixels, lit, spots)


def _neck_matched(pixels: Pixels, skin: Mask, face: Pixels) -> Pixels:
    """The body's neck in the colour of the cheeks, darker, and with fewer folds."""
    x0, x1 = round(225 + ORIGIN_XY[0]), round(300 + ORIGIN_XY[0])
    cheeks = face[215:250, [*range(x0 - 30, x0 - 5), *range(x1 + 15, x1 + 35)]]
    want = np.median(cheeks.reshape(-1, 3), axis=0) * (0.8, 0.76, 0.74)
    have = np.median(pixels[346:385, x0:x1].reshape(-1, 3), axis=0)
    levels = np.arange(256)[:, None]
    table = np.clip(want + 0.6 * (levels - have), 0, 255).astype(np.uint8)  # (256, 3)
    toned = cv2.LUT(pixels, table.reshape(1, 256, 3))
    return mixed(pixels, toned, skin)
