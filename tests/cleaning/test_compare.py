import json
import math
import random
import time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedet.cleaning.compare import CELLS, Comparison, as_json, compare
from facedet.cleaning.truth import Truth


def judged(verdicts: dict[str, bool], **columns: object) -> pd.DataFrame:
    """A table of kept pictures (True) and others."""
    paths = pd.Series(list(verdicts), dtype=object)
    table = pd.DataFrame({"image_path": paths})
    table["verdict"] = ["keep" if kept else "set_aside" for kept in verdicts.values()]
    table["reason"] = ["" if kept else "no_face" for kept in verdicts.values()]
    return table.assign(**columns)


def side_by_side(a: dict[str, bool], b: dict[str, bool], **options: object) -> Comparison:
    return compare({"integrity": judged(a), "faces": judged(b)}, **options)  # type: ignore[arg-type]


FOUR = (
    {"i/A/1": True, "i/A/2": True, "i/B/3": False, "i/B/4": False},
    {"i/A/1": True, "i/A/2": False, "i/B/3": True, "i/B/4": False},
)


def test_each_picture_is_in_one_of_four_cells() -> None:
    found = side_by_side(*FOUR)
    assert found.cells == {
        "both": ("i/A/1",),
        "only_first": ("i/A/2",),
        "only_second": ("i/B/3",),
        "neither": ("i/B/4",),
    }
    assert found.pictures == 4


def test_the_index_may_be_the_path() -> None:
    a, b = (judged(verdicts) for verdicts in FOUR)
    by_index = compare({"x": a.set_index("image_path"), "y": b.set_index("image_path")})
    assert by_index.cells == side_by_side(*FOUR).cells


def test_pictures_that_only_one_has_judged_are_told_apart() -> None:
    found = side_by_side({"a": True, "b": True}, {"b": True, "c": False})
    assert found.cells["both"] == ("b",)
    assert found.unmatched == {"integrity": ("a",), "faces": ("c",)}


def test_kappa_is_cohens() -> None:
    # The example of the textbooks: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no; kappa 0.4.
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    a = {str(i): first for i, (first, _second) in enumerate(pairs)}
    b = {str(i): second for i, (_first, second) in enumerate(pairs)}
    agreement = side_by_side(a, b).agreement
    assert agreement.share == pytest.approx(0.7)
    assert agreement.kappa == pytest.approx(0.4)
    assert "agree on 35 of 50 pictures; by chance it would be about 25." in agreement.sentence


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ({}, {}, "no picture"),
        ({"1": True}, {"1": True}, "the same with every picture"),
        ({"1": True, "2": False}, {"1": False, "2": True}, "no agreement"),
        ({"1": True, "2": False}, {"1": True, "2": False}, "nearly full"),
        (*FOUR, "no agreement"),
    ],
)
def test_the_agreement_has_its_meaning_in_a_sentence(
    a: dict[str, bool], b: dict[str, bool], says: str
) -> None:
    assert says in side_by_side(a, b).agreement.sentence


def test_the_yield_is_told_by_identity_the_greatest_loss_first() -> None:
    found = side_by_side(*FOUR)
    told = [
        (one.identity, one.pictures, one.kept_first, one.kept_second, one.kept_both)
        for one in found.identities
    ]
    assert told == [("B", 2, 0, 1, 0), ("A", 2, 2, 1, 1)]


def test_identities_may_be_told_by_labels() -> None:
    found = side_by_side(*FOUR, identity_of=lambda _path: "Ada")
    assert [one.identity for one in found.identities] == ["Ada"]


def test_time_is_the_mean_where_it_is_known() -> None:
    a = judged({"a": True, "b": True, "c": False}, seconds=[0.002, 0.004, float("nan")])
    found = compare({"integrity": a, "faces": judged({"a": True})})
    assert found.ms_per_picture == {"integrity": pytest.approx(3.0), "faces": None}


def test_with_truth_each_is_scored() -> None:
    truth = Truth({"i/A/1": "ok", "i/A/2": "no_face", "i/B/3": "ok", "i/B/4": "no_face"})
    found = side_by_side(*FOUR, truth=truth)
    [no_face] = [one for one in found.scores["faces"].faults if one.fault == "no_face"]
    assert no_face.recall == 1
    assert [one.image_path for one in found.scores["integrity"].wrong] == ["i/A/2", "i/B/3"]
    assert side_by_side(*FOUR).scores == {}


def test_a_cleaner_answers_only_for_what_it_can_say() -> None:
    truth = Truth(dict.fromkeys(FOUR[0], "bomb"))
    can_say = {"integrity": {"bomb"}, "faces": {"no_face"}}
    found = side_by_side(*FOUR, truth=truth, can_say=can_say)
    assert found.scores["integrity"].faults[0].recall == 0
    assert found.scores["faces"].faults[0].recall is None


def test_it_is_told_as_json() -> None:
    truth = Truth({"i/A/1": "ok", "i/A/2": "no_face"})
    told = json.loads(json.dumps(as_json(side_by_side(*FOUR, truth=truth)), allow_nan=False))
    assert [cell["kept_by"] for cell in told["cells"]] == [
        ["integrity", "faces"],
        ["integrity"],
        ["faces"],
        [],
    ]
    assert told["pictures"] == sum(cell["pictures"] for cell in told["cells"]) == 4
    assert told["truth"]["faces"]["faults"][0]["recall"] == 1
    empty = json.loads(json.dumps(as_json(side_by_side({}, {})), allow_nan=False))
    assert empty["agreement"]["kappa"] is None
    assert empty["truth"] is None


def test_names_that_are_not_utf8_are_names_too() -> None:
    found = side_by_side({"i/\udce9/1": True}, {"i/\udce9/1": False})
    assert found.cells["only_first"] == ("i/\udce9/1",)
    assert found.identities[0].identity == "\udce9"


VERDICTS = st.dictionaries(st.integers(0, 30).map(str), st.booleans(), max_size=20)


@given(a=VERDICTS, b=VERDICTS)
def test_counts_add_up_whatever_was_judged(a: dict[str, bool], b: dict[str, bool]) -> None:
    found = side_by_side(a, b)
    shared = set(a) & set(b)
    assert sorted(path for cell in CELLS for path in found.cells[cell]) == sorted(shared)
    assert sum(one.pictures for one in found.identities) == len(shared)
    both = sum(one.kept_both for one in found.identities)
    assert both == len(found.cells["both"])
    kappa = found.agreement.kappa
    assert math.isnan(kappa) or -1 <= kappa <= 1 + 1e-9


def test_fifteen_thousand_are_compared_between_two_moves_of_a_slider() -> None:
    chance = random.Random(0)
    a, b = (
        {f"images/p{i % 300}/{i}.jpg": chance.random() < 0.8 for i in range(15_000)}
        for _k in range(2)
    )
    tables = {"integrity": judged(a), "faces": judged(b)}
    start = time.perf_counter()
    compare(tables)
    assert time.perf_counter() - start < 1.0  # some 60 ms on a machine of its own
