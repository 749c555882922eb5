"""Pillow's own collection of good, odd, broken and hostile pictures, from its source package.

Fetched once by pip from wherever this machine's pip fetches, and kept in `.cache/`.
"""

import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import PIL

CACHE = Path(__file__).parent.parent / ".cache"


@cache
def pillow_test_images() -> Path | None:
    """The folder `Tests/images`, or None where the package cannot be had."""
    folder = CACHE / f"pillow-{PIL.__version__}"
    if not folder.is_dir():
        archive = _download()
        if archive is None:
            return None
        with tarfile.open(archive) as tar:
            members = [m for m in tar.getmembers() if "/Tests/images/" in m.name]
            # Renamed when whole: one that was cut short would pass for the collection for ever.
            partial = CACHE / f"partial-{os.getpid()}"
            tar.extractall(partial, members, filter="data")
        (partial / folder.name).rename(folder)
        partial.rmdir()
    return folder / "Tests" / "images"


def _download() -> Path | None:
    CACHE.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", "pillow", "--dest", str(CACHE), f"pillow=={PIL.__version__}"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    found = sorted(CACHE.glob(f"pillow-{PIL.__version__}.tar*"))
    return found[0] if done.returncode == 0 and found else None
