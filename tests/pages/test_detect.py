"""The Detect page run without a browser: what stands there, and that nothing raises."""

import json
import socket
import sys
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from facedet import jobs
from facedet.download import client
from facedet.download.outcome import Fetched
from facedet.ui import photo_source
from tests.test_jobs import wait_for

ROOT = Path(__file__).parent.parent.parent
PAGE = str(ROOT / "app.py")


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=20)


def canvas_data(app: AppTest) -> dict[str, object]:
    """What the box canvas was given."""
    protos = [element.proto for element in app.get("bidi_component")]
    [canvas] = [proto for proto in protos if proto.component_name == "facedet_canvas"]
    return json.loads(canvas.mixed.json or canvas.json)


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    uploads = [(name, data, "application/octet-stream") for name, data in files]
    return app.file_uploader[0].set_value(uploads).run()


def test_the_first_screen_invites(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert app.title[0].value == "Detect"
    assert canvas_data(app)["empty"]["title"] == "Boxes will appear here"
    assert str(app.sidebar.caption[0].value).endswith("home")


def test_a_photo_gives_boxes(app: AppTest, both_jpeg: bytes) -> None:
    upload(app.run(), ("two.jpg", both_jpeg))
    assert not app.exception
    [pane] = canvas_data(app)["panes"]
    assert len([box for box in pane["boxes"] if box[4] >= pane["threshold"]]) == 2
    assert [label for label, _value in pane["facts"]] == ["Detector", "Decoding", "Photo"]


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "empty"), (b"<html>", "web page"), (b"\xff\xd8\xff\xe0 half", "damaged")],
)
def test_a_bad_file_says_why_and_keeps_the_page(app: AppTest, data: bytes, says: str) -> None:
    upload(app.run(), ("<script>*x*.jpg", data))
    assert not app.exception
    assert says in app.error[0].value
    assert "\\<script\\>" in app.error[0].value
    assert canvas_data(app)["empty"]


def test_a_bad_file_leaves_the_photo_on_the_table(app: AppTest, both_jpeg: bytes) -> None:
    upload(app.run(), ("two.jpg", both_jpeg))
    before = canvas_data(app)["image"]["key"]
    upload(app, ("empty.jpg", b""))
    assert "empty" in app.error[0].value
    assert canvas_data(app)["image"]["key"] == before


def test_a_bad_setting_is_a_sentence(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEDET_MAX_MEGAPIXELS", "abc")
    app.run()
    assert not app.exception
    assert "FACEDET" in app.error[0].value


def from_the_web(app: AppTest, url: str) -> AppTest:
    app.session_state["detect.source"] = "web"
    app.run()
    app.text_input(key="detect.address").set_value(url)
    [get] = [button for button in app.button if button.label == "Get it"]
    return get.click().run()


def test_a_picture_from_the_web(
    app: AppTest, both_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetched(url: str, *, limits: client.Limits) -> Fetched:
        asked.append(url)
        assert limits.total_s == 20
        assert limits.connect_s + limits.first_byte_s <= 20
        return Fetched(both_jpeg, 200, "https://cdn.example/two%20people.jpg?size=2")

    monkeypatch.setattr(client, "fetch_once", fetched)
    from_the_web(app.run(), " https://a.example/x ")
    assert not app.exception
    assert asked == ["https://a.example/x"]
    assert len(canvas_data(app)["panes"][0]["boxes"]) >= 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1/x.jpg", "private network"),
        ("http://169.254.169.254/latest", "private network"),
        ("file:///etc/passwd", "private network"),
        ("http://nowhere.invalid/x.jpg", "not known any more"),
    ],
)
def test_an_address_that_is_not_to_be_had_says_why(app: AppTest, url: str, says: str) -> None:
    from_the_web(app.run(), url)
    assert not app.exception
    assert says in app.error[0].value
    assert app.text_input(key="detect.address").value == url


def test_a_site_that_does_not_answer_is_given_up_with_a_sentence(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.jpg"
        monkeypatch.setattr(photo_source, "WEB_S", 0.4)
        monkeypatch.setattr(client, "fetch_once", partial(client.fetch_once, allow_private=True))
        from_the_web(app.run(), url)
    assert not app.exception
    assert "took too long to answer" in app.error[0].value
    assert app.text_input(key="detect.address").value == url


def test_two_detectors_side_by_side(app: AppTest, both_jpeg: bytes) -> None:
    upload(app.run(), ("two.jpg", both_jpeg))
    app.toggle[0].set_value(True).run()
    assert not app.exception
    panes = canvas_data(app)["panes"]
    assert [pane["name"] for pane in panes] == ["yunet", "haar"]
    shared = set.intersection(*({box[5] for box in pane["boxes"]} for pane in panes))
    assert len(shared) == 2


def test_many_photos_become_a_job_that_the_address_finds_again(
    app: AppTest, both_jpeg: bytes, home: Path
) -> None:
    upload(app.run(), ("a.jpg", both_jpeg), ("b.jpg", both_jpeg[:999]), ("c.jpg", both_jpeg))
    assert not app.exception
    given = app.query_params["batch"]
    batch_id = given if isinstance(given, str) else given[0]
    wait_for(lambda: jobs.look(home / "runs" / batch_id).state in jobs.FINAL)
    later = AppTest.from_file(PAGE, default_timeout=20)
    later.query_params["batch"] = batch_id
    later.run()
    assert not later.exception
    assert {m.label: m.value for m in later.metric} == {
        "Photos": "3",
        "Faces": "4",
        "Without a face": "0",
        "Not readable": "1",
    }


def test_without_any_detector_the_page_says_what_to_do(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facedet.detectors import haar, yunet

    monkeypatch.setattr(yunet, "package_file", lambda *_parts: None)
    monkeypatch.setattr(haar.cv2, "data", None)
    app.run()
    assert not app.exception
    assert "no detector can run here" in app.error[0].value


def test_a_broken_checkpoint_is_named_and_breaks_nothing(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.pth").write_bytes(b"rubbish")
    app.run()
    assert not app.exception
    assert app.expander[0].label == "Cannot run here: 1"
    assert "mine" not in app.selectbox[0].options


def test_a_checkpoint_of_ones_own_can_be_chosen(
    app: AppTest, tmp_path: Path, both_jpeg: bytes
) -> None:
    from safetensors.torch import save_file
    from torchvision.models import detection

    from facedet.detectors.checkpoints import CONFIG_KEY, Config

    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=2
    )
    config = Config(architecture=name, min_size=64, max_size=96, default_score=0.9)
    (tmp_path / "models").mkdir()
    save_file(
        dict(model.state_dict()),
        tmp_path / "models" / "mine.safetensors",
        {CONFIG_KEY: config.to_json()},
    )
    upload(app.run(), ("two.jpg", both_jpeg))
    app.selectbox[0].select("mine").run()
    assert not app.exception
    [pane] = canvas_data(app)["panes"]
    assert (pane["name"], pane["threshold"]) == ("mine", 0.9)


def test_an_address_of_a_batch_that_is_gone_says_so(app: AppTest) -> None:
    app.query_params["batch"] = "../../etc"
    app.run()
    assert not app.exception
    assert "not here any more" in app.error[0].value


def test_the_first_page_loads_no_torch() -> None:
    import subprocess

    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({PAGE!r}, default_timeout=30).run(); assert not app.exception;"
        "assert not {'torch', 'aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
