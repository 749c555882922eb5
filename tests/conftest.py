"""Shared fixtures: a workspace of its own for each test, and photos that are always there."""

import socket
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facedet.examples import find_examples
from facedet.images import decode
from facedet.settings import Settings, load_settings
from facedet.types import Detections, Pixels


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace of this test; nothing is ever written to the real one."""
    path = tmp_path / "home"
    monkeypatch.setenv("FACEDET_HOME", str(path))
    monkeypatch.setenv("FACEDET_MODELS", str(tmp_path / "models"))
    return path


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def both_jpeg() -> bytes:
    """The example with two people: 1,144 x 680 pixels."""
    return next(e for e in find_examples() if e.id == "both").load()


@pytest.fixture(scope="session")
def both_pixels(both_jpeg: bytes) -> Pixels:
    return decode(both_jpeg).pixels


@pytest.fixture
def two_faces() -> Detections:
    return Detections(
        np.array([[10, 20, 60, 80], [100.25, 30.5, 140.75, 90]], np.float32),
        np.array([0.9, 0.6], np.float32),
        (200, 120),
    )


@pytest.fixture
def free_port() -> int:
    """The first of three neighbouring ports that nobody has."""
    while True:
        with ExitStack() as stack:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            try:
                for offset in (1, 2):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except (OSError, OverflowError):
                continue
            return port


def as_bytes(image: Image.Image, format: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# EXIF orientation -> how an upright picture is stored under it.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned_png(upright: Image.Image, orientation: int) -> bytes:
    """The picture as a camera held that way stores it, with the EXIF tag that says so."""
    stored = upright.transpose(_STORED[orientation]) if orientation in _STORED else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return as_bytes(stored, "PNG", exif=exif)
