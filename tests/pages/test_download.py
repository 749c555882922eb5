"""The Dataset page's second half run without a browser: what came, what did not, and why."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from facedet import downloads, jobs
from facedet.download.engine import Settings
from facedet.download.hosts import Manners
from facedet.download.ledger import Ledger
from facedet.download.run import download, open_dataset
from facedet.settings import load_settings
from tests.download.practice import make_set, served

PAGE = str(Path(__file__).parent.parent.parent / "app.py")


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that was downloaded once."""
    folder = tmp_path_factory.mktemp("page")
    practice = make_set(folder / "practice", photos=60, faults=0.6, seed=6)
    dataset = folder / "set"
    ledger, _problems = open_dataset(practice / "labels.csv", dataset)
    with served(practice) as (_internet, network), ledger:
        download(dataset, ledger, Settings(manners=Manners(backoff_s=0.05)), network)
    return dataset


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=30).switch_page("pages/dataset.py")


@pytest.fixture
def with_dataset(app: AppTest, downloaded: Path, home: Path) -> AppTest:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    return app.run()


def labels_of(app: AppTest, kind: str) -> list[str]:
    return [element.label for element in getattr(app, kind)]


def test_without_a_dataset_there_is_nothing_to_download(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Download the photos" not in [header.value for header in app.header]


def test_a_dataset_that_was_only_written_can_be_downloaded(app: AppTest, home: Path) -> None:
    folder = home / "datasets" / "new"
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text("image_path,x1,y1,x2,y2,url\na/1.jpg,1,1,9,9,http://a.b/c\n")
    app.run()
    assert not app.exception
    assert "Download" in labels_of(app, "button")
    [private] = [t for t in app.toggle if t.label.startswith("Allow addresses")]
    assert private.value is False


def test_what_came_and_what_did_not_is_shown(with_dataset: AppTest, downloaded: Path) -> None:
    assert not with_dataset.exception
    with Ledger.open(downloaded / "ledger.sqlite", create=False) as ledger:
        counts = ledger.counts()
    tables = [element.value for element in with_dataset.dataframe]
    [errors] = [table for table in tables if "meaning" in table.columns]
    assert dict(zip(errors["class"], errors["links"], strict=True)) == counts.failed
    [people] = [table for table in tables if "person" in table.columns]
    assert people["pictures"].sum() == counts.done


def test_private_addresses_are_announced(with_dataset: AppTest) -> None:
    [private] = [t for t in with_dataset.toggle if t.label.startswith("Allow addresses")]
    private.set_value(True).run()
    assert "Private addresses are allowed" in with_dataset.warning[0].value


def test_the_code_that_does_it_is_shown(with_dataset: AppTest) -> None:
    codes = [code.value for code in with_dataset.code]
    assert any(code.startswith("async def _try(") for code in codes)
    assert any(code.startswith("def examine(") for code in codes)
    assert any("facedet download" in code for code in codes)


def test_links_can_be_looked_for(with_dataset: AppTest) -> None:
    with_dataset.selectbox(key="download.only").select("dns").run()
    assert not with_dataset.exception
    [links] = [t.value for t in with_dataset.dataframe if "photo_id" in t.value.columns]
    assert set(links["error_class"]) == {"dns"}


@pytest.mark.parametrize("name", ["../x", "nobody", ""])
def test_a_dataset_that_is_not_there_says_so(name: str, home: Path) -> None:
    from facedet.errors import FacedetError

    with pytest.raises(FacedetError):
        downloads.open_dataset(load_settings(), name)


def test_two_clicks_start_one_job(
    downloaded: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(downloaded, home / "datasets" / "mine")
    started: list[list[str]] = []

    def start(run_dir: Path, arguments: list[str], memo: dict[str, object]) -> None:
        started.append(arguments)
        jobs.write_atomically(
            run_dir / "config.json", jobs.json.dumps({"arguments": [], "memo": memo})
        )
        (run_dir / "heartbeat").touch()

    monkeypatch.setattr(downloads.jobs, "start", start)
    dataset = downloads.open_dataset(load_settings(), "mine")
    first = downloads.start_download(load_settings(), dataset, allow_private=False)
    assert downloads.start_download(load_settings(), dataset, allow_private=False) == first
    assert len(started) == 1
    assert "--allow-private" not in started[0]
