"""Where the lab keeps its things and what it accepts, read from the environment once a call.

==========================  =======================================================================
``FACEDET_HOME``            the workspace: datasets, runs, caches. Default: ``workspace`` in the
                            checkout, or ``~/facedet`` where the package is installed elsewhere.
``FACEDET_MODELS``          more checkpoints, beside the checkout's ``models``.
``FACEDET_MAX_MEGAPIXELS``  largest picture to decode, in millions of pixels. Default 50.
``FACEDET_LANGUAGE``        of the command line's sentences (see `i18n`). Default ``en``.
``FACEDET_MAX_MEGABYTES``   largest picture file to read, in millions of bytes. Default 100.
``FACEDET_PRACTICE_PORT``   where practice sets that the page makes are served. Default 8642.
==========================  =======================================================================
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facedet.errors import UsageError
from facedet.i18n import gettext as _

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; sizes in bytes and pixels. Nothing on disk is touched by making one."""

    home: Path
    models_dirs: tuple[Path, ...]
    max_image_pixels: int
    max_image_bytes: int
    practice_port: int

    @property
    def runs_dir(self) -> Path:
        """One folder a long task."""
        return self.home / "runs"

    @property
    def uploads_dir(self) -> Path:
        """Photos that a visitor handed over for a long task."""
        return self.home / "uploads"


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises:
        UsageError: where a variable is not a number it should be; it names variable and value.
    """
    extra_models = environ.get("FACEDET_MODELS")
    return Settings(
        home=Path(environ.get("FACEDET_HOME") or _default_home()).expanduser().absolute(),
        models_dirs=(CHECKOUT / "models", *([Path(extra_models)] if extra_models else [])),
        max_image_pixels=_millions(environ, "FACEDET_MAX_MEGAPIXELS", 50),
        max_image_bytes=_millions(environ, "FACEDET_MAX_MEGABYTES", 100),
        practice_port=_port(environ, "FACEDET_PRACTICE_PORT", 8642),
    )


def _default_home() -> Path:
    in_checkout = (CHECKOUT / "app.py").is_file()
    return CHECKOUT / "workspace" if in_checkout else Path.home() / "facedet"


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 1024 <= int(text) <= 65_533:
        raise UsageError(_("{name} is {text!r}: give 1024 to 65533").format(name=name, text=text))
    return int(text)


def _millions(environ: Mapping[str, str], name: str, default: float) -> int:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise UsageError(
            _("{name} is {text!r}: give a positive number of millions").format(name=name, text=text)
        )
    return int(value * 1e6)
