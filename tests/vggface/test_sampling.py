from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facedet.errors import UsageError
from facedet.vggface import Filters, Index, Sample, choose, course_lines, forecast, size_of
from facedet.vggface.making import make_index
from tests.vggface.made import write_folder


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """30 people with 5 to 63 lines, every tenth line a repeat of the first URL."""
    files = {}
    for p in range(30):
        lines = [
            f"{n:08d} http://h{n % 7}.example/{p}/{0 if n % 10 == 9 else n}.jpg "
            f"1.00 1.00 {20 + n}.00 {20 + n}.00 {1 + n % 5}.00 {n % 6}.50 {n % 2}"
            for n in range(5 + 2 * p)
        ]
        files[f"files/Person_{p}.txt"] = ("\n".join(lines) + "\n").encode()
    folder = tmp_path_factory.mktemp("crowd")
    make_index(write_folder(folder / "f", files), folder / "i.parquet")
    return Index.open(folder / "i.parquet")


def test_no_sample_is_every_line(crowd: Index) -> None:
    assert choose(crowd, None).tolist() == list(range(len(crowd)))


def test_a_sample_takes_an_address_of_a_file_once(crowd: Index) -> None:
    rows = choose(crowd, Sample())
    pairs = list(zip(crowd.identity[rows], crowd.url_number[rows], strict=True))
    assert len(set(pairs)) == len(pairs) < len(crowd)
    assert len(set(pairs)) == len(set(zip(crowd.identity, crowd.url_number, strict=True)))


def test_identities_and_photos_of_each(crowd: Index) -> None:
    rows = choose(crowd, Sample(identities=8, per_identity=6, seed=3))
    per_person = Counter(crowd.identity[rows].tolist())
    assert len(per_person) == 8
    assert max(per_person.values()) == 6
    assert rows.tolist() == sorted(rows.tolist())


def test_a_limit_is_spread_evenly(crowd: Index) -> None:
    rows = choose(crowd, Sample(lines=100))
    assert len(rows) == 100
    counts = np.bincount(crowd.identity[rows])
    assert sorted(set(counts.tolist())) == [3, 4]


@pytest.mark.parametrize(
    "sample",
    [
        Sample(),
        Sample(identities=4),
        Sample(per_identity=7),
        Sample(identities=5, per_identity=4, seed=2),
        Sample(lines=50),
        Sample(lines=12),
        Sample(lines=10**6),
        Sample(filters=Filters(curated=True, min_side=30), per_identity=3),
        Sample(filters=Filters(min_score=99), per_identity=3),
        Sample(identities=10**6, per_identity=10**6),
    ],
    ids=str,
)
def test_the_size_is_known_without_choosing(crowd: Index, sample: Sample) -> None:
    rows = choose(crowd, sample)
    assert size_of(crowd, sample) == (len(rows), len(set(crowd.identity[rows].tolist())))


def test_same_seed_same_sample_another_seed_another(crowd: Index) -> None:
    one, again, other = (
        choose(crowd, Sample(identities=8, per_identity=6, seed=s)).tolist() for s in (1, 1, 2)
    )
    assert one == again != other


def test_a_larger_sample_contains_the_smaller(crowd: Index) -> None:
    small = set(choose(crowd, Sample(identities=5, per_identity=4)).tolist())
    large = set(choose(crowd, Sample(identities=9, per_identity=11)).tolist())
    assert small < large


def test_a_sample_does_not_depend_on_the_order_of_the_files(crowd: Index, tmp_path: Path) -> None:
    names = [f"files/Person_{p}.txt" for p in range(30)]
    source = crowd.path.parent / "f"
    turned = {name.replace("Person", "Z"): (source / name).read_bytes() for name in names[:2]}
    more = {**turned, **{name: (source / name).read_bytes() for name in names}}
    make_index(write_folder(tmp_path / "f", {"files/A.txt": b"", **more}), tmp_path / "i.parquet")
    other = Index.open(tmp_path / "i.parquet")

    def chosen(index: Index) -> set[tuple[str, int]]:
        rows = choose(index, Sample(per_identity=5))
        return {
            (index.identities[i], int(n))
            for i, n in zip(index.identity[rows], index.photo_id[rows], strict=True)
        }

    assert chosen(crowd) < chosen(other)


def test_every_line_of_a_person_can_be_drawn(crowd: Index) -> None:
    drawn = {
        row
        for seed in range(400)
        for row in choose(crowd, Sample(per_identity=2, seed=seed)).tolist()
    }
    assert drawn == set(choose(crowd, Sample()).tolist())


def test_the_course_set_takes_what_survival_asks_for() -> None:
    assert course_lines(0.5) == 30_000
    assert forecast(course_lines(0.37), 0.37).photos == pytest.approx(15_000, abs=1)


def test_the_forecast_is_arithmetic_that_one_can_follow() -> None:
    expected = forecast(1000, 0.4, photo_bytes=50_000, photos_per_s=10)
    assert (expected.photos, expected.size_bytes, expected.seconds) == (400, 20_000_000, 40)


@pytest.mark.parametrize("rate", [0, -1, 1.01, float("nan")])
def test_a_survival_rate_is_a_share(rate: float) -> None:
    with pytest.raises(UsageError, match="survival rate"):
        course_lines(rate)


@pytest.mark.parametrize("field", ["identities", "per_identity", "lines"])
def test_a_sample_of_less_than_one_is_refused(field: str) -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        Sample(**{field: 0})
