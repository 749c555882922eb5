import pytest

from facedet.ui import words
from facedet.ui.shell import plain


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.00042, "0.42 ms"),
        (0.84, "840 ms"),
        (0.9996, "1 s"),
        (59.96, "1 min 0 s"),
        (12.34, "12.3 s"),
        (200, "3 min 20 s"),
        (7300, "2 h 1 min"),
    ],
)
def test_times_are_said_in_their_unit(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_rates_have_three_digits() -> None:
    assert words.rate(12.345, "photos") == "12.3 photos a second"
    assert words.rate(1234.5, "photos") == "1,234 photos a second"


@pytest.mark.parametrize(
    "text", ["*a*", "[x](javascript:1)", "<script>", "# x", "`a`", "$x$", ":red[x]"]
)
def test_text_of_strangers_means_itself(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    for sign in "*[`<#$:":
        assert f"\\{sign}" in escaped or sign not in text
