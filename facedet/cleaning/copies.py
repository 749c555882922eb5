"""Pictures that are there more than once: byte by byte, or to the eye."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facedet.cleaning.cleaner import Bools
from facedet.cleaning.pictures import Labels

if TYPE_CHECKING:
    import pandas as pd

# One file for three people, or five times for two, is what a site shows when a picture is gone. Of
# one person alone it is a photo that is there too often: one of them must stay.
PLACEHOLDER_RULES = ((3, 3), (5, 2))  # so many files, of so many people, at least
MAX_DISTANCE = 6  # of the 64 bits
FAR = 64  # bits; where nothing is near
MANY_PAIRS = 1 << 20  # that share a part of their hash; unlike pictures have n * n / 146 of them
SAME_SHAPE = 0.03  # a step of the logarithm of width / height; copies are at most one step apart

Ints = npt.NDArray[np.intp]


def is_placeholder(pictures: "pd.DataFrame", labels: Labels) -> Bools:
    """Which pictures are one file for several people: (N,)."""
    contents = content_numbers(pictures)
    n_files = np.bincount(contents, minlength=1)[contents]
    several = np.flatnonzero(n_files >= min(PLACEHOLDER_RULES)[0])
    names = pictures.index.tolist()
    people = np.unique([labels.identity_of(names[i]) for i in several], return_inverse=True)[1]
    shown = np.unique(np.stack([contents[several], people.astype(np.intp)]), axis=1)[0]
    n_people = np.bincount(shown, minlength=len(pictures) + 1)[contents]
    rules = [(n_files >= files) & (n_people >= people) for files, people in PLACEHOLDER_RULES]
    return np.asarray(np.any(rules, axis=0))


def all_but_the_best(groups: Ints, worth: npt.ArrayLike, available: npt.ArrayLike = True) -> Bools:
    """Which pictures have one of more worth in their group; of equals the first stays: (N,).

    Args:
        groups: (N,) number of each one's group; negative: none.
        worth: (N,).
        available: (N,) which still lie in the dataset, and will. For them the others count as
            gone: one of those that are left stays, though a better one was set aside.
    """
    there = np.broadcast_to(np.asarray(available, bool), groups.shape)
    of_all = _not_first(groups, np.asarray(worth, float))
    of_those_there = _not_first(np.where(there, groups, -1), np.asarray(worth, float))
    return np.where(there, of_those_there, of_all)


def _not_first(groups: Ints, worth: npt.NDArray[np.float64]) -> Bools:
    order = np.lexsort((np.arange(len(groups)), -worth, groups))
    first = np.ones(len(groups), bool)
    first[1:] = groups[order][1:] != groups[order][:-1]
    extra = np.zeros(len(groups), bool)
    extra[order] = ~first
    return np.asarray(extra & (groups >= 0))


def content_numbers(pictures: "pd.DataFrame") -> Ints:
    """A number for each different content: (N,)."""
    numbers: Ints = np.unique(pictures["sha256"].to_numpy("U64"), return_inverse=True)[1]
    return numbers


def same_to_the_eye(pictures: "pd.DataFrame", distance: float) -> tuple[Ints, Ints]:
    """Groups of pictures whose hashes differ in few bits, and the way to the nearest other.

    Args:
        distance: bits, at most `MAX_DISTANCE`; NaN counts as none.

    Returns:
        (N,) number of each one's group, -1 for a picture without pattern; and (N,) bits to the
        nearest other picture of the same shape, 64 where none is within `MAX_DISTANCE`.
    """
    looks, which, count = np.unique(_looks_of(pictures), return_inverse=True, return_counts=True)
    groups, nearest = _neighbours(looks.tobytes())
    chosen = groups[int(np.nan_to_num(distance))]
    nearest = np.where(count > 1, 0, nearest)
    patterned = (pictures["phash"] != "").to_numpy()
    return np.where(patterned, chosen[which], -1), np.where(patterned, nearest[which], FAR)


_LOOK = np.dtype([("hash", np.uint64), ("shape", np.int64)])


def _looks_of(pictures: "pd.DataFrame") -> npt.NDArray[np.void]:
    """The hash of each picture, and its shape in steps of `SAME_SHAPE`: (N,) of `_LOOK`."""
    looks = np.empty(len(pictures), _LOOK)
    text = "".join(pictures["phash"].where(pictures["phash"] != "", "0" * 16))
    looks["hash"] = np.frombuffer(bytes.fromhex(text), np.uint64)
    looks["shape"] = np.rint(np.log(pictures["width"] / pictures["height"]) / SAME_SHAPE)
    return looks


@lru_cache(maxsize=4)
def _neighbours(looks: bytes) -> tuple[Ints, Ints]:
    """Who belongs together at 0, 1, … `MAX_DISTANCE` bits, and how near the nearest other is.

    Remembered, for looks stay while a slider moves; so it is small: a few numbers a look.

    Returns:
        (`MAX_DISTANCE` + 1, n) groups; (n,) bits, `FAR` where none is within `MAX_DISTANCE`.
    """
    table = np.frombuffer(looks, _LOOK)
    parts = np.array_split(np.arange(64, dtype=np.uint64), MAX_DISTANCE + 1)
    keys = [(table["hash"] >> part[0]) & np.uint64((1 << len(part)) - 1) for part in parts]
    # Frames of one video share all parts with all others: then it is less work, and much less
    # memory, to walk from one to the next.
    if sum(map(_n_pairs_sharing, keys)) > max(len(table) ** 2 // 100, MANY_PAIRS):
        return _by_walking(table)
    return _by_pairs(table, keys)


def _n_pairs_sharing(key: npt.NDArray[np.uint64]) -> int:
    count = np.unique(key, return_counts=True)[1].astype(np.int64)
    return int((count * (count - 1) // 2).sum())


def _by_pairs(table: npt.NDArray[np.void], keys: list[npt.NDArray[np.uint64]]) -> tuple[Ints, Ints]:
    """By comparing those that share a part of the hash.

    Of six bits that differ, one of seven parts at least knows nothing.
    """
    found = [np.empty((0, 3), np.intp)]
    for key in keys:
        found += _pairs_sharing(table, key)
    a, b, bits = np.concatenate(found).T
    nearest = np.full(len(table), FAR)
    np.minimum.at(nearest, a, bits)
    np.minimum.at(nearest, b, bits)
    groups = [
        _joined(len(table), a[bits <= distance], b[bits <= distance])
        for distance in range(MAX_DISTANCE + 1)
    ]
    return np.stack(groups), nearest


def _by_walking(table: npt.NDArray[np.void]) -> tuple[Ints, Ints]:
    """By a walk that always goes on to whatever is nearest to any one visited (Prim 1957).

    Then each group is one stretch of the walk, at any distance, and begins with a longer step.
    """
    n = len(table)
    hashes, shapes, left = table["hash"].copy(), table["shape"].copy(), np.arange(n)
    reach = np.full(n, FAR, np.uint8)  # of each one left: bits to the nearest visited
    order, steps, nearest = np.empty(n, np.intp), np.empty(n, np.uint8), np.empty(n, np.intp)
    for place, last in enumerate(range(n - 1, -1, -1)):
        at = int(reach[: last + 1].argmin())
        here, shape, order[place], steps[place] = hashes[at], shapes[at], left[at], reach[at]
        for values in (hashes, shapes, left, reach):
            values[at] = values[last]  # what is left stays together, in front
        bits = _count_bits(hashes[:last] ^ here)
        bits[(bits > MAX_DISTANCE) | (np.abs(shapes[:last] - shape) > 1)] = FAR
        np.minimum(reach[:last], bits, out=reach[:last])
        nearest[order[place]] = min(steps[place], bits.min(initial=FAR))
    groups = np.empty((MAX_DISTANCE + 1, n), np.intp)
    groups[:, order] = np.cumsum(steps > np.arange(MAX_DISTANCE + 1)[:, None], axis=1)
    return groups, nearest


def _pairs_sharing(table: npt.NDArray[np.void], key: npt.NDArray[np.uint64]) -> list[Ints]:
    """Near pairs with the same key: each (P, 3), two indices and the bits."""
    order = np.argsort(key, kind="stable")
    key, hashes, shapes = key[order], table["hash"][order], table["shape"][order]
    found: list[Ints] = []
    ahead = 1
    while len(mates := np.flatnonzero(key[ahead:] == key[:-ahead])):  # each with the one `ahead`
        bits = _count_bits(hashes[mates] ^ hashes[mates + ahead])
        near = (bits <= MAX_DISTANCE) & (np.abs(shapes[mates] - shapes[mates + ahead]) <= 1)
        i, j = order[mates[near]], order[mates[near] + ahead]
        found.append(np.stack([np.minimum(i, j), np.maximum(i, j), bits[near]], axis=1))
        ahead += 1
    return found


_BITS = np.array([n.bit_count() for n in range(1 << 16)], np.uint8)


def _count_bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """How many bits are set in each number: (M,) -> (M,)."""
    if hasattr(np, "bitwise_count"):  # since NumPy 2
        return np.asarray(np.bitwise_count(numbers))
    quarters = _BITS[numbers.view(np.uint16).reshape(-1, 4)]  # (M, 4)
    return np.asarray(quarters.sum(axis=1, dtype=np.uint8))


def _joined(n: int, a: Ints, b: Ints) -> Ints:
    """The group of each of `n` things, where each pair (a, b) joins two groups: (n,)."""
    group = np.arange(n)
    while True:
        low = np.minimum(group[a], group[b])
        before = group.copy()
        np.minimum.at(group, a, low)
        np.minimum.at(group, b, low)
        group = group[group]
        if np.array_equal(group, before):
            return group
