"""Every visible sentence goes through gettext: in an invented language, no English is left."""

import gettext as std
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from facedet import i18n
from facedet.download.account import Outcome
from facedet.download.ledger import Ledger
from facedet.download.links import Link
from facedet.vggface.making import make_index
from tests.vggface.made import write_archive

PAGE = str(Path(__file__).parent.parent.parent / "app.py")
MARK = "⟦"
UNSEEN = ("src", "key", "name", "id", "selected", "language", "text")


class Invented(std.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"{MARK}{message}⟧"

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    catalogues = {"en": std.NullTranslations(), "xx": Invented()}
    monkeypatch.setattr(i18n, "_catalogue", catalogues.__getitem__)
    app = AppTest.from_file(PAGE, default_timeout=20)
    app.session_state["language"] = "xx"
    yield app
    i18n.use_language(i18n._english)


def texts(app: AppTest) -> Iterator[str]:
    for kind in ("title", "header", "caption", "markdown", "error", "subheader", "info"):
        yield from (str(element.value) for element in getattr(app, kind))
    for kind in ("button", "selectbox", "toggle", "slider", "file_uploader", "camera_input"):
        yield from (str(element.label) for element in getattr(app, kind))
    for kind in ("metric", "expander", "number_input", "text_input", "select_slider"):
        yield from (str(element.label) for element in getattr(app, kind))
    for element in app.get("plotly_chart"):
        yield json.loads(element.proto.spec)["layout"]["title"]["text"]
    for element in app.get("bidi_component"):
        yield from strings(json.loads(element.proto.mixed.json or element.proto.json))


def strings(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list) and key == "facts":
        yield from (fact[0] for fact in value)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)
    elif isinstance(value, str) and key not in UNSEEN:
        yield value


def untranslated(app: AppTest) -> list[str]:
    assert not app.exception
    return [text for text in texts(app) if text and MARK not in text]


def test_the_first_screen(app: AppTest) -> None:
    assert untranslated(app.run()) == []
    assert len(list(texts(app))) > 30


def test_with_a_photo_compared_and_with_the_camera(app: AppTest, both_jpeg: bytes) -> None:
    app.run()
    app.file_uploader[0].set_value([("a.jpg", both_jpeg, "image/jpeg")]).run()
    app.toggle[0].set_value(True).run()
    assert untranslated(app) == []
    app.session_state["detect.source"] = "camera"
    assert untranslated(app.run()) == []


def test_an_error(app: AppTest) -> None:
    app.run().file_uploader[0].set_value([("a.jpg", b"<html>", "image/jpeg")]).run()
    assert untranslated(app) == []


def test_the_dataset_page(app: AppTest, home: Path, tmp_path: Path) -> None:
    app.switch_page("pages/dataset.py")
    assert untranslated(app.run()) == []
    make_index(write_archive(tmp_path / "a.tar.gz"), home / "vggface/own-mine/index.parquet")
    app.query_params["list"] = "own-mine"
    assert untranslated(app.run()) == []


def test_a_dataset_with_what_came_of_it(app: AppTest, home: Path) -> None:
    folder = home / "datasets" / "mine"
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text("image_path,x1,y1,x2,y2,url\na/1.jpg,1,1,9,9,http://a.b/c\n")
    app.switch_page("pages/dataset.py")
    assert untranslated(app.run()) == []
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        ledger.add([Link("a", str(n), f"http://a.b/{n}", None) for n in range(3)])
        failed = Outcome(
            url="http://a.b/1", state="failed", error_class="http_4xx", http_status=404
        )
        ledger.record([failed])
    assert untranslated(app.run()) == []
