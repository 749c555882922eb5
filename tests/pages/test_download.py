"""The Dataset page's second half run without a browser: what came, what did not, and why."""

import ast
import csv
import json
import os
import re
import shutil
import time
from base64 import b64decode
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from streamlit.testing.v1 import AppTest

from facedet import downloads
from facedet.download import room
from facedet.download.account import Outcome, Where
from facedet.download.engine import Settings
from facedet.download.hosts import Manners
from facedet.download.ledger import Ledger
from facedet.download.links import Link
from facedet.download.run import download, opened
from facedet.downloads import Dataset
from facedet.ui import download_pictures, ledger_view, words
from facedet.vggface.making import make_index
from tests.download.practice import make_set, served
from tests.vggface.made import FILES, write_archive

PAGE = str(Path(__file__).parent.parent.parent / "app.py")


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice set."""
    return make_set(tmp_path_factory.mktemp("page") / "practice", photos=60, faults=0.6, seed=6)


@pytest.fixture(scope="module")
def downloaded(practice: Path) -> Path:
    """A dataset of it that was downloaded once."""
    dataset = practice.parent / "set"
    with (
        served(practice) as (_internet, network),
        opened(practice / "labels.csv", dataset) as (ledger, _table),
    ):
        download(dataset, ledger, Settings(manners=Manners(backoff_s=0.05)), network)
    return dataset


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=30).switch_page("pages/dataset.py")


HEADER = "image_path,x1,y1,x2,y2,url"


@pytest.fixture
def with_dataset(app: AppTest, downloaded: Path, home: Path) -> AppTest:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    return app.run()


def write_labels(
    home: Path,
    links: int = 1,
    header: str = HEADER,
    name: str = "new",
    site: str = "http://a.b",
) -> Path:
    folder = home / "datasets" / name
    folder.mkdir(parents=True)
    rows = [f"a/{n}.jpg,1,1,9,9,{site}/{n}" for n in range(links)]
    (folder / "labels.csv").write_text("\n".join([header, *rows, ""]))
    return folder


def write_run(home: Path, kind: str, *events: dict[str, object], name: str = "new") -> Path:
    """A job's directory as it stands a moment after its last event."""
    run_dir = home / "runs" / f"{kind}-20260101-000000-a"
    run_dir.mkdir(parents=True)
    labels = home / "datasets" / name / "labels.csv"
    memo = {"dataset": name, "size": labels.stat().st_size, "allow_private": False}
    (run_dir / "config.json").write_text(json.dumps({"arguments": [], "memo": memo}))
    now = time.time()
    lines = [json.dumps({"time": now - len(events) + n} | e) for n, e in enumerate(events)]
    (run_dir / "events.jsonl").write_text("\n".join([*lines, ""]))
    (run_dir / "heartbeat").touch()
    return run_dir


def write_events(run_dir: Path, *events: tuple[float, dict[str, object]]) -> None:
    """Events with times of their own; the last is that it is done."""
    timed = [*events, (events[-1][0], state("done"))]
    lines = [json.dumps(event | {"time": time}) for time, event in timed]
    (run_dir / "events.jsonl").write_text("\n".join([*lines, ""]))


def state(name: str, **fields: object) -> dict[str, object]:
    return {"event": "state", "state": name} | fields


def told(done: int, **fields: object) -> dict[str, object]:
    event = {"event": "downloaded", "done": done, "total": 100, "good": done // 2}
    event |= {"size_bytes": 1000 * done, "errors": {"dns": 3, "http_4xx": 7}, "resting": {}}
    event |= {"failing_hosts": {"gone.example": 10}, "failing_identities": {"Zoe_Bramble": 6}}
    return event | {"active": 4, "workers": 8, "n_resting": 0} | fields


def begin(folder: Path, links: int = 3) -> None:
    """As a first run leaves it: a ledger with one picture, and all else waiting."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        urls = [f"http://a.b/{n}" for n in range(links)]
        ledger.add([Link("a", f"{n}", url, None) for n, url in enumerate(urls)])
        ledger.record([Outcome(url=urls[0], state="done", image_path="images/a/0.jpg")])
    shutil.copy(folder / "labels.csv", folder / "links.csv")


def labels_of(app: AppTest, kind: str) -> list[str]:
    return [element.label for element in getattr(app, kind)]


def button(app: AppTest, label: str) -> object:
    [found] = [each for each in app.button if each.label.replace("\\", "") == label]
    return found


def bar(app: AppTest) -> str:
    return str(app.get("progress")[0].proto.text)


def captions(app: AppTest) -> str:
    return "\n".join(str(caption.value).replace("\\", "") for caption in app.caption)


# --- Before the start


def test_without_a_dataset_there_is_nothing_to_download(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Download the photos" not in [header.value for header in app.header]


def test_a_dataset_that_was_only_written_can_be_downloaded(app: AppTest, home: Path) -> None:
    write_labels(home)
    app.run()
    assert not app.exception
    assert not button(app, "Download").disabled
    assert (
        "1 address waits; it needs about 40 kB (assumed: half of them work, 80 kB each)."
        in captions(app)
    )


def test_a_table_without_links_says_so_and_offers_no_button(app: AppTest, home: Path) -> None:
    write_labels(home, header="image_path,x1,y1,x2,y2,page")
    app.run()
    assert not app.exception
    assert "lacks url" in app.warning[0].value
    assert "Download" not in labels_of(app, "button")


def test_a_dataset_of_no_such_name_is_said_and_the_newest_shown(app: AppTest, home: Path) -> None:
    write_labels(home)
    app.query_params["dataset"] = "<b>gone"
    app.run()
    assert not app.exception
    assert "no dataset “\\<b\\>gone”" in app.info[0].value
    assert [box.value for box in app.selectbox if box.label == "Dataset"] == ["new"]


def test_what_does_not_fit_on_the_disk_is_not_begun(
    app: AppTest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_labels(home)
    monkeypatch.setattr(room, "free_bytes", lambda _place: 150_000_000)
    app.run()
    assert not app.exception
    assert button(app, "Download").disabled
    assert "does not fit" in app.error[0].value
    assert "Make room" in app.error[0].value


# --- Links that lead inwards

HERE = "http://pictures.localhost:8642"


def allow(app: AppTest) -> list[object]:
    """The toggles for private addresses; there is one at most."""
    return [t for t in app.toggle if t.label.startswith("Allow addresses")]


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some server of this computer answers, whatever the port."""
    monkeypatch.setattr(downloads, "_listens", lambda _port: True)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of this computer answers."""
    monkeypatch.setattr(downloads, "_listens", lambda _port: False)


@pytest.fixture
def with_practice(app: AppTest, practice: Path, home: Path) -> AppTest:
    """A practice list, and a dataset of all its links."""
    folder = home / "vggface" / "practice-60-6"
    shutil.copytree(practice, folder / "practice")
    shutil.copy(practice / "i.parquet", folder / "index.parquet")
    (home / "datasets" / "mine").mkdir(parents=True)
    shutil.copy(practice / "labels.csv", home / "datasets" / "mine")
    return app


def test_links_of_the_web_can_never_lead_inwards(app: AppTest, home: Path) -> None:
    write_labels(home)
    assert allow(app.run()) == []


@pytest.mark.usefixtures("somebody")
def test_private_addresses_must_be_allowed_and_are_announced(app: AppTest, home: Path) -> None:
    write_labels(home, site=HERE)
    app.run()
    assert allow(app)[0].value is False
    assert button(app, "Download").disabled
    allow(app)[0].set_value(True).run()
    assert "Private addresses are allowed" in app.warning[0].value
    assert not button(app, "Download").disabled


@pytest.mark.usefixtures("somebody")
def test_what_was_allowed_for_one_dataset_is_not_for_another(app: AppTest, home: Path) -> None:
    for name, site in (("web", "http://a.b"), ("other", HERE), ("practice", HERE)):
        write_labels(home, name=name, site=site)
    app.query_params["dataset"] = "practice"
    allow(app.run())[0].set_value(True).run()
    assert app.session_state["download.private.practice"]
    app.query_params["dataset"] = "other"
    assert allow(app.run())[0].value is False
    app.query_params["dataset"] = "web"
    assert allow(app.run()) == []
    app.query_params["dataset"] = "practice"
    assert allow(app.run())[0].value is True


def test_a_few_links_inwards_do_not_hold_up_the_others(app: AppTest, home: Path) -> None:
    folder = write_labels(home, links=9)
    with (folder / "labels.csv").open("a") as file:
        file.write("a/9.jpg,1,1,9,9,http://192.168.1.1/9\n")
    app.run()
    assert allow(app)[0].value is False
    assert "Some of the first links" in app.info[0].value
    assert not button(app, "Download").disabled


@pytest.mark.usefixtures("nobody")
def test_where_nobody_answers_it_is_said_and_not_started(app: AppTest, home: Path) -> None:
    write_labels(home, site=HERE)
    allow(app.run())[0].set_value(True).run()
    assert "No server answers at port 8642" in app.info[0].value
    assert button(app, "Download").disabled
    assert "Start the little internet" not in labels_of(app, "button")


@pytest.mark.usefixtures("nobody")
def test_the_servers_of_a_practice_set_are_started_where_they_are_missed(
    with_practice: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(downloads, "serve", lambda _settings, each: started.append(each.name))
    allow(with_practice.run())[0].set_value(True).run()
    assert button(with_practice, "Download").disabled
    button(with_practice, "Start the little internet").click().run()
    assert not with_practice.exception
    assert started == ["practice-60-6"]


@pytest.mark.parametrize(("state", "ready"), [("on", True), ("others", False)])
def test_only_a_sets_own_servers_will_do(
    with_practice: AppTest, monkeypatch: pytest.MonkeyPatch, state: str, ready: bool
) -> None:
    monkeypatch.setattr(downloads, "servers_of", lambda _each: state)
    allow(with_practice.run())[0].set_value(True).run()
    assert not with_practice.exception
    assert button(with_practice, "Download").disabled is not ready
    warnings = " ".join(warning.value for warning in with_practice.warning)
    assert ("something else answers" in warnings) is not ready


def test_the_little_internet_is_no_business_of_other_datasets(
    with_practice: AppTest, home: Path
) -> None:
    write_labels(home)
    with_practice.query_params["list"] = "practice-60-6"
    with_practice.query_params["dataset"] = "new"
    with_practice.run()
    assert not with_practice.exception
    assert "Start the little internet" not in labels_of(with_practice, "button")
    assert not button(with_practice, "Download").disabled


# --- The probe


@pytest.mark.parametrize(("links", "offered"), [(500, False), (501, True)])
def test_a_probe_is_offered_where_there_is_more_to_download(
    app: AppTest, home: Path, links: int, offered: bool
) -> None:
    write_labels(home, links=links)
    app.run()
    assert ("Try 500 addresses first" in labels_of(app, "button")) is offered


def test_a_probe_at_work_is_shown_and_can_be_stopped(app: AppTest, home: Path) -> None:
    write_labels(home, links=600)
    run_dir = write_run(home, "probe", state("running"), told(0), told(40))
    app.run()
    assert not app.exception
    assert "40 of 100 addresses" in bar(app)
    assert "Download" not in labels_of(app, "button")
    button(app, "Stop").click().run()
    assert (run_dir / "control").read_text() == "stop"


def test_what_a_probe_found_is_told_with_its_interval(app: AppTest, home: Path) -> None:
    write_labels(home, links=600)
    found = {"tried": 500, "good": 310, "rate": 0.62, "low": 0.577, "high": 0.661}
    found |= {"mean_bytes": 50_000.0, "seconds": 20.0, "total": 600}
    write_run(home, "probe", state("running"), {"event": "summary", **found}, state("done"))
    app.run()
    assert not app.exception
    [sentence] = [m.value for m in app.markdown if "gave a picture" in m.value]
    assert "**62 %** of 500 addresses" in sentence
    assert "58 to 66 %" in sentence
    assert "**372 photos**, 18.6 MB and 24 s" in sentence
    assert "95 % interval" in captions(app)
    assert "they need about 18.6 MB (measured)" in captions(app)
    assert not button(app, "Download").disabled


def test_a_probe_that_was_stopped_says_nothing_of_the_rest(app: AppTest, home: Path) -> None:
    write_labels(home, links=600)
    write_run(home, "probe", state("running"), told(40), state("stopped"))
    app.run()
    assert "The probe was stopped" in captions(app)
    assert not button(app, "Try 500 addresses first").disabled


# --- While it runs


def test_a_job_at_work_is_followed(app: AppTest, home: Path) -> None:
    begin(write_labels(home))
    write_run(home, "download", state("running"), told(0), told(20), told(40))
    app.run()
    assert not app.exception
    assert "40 of 100 addresses" in bar(app)
    assert "left" in bar(app)
    facts = {metric.label: metric.value for metric in app.metric}
    assert (facts["Alive"], facts["Requests now"]) == ("50 %", "4")
    assert {"Pause", "Stop"} <= set(labels_of(app, "button"))
    assert not {"Go on", "Resume", "Download"} & set(labels_of(app, "button"))


@pytest.mark.parametrize(
    ("by", "first"),
    [("class", ["http_4xx", 7]), ("site", ["gone.example", 10]), ("person", ["Zoe_Bramble", 6])],
)
def test_failures_are_told_by_class_by_site_and_by_person(
    app: AppTest, home: Path, by: str, first: list[object]
) -> None:
    begin(write_labels(home))
    write_run(home, "download", state("running"), told(20), told(40))
    app.run()
    app.segmented_control(key="download.live.failures").set_value(by).run()
    assert not app.exception
    [failures] = [t.value for t in app.dataframe if by in t.value.columns]
    assert failures.iloc[0].tolist() == first
    assert app.segmented_control(key="download.live.failures").value == by


def test_waiting_for_sites_at_rest_is_said_in_place_of_a_time(app: AppTest, home: Path) -> None:
    begin(write_labels(home))
    write_run(home, "download", state("running"), told(0), told(40, active=0, n_resting=2))
    app.run()
    assert "waiting for 2 sites at rest" in bar(app)
    assert "left" not in bar(app)


def test_a_job_that_has_told_nothing_yet_reads_its_links(app: AppTest, home: Path) -> None:
    write_labels(home)
    write_run(home, "download", state("running"))
    app.run()
    assert not app.exception
    assert bar(app) == "Reading the links · running"


def test_a_paused_job_can_go_on(app: AppTest, home: Path) -> None:
    begin(write_labels(home))
    run_dir = write_run(home, "download", state("running"), told(40), state("paused"))
    (run_dir / "control").write_text("pause")
    app.run()
    assert "paused" in bar(app)
    button(app, "Go on").click().run()
    assert (run_dir / "control").read_text() == ""


def test_all_who_look_at_a_download_share_one_look_at_its_ledger(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_labels(home)
    begin(folder)
    looks: list[int] = []
    newest = Ledger.newest
    monkeypatch.setattr(Ledger, "newest", lambda *of: (looks.append(1), newest(*of))[1])
    # Every visitor's page calls this; that it is done within the second is what a test can rely on.
    shown = [download_pictures._newest(str(folder / "ledger.sqlite")) for _visitor in range(30)]
    assert len(looks) == 1
    assert [tile.title for tile in shown[-1]] == ["a"]


def test_small_pictures_are_upright_whatever_they_are_stored_as(both_jpeg: bytes) -> None:
    with Image.open(BytesIO(both_jpeg)) as image:
        wide = image.size[0] > image.size[1]
        turned = image.transpose(Image.Transpose.ROTATE_90)
        exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    out = BytesIO()
    turned.save(out, "JPEG", exif=exif)
    data = b64decode(download_pictures._drafted(out.getvalue()).split(",")[1])
    with Image.open(BytesIO(data)) as small:
        assert max(small.size) == 160
        assert (small.size[0] > small.size[1]) is wide
    assert download_pictures._drafted(b"no picture") == ""


def test_nothing_of_the_events_is_kept_in_the_session(app: AppTest, home: Path) -> None:
    begin(write_labels(home))
    run_dir = write_run(home, "download", state("running"), told(40))
    app.run()
    assert f"{run_dir.name}.events" not in app.session_state


# --- After it ended early


@pytest.mark.parametrize("ended", ["stopped", "failed", "died"])
def test_there_is_one_way_to_go_on(app: AppTest, home: Path, ended: str) -> None:
    begin(write_labels(home))
    last = state("running") if ended == "died" else state(ended, reason="the disk is full")
    run_dir = write_run(home, "download", state("running"), told(40), last)
    (run_dir / "log.txt").write_text("Killed\n")
    if ended == "died":
        os.utime(run_dir / "heartbeat", (0, 0))
    app.run()
    assert not app.exception
    assert "40 of 100 addresses" in bar(app)
    assert not button(app, "Go on").disabled
    assert not {"Resume", "Download"} & set(labels_of(app, "button"))
    assert (len(app.error) == 1) is (ended == "failed")
    assert ("Its last words: Killed" in captions(app)) is (ended == "died")


def test_a_job_that_failed_before_it_began_can_be_started_again(app: AppTest, home: Path) -> None:
    write_labels(home)
    write_run(home, "download", state("running"), state("failed", reason="no row has a link"))
    app.run()
    assert "no row has a link" in app.error[0].value
    assert not button(app, "Download").disabled


# --- What came


def test_what_came_and_what_did_not_is_shown(with_dataset: AppTest, downloaded: Path) -> None:
    assert not with_dataset.exception
    with Ledger.open(downloaded / "ledger.sqlite", create=False) as ledger:
        counts = ledger.counts()
    failures = with_dataset.table[0].value
    assert sum(int(n) for n in failures["links"]) == sum(counts.failed.values())
    assert {name.strip("`").split(" ")[0] for name in failures.index} == set(counts.failed)
    assert "`http_4xx · 404`" in failures.index
    assert all(meaning.endswith(".") for meaning in failures["meaning"])
    tables = [element.value for element in with_dataset.dataframe]
    [people] = [table for table in tables if "person" in table.columns]
    assert people["pictures"].sum() == counts.done


def test_the_funnel_is_told_in_words_and_in_letters_that_can_be_read(
    with_dataset: AppTest, downloaded: Path
) -> None:
    chart = json.loads(with_dataset.get("plotly_chart")[0].proto.spec)
    names = [note["text"] for note in chart["layout"]["annotations"]]
    assert names[-1] == "with a label that fits"
    assert min(note["font"]["size"] for note in chart["layout"]["annotations"]) >= 13
    assert chart["data"][0]["textfont"]["size"] >= 13
    with Ledger.open(downloaded / "ledger.sqlite", create=False) as ledger:
        assert chart["data"][0]["text"][-1].startswith(f"{ledger.funnel().fitting} · ")


def test_lines_that_could_not_be_used_are_shown(app: AppTest, downloaded: Path, home: Path) -> None:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    rows = [f"{n},it has no link" for n in range(2, 152)]
    (home / "datasets/mine/problems.csv").write_text("\n".join(["line,reason", *rows, ""]))
    app.run()
    assert not app.exception
    [problems] = [e for e in app.expander if e.label == "150 lines could not be used"]
    assert len(problems.dataframe[0].value) == 100


def test_the_code_that_does_it_is_shown(with_dataset: AppTest) -> None:
    codes = [code.value for code in with_dataset.code]
    assert any(code.startswith("async def _try(") for code in codes)
    assert any(code.startswith("def examine(") for code in codes)
    assert any("facedet download" in code for code in codes)


def test_all_code_that_is_shown_is_whole(with_dataset: AppTest) -> None:
    shown = [code.value for code in with_dataset.code if code.language == "python"]
    assert len(shown) == 3
    for code in shown:
        ast.parse(code)


@pytest.mark.usefixtures("somebody")
def test_trying_again_needs_a_class_and_the_way_inwards(with_dataset: AppTest) -> None:
    assert button(with_dataset, "Try again").disabled
    with_dataset.multiselect(key="download.result.retry.mine").set_value(["dns"]).run()
    assert button(with_dataset, "Try again").disabled  # its links lead to this computer
    allow(with_dataset)[0].set_value(True).run()
    assert not button(with_dataset, "Try again").disabled


def test_where_nothing_waits_there_is_nothing_to_press_or_to_allow(with_dataset: AppTest) -> None:
    assert "Nothing waits" in headline(with_dataset)
    assert not {"Go on", "Download"} & set(labels_of(with_dataset, "button"))
    assert allow(with_dataset) == []
    assert len(with_dataset.info) == 0


def headline(app: AppTest) -> str:
    """The sentence that begins with how many photos there are."""
    [said] = [m.value for m in app.markdown if re.match(r"\*\*[\d,]+ photos?\*\*", m.value)]
    return str(said).replace("\\", "")


def test_a_good_end_says_how_much_came_and_where(
    app: AppTest, downloaded: Path, home: Path
) -> None:
    folder = home / "datasets" / "mine"
    shutil.copytree(downloaded, folder)
    pictures = list((folder / "images").glob("*/*"))
    size = sum(path.stat().st_size for path in pictures)
    done = {"links": 60, "pictures": len(pictures), "bytes": 1}
    run_dir = write_run(home, "download", state("running"), state("done"), name="mine")
    write_events(run_dir, (0, state("running")), (27, {"event": "summary", "this_run": done}))
    app.run()
    assert not app.exception
    told = f"**{len(pictures)} photos**, {words.size(size)}, in 27 s, in {folder}."
    assert headline(app).startswith(told)


def test_a_later_run_tells_what_it_has_added(app: AppTest, downloaded: Path, home: Path) -> None:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    run_dir = write_run(home, "download", state("running"), state("done"), name="mine")
    done = {"links": 7, "pictures": 2, "bytes": 1}
    write_events(run_dir, (0, state("running")), (3, {"event": "summary", "this_run": done}))
    app.run()
    assert "asked for 7 addresses and brought 2 photos, in 3 s" in headline(app)


def test_that_a_changed_table_was_kept_is_said(app: AppTest, downloaded: Path, home: Path) -> None:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    kept = {"event": "labels_kept", "file": "labels-1.csv"}
    write_run(home, "download", state("running"), kept, state("done"), name="mine")
    app.run()
    assert "kept beside it as labels-1.csv" in app.info[0].value.replace("\\", "")


def test_what_no_link_ends_as_is_not_offered(with_dataset: AppTest) -> None:
    offered = with_dataset.selectbox(key="download.links.mine.class").options
    assert "dns" in offered
    assert not {"disk", "cancelled"} & set(offered)


# --- Every link


def links_of(app: AppTest) -> object:
    [links] = [t.value for t in app.dataframe if "photo_id" in t.value.columns]
    return links


def test_links_are_filtered_by_class(with_dataset: AppTest) -> None:
    with_dataset.selectbox(key="download.links.mine.class").select("dns").run()
    assert not with_dataset.exception
    assert set(links_of(with_dataset)["error_class"]) == {"dns"}


def test_links_are_filtered_by_state_site_person_and_label(
    with_dataset: AppTest, downloaded: Path
) -> None:
    with Ledger.open(downloaded / "ledger.sqlite", create=False) as ledger:
        wanted = next(row for row in ledger.each(Where(state="done")) if row.label_fits)
    key = "download.links.mine"
    with_dataset.selectbox(key=f"{key}.state").select("done")
    with_dataset.selectbox(key=f"{key}.fits").select(True)
    with_dataset.selectbox(key=f"{key}.host").select(wanted.host)
    with_dataset.selectbox(key=f"{key}.identity").select(wanted.identity).run()
    assert not with_dataset.exception
    links = links_of(with_dataset)
    assert set(links["state"]) == {"done"}
    assert set(links["host"]) == {wanted.host}
    assert set(links["identity"]) == {wanted.identity}
    assert wanted.photo_id in set(links["photo_id"])


def test_links_are_paged_through(app: AppTest, home: Path) -> None:
    begin(write_labels(home, links=250), links=250)
    app.run()
    assert "1–100 of 250" in captions(app)
    assert button(app, "Previous").disabled
    button(app, "Next").click().run()
    assert links_of(app)["photo_id"].tolist() == [str(n) for n in range(100, 200)]
    button(app, "Next").click().run()
    assert "201–250 of 250" in captions(app)
    assert button(app, "Next").disabled
    app.selectbox(key="download.links.new.state").select("waiting").run()
    assert "1–100 of 249" in captions(app)


def test_where_no_link_fits_it_is_said(with_dataset: AppTest) -> None:
    with_dataset.text_input(key="download.links.mine.text").set_value("nowhere at all").run()
    assert not with_dataset.exception
    assert "No link fits." in captions(with_dataset)


def test_taking_links_along_leaves_nothing_behind(downloaded: Path, tmp_path: Path) -> None:
    dataset = Dataset("copy", tmp_path / "copy")
    shutil.copytree(downloaded, dataset.folder)
    before = sorted(dataset.folder.iterdir())
    rows = list(
        csv.DictReader(StringIO(ledger_view._export(dataset, Where(state="done")).decode()))
    )
    assert {row["state"] for row in rows} == {"done"}
    assert sorted(dataset.folder.iterdir()) == before


# --- The sample above it


def test_once_begun_the_sample_speaks_of_links_csv(
    app: AppTest, home: Path, tmp_path: Path
) -> None:
    make_index(write_archive(tmp_path / "a.tar.gz", FILES), home / "vggface/own-x/index.parquet")
    app.query_params["list"] = "own-x"
    app.run()
    button(app, "Write labels.csv").click().run()
    assert "rows are in" in app.success[0].value
    begin(home / "datasets" / "own-1")
    app.run()
    assert not app.exception
    assert "rows were asked for" in app.success[0].value
    assert "links\\.csv" in app.success[0].value
    assert "Take links.csv along" in [each.proto.label for each in app.get("download_button")]


def test_the_sample_takes_what_the_probe_has_measured(
    app: AppTest, home: Path, tmp_path: Path
) -> None:
    make_index(write_archive(tmp_path / "a.tar.gz", FILES), home / "vggface/own-x/index.parquet")
    write_labels(home, links=600, name="own-1")
    found = {"tried": 500, "good": 310, "rate": 0.62, "low": 0.577, "high": 0.661}
    found |= {"mean_bytes": 50_000.0, "seconds": 20.0, "total": 600}
    write_run(home, "probe", {"event": "summary", **found}, state("done"), name="own-1")
    app.query_params["list"] = "own-x"
    app.run()
    slider = app.slider(key="dataset.sample.survival.own-x")
    assert not app.exception
    assert slider.value == 62
    assert "Measured by the probe of own-1: 50 kB a photo, 15.5 photos a second." in captions(app)
    # Whoever moves it has a way back.
    slider.set_value(30).run()
    button(app, "Measured by the probe of own-1: 62 %").click().run()
    assert app.slider(key="dataset.sample.survival.own-x").value == 62
