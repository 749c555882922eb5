import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from facedet import cleanings
from facedet.cleaning import catalogue
from facedet.cleaning.pictures import read_labels
from facedet.cleanings import Place, to_set_aside
from facedet.errors import DatasetError, FacedetError
from facedet.settings import Settings


@pytest.fixture
def place(home: Path) -> Place:
    folder = home / "datasets" / "mine"
    (folder / "images").mkdir(parents=True)
    return Place(folder, "mine")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of the jobs that were started; none is run."""
    arguments_of_all: list[list[str]] = []

    def start(run_dir: Path, arguments: Sequence[str], memo: dict[str, object]) -> None:
        arguments_of_all.append(list(arguments))
        config = {"arguments": list(arguments), "memo": memo}
        (run_dir / "config.json").write_text(json.dumps(config))
        (run_dir / "heartbeat").touch()

    monkeypatch.setattr(cleanings.jobs, "start", start)
    return arguments_of_all


def table(**verdicts: str) -> pd.DataFrame:
    """A judged table; "" keeps, any other text is the reason."""
    rows = [
        {"verdict": "set_aside" if reason else "keep", "reason": reason, "by": "cleaner"}
        for reason in verdicts.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(list(verdicts), dtype=object, name="image_path"))


def event(time: float, done: int, name: str = "cleaned", **fields: object) -> dict[str, object]:
    return {"event": name, "time": time, "done": done, "total": 100} | fields


# --- Where


@pytest.mark.parametrize("name", ["../x", "nobody", ""])
def test_a_dataset_that_is_not_there_says_so(settings: Settings, name: str) -> None:
    with pytest.raises(FacedetError):
        cleanings.open_place(settings, name)


@pytest.mark.parametrize("path", ["/no/such/folder", "\0", "~nobody-here/x"])
def test_a_folder_that_is_none_says_so(path: str) -> None:
    with pytest.raises(FacedetError, match="is no folder"):
        cleanings.open_folder(path)


def test_datasets_with_pictures_come_first(settings: Settings, home: Path, place: Place) -> None:
    links_only = home / "datasets" / "links"
    links_only.mkdir()
    (links_only / "labels.csv").write_text("image_path,x1,y1,x2,y2\n")
    (home / "datasets" / "something else").mkdir()
    assert [each.name for each in cleanings.find_places(settings)] == ["mine", "links"]


# --- Jobs


def test_two_clicks_start_one_job(
    settings: Settings, place: Place, started: list[list[str]]
) -> None:
    first = cleanings.start_cleaning(settings, place, "faces")
    assert cleanings.start_cleaning(settings, place, "faces") == first
    assert cleanings.start_cleaning(settings, place, "integrity") != first
    assert len(started) == 2
    assert cleanings.cleaning_of(settings, place, "faces") == first


def test_a_job_cleans_with_the_thresholds_that_were_chosen(place: Place) -> None:
    cleanings.keep_setting(place.folder, "integrity", "tiny", 40, True)
    cleanings.keep_setting(place.folder, "integrity", "duplicate", 1, False)
    assert cleanings.clean_args(place, "integrity") == [
        *("clean", str(place.folder), "--cleaner", "integrity"),
        *("--set=duplicate=off", "--set=tiny=40"),
    ]


def test_a_messy_set_that_was_left_half_made_is_made_anew(
    settings: Settings, started: list[list[str]]
) -> None:
    place = cleanings.start_messy(settings, 100)
    (place.folder / "images").mkdir(parents=True)
    [run_dir] = settings.runs_dir.glob("messy-*")
    stopped = json.dumps({"event": "state", "time": 1, "state": "stopped"})
    (run_dir / "events.jsonl").write_text(stopped + "\n")
    assert cleanings.start_messy(settings, 100) == place
    assert not place.folder.exists()
    assert len(started) == 2


def test_a_messy_set_that_is_whole_stays_and_the_next_one_gets_a_number(
    settings: Settings, started: list[list[str]]
) -> None:
    place = cleanings.start_messy(settings, 100)
    assert cleanings.start_messy(settings, 100) == place  # it is being made
    assert len(started) == 1
    place.folder.mkdir(parents=True)
    (place.folder / "labels.csv").write_text("")
    assert cleanings.making_of(settings, place) is None
    assert cleanings.start_messy(settings, 100).name == "messy-100-2"


def test_progress_is_of_the_step_that_is_going_on() -> None:
    events = [
        *(event(1, 0, "painted"), event(5, 100, "painted")),
        *(event(6, 10, "stored"), event(8, 30, "stored")),
    ]
    found = cleanings.progress_of(events)
    assert (found.done, found.per_second, found.left_s) == (30, 10, 7)


def test_a_pause_is_no_time_of_work() -> None:
    events = [
        event(0, 0),
        {"event": "state", "time": 100, "state": "running"},
        event(100, 10),
        event(101, 20),
    ]
    assert cleanings.progress_of(events).per_second == 10


def test_a_job_that_says_nothing_yet_has_no_rate() -> None:
    assert cleanings.progress_of([]).left_s is None
    assert cleanings.progress_of([event(1, 0, per_second=0.0)]).left_s is None


# --- Thresholds


def test_what_was_never_moved_is_the_default(place: Place) -> None:
    assert cleanings.settings_of(place.folder, catalogue.get("integrity")) == {}


def test_a_rule_that_is_off_keeps_its_number(place: Place) -> None:
    cleaner = catalogue.get("integrity")
    [tiny] = [each for each in cleaner.thresholds if each.name == "tiny"]
    cleanings.keep_setting(place.folder, "integrity", "tiny", 77, False)
    assert cleanings.settings_of(place.folder, cleaner) == {"tiny": False}
    assert cleanings.setting_of(place.folder, cleaner, tiny) == (77, False)
    cleanings.forget_settings(place.folder, "integrity")
    assert cleanings.settings_of(place.folder, cleaner) == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[1]", "{", "\0", "[" * 100_000, "null"),
        '{"integrity": 3}',
        '{"integrity": {"tiny": 3}}',
        '{"integrity": {"tiny": {"number": "x"}}}',
        '{"integrity": {"tiny": {"number": 3, "on": 3}}}',
    ],
)
def test_damaged_thresholds_are_told(place: Place, text: str) -> None:
    (place.folder / "cleaning").mkdir()
    (place.folder / cleanings.THRESHOLDS).write_text(text)
    with pytest.raises(DatasetError, match=r"thresholds\.json is damaged"):
        cleanings.settings_of(place.folder, catalogue.get("integrity"))


@pytest.mark.parametrize("number", ["1e9", "-1", "NaN", "1" * 400])
def test_thresholds_that_fit_no_more_are_passed_over(place: Place, number: str) -> None:
    (place.folder / "cleaning").mkdir()
    text = f'{{"integrity": {{"tiny": {{"number": {number}}}, "gone": {{"number": 1}}}}}}'
    (place.folder / cleanings.THRESHOLDS).write_text(text)
    assert cleanings.settings_of(place.folder, catalogue.get("integrity")) == {}


# --- Verdicts


def test_either_takes_all_and_says_who_said_it() -> None:
    tables = {"a": table(x="cut", y="cut", z=""), "b": table(x="face", y="", z="face", w="face")}
    parts = to_set_aside(tables, "either")
    assert {by: list(rows.index) for by, rows in parts.items()} == {
        "a, b": ["x"],
        "a": ["y"],
        "b": ["z", "w"],
    }
    assert parts["a, b"].at["x", "reason"] == "cut face"


def test_both_takes_only_what_both_say() -> None:
    tables = {"a": table(x="cut", y="cut"), "b": table(x="cut face", y="")}
    parts = to_set_aside(tables, "both")
    assert {by: list(rows.index) for by, rows in parts.items()} == {"a, b": ["x"]}
    assert parts["a, b"].at["x", "reason"] == "cut face"


def test_one_cleaner_alone_and_nothing_that_lies_in_quarantine() -> None:
    parts = to_set_aside({"a": table(x="cut", y="cut")}, "either", {"x"})
    assert {by: list(rows.index) for by, rows in parts.items()} == {"a": ["y"]}
    assert to_set_aside({"a": table(x="")}, "both") == {}


def copies(alike: str = "sha256", **verdicts: str) -> pd.DataFrame:
    """As `table`, of pictures that are all copies, or all nearly."""
    same = {"sha256": [*verdicts], "near_group": 0.0} | {alike: "same" if alike == "sha256" else 0}
    return table(**verdicts).assign(**same, problem="", width=4.0, height=3.0)


def asides(parts: dict[str, pd.DataFrame]) -> set[str]:
    return {path for rows in parts.values() for path in rows.index}


@pytest.mark.parametrize(
    ("alike", "reason"), [("sha256", "duplicate"), ("near_group", "near_duplicate")]
)
def test_a_copy_stays_where_the_other_cleaner_sets_the_best_one_aside(
    alike: str, reason: str
) -> None:
    integrity = copies(alike, x="", y=reason, z=reason)
    faces = table(x="does_not_fit", y="", z="")
    assert asides(to_set_aside({"i": integrity, "f": faces}, "either")) == {"x", "z"}


def test_of_the_copies_that_would_go_the_largest_stays() -> None:
    integrity = copies(x="", y="duplicate", z="duplicate")
    integrity.loc["z", "width"] = 9.0
    faces = table(x="does_not_fit", y="", z="")
    assert asides(to_set_aside({"i": integrity, "f": faces}, "either")) == {"x", "y"}


def test_a_copy_that_something_else_speaks_against_goes() -> None:
    tables = {"i": copies(x="", y="duplicate"), "f": table(x="no_face", y="no_face")}
    assert asides(to_set_aside(tables, "either")) == {"x", "y"}


def test_a_copy_that_a_person_sets_aside_is_not_spared() -> None:
    integrity = copies(x="duplicate", y="duplicate")
    integrity.loc["x", "by"] = "person"
    assert asides(to_set_aside({"i": integrity}, "either")) == {"x"}


def test_a_copy_goes_where_a_better_one_stays_or_no_better_one_is_held() -> None:
    integrity = copies(x="", y="duplicate", z="duplicate")
    assert asides(to_set_aside({"i": integrity}, "either")) == {"y", "z"}
    assert asides(to_set_aside({"i": integrity}, "either", {"x"})) == {"z"}


def test_a_stock_counts_pictures_people_and_bytes(place: Place) -> None:
    judged = table(**{"images/a/1.jpg": "", "images/a/2.jpg": "", "images/b/1.jpg": ""})
    judged["size_bytes"] = [1, 2, 4]
    found = cleanings.stock(judged, read_labels(place.folder), {"images/b/1.jpg"})
    assert (found.pictures, found.people, found.size_bytes) == (2, 1, 3)
