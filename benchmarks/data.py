"""Where the labelled photographs lie that benchmarks measure on; no part of the project."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FACEDET_TEST_DATA", ROOT.parent / "shared" / "data"))


def validation_photos() -> list[Path]:
    """The photos of `faces/val`; stops where the folder is missing."""
    folder = DATA / "faces" / "val" / "images"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is missing; set FACEDET_TEST_DATA to the folder of the data")
    return sorted(folder.iterdir())
