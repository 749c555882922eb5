from pathlib import Path

import numpy as np
import pytest

from facedet.errors import UsageError
from facedet.vggface import Bars, Filters, Index, matching, statistics
from facedet.vggface.making import make_index
from tests.vggface.made import write_folder


def rows(index: Index, **filters: object) -> list[int]:
    return np.flatnonzero(matching(index, Filters(**filters))).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"curated": True}, [0, 2, 3, 5]),
        ({"frontal": True}, [0, 1, 3, 5]),
        ({"min_score": 2.31}, [0, 3, 4, 5]),
        ({"max_score": 1.0}, [1, 2]),
        ({"min_side": 64}, [0, 1, 2, 4, 5]),
        ({"max_side": 30}, [3]),
        ({"inside": True}, [0, 1, 3, 4, 5]),
        ({"https": True}, [2]),
        ({"host": "a.example"}, [0, 1, 3, 5]),
        ({"identity": "Mira_Sol"}, [3, 4]),
        ({"curated": True, "frontal": True, "min_score": 3.0}, [3, 5]),
        ({"min_score": 99.0}, []),
    ],
)
def test_filters_choose_lines(index: Index, filters: dict, expected: list[int]) -> None:
    assert rows(index, **filters) == expected


@pytest.mark.parametrize("filters", [{"host": "nowhere.example"}, {"identity": "Nobody"}])
def test_a_name_that_is_not_there_says_so(index: Index, filters: dict) -> None:
    with pytest.raises(UsageError, match="there is no"):
        rows(index, **filters)


def test_statistics_count_what_was_chosen(index: Index) -> None:
    found = statistics(index)
    assert (found.lines, found.identities, found.unique_urls) == (6, 3, 4)
    assert (found.repeated, found.negative, found.unusual, found.n_hosts) == (1, 1, 1, 3)
    assert found.without_extension == 0
    assert found.hosts == Bars(("a.example", "b.example", "c.example:81"), (4, 1, 1))
    assert found.schemes == Bars(("http", "https"), (5, 1))
    assert found.extensions == Bars(("jpg", "png", "php"), (4, 1, 1))
    assert found.curation.counts == (4, 2)
    assert found.poses == Bars(("1", "2", "3", "4", "5"), (1, 1, 2, 1, 1))
    assert sum(found.scores.counts) == sum(found.sides.counts) == 6
    assert found.lines_per_identity.tolist() == [1, 2, 3]


def test_a_filter_acts_on_every_figure(index: Index) -> None:
    found = statistics(index, Filters(identity="Mira_Sol"))
    assert (found.lines, found.identities, found.unique_urls, found.n_hosts) == (2, 1, 2, 2)
    assert found.hosts.names == ("a.example", "c.example:81")
    assert (found.repeated, found.negative) == (0, 0)
    assert sum(found.sides.counts) == 2


def test_nothing_chosen_is_ordinary(index: Index) -> None:
    found = statistics(index, Filters(min_score=99))
    assert (found.lines, found.identities, found.unique_urls) == (0, 0, 0)
    assert found.hosts == Bars((), ())
    assert sum(found.scores.counts) == 0


def test_a_repeat_whose_first_is_filtered_out_is_none(index: Index) -> None:
    # Row 1 repeats the URL of row 0, which does not pass here.
    assert statistics(index, Filters(max_score=1.0)).repeated == 0


def test_what_does_not_fit_on_the_chart_is_summed_up(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facedet.vggface.query.MOST_HOSTS", 1)
    assert statistics(index).hosts == Bars(("a.example",), (4,), rest_names=2, rest=2)


def test_any_number_of_poses_gives_few_bars(tmp_path: Path) -> None:
    lines = [f"{n:08d} http://H{n}.example/ 1 1 2 2 {n % 500}.{n} 1.00 1" for n in range(1000)]
    files = {"files/A.txt": ("\n".join(lines) + "\n").encode()}
    make_index(write_folder(tmp_path / "f", files), tmp_path / "i.parquet")
    found = statistics(Index.open(tmp_path / "i.parquet"))
    assert len(found.poses.names) <= 8
    assert sum(found.poses.counts) + found.poses.rest == 1000
    assert found.without_extension == 1000


def test_hosts_are_one_whatever_their_case_and_whoever_logs_in(tmp_path: Path) -> None:
    hosts = ("A.example", "a.example", "me:secret@A.EXAMPLE")
    lines = [f"{n:08d} http://{host}/x.jpg 1 1 2 2 3 1 1" for n, host in enumerate(hosts)]
    files = {"files/A.txt": ("\n".join(lines) + "\n").encode()}
    make_index(write_folder(tmp_path / "f", files), tmp_path / "i.parquet")
    assert statistics(Index.open(tmp_path / "i.parquet")).hosts == Bars(("a.example",), (3,))


@pytest.mark.parametrize(
    "limits", [{"min_score": float("nan")}, {"min_score": 2, "max_score": 1}, {"max_side": -1}]
)
def test_limits_that_are_none_are_refused(limits: dict) -> None:
    with pytest.raises(UsageError, match="the smaller first"):
        Filters(**limits)
