"""The Cleaning page run without a browser: each of its states, and its errors."""

import gettext as std
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from facedet import i18n
from facedet.cleaning import catalogue, decisions, quarantine, table
from facedet.cleaning.run import clean
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make
from facedet.ui import shell, viewer
from tests.pages.test_language import MARK, Invented, texts

PAGE = str(Path(__file__).parent.parent.parent / "app.py")
BOTH = ("integrity", "faces")


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A messy dataset, and what both cleaners have measured in it."""
    folder = tmp_path_factory.mktemp("page")
    make(folder / "practice", Options(photos=60, faults=0.6, seed=3))
    lay_out(folder / "practice", folder / "set")
    for name in BOTH:
        clean(folder / "set", catalogue.get(name))
    return folder / "set"


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=60).switch_page("pages/cleaning.py")


@pytest.fixture
def dataset(messy: Path, home: Path) -> Path:
    """The same in this test's workspace, its files with the times that were measured."""
    return Path(shutil.copytree(messy, home / "datasets" / "mine"))


def write_run(home: Path, kind: str, work: str, *events: dict[str, object]) -> Path:
    """A job's directory as it stands a moment after its last event."""
    run_dir = home / "runs" / f"{kind}-20260101-000000-{work[-1]}"
    run_dir.mkdir(parents=True)
    (run_dir / "config.json").write_text(json.dumps({"arguments": [], "memo": {"work": work}}))
    now = time.time()
    lines = [json.dumps({"time": now - len(events) + n} | e) for n, e in enumerate(events)]
    (run_dir / "events.jsonl").write_text("\n".join([*lines, ""]))
    (run_dir / "heartbeat").touch()
    return run_dir


def state(name: str, **fields: object) -> dict[str, object]:
    return {"event": "state", "state": name} | fields


def told(done: int, **fields: object) -> dict[str, object]:
    return {"event": "cleaned", "done": done, "total": 100, "per_second": 50.0} | fields


def buttons(app: AppTest) -> list[str]:
    return [each.label.replace("\\", "") for each in app.button]


def button(app: AppTest, label: str) -> object:
    [found] = [each for each in app.button if each.label.replace("\\", "").startswith(label)]
    return found


def said(app: AppTest) -> str:
    kinds = (*app.markdown, *app.caption, *app.subheader)
    return "\n".join(str(each.value).replace("\\", "") for each in kinds)


def bars(app: AppTest) -> list[str]:
    return [str(each.proto.text) for each in app.get("progress")]


def component(app: AppTest, has: str) -> dict[str, object]:
    """What the browser gets for the component whose data has this field."""
    found = [json.loads(e.proto.mixed.json or e.proto.json) for e in app.get("bidi_component")]
    return next(data for data in found if has in data)


def counts(app: AppTest) -> dict[str, int]:
    return {cell["id"]: int(cell["count"]) for cell in component(app, "cells")["cells"]}


def errors(app: AppTest) -> str:
    assert not app.exception
    return " ".join(str(each.value).replace("\\", "") for each in app.error)


# --- Before


def test_with_nothing_there_it_invites_to_make_a_messy_set(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Make a messy practice dataset" in buttons(app)
    assert "Nothing to clean yet" in said(app)
    assert "Dataset" in [str(link.proto.label) for link in app.get("page_link")]


def test_a_dataset_nobody_looked_at_offers_both_cleaners(app: AppTest, dataset: Path) -> None:
    shutil.rmtree(dataset / "cleaning")
    app.run()
    assert not app.exception
    assert "Clean with both" in buttons(app)
    assert "Nothing is moved or changed" in said(app)
    # The code that will do it can be read before.
    assert any("picture.open().verify()" in str(code.value) for code in app.code)


def test_a_dataset_without_pictures_says_where_they_come_from(app: AppTest, home: Path) -> None:
    folder = home / "datasets" / "links"
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text("image_path,x1,y1,x2,y2\n")
    app.run()
    assert not app.exception
    assert "No pictures are there yet" in app.info[0].value
    assert "Clean with both" not in buttons(app)


def test_an_unknown_dataset_says_so(app: AppTest) -> None:
    app.query_params["dataset"] = "nobody"
    assert "there is no dataset nobody on this computer" in errors(app.run())


def test_a_folder_of_this_computer_is_for_those_who_sit_at_it(
    app: AppTest, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.query_params["folder"] = str(dataset)
    assert errors(app.run()) == ""
    assert counts(app)
    monkeypatch.setattr(shell, "is_local_visitor", lambda: False)
    assert "for those who sit at this computer" in errors(app.run())


def test_a_messy_set_in_the_making_is_followed(app: AppTest, home: Path) -> None:
    app.query_params["dataset"] = "messy-600"
    painting = {"event": "painted", "done": 150, "total": 600}
    write_run(home, "messy", "messy-600", state("running"), painting)
    app.run()
    assert errors(app) == ""
    assert bars(app) == ["Painting the photos · 25 % · running"]


def test_a_messy_set_that_failed_says_why_and_is_made_anew(app: AppTest, home: Path) -> None:
    app.query_params["dataset"] = "messy-600"
    write_run(home, "messy", "messy-600", state("failed", reason="the disk is full"))
    app.run()
    assert errors(app) == "the disk is full"
    assert "Make it anew" in buttons(app)


# --- At work


def test_cleaners_at_work_tell_how_far_they_are_and_what_they_find(
    app: AppTest, home: Path, dataset: Path
) -> None:
    work = f"{dataset}|faces"
    write_run(home, "cleaning", work, state("running"), told(40, reasons={"no_face": 7}))
    app.run()
    assert errors(app) == ""
    assert bars(app) == ["40 of 100 pictures · 50 pictures a second · 1 s left · running"]
    assert "So far: no face 7." in said(app)
    assert {"Pause", "Stop"} <= set(buttons(app))


def test_a_cleaner_that_failed_says_why_and_can_be_resumed(
    app: AppTest, home: Path, dataset: Path
) -> None:
    failed = state("failed", reason="cleaning/.faces.journal: the disk does not take it")
    write_run(home, "cleaning", f"{dataset}|faces", state("running"), told(40), failed)
    app.run()
    assert "the disk does not take it" in errors(app)
    assert "Resume" in buttons(app)


def test_with_one_of_the_two_the_other_is_offered(app: AppTest, dataset: Path) -> None:
    table.csv_path(dataset, "faces").unlink()
    app.run()
    assert errors(app) == ""
    assert "Clean with Faces, too" in buttons(app)
    assert "So far only Integrity has looked" in said(app)


# --- Side by side


def test_the_square_counts_all_pictures_once(app: AppTest, dataset: Path) -> None:
    app.run()
    assert errors(app) == ""
    judged = table.judged(dataset, "integrity")
    assert sum(counts(app).values()) == len(judged)
    assert f"Two cleaners, {len(judged)} pictures" in said(app)
    assert "Cohen's kappa" in said(app)


def test_against_the_truth_each_fault_has_its_recall(app: AppTest, dataset: Path) -> None:
    app.run()
    tables = [frame.value for frame in app.dataframe]
    [truth] = [each for each in tables if list(each.columns[:2]) == ["fault", "pictures"]]
    recall = truth.set_index("fault")
    assert recall.at["no_face", "Faces"] == 1
    assert recall.at["zero_bytes", "Integrity"] == 1


@pytest.mark.usefixtures("dataset")
def test_against_the_truth_each_reason_has_its_precision(app: AppTest) -> None:
    app.run()
    tables = [frame.value for frame in app.dataframe]
    [found] = [each for each in tables if list(each.columns[:1]) == ["first reason"]]
    assert found.set_index("first reason").at["empty file", "Integrity"] == 1


def test_without_a_truth_it_shows_what_each_finds(app: AppTest, dataset: Path) -> None:
    (dataset / "truth.csv").unlink()
    app.run()
    assert errors(app) == ""
    assert "What each of them finds" in said(app)


def test_a_folder_without_labels_has_no_rules_of_labels(app: AppTest, dataset: Path) -> None:
    for name in ("labels.csv", "truth.csv"):
        (dataset / name).unlink()
    app.run()
    assert errors(app) == ""
    assert "no labels" in said(app)


def test_a_third_cleaner_brings_the_choice_of_two(app: AppTest, dataset: Path) -> None:
    clean(dataset, catalogue.get("faces-haar"))
    app.run()
    assert errors(app) == ""
    [pair] = [each for each in app.get("button_group") if each.label == "Put side by side"]
    pair.set_value("faces|faces-haar").run()
    assert errors(app) == ""
    assert component(app, "cells")["columns"][0] == "Faces, by Haar keeps"


def test_nothing_to_set_aside_is_an_ordinary_result(app: AppTest, dataset: Path) -> None:
    paths = list(table.read(dataset, "faces").index)
    decisions.decide(dataset, paths, "keep")
    app.run()
    assert errors(app) == ""
    assert button(app, "Nothing to set aside").disabled
    assert counts(app)["both"] == len(paths)


def test_everything_set_aside_is_an_ordinary_result(app: AppTest, dataset: Path) -> None:
    paths = list(table.read(dataset, "faces").index)
    decisions.decide(dataset, paths, "set_aside")
    app.run()
    assert errors(app) == ""
    assert counts(app)["neither"] == len(paths)
    [pictures] = [metric.value for metric in app.metric if metric.label == "Pictures"]
    assert pictures == f"{len(paths)} → 0"


@pytest.mark.parametrize("name", ["cleaning/faces.csv", "cleaning/decisions.csv", "labels.csv"])
def test_a_damaged_table_says_which_and_what_to_do(app: AppTest, dataset: Path, name: str) -> None:
    (dataset / name).write_text("nothing,of,use\n1,2,3\n")
    assert name.rpartition("/")[2] in errors(app.run())


# --- Pictures


def test_the_pictures_that_differ_are_shown_first_with_their_boxes(
    app: AppTest, dataset: Path
) -> None:
    app.run()
    shown = component(app, "image_wh")
    assert shown["at"] == 0
    assert shown["n"] == counts(app)["only_first"]
    assert [box["kind"] for box in shown["boxes"]].count("label") == 1
    assert "would set it aside" in said(app)


def test_a_reason_narrows_the_list(app: AppTest, dataset: Path) -> None:
    app.run()
    [reason] = [each for each in app.selectbox if each.label == "Reason"]
    reason.select("no_face").run()
    assert errors(app) == ""
    judged = table.judged(dataset, "faces")
    faceless = judged["reason"].str.contains("no_face").sum()
    assert 0 < component(app, "image_wh")["n"] <= faceless


def test_the_pictures_that_one_got_wrong_are_one_click_away(app: AppTest, dataset: Path) -> None:
    truth = dataset / "truth.csv"
    truth.write_text(truth.read_text().replace(",no_face,", ",ok,"))
    app.run()
    button(app, "Faces got").click().run()
    assert errors(app) == ""
    assert "Faces got" in [each.value for each in app.subheader][-3]
    assert "In truth: **ok**" in said(app)


def test_a_picture_in_quarantine_is_shown_and_can_come_back(app: AppTest, dataset: Path) -> None:
    quarantine.apply(dataset, table.judged(dataset, "faces"), "faces")
    app.run()
    assert errors(app) == ""
    assert "It lies in quarantine." in said(app)
    held = len(quarantine.manifest(dataset))
    button(app, "Bring it back").click().run()
    assert errors(app) == ""
    assert len(quarantine.manifest(dataset)) == held - 1


def test_a_table_may_not_name_files_outside(app: AppTest, dataset: Path) -> None:
    csv = table.csv_path(dataset, "faces")
    judged = table.judged(dataset, "faces")
    path = judged.index[judged["reason"] == "no_face"][0]
    for name in BOTH:
        csv = table.csv_path(dataset, name)
        csv.write_text(csv.read_text().replace(path, "../../../etc/passwd.jpg"))
    app.run()
    assert errors(app) == ""


# --- Thresholds


def test_every_threshold_of_both_has_its_widget(app: AppTest, dataset: Path) -> None:
    app.run()
    toggles = [each.label.replace("\\", "").partition(":")[0] for each in app.toggle]
    sliders = [each.label.replace("\\", "") for each in app.slider]
    for name in BOTH:
        for threshold in catalogue.get(name).thresholds:
            assert (threshold.label in toggles) == threshold.rule
            assert (threshold.label in sliders) == (threshold.on and not threshold.is_switch)


def test_a_rule_that_is_switched_off_counts_no_more(app: AppTest, dataset: Path) -> None:
    app.run()
    before = counts(app)
    [duplicates] = [each for each in app.toggle if each.label.startswith("Duplicates")]
    duplicates.set_value(False).run()
    assert errors(app) == ""
    assert counts(app)["both"] > before["both"]
    [again] = [each for each in app.button if each.label == "As it was"]
    again.click().run()
    assert counts(app) == before


def test_both_sides_of_the_moved_threshold_are_shown(app: AppTest, dataset: Path) -> None:
    app.run()
    [score] = [each for each in app.slider if each.label == "Face score"]
    score.set_value(0.9).run()
    assert errors(app) == ""
    assert {"**Below 0.90**", "**0.90 and above**"} <= set(said(app).splitlines())


# --- Setting aside


def test_whose_verdicts_count_changes_what_is_left(app: AppTest, dataset: Path) -> None:
    app.run()
    cells = counts(app)
    either = cells["only_first"] + cells["only_second"] + cells["neither"]
    assert f"Set aside {either} pictures" in buttons(app)
    [whose] = [each for each in app.get("button_group") if each.label.startswith("Whose")]
    whose.set_value("both").run()
    assert f"Set aside {cells['neither']} pictures" in buttons(app)


def test_what_did_not_move_is_told(app: AppTest, home: Path, dataset: Path) -> None:
    trouble = {"image_path": "images/a/1.jpg", "kind": "gone", "says": "the file is not there"}
    summary = {"event": "summary", "moved": 0, "troubles": [trouble]}
    write_run(home, "aside", str(dataset), state("running"), summary, state("done"))
    app.run()
    assert errors(app) == ""
    assert "images/a/1.jpg: the file is not there" in app.warning[0].value.replace("\\", "")


# --- Language


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    catalogues = {"en": std.NullTranslations(), "xx": Invented()}
    monkeypatch.setattr(i18n, "_catalogue", catalogues.__getitem__)
    yield
    i18n.use_language(i18n._english)


@pytest.mark.usefixtures("foreign")
def test_every_sentence_can_be_translated(app: AppTest, dataset: Path) -> None:
    app.session_state["language"] = "xx"
    app.run()
    assert not app.exception
    # Names and numbers are the same in every language; kinds of boxes are for the script.
    same = {*table.read(dataset, "faces").index, *get_args(viewer.Kind)}
    left = [
        text for text in texts(app) if text and MARK not in text and text.strip("`") not in same
    ]
    assert [text for text in left if not re.fullmatch(r"[\d.,]+", text)] == []


@pytest.mark.usefixtures("foreign")
def test_the_invitation_can_be_translated(app: AppTest) -> None:
    app.session_state["language"] = "xx"
    app.run()
    assert [text for text in texts(app) if text and MARK not in text] == []


@pytest.mark.parametrize("wish", [{}, {"go": 9}, {"go": True}, {"go": "1"}, {"decide": {"id": 1}}])
def test_a_message_that_our_script_did_not_send_is_dropped(wish: dict[str, object]) -> None:
    assert viewer._wish(wish, 3) is None
