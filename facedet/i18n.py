"""Every sentence that a person reads goes through `gettext` here; English is the source.

The core does not know who is reading. Whoever does (the app, per session) says so once with
`use_language`, and each look-up asks again, so that two sessions may read two languages.
"""

import gettext as _gettext
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"


def _english() -> str:
    return "en"


_current_language: Callable[[], str] = _english


def use_language(current: Callable[[], str]) -> None:
    """Let `current()` say, at each look-up, in which language to answer (``"en"``, ``"fr"``, …)."""
    global _current_language
    _current_language = current


def from_environment() -> str:
    """What ``FACEDET_LANGUAGE`` says; a page passes its language on to the jobs that it starts."""
    return os.environ.get("FACEDET_LANGUAGE") or "en"


def language() -> str:
    """In which language answers are given now; part of the key of whatever keeps sentences."""
    return _current_language()


def gettext(message: str) -> str:
    """The message in the reader's language, or as it is where no translation exists."""
    return _catalogue(_current_language()).gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form that fits `n` things, in the reader's language."""
    return _catalogue(_current_language()).ngettext(singular, plural, n)


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    return _gettext.translation("facedet", LOCALE_DIR, languages=[language], fallback=True)
