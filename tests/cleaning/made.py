"""Small pictures that look like photos, and tables of what might have been measured."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from facedet.cleaning import table
from facedet.cleaning.cleaner import Cleaner, Picture, Value
from facedet.images import Limits


def photo(seed: int, wh: tuple[int, int] = (120, 90)) -> Image.Image:
    """Soft shapes in colour; each seed others."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(wh, Image.Resampling.BICUBIC)


def as_file(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def picture(data: bytes, name: str = "images/P/1.jpg", limits: Limits | None = None) -> Picture:
    return Picture(name, data, limits or Limits())


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def frame(cleaner: Cleaner, rows: Sequence[Mapping[str, Value]]) -> pd.DataFrame:
    """Rows with `image_path` and whatever matters, as the table that a verdict function gets."""
    return table.as_frame(rows, cleaner)
