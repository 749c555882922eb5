import tracemalloc
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from facedet.cleaning import copies, integrity
from facedet.cleaning.copies import (
    MAX_DISTANCE,
    all_but_the_best,
    is_placeholder,
    same_to_the_eye,
)
from facedet.cleaning.pictures import Labels
from tests.cleaning.made import frame

NOBODY = Labels(
    np.empty(0, object), np.empty((0, 4), np.float32), np.empty(0, bool), frozenset(), {}
)


def flagged(files: list[str]) -> list[bool]:
    """Files as ``person:content``."""
    rows = [
        {"image_path": f"images/{file.partition(':')[0]}/{n}.jpg", "sha256": file.partition(":")[2]}
        for n, file in enumerate(files)
    ]
    table = frame(integrity.cleaner(), rows)
    found = dict(zip(table.index, is_placeholder(table, NOBODY).tolist(), strict=True))
    return [found[str(row["image_path"])] for row in rows]


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ([], []),
        (["Ann:x", "Bob:x", "Cid:x", "Ann:y"], [True, True, True, False]),
        (["Ann:x", "Bob:x", "Ann:x", "Bob:x"], [False] * 4),
        (["Ann:x", "Bob:x", "Ann:x", "Bob:x", "Ann:x"], [True] * 5),
        (["Ann:x"] * 9, [False] * 9),
    ],
)
def test_a_placeholder_is_one_file_for_several_people(files: list[str], answer: list[bool]) -> None:
    assert flagged(files) == answer


@pytest.mark.parametrize(
    ("groups", "worth", "extra"),
    [
        ([], [], []),
        ([1, 1, 1], [5, 5, 5], [False, True, True]),
        ([1, 1, 1], [5, 7, 6], [True, False, True]),
        ([2, 1, 2, 1], [0, 0, 1, 0], [True, False, False, True]),
        ([-1, -1, -1], [0, 0, 0], [False] * 3),
    ],
)
def test_the_best_of_each_group_stays_or_else_the_first(
    groups: list[int], worth: list[float], extra: list[bool]
) -> None:
    assert all_but_the_best(np.array(groups, np.intp), worth).tolist() == extra


def some_hashes(n: int = 300) -> list[int]:
    """Random ones, many of them near another."""
    rng = np.random.default_rng(5)
    hashes = [int(value) for value in rng.integers(0, 1 << 63, n, dtype=np.uint64)]
    for k in range(0, n, 2):
        for bit in rng.choice(64, rng.integers(0, 9), replace=False):
            hashes[k] = hashes[k] ^ (1 << int(bit)) if k % 4 else hashes[k + 1] ^ (1 << int(bit))
    return hashes


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
def test_near_pairs_are_those_that_comparing_all_with_all_finds(distance: int) -> None:
    hashes = some_hashes()
    rows = [
        {"image_path": f"{n:04d}.jpg", "phash": f"{value:016x}", "width": 4, "height": 3}
        for n, value in enumerate(hashes)
    ]
    groups, nearest = same_to_the_eye(frame(integrity.cleaner(), rows), distance)
    for a, b in combinations(range(len(hashes)), 2):
        if (hashes[a] ^ hashes[b]).bit_count() <= distance:
            assert groups[a] == groups[b]
    others = [
        min((one ^ other).bit_count() for k, other in enumerate(hashes) if k != n)
        for n, one in enumerate(hashes)
    ]
    within = [bits if bits <= MAX_DISTANCE else 64 for bits in others]
    assert nearest.tolist() == within
    alone = sum(bits > distance for bits in others)
    assert np.unique(groups).size >= alone


def alike_frames(n: int, seed: int = 1) -> pd.DataFrame:
    """Hashes within three bits of one, as frames of a video have; not all of the same shape."""
    rng = np.random.default_rng(seed)
    hashes = np.full(n, 0x1234_5678_9ABC_DEF0, np.uint64)
    for _bit in range(3):
        hashes ^= np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)
    return pd.DataFrame(
        {
            "phash": [f"{value:016x}" for value in hashes.tolist()],
            "width": rng.integers(380, 420, n).astype(float),
            "height": 300.0,
        }
    )


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
def test_walking_and_comparing_pairs_find_the_same(
    distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = alike_frames(150)
    found = []
    for many in (0, 1 << 40):
        monkeypatch.setattr(copies, "MANY_PAIRS", many)
        copies._neighbours.cache_clear()
        groups, nearest = same_to_the_eye(frames, distance)
        found.append(((groups[:, None] == groups[None]).tolist(), nearest.tolist()))
    copies._neighbours.cache_clear()
    assert found[0] == found[1]


def test_many_alike_frames_cost_little_memory() -> None:
    frames = alike_frames(3000)
    tracemalloc.start()
    same_to_the_eye(frames, 4)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 << 20


@pytest.mark.parametrize(
    ("available", "extra"),
    [
        ([True, True, True], [False, True, True]),
        ([False, True, True], [False, False, True]),
        ([True, False, True], [False, True, True]),
        ([False, False, True], [False, True, False]),
        ([False, False, False], [False, True, True]),
    ],
)
def test_no_copy_goes_for_one_that_is_set_aside(available: list[bool], extra: list[bool]) -> None:
    groups = np.zeros(3, np.intp)
    assert all_but_the_best(groups, [3, 2, 1], available).tolist() == extra


def test_another_shape_or_no_pattern_is_another_picture() -> None:
    rows = [
        {"image_path": "1.jpg", "phash": "0f" * 8, "width": 400, "height": 300},
        {"image_path": "2.jpg", "phash": "0f" * 8, "width": 300, "height": 300},
        {"image_path": "3.jpg", "phash": "", "width": 400, "height": 300},
        {"image_path": "4.jpg", "phash": "", "width": 400, "height": 300},
    ]
    groups, nearest = same_to_the_eye(frame(integrity.cleaner(), rows), 6)
    assert groups[0] != groups[1]
    assert groups[2:].tolist() == [-1, -1]
    assert nearest.tolist() == [64] * 4
