"""Frames, captions, titles and watermarks: what magazines, fans and agencies put on a photo."""

from typing import Literal

import cv2
import numpy as np

from facedet.types import FloatArray, Pixels

Overlay = Literal["none", "frame", "caption", "magazine", "watermark", "stamp"]
KINDS: tuple[Overlay, ...] = ("none", "frame", "caption", "magazine", "watermark", "stamp")
_WORDS = ("GALA", "VIVANT", "Premiere!", "exclusive", "the interview", "STAGE", "No. 14", "fanpix")
_WORDS_SMALL = ("photo: agency", "(c) fan page 2014", "red carpet, Friday", "spring issue", "p. 27")
Ink = tuple[int, int, int]
_WHITE: Ink = (250, 250, 250)


def lay(pixels: Pixels, kind: Overlay, faces_xyxy: FloatArray, seed: int) -> None:
    """Paint an overlay onto the picture, in place, beside the faces.

    Args:
        pixels: (H, W, 3), changed.
        kind: which.
        faces_xyxy: (M, 4); captions and titles keep off them.
        seed: for wording and colours.
    """
    rng = np.random.default_rng(seed)
    if kind == "frame":
        _frame(pixels, faces_xyxy, rng)
    elif kind == "caption":
        _caption(pixels, faces_xyxy, rng)
    elif kind == "magazine":
        _magazine(pixels, faces_xyxy, rng)
    elif kind == "watermark":
        _watermark(pixels, faces_xyxy, rng)
    elif kind == "stamp":
        _stamp(pixels, faces_xyxy, rng)


def _ink(rng: np.random.Generator, ground: Pixels) -> Ink:
    """A printer's colour that can be read on that part of the picture."""
    light: tuple[Ink, ...] = (_WHITE, (250, 214, 40), (240, 190, 200), _WHITE)
    dark: tuple[Ink, ...] = ((200, 24, 40), (20, 50, 130), (18, 18, 20), (110, 20, 80))
    inks = dark if ground.size and ground.mean() > 125 else light
    return inks[rng.integers(len(inks))]


def _frame(pixels: Pixels, faces_xyxy: FloatArray, rng: np.random.Generator) -> None:
    h, w = pixels.shape[:2]
    thick = max(3, round(min(h, w) * rng.uniform(0.015, 0.045)))
    if len(faces_xyxy):
        room = min(faces_xyxy[:, :2].min(), (np.array([w, h]) - faces_xyxy[:, 2:]).min())
        thick = max(1, min(thick, int(room)))
    shade = int(rng.choice([250, 240, 12, 30]))
    for side in (pixels[:thick], pixels[-thick:], pixels[:, :thick], pixels[:, -thick:]):
        side[:] = shade


def _caption(pixels: Pixels, faces_xyxy: FloatArray, rng: np.random.Generator) -> None:
    h, w = pixels.shape[:2]
    room = h - (float(faces_xyxy[:, 3].max()) if len(faces_xyxy) else 0.6 * h)
    bar = int(min(0.16 * h, 0.6 * room))
    if bar < 12:
        return
    ground = (12, 14, 20) if rng.random() < 0.6 else (245, 244, 240)
    pixels[h - bar :] = ground
    ink = _WHITE if ground[0] < 100 else (20, 20, 24)
    word = str(rng.choice(_WORDS_SMALL))
    _write(pixels, word, (round(0.04 * w), h - round(0.32 * bar)), 0.42 * bar, ink)


def _magazine(pixels: Pixels, faces_xyxy: FloatArray, rng: np.random.Generator) -> None:
    h, w = pixels.shape[:2]
    top = float(faces_xyxy[:, 1].min()) if len(faces_xyxy) else 0.3 * h
    low = float(faces_xyxy[:, 3].max()) if len(faces_xyxy) else 0.6 * h
    title, *lines = rng.permutation(_WORDS).tolist()
    size = min(0.13 * h, 0.8 * top, 0.9 * w / len(title))
    if size >= 10:
        ink = _ink(rng, pixels[: round(size)])
        _write(pixels, title, (round(0.05 * w), round(1.1 * size)), size, ink)
    ink = _ink(rng, pixels[round(low) :, : w // 2])
    y = low + 0.12 * h
    for line in lines:
        if y < 0.97 * h:
            _write(pixels, line, (round(0.06 * w), round(y)), 0.045 * h, ink)
        y += 0.075 * h


def _watermark(pixels: Pixels, faces_xyxy: FloatArray, rng: np.random.Generator) -> None:
    h, w = pixels.shape[:2]
    low = float(faces_xyxy[:, 3].max()) if len(faces_xyxy) else 0.4 * h
    size = min(0.09 * w, 0.5 * (h - low))
    if size < 9:
        return
    copy = pixels.copy()
    y = round(min(h - 0.3 * size, low + 1.4 * size))
    _write(
        copy,
        "photoboard" if rng.random() < 0.5 else "fanpix.example",
        (round(0.1 * w), y),
        size,
        _WHITE,
    )
    cv2.addWeighted(copy, 0.45, pixels, 0.55, 0, dst=pixels)


def _stamp(pixels: Pixels, faces_xyxy: FloatArray, rng: np.random.Generator) -> None:
    """The date that cameras of the nineties burned into a corner."""
    h, w = pixels.shape[:2]
    text = f"{rng.integers(1, 29)}. {rng.integers(1, 13)}. '{rng.integers(88, 99)}"
    size = max(9.0, 0.035 * max(h, w))
    if len(faces_xyxy) and float(faces_xyxy[:, 3].max()) > h - 2.2 * size:
        return
    _write(
        pixels, text, (round(w - 0.62 * size * len(text)), round(h - size)), size, (255, 150, 50)
    )


def _write(pixels: Pixels, text: str, at: tuple[int, int], size_px: float, ink: Ink) -> None:
    """Text from `at` (left end of its base line), smaller where it would run out of the picture."""
    font, scale = cv2.FONT_HERSHEY_DUPLEX, size_px / 30
    (wide, _high), _base = cv2.getTextSize(text, font, scale, 1)
    scale *= min(1.0, 0.94 * (pixels.shape[1] - at[0]) / max(wide, 1))
    cv2.putText(pixels, text, at, font, scale, ink, max(1, round(scale * 2)), cv2.LINE_AA)
