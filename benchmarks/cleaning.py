"""Our cleaners beside the loop that anyone would write, and beside cleanvision, in one run.

cleanvision lives in an environment of its own (it pins pandas below 3); FACEDET_CLEANVISION names
its Python, for example after

    python3 -m venv cv && cv/bin/pip install cleanvision==0.3.7
    FACEDET_CLEANVISION=cv/bin/python python -m benchmarks cleaning

The files are photos of `faces/val` at their original size, again and again, each copy with a few
bytes more; the last tenth is made dark, light or blurred, or is a copy to the last byte. All files
have been read before anything is timed. FACEDET_BENCH_PICTURES says how many; default 4,000.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.data import validation_photos
from facedet.cleaning import catalogue, table
from facedet.cleaning.pictures import Entry, list_pictures
from facedet.cleaning.run import clean
from facedet.detectors import load_catalogue
from facedet.images import read

PICTURES = int(os.environ.get("FACEDET_BENCH_PICTURES", "4000"))
ROUNDS = 3
SLIDER_ROWS = 15_000
# Of cleanvision's issues, ours with all rules on.
SAME = {
    # Of the pixels: to us, files that differ only behind the picture's end are near duplicates.
    "exact_duplicates": ("near_duplicate", "duplicate", "placeholder"),
    "near_duplicates": ("near_duplicate", "duplicate", "placeholder"),
    "dark": ("dark",),
    "light": ("light",),
    "blurry": ("blur",),
    "low_information": ("low_information",),
    "odd_aspect_ratio": ("odd_aspect",),
}
ALL_ON = dict.fromkeys(("blur", "dark", "light", "low_information", "odd_aspect"), True)

CLEANVISION = """
import json, sys, time
from cleanvision import Imagelab
if __name__ == "__main__":
    began = time.perf_counter()
    lab = Imagelab(data_path=sys.argv[1])
    lab.find_issues(verbose=False)
    seconds = time.perf_counter() - began
    found = {c: lab.issues.index[lab.issues[c]].tolist() for c in lab.issues if c.startswith("is_")}
    json.dump({"seconds": seconds, "found": found}, open(sys.argv[2], "w"))
"""


def run() -> dict[str, Any]:
    print(f"{PICTURES:,} files; load average {os.getloadavg()[0]:.2f} before")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = make_files(folder / "set", PICTURES)
        figures = integrity(dataset) | cleanvision(dataset, folder) | faces(dataset)
        figures |= sliders(folder)
    print(f"load average {os.getloadavg()[0]:.2f} after")
    return figures


def make_files(folder: Path, n: int) -> Path:
    photos = validation_photos()
    folder.mkdir()
    for number in range(n):
        photo = photos[number % len(photos)]
        data = photo.read_bytes()
        if number >= n - n // 10:
            data = spoilt(data, number % 4)
        elif number >= len(photos):
            data += f" {number}".encode()
        (folder / f"{number:06d}{photo.suffix}").write_bytes(data)
    return folder


def spoilt(data: bytes, how: int) -> bytes:
    """As it is, dark, light or blurred."""
    if how == 0:
        return data
    image = Image.open(BytesIO(data)).convert("RGB")
    if how == 1:
        image = ImageEnhance.Brightness(image).enhance(0.25)
    elif how == 2:
        image = Image.blend(image, Image.new("RGB", image.size, "white"), 0.97)
    else:
        image = image.filter(ImageFilter.GaussianBlur(max(image.size) / 25))
    out = BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def integrity(dataset: Path) -> dict[str, float]:
    """Rounds alternate, so that a machine that slows down slows both; the first warms up."""
    pillow_loop(dataset)
    rounds = [(timed(pillow_loop, dataset), ours(dataset, "integrity")) for _n in range(ROUNDS)]
    return {
        "Pillow verify+load, one process, s": told("Pillow, one process", [a for a, _b in rounds]),
        "integrity, s": told("integrity", [b for _a, b in rounds]),
        "Pillow / integrity (at least 1.8)": told("ratio", [a / b for a, b in rounds]),
        "integrity as a command, s": told("as a command", [command(dataset, "integrity")]),
    }


def pillow_loop(dataset: Path) -> None:
    for path in sorted(dataset.glob("*.*")):
        with Image.open(path) as image:
            image.verify()
        with Image.open(path) as image:
            image.load()


def ours(dataset: Path, cleaner: str) -> float:
    shutil.rmtree(dataset / table.FOLDER, ignore_errors=True)
    return timed(clean, dataset, catalogue.get(cleaner))


def command(dataset: Path, cleaner: str) -> float:
    shutil.rmtree(dataset / table.FOLDER, ignore_errors=True)
    arguments = [sys.executable, "-m", "facedet", "clean", str(dataset), "--cleaner", cleaner]
    return timed(subprocess.run, arguments, stdout=subprocess.DEVNULL, check=True)


def cleanvision(dataset: Path, folder: Path) -> dict[str, Any]:
    python = os.environ.get("FACEDET_CLEANVISION")
    if python is None:
        print("cleanvision: not measured; set FACEDET_CLEANVISION to its Python")
        return {}
    shutil.rmtree(dataset / table.FOLDER, ignore_errors=True)
    script = folder / "cleanvision_run.py"
    script.write_text(CLEANVISION)
    subprocess.run(
        [python, str(script), str(dataset), str(folder / "cv.json")],
        check=True,
        capture_output=True,
    )
    theirs = json.loads((folder / "cv.json").read_text())
    seconds = ours(dataset, "integrity")
    print(f"cleanvision, default issues {theirs['seconds']:8.2f} s, integrity {seconds:.2f} s")
    ratio = theirs["seconds"] / seconds
    print(f"cleanvision / integrity     {ratio:8.2f} (at least 2)")
    return {"cleanvision, s": theirs["seconds"], "cleanvision / integrity (at least 2)": ratio} | {
        f"missed: {issue}": missed for issue, missed in compare(dataset, theirs["found"]).items()
    }


def compare(dataset: Path, found: dict[str, list[str]]) -> dict[str, int]:
    """How many pictures each of their issues has that none of our reasons for it has."""
    judged = table.judged(dataset, "integrity", ALL_ON)
    reasons = {name: set(text.split()) for name, text in judged["reason"].items()}
    missed = {}
    for issue, codes in SAME.items():
        theirs = {Path(path).name for path in found.get(f"is_{issue}_issue", [])}
        by_us = {str(name) for name, given in reasons.items() if given & set(codes)}
        by_us |= first_copies(judged) if issue.endswith("duplicates") else set()
        missed[issue] = len(theirs - by_us)
        print(
            f"  {issue:18} cleanvision {len(theirs):6,}, we {len(by_us):6,}, missed {missed[issue]}"
        )
    return missed


def first_copies(judged: Any) -> set[str]:
    """The one of each group that stays: cleanvision flags it as well."""
    return set(
        judged.index[judged["near_bits"] <= catalogue.get("integrity").levels()["near_duplicate"]]
    )


def faces(dataset: Path) -> dict[str, float]:
    """Beside a loop on one thread, and beside one in which OpenCV takes as many as it likes."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    one = timed(yunet_loop, dataset)
    cv2.setNumThreads(before)
    many, seconds = timed(yunet_loop, dataset), ours(dataset, "faces")
    print(
        f"YuNet loop, one thread {one:8.1f} s, OpenCV's threads {many:.1f} s, faces {seconds:.1f} s"
    )
    print(f"YuNet / faces          {one / seconds:8.2f} (at least 1.8), {many / seconds:.2f}")
    return {
        "YuNet loop, one thread, s": one,
        "YuNet loop, OpenCV's own threads, s": many,
        "faces, s": seconds,
        "YuNet loop on one thread / faces (at least 1.8)": one / seconds,
        "YuNet loop on OpenCV's threads / faces": many / seconds,
    }


def yunet_loop(dataset: Path) -> None:
    detector = load_catalogue().get("yunet").load()
    for entry in list_pictures(dataset).entries:
        detector.detect(read(entry.path).pixels)


def sliders(folder: Path) -> dict[str, float]:
    """A verdict on many rows after a slider has moved, labels included."""
    figures = {}
    for cleaner, setting in (
        ("integrity", "tiny"),
        ("integrity", "near_duplicate"),
        ("faces", "min_iou"),
    ):
        with made_up(folder, cleaner) as dataset:
            table.judged(dataset, cleaner)
            threshold = next(t for t in catalogue.get(cleaner).thresholds if t.name == setting)
            values = [threshold.default + k * threshold.step for k in (-2, -1, 0, 1, 2)]
            ms = [1000 * timed(table.judged, dataset, cleaner, {setting: v}) for v in values]
        figures[f"slider {setting}, ms (at most 200)"] = told(f"slider {setting}", ms, "ms")
    return figures


@contextmanager
def made_up(folder: Path, cleaner: str) -> Iterator[Path]:
    """A dataset of rows alone."""
    dataset = folder / f"rows-{cleaner}"
    (dataset / table.FOLDER).mkdir(parents=True)
    rng = np.random.default_rng(0)
    entries = [
        Entry(f"images/P{n // 60:03d}/{n:06d}.jpg", dataset / str(n), 1000, 1)
        for n in range(SLIDER_ROWS)
    ]
    corners = rng.uniform(0, 300, (SLIDER_ROWS, 2)).round(2)
    with (dataset / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_path", "x1", "y1", "x2", "y2", "identity"])
        for entry, (x, y) in zip(entries, corners.tolist(), strict=True):
            rows.writerow(
                [entry.image_path, x, y, x + 150, y + 150, entry.image_path.split("/")[1]]
            )
    known = catalogue.get(cleaner)
    values = {"integrity": some_integrity, "faces": some_faces}[cleaner]
    with table.Journal(dataset, cleaner) as journal:
        for entry, corner in zip(entries, corners, strict=True):
            journal.add([table.row_of(entry, known.version, values(rng, corner))])
    table.fold(dataset, known, entries)
    yield dataset
    shutil.rmtree(dataset)


def some_integrity(rng: np.random.Generator, _corner: Any) -> dict[str, Any]:
    content = int(rng.integers(0, 1 << 62))
    copy = rng.random() < 0.1
    return {
        **{"width": int(rng.integers(60, 900)), "height": int(rng.integers(60, 900))},
        **{"format": "JPEG", "spare_bytes": 0, "sharpness": float(rng.uniform(10, 90))},
        **{"darkest": 0.1, "brightest": 0.9, "information": 7.0, "seconds": 0.001},
        **{"sha256": f"{content % 500 if copy else content:064x}", "phash": f"{content:016x}"},
    }


def some_faces(rng: np.random.Generator, corner: Any) -> dict[str, Any]:
    faces = [
        (*corner + rng.normal(0, 30, 2), 150 + rng.normal(0, 20)) for _n in range(rng.integers(4))
    ]
    cells = [f"0.9 {x:.2f} {y:.2f} {x + side:.2f} {y + side:.2f};" for x, y, side in faces]
    return {"width": 640, "height": 480, "found": "".join(cells), "seconds": 0.01}


def timed(work: Callable[..., object], *arguments: object, **options: object) -> float:
    began = perf_counter()
    work(*arguments, **options)
    return perf_counter() - began


def told(label: str, values: list[float], unit: str = "s") -> float:
    print(f"{label:22} " + " ".join(f"{value:8.2f}" for value in values) + f" {unit}")
    return float(np.median(values))
