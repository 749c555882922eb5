"""Make the masks of the practice dataset's two portraits: ``python -m tools.practice_masks``.

Each person was outlined by hand; GrabCut (Rother, Kolmogorov, Blake, SIGGRAPH 2004) then finds the
edge near that line. Written to ``facedet/practice/masks``: ``<name>_alpha.png`` (0-255, the person)
and ``<name>_parts.png`` (a number a pixel, see `PARTS`).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedet.images import read
from facedet.packages import package_file

FOLDER = Path(__file__).parent.parent / "facedet" / "practice" / "masks"
PARTS = {"other": 0, "skin": 1, "hair": 2, "hat": 3, "cloth": 4}
Outline = list[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Sitter:
    """One portrait: the file in its package, and lines drawn by hand in its pixels."""

    name: str
    file: tuple[str, ...]
    person: Outline
    band_px: int
    skin: list[Outline]
    hair: list[Outline]
    hat: list[Outline]
    not_cloth: list[Outline]
    bottom: int


ASTRONAUT = Sitter(
    name="astronaut",
    file=("skimage", "data", "astronaut.png"),
    person=[
        *((18, 345), (27, 300), (35, 272), (50, 258), (75, 238), (100, 214), (113, 206)),
        *((113, 188), (125, 170), (148, 154), (170, 148), (182, 148), (179, 132), (171, 124)),
        *((157, 108), (152, 85), (153, 62), (160, 52), (178, 44), (192, 32), (212, 18), (235, 15)),
        *((262, 19), (282, 32), (295, 52), (301, 80), (298, 108), (288, 124), (272, 136)),
        *((266, 144), (259, 160), (256, 173), (275, 184), (292, 202), (302, 222), (305, 238)),
        *((325, 250), (342, 272), (352, 292), (358, 318), (361, 345)),
    ],
    band_px=6,
    skin=[
        [
            *((186, 92), (188, 78), (194, 74), (204, 80), (230, 82), (252, 87), (263, 92)),
            *((270, 100), (272, 124), (277, 130), (274, 136), (267, 138), (262, 156), (256, 172)),
            *((253, 186), (238, 190), (220, 187), (196, 184), (187, 176), (187, 158), (182, 134)),
            *((174, 126), (172, 119), (178, 118), (181, 108)),
        ]
    ],
    hair=[
        [
            *((140, 120), (140, 40), (200, 5), (270, 5), (315, 50), (315, 125), (290, 140)),
            *((274, 133), (270, 120), (269, 98), (262, 92), (252, 88), (230, 83), (204, 81)),
            *((194, 75), (188, 79), (185, 92), (181, 108), (178, 118), (170, 122)),
        ]
    ],
    hat=[],
    not_cloth=[
        [
            *(
                (105, 180),
                (150, 140),
                (185, 140),
                (260, 165),
                (296, 190),
                (306, 230),
                (296, 268),
                (270, 288),
            ),
            *((240, 294), (200, 288), (160, 265), (120, 225)),
        ],
        [(225, 290), (265, 290), (285, 345), (225, 345)],
        [(272, 335), (330, 335), (330, 345), (272, 345)],
    ],
    bottom=338,
)
HOPPER = Sitter(
    name="hopper",
    file=("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg"),
    person=[
        *((10, 599), (16, 520), (24, 450), (34, 405), (48, 384), (70, 374), (150, 350), (198, 318)),
        *((196, 298), (176, 288), (164, 270), (158, 245), (153, 205), (155, 180), (153, 140)),
        *((153, 108), (162, 92), (173, 82), (186, 60), (214, 44), (226, 28), (252, 22), (282, 26)),
        *((300, 36), (326, 50), (346, 70), (353, 88), (364, 87), (371, 110), (371, 180)),
        *((375, 190), (371, 222), (363, 250), (361, 280), (350, 303), (334, 308), (333, 316)),
        *((372, 345), (430, 366), (478, 380), (494, 398), (504, 425), (511, 460), (511, 599)),
    ],
    band_px=5,
    skin=[
        [
            *((172, 185), (180, 150), (196, 136), (230, 131), (300, 131), (335, 138), (350, 152)),
            *((360, 184), (371, 188), (371, 215), (360, 262), (345, 270), (337, 268), (331, 312)),
            *((327, 345), (312, 372), (300, 402), (282, 408), (250, 407), (240, 404), (215, 376)),
            *((205, 350), (200, 300), (194, 272), (180, 271), (165, 230), (156, 210), (155, 190)),
        ]
    ],
    hair=[
        [(150, 175), (176, 142), (186, 145), (176, 185), (158, 195), (148, 195)],
        [(345, 148), (352, 146), (375, 175), (375, 195), (360, 188)],
        [(155, 225), (165, 240), (180, 272), (196, 274), (203, 300), (175, 290), (155, 260)],
        [(336, 270), (362, 258), (365, 290), (345, 312), (332, 310)],
    ],
    hat=[
        [
            *((145, 175), (145, 90), (185, 40), (230, 15), (290, 15), (340, 45), (380, 85)),
            *((380, 178), (366, 180), (352, 146), (335, 138), (300, 131), (230, 131), (196, 136)),
            *((178, 146), (158, 172)),
        ]
    ],
    not_cloth=[
        [
            *((198, 318), (206, 350), (240, 404), (250, 407), (282, 408), (302, 402), (328, 350)),
            *(
                (328, 345),
                (334, 318),
                (337, 340),
                (322, 380),
                (302, 430),
                (276, 446),
                (288, 452),
                (280, 480),
            ),
            *((254, 530), (226, 476), (246, 447), (228, 420), (214, 442), (198, 390), (194, 330)),
        ],
    ],
    bottom=600,
)


def main() -> None:
    """Write the four files."""
    FOLDER.mkdir(exist_ok=True)
    for sitter in (ASTRONAUT, HOPPER):
        path = package_file(*sitter.file)
        if path is None:
            raise SystemExit(f"{sitter.file[0]} is not installed")
        pixels = read(path).pixels[: sitter.bottom]
        alpha = _cut_out(pixels, sitter)
        parts = _parts(pixels, alpha, sitter)
        for kind, image in (("alpha", alpha), ("parts", parts)):
            file = FOLDER / f"{sitter.name}_{kind}.png"
            cv2.imwrite(str(file), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            print(file.name, image.shape, file.stat().st_size, "bytes")


def _filled(outlines: list[Outline], shape: tuple[int, ...]) -> np.ndarray:
    canvas = np.zeros(shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.array(outline, np.int32)], 255)
    return canvas


def _cut_out(pixels: np.ndarray, sitter: Sitter) -> np.ndarray:
    """The person, 0-255: GrabCut in a narrow band about the hand-drawn line, then a soft edge."""
    cv2.setRNGSeed(1)
    drawn = _filled([sitter.person], pixels.shape)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * sitter.band_px + 1,) * 2)
    padded = cv2.copyMakeBorder(drawn, 20, 20, 20, 20, cv2.BORDER_REPLICATE)
    inner = cv2.erode(padded, disc)[20:-20, 20:-20]
    outer = cv2.dilate(drawn, disc)
    labels = np.where(drawn > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[inner > 0] = cv2.GC_FGD
    labels[outer == 0] = cv2.GC_BGD
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    hard = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    hard = cv2.morphologyEx(cv2.medianBlur(hard, 5), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # One pixel inwards: the pixel on the edge still holds the old background's colour.
    soft = cv2.GaussianBlur(cv2.erode(hard, np.ones((2, 2), np.uint8)), (0, 0), 1.1)
    return np.asarray(soft)


def _parts(pixels: np.ndarray, alpha: np.ndarray, sitter: Sitter) -> np.ndarray:
    parts = np.where(alpha > 40, PARTS["cloth"], PARTS["other"]).astype(np.uint8)
    parts[(_filled(sitter.not_cloth, pixels.shape) > 0)] = PARTS["other"]
    for name in ("skin", "hair", "hat"):
        parts[(_filled(getattr(sitter, name), pixels.shape) > 0) & (alpha > 8)] = PARTS[name]
    return parts


if __name__ == "__main__":
    main()
