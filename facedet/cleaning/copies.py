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


def all_but_the_best(groups: Ints, worth: npt.ArrayLike) -> Bools:
    """Which pictures have one of more worth in their group; of equals the first stays: (N,).

    Args:
        groups: (N,) number of each one's group; negative: none.
        worth: (N,).
    """
    order = np.lexsort((np.arange(len(groups)), -np.asarray(worth, float), groups))
    first = np.ones(len(groups), bool)
    first[1:] = groups[order][1:] != groups[order][:-1]
    extra = np.zeros(len(groups), bool)
    extra[order] = ~first
    return extra & (groups >= 0)


def content_numbers(pictures: "pd.DataFrame") -> Ints:
    """A number for each different content: (N,)."""
    numbers: Ints = np.unique(pictures["sha256"].to_numpy("U64"), return_inverse=True)[1]
    return numbers


def same_to_the_eye(pictures: "pd.DataFrame", distance: float) -> tuple[Ints, Ints]:
    """Groups of pictures whose hashes differ in few bits, and the way to the nearest other.

    Args:
        distance: bits, at most `MAX_DISTANCE`.

    Returns:
        (N,) number of each one's group, -1 for a picture without pattern; and (N,) bits to the
        nearest other picture of the same shape, 64 where none is within `MAX_DISTANCE`.
    """
    looks, which, count = np.unique(_looks_of(pictures), return_inverse=True, return_counts=True)
    a, b, bits = _near_pairs(looks.tobytes())
    nearest = np.where(count > 1, 0, 64)
    np.minimum.at(nearest, a, bits)
    np.minimum.at(nearest, b, bits)
    groups = _joined(len(looks), a[bits <= distance], b[bits <= distance])
    patterned = (pictures["phash"] != "").to_numpy()
    return np.where(patterned, groups[which], -1), np.where(patterned, nearest[which], 64)


_LOOK = np.dtype([("hash", np.uint64), ("shape", np.int64)])


def _looks_of(pictures: "pd.DataFrame") -> npt.NDArray[np.void]:
    """The hash of each picture, and its shape in steps of `SAME_SHAPE`: (N,) of `_LOOK`."""
    looks = np.empty(len(pictures), _LOOK)
    text = "".join(pictures["phash"].where(pictures["phash"] != "", "0" * 16))
    looks["hash"] = np.frombuffer(bytes.fromhex(text), np.uint64)
    looks["shape"] = np.rint(np.log(pictures["width"] / pictures["height"]) / SAME_SHAPE)
    return looks


@lru_cache(maxsize=4)
def _near_pairs(looks: bytes) -> tuple[Ints, Ints, Ints]:
    """All pairs of different looks within `MAX_DISTANCE`: two (P,) indices and (P,) bits.

    Of six bits that differ, one of seven parts of the hash at least knows nothing; so it is enough
    to compare those that share a part. Remembered, for looks stay while a slider moves.
    """
    table = np.frombuffer(looks, _LOOK)
    found = [np.empty((0, 3), np.intp)]
    for part in np.array_split(np.arange(64, dtype=np.uint64), MAX_DISTANCE + 1):
        key = (table["hash"] >> part[0]) & np.uint64((1 << len(part)) - 1)
        found += _pairs_sharing(table, key)
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1], pairs[:, 2]


def _pairs_sharing(table: npt.NDArray[np.void], key: npt.NDArray[np.uint64]) -> list[Ints]:
    """Near pairs with the same key: each (P, 3), two indices and the bits."""
    order = np.argsort(key, kind="stable")
    key, hashes, shapes = key[order], table["hash"][order], table["shape"][order]
    found, ahead = [], 1
    while len(mates := np.flatnonzero(key[ahead:] == key[:-ahead])):  # each with the one `ahead`
        bits = _count_bits(hashes[mates] ^ hashes[mates + ahead])
        near = (bits <= MAX_DISTANCE) & (np.abs(shapes[mates] - shapes[mates + ahead]) <= 1)
        i, j = order[mates[near]], order[mates[near] + ahead]
        found.append(np.stack([np.minimum(i, j), np.maximum(i, j), bits[near]], axis=1))
        ahead += 1
    return found


_BITS = np.array([n.bit_count() for n in range(1 << 16)], np.uint8)


def _count_bits(numbers: npt.NDArray[np.uint64]) -> Ints:
    """How many bits are set in each number: (M,) -> (M,)."""
    quarters = _BITS[numbers.view(np.uint16).reshape(-1, 4)]  # (M, 4)
    return np.asarray(quarters.sum(axis=1, dtype=np.intp))


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
