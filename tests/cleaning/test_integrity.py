import csv
import inspect
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facedet.cleaning import integrity
from facedet.cleaning.cleaner import Setting, Value
from facedet.cleaning.pictures import list_pictures, read_labels
from facedet.cleaning.pool import Conditions
from facedet.cleaning.run import clean
from facedet.cleaning.table import judge
from facedet.images import FORMATS, Limits
from tests.cleaning.made import as_file, frame, photo, picture, write_files
from tests.hostile import pillow_test_images

GOOD: dict[str, Value] = {
    **{"width": 640, "height": 480, "format": "JPEG", "spare_bytes": 0, "sharpness": 60.0},
    **{"darkest": 0.1, "brightest": 0.9, "information": 7.0, "phash": "0123456789abcdef"},
}


def judged(*rows: dict[str, Value], **thresholds: Setting) -> pd.DataFrame:
    """Verdicts on good pictures, each with its own content and pattern but for what is said."""
    rng = np.random.default_rng(3)
    unlike = rng.integers(0, 1 << 63, len(rows), dtype=np.uint64)
    filled = [
        {"image_path": f"P/{n}.jpg", **GOOD, "sha256": f"{n:064x}", "phash": f"{hash_:016x}", **row}
        for n, (row, hash_) in enumerate(zip(rows, unlike.tolist(), strict=True))
    ]
    cleaner = integrity.cleaner()
    return judge(cleaner, frame(cleaner, filled), read_labels(Path("nowhere")), thresholds)


def reasons(*rows: dict[str, Value], **thresholds: Setting) -> list[str]:
    return judged(*rows, **thresholds)["reason"].tolist()


def test_nothing_is_wrong_with_nothing() -> None:
    assert reasons() == []


def test_good_pictures_are_kept() -> None:
    assert judged({}, {})["verdict"].tolist() == ["keep", "keep"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"width": 31}, "tiny"),
        ({"width": 32}, ""),
        ({"spare_bytes": 17}, "trailing_data"),
        ({"spare_bytes": 16}, ""),
        ({"image_path": "a.png"}, "wrong_suffix"),
        ({"image_path": "a.JPEG"}, ""),
        ({"image_path": "nameless"}, ""),
        ({"image_path": "a.jpg", "format": "MPO"}, ""),
        ({"problem": "truncated"}, "truncated"),
        ({"width": 31, "spare_bytes": 99}, "trailing_data tiny"),
    ],
)
def test_rules_that_are_on(row: dict[str, Value], reason: str) -> None:
    assert reasons(row) == [reason]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"sharpness": 35.0}, "blur"),
        ({"brightest": 0.31}, "dark"),
        ({"darkest": 0.96}, "light"),
        ({"information": 2.9}, "low_information"),
        ({"width": 10_000}, "odd_aspect"),
    ],
)
def test_rules_about_looks_are_off_at_first(row: dict[str, Value], rule: str) -> None:
    assert reasons(row) == [""]
    assert reasons(row, **{rule: True}) == [rule]


def test_a_rule_that_is_off_gives_no_reason() -> None:
    rows: list[dict[str, Value]] = [{"width": 31}, {"sha256": "x"}, {"sha256": "x"}]
    assert reasons(*rows, tiny=False, duplicate=False) == ["", "", ""]


def test_of_the_same_file_the_first_stays() -> None:
    assert reasons({"sha256": "x"}, {}, {"sha256": "x"}) == ["", "", "duplicate"]


def test_of_the_same_file_one_that_is_otherwise_sound_stays() -> None:
    wrongly_called = {"image_path": "P/0.png", "sha256": "x"}
    assert reasons(wrongly_called, {"sha256": "x"}) == ["duplicate wrong_suffix", ""]


def test_of_near_duplicates_the_largest_stays() -> None:
    alike = {"phash": "00ff00ff00ff00ff"}
    small, large = {**alike, "width": 320, "height": 240}, {**alike, "phash": "00ff00ff00ff00fc"}
    assert reasons(small, large, small | {"sha256": "y"}) == [
        "near_duplicate",
        "",
        "near_duplicate",
    ]


def test_a_near_duplicate_is_nearer_than_the_slider_says() -> None:
    pair = ({"phash": "00ff00ff00ff00ff"}, {"phash": "00ff00ff00ff00fc"})
    assert reasons(*pair, near_duplicate=1) == ["", ""]
    assert reasons(*pair, near_duplicate=2) == ["", "near_duplicate"]


def test_a_placeholder_goes_with_all_its_copies() -> None:
    rows = [{"image_path": f"images/{who}/1.jpg", "sha256": "x"} for who in ("Ann", "Bob", "Cid")]
    assert reasons(*rows) == ["placeholder"] * 3


def test_what_is_measured_is_what_the_columns_say() -> None:
    cleaner = integrity.cleaner()
    values = cleaner.measure(picture(as_file(photo(0))))
    assert {name: type(value) is str for name, value in values.items()} == {
        name: kind is str for name, kind in cleaner.columns.items()
    }


def test_measures_of_a_jpeg_are_those_of_the_same_picture_without_loss() -> None:
    large = photo(4, (800, 600))
    jpeg = integrity.measure(picture(as_file(large, quality=95)))
    png = integrity.measure(picture(as_file(large, "PNG")))
    for name in ("sharpness", "darkest", "brightest", "information"):
        assert jpeg[name] == pytest.approx(png[name], rel=0.05, abs=0.01)
    differ = int(str(jpeg["phash"]), 16) ^ int(str(png["phash"]), 16)
    assert differ.bit_count() <= 2


def test_an_mpo_has_its_other_pictures_after_the_first_and_no_trailing_data() -> None:
    data = as_file(photo(0), "MPO", save_all=True, append_images=[photo(1)])
    assert integrity.measure(picture(data))["spare_bytes"] == 0


def fully(data: bytes) -> bool:
    """Pillow's own check at full size, as anyone would write it."""
    try:
        with Image.open(BytesIO(data)) as image:
            image.load()
    except Exception:
        return False
    return True


def small(data: bytes) -> bool:
    try:
        integrity.measure(picture(data))
    except Exception:
        return False
    return True


@pytest.mark.parametrize("progressive", [False, True])
def test_decoding_small_finds_whatever_decoding_fully_finds(progressive: bool) -> None:
    rng = np.random.default_rng(9)
    data = as_file(photo(7, (640, 480)), progressive=progressive)
    for _try in range(60):
        broken = bytearray(data)
        at = rng.integers(len(data), size=int(rng.integers(1, 30)))
        for place, value in zip(at, rng.integers(256, size=len(at)), strict=True):
            broken[place] = value
        broken[-2:] = b"\xff\xd9"  # cut off, it would not even be opened
        assert small(bytes(broken)) == fully(bytes(broken))


def test_the_code_that_students_read_is_short() -> None:
    for function in (integrity.measure, integrity.verdict):
        assert len(inspect.getsource(function).splitlines()) <= 45


def by_pillow(path: Path, limits: Limits) -> bool:
    """Pillow's own word on a file, in the formats that the lab reads."""
    formats = [format for format in FORMATS if format in Image.OPEN]
    try:
        with Image.open(path, formats=formats) as image:
            if image.width * image.height > limits.max_pixels:
                return False
            image.verify()
        with Image.open(path, formats=formats) as image:
            image.load()
    except Exception:
        return False
    return True


@pytest.mark.network
def test_on_hostile_pictures_every_file_has_a_verdict_and_it_is_that_of_pillow(
    tmp_path: Path,
) -> None:
    folder = pillow_test_images()
    if folder is None:
        pytest.skip("Pillow's source package cannot be fetched here")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    hostile = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    done = clean(write_files(tmp_path, hostile), integrity.cleaner(), conditions=Conditions())
    assert len(done.table) + done.n_companions == len(files) > 1000
    integrity.measure(picture(as_file(photo(0), "AVIF")))  # registers what opens the last formats
    readable = done.table["problem"] == ""
    differ = [
        name
        for name, readable_by_us in readable.items()
        if readable_by_us != by_pillow(tmp_path / str(name), Limits())
    ]
    assert differ == []
    with (tmp_path / "cleaning/integrity.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(list_pictures(tmp_path).entries)
