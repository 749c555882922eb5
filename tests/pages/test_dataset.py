"""The Dataset page run without a browser: from nothing to labels.csv, and what goes wrong."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from facedet import jobs
from facedet.labels import read_table
from facedet.linklists import find_lists, index_own, index_upload, make_practice, run_of
from facedet.settings import load_settings
from facedet.vggface.making import make_index
from tests.test_jobs import wait_for
from tests.vggface.made import FILES, GOOD, write_archive

PAGE = str(Path(__file__).parent.parent.parent / "app.py")


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=30).switch_page("pages/dataset.py")


@pytest.fixture
def with_list(app: AppTest, home: Path, tmp_path: Path) -> AppTest:
    """The page with a list of links that is there already."""
    archive = write_archive(tmp_path / "a.tar.gz", FILES | {"files/B.txt": GOOD + b"\nbad\n"})
    make_index(archive, home / "vggface" / "own-mine" / "index.parquet")
    app.query_params["list"] = "own-mine"
    return app.run()


def metrics(app: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in app.metric}


def click(app: AppTest, label: str) -> AppTest:
    [button] = [b for b in app.button if b.label == label]
    return button.click().run()


def name_in_address(app: AppTest) -> str:
    given = app.query_params["list"]
    return given if isinstance(given, str) else given[0]


def explainer(app: AppTest) -> dict[str, object]:
    protos = [element.proto for element in app.get("bidi_component")]
    [found] = [p for p in protos if p.component_name == "facedet_line_explainer"]
    return json.loads(found.mixed.json or found.json)


def test_the_first_screen_explains_and_invites(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert app.title[0].value == "Dataset"
    assert app.expander[0].label == "What VGG Face is"
    data = explainer(app)
    assert [field["id"] for field in data["fields"]][:4] == ["id", "url", "left", "top"]
    assert data["box"] == pytest.approx([119.19, 99.49, 295.47, 275.78], abs=0.01)
    assert "Make the practice set" in [b.label for b in app.button]


def test_a_practice_set_is_made_by_a_job_that_another_tab_finds(app: AppTest, home: Path) -> None:
    app.run()
    app.number_input(key="dataset.photos").set_value(50).run()
    click(app, "Make the practice set")
    assert not app.exception
    assert app.query_params["list"] in ("practice-50-0", ["practice-50-0"])
    run_dir = run_of(load_settings(), "practice-50-0")
    assert run_dir is not None
    wait_for(lambda: jobs.look(run_dir).state in jobs.FINAL, 60)
    later = AppTest.from_file(PAGE, default_timeout=30).switch_page("pages/dataset.py")
    later.query_params["list"] = "practice-50-0"
    later.run()
    assert not later.exception
    assert metrics(later)["People"] == "3"
    # Asking once more makes nothing twice.
    make_practice(load_settings(), 50, 0)
    assert len(jobs.find_runs(home / "runs", "linklist")) == 1


def test_figures_and_filters(with_list: AppTest) -> None:
    assert not with_list.exception
    found = metrics(with_list)
    assert (found["Different addresses"], found["Sites"]) == ("4", "3")
    captions = [caption.value.replace("\\", "") for caption in with_list.caption]
    assert "8 lines in 4 files: 7 read, 1 not readable." in captions
    [strange] = [m.value for m in with_list.markdown if m.value.startswith("Strange")]
    assert "**1** repeat an address" in strange
    assert len(with_list.get("plotly_chart")) == 8
    with_list.toggle(key="dataset.filter.curated").set_value(True).run()
    assert metrics(with_list)["Different addresses"] == "3"
    with_list.selectbox(key="dataset.filter.host.own-mine").set_value("b.example").run()
    assert metrics(with_list)["Sites"] == "1"


def test_filters_that_nothing_passes_say_so_and_can_be_cleared(with_list: AppTest) -> None:
    with_list.slider(key="dataset.filter.score").set_value((5.5, 5.6)).run()
    assert not with_list.exception
    assert "No line passes" in with_list.info[0].value
    click(with_list, "Clear the filters")
    assert metrics(with_list)["Different addresses"] == "4"


def test_what_was_strange_is_listed(with_list: AppTest) -> None:
    [findings] = [e for e in with_list.expander if e.label == "1 finding in the files"]
    table = findings.dataframe[0].value
    assert table.iloc[0].tolist()[:3] == ["files/B.txt", "2", "lost"]


def test_a_sample_is_written_with_the_command_that_does_the_same(
    with_list: AppTest, home: Path
) -> None:
    with_list.number_input(key="dataset.sample.each").set_value(1).run()
    assert metrics(with_list)["Photos to expect"] == "2"
    click(with_list, "Write labels.csv")
    assert not with_list.exception
    path = home / "datasets" / "own-1" / "labels.csv"
    assert len(read_table(path).rows) == 4
    command = with_list.code[0].value
    assert command.endswith("--identities 4 --per-identity 1")
    assert f"--out {path}" in command


def test_what_was_written_is_said_of_that_sample_only(with_list: AppTest) -> None:
    click(with_list, "Write labels.csv")
    assert len(with_list.success) == 1
    with_list.toggle(key="dataset.filter.curated").set_value(True).run()
    assert len(with_list.success) == 0


def test_a_list_can_be_removed_and_what_was_written_from_it_stays(
    with_list: AppTest, home: Path
) -> None:
    click(with_list, "Write labels.csv")
    click(with_list, "Yes, remove it")
    assert not with_list.exception
    assert find_lists(load_settings()) == []
    assert (home / "datasets/own-1/labels.csv").is_file()
    assert with_list.title[0].value == "Dataset"


def test_a_dataset_is_never_overwritten(with_list: AppTest, home: Path) -> None:
    click(with_list, "Write labels.csv")
    before = (home / "datasets/own-1/labels.csv").read_bytes()
    click(with_list, "Write labels.csv")
    assert not with_list.exception
    assert "already; choose another name" in with_list.error[0].value
    assert (home / "datasets/own-1/labels.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["../../etc", "a/b", " ", ".hidden", "a:b", "$HOME", "CON"])
def test_a_bad_name_is_a_sentence(with_list: AppTest, name: str, home: Path) -> None:
    with_list.text_input(key="dataset.sample.name.own-mine").set_value(name).run()
    click(with_list, "Write labels.csv")
    assert not with_list.exception
    assert "cannot be the name of a folder" in with_list.error[0].value
    assert {p.name for p in home.iterdir()} <= {"vggface", "datasets", "runs", "uploads"}


@pytest.mark.parametrize("path", ["~nosuchuser/x", "a\0b", "/no/such/archive.tar.gz"])
def test_a_path_that_is_none_says_so_and_keeps_what_was_typed(app: AppTest, path: str) -> None:
    app.run()
    app.session_state["dataset.kind"] = "own"
    app.run()
    app.text_input(key="dataset.path").set_value(path).run()
    click(app, "Read it")
    assert not app.exception
    assert "is not there" in app.error[0].value
    assert app.text_input(key="dataset.path").value == path


@pytest.mark.parametrize("name", ["../../etc", "practice", "own-none", "%"])
def test_an_address_of_no_list_says_so(app: AppTest, name: str) -> None:
    app.query_params["list"] = name
    app.run()
    assert not app.exception
    assert len(app.error) == 1


def test_an_own_archive_by_its_path(app: AppTest, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "my set.tar.gz")
    app.run()
    app.session_state["dataset.kind"] = "own"
    app.run()
    app.text_input(key="dataset.path").set_value(str(archive)).run()
    click(app, "Read it")
    assert not app.exception
    run_dir = run_of(load_settings(), name_in_address(app))
    assert run_dir is not None
    wait_for(lambda: jobs.look(run_dir).state in jobs.FINAL, 60)
    [each] = find_lists(load_settings())
    assert each.name.startswith("own-my-set-")
    assert each.source == str(archive)
    app.run()
    assert metrics(app)["People"] == "3"


def test_two_archives_of_one_name_are_two_lists(tmp_path: Path) -> None:
    names = []
    for k in range(2):
        (tmp_path / str(k)).mkdir()
        archive = write_archive(tmp_path / str(k) / "vgg_face_dataset.tar.gz")
        names.append(index_own(load_settings(), archive).name)
    uploads = [index_upload(load_settings(), "x.tar.gz", data).name for data in (b"1", b"2", b"1")]
    assert len(set(names)) == 2
    assert uploads[0] == uploads[2] != uploads[1]


def test_an_uploaded_archive_that_is_none_says_why_and_can_be_tried_again(app: AppTest) -> None:
    app.run()
    app.session_state["dataset.kind"] = "own"
    app.run()
    app.file_uploader[0].set_value([("x.tar.gz", b"rubbish", "application/gzip")]).run()
    assert not app.exception
    run_dir = run_of(load_settings(), name_in_address(app))
    assert run_dir is not None
    wait_for(lambda: jobs.look(run_dir).state in jobs.FINAL, 60)
    app.run()
    assert "not a tar archive" in app.error[0].value
