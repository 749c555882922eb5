import gettext as std
from collections.abc import Iterator

import pytest

from facedet import i18n


class Backwards(std.NullTranslations):
    def gettext(self, message: str) -> str:
        return message[::-1]


@pytest.fixture
def two_languages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    catalogues = {"en": std.NullTranslations(), "xx": Backwards()}
    monkeypatch.setattr(i18n, "_catalogue", catalogues.__getitem__)
    yield
    i18n.use_language(lambda: "en")


@pytest.mark.usefixtures("two_languages")
def test_the_language_is_asked_for_at_each_look_up() -> None:
    language = "en"
    i18n.use_language(lambda: language)
    assert i18n.gettext("face") == "face"
    language = "xx"
    assert i18n.gettext("face") == "ecaf"


@pytest.mark.usefixtures("two_languages")
def test_a_command_speaks_the_language_of_the_page_that_started_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facedet.cli import main

    monkeypatch.setenv("FACEDET_LANGUAGE", "xx")
    assert main(["detect"]) == 2
    assert capsys.readouterr().err.startswith("facedet: - ro bolg a")


def test_a_language_without_catalogue_reads_as_english() -> None:
    assert i18n._catalogue("tlh").ngettext("face", "faces", 2) == "faces"
