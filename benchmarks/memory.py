"""The most memory that one large picture takes, decoding and detecting together, by its mode."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 7000  # 49 million pixels; the limit is 50
FORMATS = {"RGB": "PNG", "RGBA": "PNG", "I;16": "PNG", "P": "PNG", "CMYK": "JPEG", "F": "TIFF"}

PROGRAM = """
import sys
from pathlib import Path
from facedet.detectors import load_catalogue
from facedet.images import Limits, read

photo = read(Path(sys.argv[1]), Limits(max_bytes=300_000_000))
load_catalogue().get("yunet").load().detect(photo.pixels)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for mode, format in FORMATS.items():
            path = Path(folder) / f"large.{format.lower()}"
            _noise(mode).save(path, format)
            command = [sys.executable, "-c", PROGRAM, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures[f"{mode}, GB at the most"] = int(done.stdout) * 1024 / 1e9
            print(f"{mode:8} {figures[f'{mode}, GB at the most']:.2f} GB")
    return figures


def _noise(mode: str) -> Image.Image:
    grey = np.random.default_rng(0).integers(0, 256, (SIDE // 10, SIDE // 10), np.uint8)
    image = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)


if __name__ == "__main__":
    run()
