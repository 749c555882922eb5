import math
from pathlib import Path

import pytest
from PIL import Image

from facedet.cleaning.cleaner import (
    Cleaner,
    Picture,
    Setting,
    Threshold,
    UnreadableError,
    Values,
    look_at,
    problems,
)
from facedet.cleaning.pictures import list_pictures
from facedet.errors import FacedetError, UsageError
from facedet.images import Limits
from tests.cleaning.made import as_file, photo, picture, write_files


def load(one: Picture) -> Values:
    one.open().verify()
    one.open().load()
    return {"width": one.open().width}


def cleaner(*thresholds: Threshold) -> Cleaner:
    return Cleaner(
        name="plain",
        title="",
        summary="",
        version="1",
        columns={"width": float},
        thresholds=thresholds,
        measure=load,
        verdict=lambda _pictures, _labels, _at: {},
    )


SIZE = Threshold(name="size", label="", help="", low=1, high=9, default=4)
SWITCH = Threshold(name="switch", label="", help="", on=False)
SHARED = Threshold(name="shared", label="", help="", low=0, high=1, default=0.5, rule=False)


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ({}, (4, math.nan, 0.5)),
        ({"size": 7}, (7, math.nan, 0.5)),
        ({"size": False, "switch": True}, (math.nan, 1, 0.5)),
        ({"size": None, "shared": 1}, (math.nan, math.nan, 1)),
        ({"shared": False}, (4, math.nan, 0.5)),
    ],
)
def test_levels_are_as_set_or_as_usual_and_nan_where_off(
    settings: dict[str, Setting], levels: tuple[float, ...]
) -> None:
    got = cleaner(SIZE, SWITCH, SHARED).levels(settings)
    assert list(got.values()) == pytest.approx(levels, nan_ok=True)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"nonsense": 1}, "has no threshold nonsense"),
        ({"size": 10}, "give 1 to 9"),
        ({"size": math.nan}, "give 1 to 9"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Setting], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        cleaner(SIZE).levels(settings)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "zero_bytes"),
        (as_file(photo(0))[:-40], "truncated"),
        (as_file(Image.new("1", (4000, 4000)), "PNG"), "bomb"),
    ],
)
def test_a_picture_that_must_not_be_decoded_is_not_opened(data: bytes, problem: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        picture(data, limits=Limits(max_pixels=1_000_000)).open()
    assert caught.value.problem == problem


def outcome(folder: Path, data: bytes, limits: Limits | None = None) -> Values:
    (entry,) = list_pictures(write_files(folder, {"a.jpg": data})).entries
    return look_at(entry, load, limits or Limits())


def test_values_come_as_they_are_measured(tmp_path: Path) -> None:
    assert outcome(tmp_path, as_file(photo(0))) == {"width": 120}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<html>gone</html>", "not_an_image"),
        (as_file(photo(0), "BMP")[:-40], "truncated"),
        (as_file(photo(0), "PNG")[:-14] + b"!" + as_file(photo(0), "PNG")[-13:], "unreadable"),
        (as_file(photo(0)) + bytes(40_000), "too_large"),
    ],
)
def test_what_is_wrong_is_a_value(tmp_path: Path, data: bytes, problem: str) -> None:
    found = outcome(tmp_path, data, Limits(max_bytes=39_000))
    assert found["problem"] == problem
    assert problem in problems()


def test_a_file_that_the_disk_does_not_give_is_no_broken_picture(tmp_path: Path) -> None:
    (entry,) = list_pictures(write_files(tmp_path, {"a.jpg": b"x"})).entries
    entry.path.unlink()
    assert look_at(entry, load, Limits())["problem"] == "no_access"


def test_a_mistake_in_the_cleaner_never_passes_for_a_broken_picture(tmp_path: Path) -> None:
    (entry,) = list_pictures(write_files(tmp_path, {"a.jpg": b"x"})).entries
    with pytest.raises(FacedetError, match=r"the cleaner fails at a\.jpg \(ZeroDivisionError"):
        look_at(entry, lambda _picture: {"n": 1 // 0}, Limits())


def test_memory_that_does_not_suffice_is_a_crash(tmp_path: Path) -> None:
    def hungry(_picture: Picture) -> Values:
        raise MemoryError

    (entry,) = list_pictures(write_files(tmp_path, {"a.jpg": b"x"})).entries
    assert look_at(entry, hungry, Limits())["problem"] == "crashed"
