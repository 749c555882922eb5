import tomllib

import pytest

from facedet.figures import COLOURS, funnel
from facedet.settings import CHECKOUT


def test_figures_have_the_colours_of_the_theme() -> None:
    theme = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text())["theme"]
    assert list(COLOURS) == theme["chartCategoricalColors"]
    assert funnel([("lines", 1)]).layout.colorway == COLOURS


@pytest.mark.parametrize("steps", [[], [("lines", 0)], [("lines", 0), ("pictures", 0)]])
def test_a_funnel_of_nothing_is_drawn(steps: list[tuple[str, int]]) -> None:
    assert len(funnel(steps).layout.annotations) == len(steps)


def test_values_stand_outside_of_narrow_bars() -> None:
    figure = funnel([("lines", 1000), ("answered", 600), ("pictures", 12)])
    assert list(figure.data[0].textposition) == ["inside", "inside", "outside"]
    assert list(figure.data[0].text) == ["1,000 · 100 %", "600 · 60 %", "12 · 1 %"]


def test_names_are_whole_and_stand_above_their_bars() -> None:
    name = "a step with quite a long name that says it all"
    [label] = funnel([(name, 3)]).layout.annotations
    assert label.text == name
    assert (label.x, label.xanchor, label.yanchor) == (0, "left", "bottom")
