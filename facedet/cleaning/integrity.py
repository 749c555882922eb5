"""The cleaner that asks only whether a file is sound: a whole picture, there once, not tiny."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from facedet.cleaning.cleaner import Bools, Cleaner, Picture, Reasons, Threshold, Values
from facedet.cleaning.copies import (
    MAX_DISTANCE,
    all_but_the_best,
    content_numbers,
    is_placeholder,
    same_to_the_eye,
)
from facedet.cleaning.looks import SIDE, Look
from facedet.cleaning.pictures import Labels, suffix_of
from facedet.i18n import gettext as _

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {
    **dict.fromkeys(("JPEG", "MPO"), (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")),
    **{"PNG": (".png", ".apng"), "WEBP": (".webp",), "GIF": (".gif",)},
    **dict.fromkeys(("BMP", "DIB"), (".bmp", ".dib")),
    **{"TIFF": (".tif", ".tiff"), "AVIF": (".avif", ".avifs"), "HEIF": (".heic", ".heif")},
}


def measure(picture: Picture) -> Values:
    """Read one picture to its end, once, and note what it is and what it looks like."""
    # Two passes, for each finds what the other misses: wrong checksums, and broken pixels.
    picture.open().verify()
    image = picture.open()
    width, height = image.size
    image.draft("RGB", (SIDE, SIDE))  # of a JPEG all is read, but only a small picture made
    image.load()
    look = Look.of(image)
    darkest, brightest = look.brightness()
    return {
        "width": width,
        "height": height,
        "format": str(image.format),
        "sha256": picture.sha256,
        "spare_bytes": 0 if image.format == "MPO" else picture.spare_bytes,
        "sharpness": look.sharpness(),
        "darkest": darkest,
        "brightest": brightest,
        "information": look.information(),
        "phash": look.perceptual_hash(),
    }


def verdict(pictures: "pd.DataFrame", labels: Labels, at: Mapping[str, float]) -> Reasons:
    """Say what is wrong with each picture; of copies that are there, the best or first stays."""
    p = pictures
    p["side"] = np.minimum(p.width, p.height)
    p["aspect"] = p.side / np.maximum(p.width, p.height)
    unsound: dict[str, Any] = {
        "wrong_suffix": has_wrong_suffix(p),
        "trailing_data": p.spare_bytes > at["trailing_data"],
        "tiny": p.side < at["tiny"],
        "blur": p.sharpness < at["blur"],
        "dark": p.brightest < at["dark"],
        "light": p.darkest > at["light"],
        "low_information": p.information < at["low_information"],
        "odd_aspect": p.aspect < at["odd_aspect"],
    }
    sound = ~np.any(list(unsound.values()), axis=0)
    placeholder = is_placeholder(p, labels)
    contents = np.where(placeholder, -1, content_numbers(p))
    duplicate = all_but_the_best(contents, sound, p.available)
    p["near_group"], p["near_bits"] = same_to_the_eye(p, at["near_duplicate"])
    looks = np.where(placeholder | duplicate, -1, p.near_group)
    near_duplicate = all_but_the_best(looks, sound * p.width * p.height, p.available)
    return {
        "placeholder": placeholder,
        "duplicate": duplicate,
        "near_duplicate": near_duplicate,
        **unsound,
    }


def has_wrong_suffix(pictures: "pd.DataFrame") -> Bools:
    """Which files are called otherwise than their content is; one without a suffix is not."""
    names = zip(pictures.index.tolist(), pictures["format"].tolist(), strict=True)
    return np.array([not _suits(suffix_of(name), kind) for name, kind in names], bool)


def _suits(suffix: str, format: str) -> bool:
    return not suffix or suffix in SUFFIXES.get(format, ())


def cleaner() -> Cleaner:
    """Its line in the catalogue."""
    return Cleaner(
        name="integrity",
        title=_("Integrity"),
        summary=_("Sets aside what is broken, not a picture, tiny, or there more than once."),
        version="1",
        columns={
            **dict.fromkeys(("width", "height"), float),
            **dict.fromkeys(("format", "sha256"), str),
            **dict.fromkeys(("spare_bytes", "sharpness", "darkest", "brightest"), float),
            **{"information": float, "phash": str},
        },
        patterns={"sha256": "[0-9a-f]{64}", "phash": "([0-9a-f]{16})?"},
        thresholds=(*_about_files(), *_about_looks()),
        measure=measure,
        verdict=verdict,
    )


def _about_files() -> tuple[Threshold, ...]:
    return (
        Threshold(
            name="placeholder",
            label=_("Placeholders"),
            help=_("The same file for three people, or five times for two: all of them go."),
            needs_all=True,
        ),
        Threshold(
            name="duplicate",
            label=_("Duplicates"),
            help=_("The same file twice: all but one go."),
            needs_all=True,
        ),
        Threshold(
            name="near_duplicate",
            label=_("Near duplicates, bits"),
            help=_("Pictures whose fingerprints of 64 bits differ by no more: the largest stays."),
            low=0,
            high=MAX_DISTANCE,
            default=4,
            column="near_bits",
            needs_all=True,
        ),
        Threshold(
            name="wrong_suffix",
            label=_("Wrong suffix"),
            help=_("A file whose name says another format than it has, as a PNG called .jpg."),
        ),
        Threshold(
            name="trailing_data",
            label=_("Bytes after the end"),
            help=_("More bytes than this follow the picture in its file."),
            low=0,
            high=4096,
            step=16,
            default=16,
            column="spare_bytes",
        ),
        Threshold(
            name="tiny",
            label=_("Smallest side, px"),
            help=_("Either side is shorter."),
            low=1,
            high=512,
            default=32,
            column="side",
        ),
    )


def _about_looks() -> tuple[Threshold, ...]:
    """Off at first. Definitions and defaults follow cleanvision 0.3.7, so that none is missed."""
    return (
        # Its score of blur is under 0.29 where the edges deviate by less than 34.2; two more, for
        # we scale down in another way. It spares pictures of few colours, which we do not.
        Threshold(
            name="blur",
            label=_("Sharpness"),
            help=_("Edges at 64 pixels a side are weaker: the picture is blurred, or empty."),
            on=False,
            low=0,
            high=80,
            step=1,
            default=36,
            column="sharpness",
        ),
        Threshold(
            name="dark",
            label=_("Brightest parts"),
            help=_("Even the brightest hundredth of the picture is darker; 1 is white."),
            on=False,
            low=0,
            high=1,
            step=0.01,
            default=0.32,
            column="brightest",
        ),
        Threshold(
            name="light",
            label=_("Darkest parts"),
            help=_("Even the darkest twentieth of the picture is lighter; 1 is white."),
            on=False,
            low=0,
            high=1,
            step=0.01,
            default=0.95,
            column="darkest",
        ),
        Threshold(
            name="low_information",
            label=_("Information, bits"),
            help=_("Its grey levels say less: a blank page has 0 bits, a photo about 7."),
            on=False,
            low=0,
            high=8,
            step=0.1,
            default=3,
            column="information",
        ),
        Threshold(
            name="odd_aspect",
            label=_("Short side by long side"),
            help=_("The picture is a narrower strip."),
            on=False,
            low=0,
            high=1,
            step=0.01,
            default=0.35,
            column="aspect",
        ),
    )
