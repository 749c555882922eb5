import pickle
from pathlib import Path

import pytest

from facedet.cleaning.catalogue import CLEANERS, explain, get
from facedet.cleaning.cleaner import Cleaner, problems
from facedet.cleaning.pictures import read_labels
from facedet.cleaning.table import as_frame, judge
from facedet.errors import UsageError


@pytest.fixture(params=CLEANERS)
def cleaner(request: pytest.FixtureRequest) -> Cleaner:
    return get(str(request.param))


def test_a_cleaner_is_found_by_its_name(cleaner: Cleaner) -> None:
    assert get(cleaner.name).title == cleaner.title


def test_an_unknown_one_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="choose one of: integrity, faces, faces-haar"):
        get("soap")


def test_it_travels_to_other_processes(cleaner: Cleaner) -> None:
    assert pickle.loads(pickle.dumps(cleaner)).version == cleaner.version


def test_each_reason_has_a_rule_that_explains_it(cleaner: Cleaner) -> None:
    rules = {threshold.name for threshold in cleaner.thresholds if threshold.rule}
    table = as_frame([], cleaner)
    assert (
        set(
            cleaner.verdict(
                table.assign(available=True), read_labels(Path("nowhere")), cleaner.levels()
            )
        )
        == rules
    )
    assert all(explain(rule) for rule in rules)


def test_each_number_lies_in_a_column_of_the_judged_table(cleaner: Cleaner) -> None:
    table = judge(cleaner, as_frame([], cleaner), read_labels(Path("nowhere")))
    columns = {threshold.column for threshold in cleaner.thresholds if threshold.column}
    assert columns <= set(table.columns)


def test_each_default_can_be_reached_by_its_slider(cleaner: Cleaner) -> None:
    for threshold in cleaner.thresholds:
        steps = (threshold.default - threshold.low) / threshold.step
        assert threshold.low <= threshold.default <= threshold.high
        assert steps == pytest.approx(round(steps))


def test_problems_are_explained_and_nonsense_is_not() -> None:
    assert all(explain(problem) for problem in problems())
    assert explain("nonsense") == ""
