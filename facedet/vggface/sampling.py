"""Choosing lines: some identities, some photos of each; seeded, repeatable, and nested.

Every line gets a number from the seed, its identity and its id, and the lowest numbers win. So a
sample does not depend on the order of the files or on the machine, a larger one contains the
smaller one of the same seed, and another filter does not reshuffle what both have in common.
"""

from dataclasses import asdict, dataclass, field, fields
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from facedet.errors import UsageError
from facedet.i18n import gettext as _
from facedet.vggface.query import Filters, matching, once_per_file
from facedet.vggface.store import Index

COURSE_PHOTOS = 15_000
# Until somebody probes: in 2018 46 % of the links were dead already (see docs/dataset.md).
SURVIVAL_RATE = 0.4
PHOTO_BYTES = 80_000
PHOTOS_PER_S = 20.0

Rows = npt.NDArray[np.intp]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which lines to take. None means no limit.

    Args:
        filters: lines that do not pass are never taken.
        identities: how many, chosen at random.
        per_identity: how many lines of each, at most.
        lines: how many in all, at most; spread as evenly over the identities as they allow.
        seed: another seed, another sample.
    """

    filters: Filters = field(default_factory=Filters)
    identities: int | None = None
    per_identity: int | None = None
    lines: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("identities", "per_identity", "lines"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(
                    _("{name} is {value}: give 1 or more").format(
                        name=name.replace("_", " "), value=value
                    )
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect of downloading so many lines."""

    photos: float
    size_bytes: float
    seconds: float


def forecast(
    lines: int,
    survival_rate: float = SURVIVAL_RATE,
    photo_bytes: float = PHOTO_BYTES,
    photos_per_s: float = PHOTOS_PER_S,
) -> Forecast:
    """Photos, bytes and time to expect.

    Args:
        survival_rate: share of the links that still give their photo, above 0 to 1.
        photo_bytes: mean size of a photo.
        photos_per_s: good photos a second.

    Raises:
        UsageError: a rate outside its range.
    """
    photos = lines * checked_rate(survival_rate)
    return Forecast(photos=photos, size_bytes=photos * photo_bytes, seconds=photos / photos_per_s)


def course_lines(survival_rate: float = SURVIVAL_RATE, photos: int = COURSE_PHOTOS) -> int:
    """How many lines to take so that about `photos` of them survive."""
    return round(photos / checked_rate(survival_rate))


def checked_rate(survival_rate: float) -> float:
    """The rate itself; raises `UsageError` where it is no share."""
    if not 0 < survival_rate <= 1:
        raise UsageError(
            _("the survival rate is {value}: give a share above 0, up to 1").format(
                value=survival_rate
            )
        )
    return survival_rate


def choose(index: Index, sample: Sample | None) -> Rows:
    """The rows of the chosen lines, ascending.

    Args:
        sample: the same URL of the same file is then taken once; None: every line as it stands.

    Raises:
        UsageError: a host or identity that the index does not have.
    """
    if sample is None:
        return np.arange(len(index))
    rows = _candidates(index, sample)
    if sample.per_identity is None and sample.lines is None:
        return rows
    identity = index.identity[rows]
    keys = _name_keys(index.identities)[identity] + index.photo_id[rows].astype(np.uint64)
    keys = _mixed(keys, sample.seed)
    rank = _rank_within(identity, keys)
    if sample.per_identity is not None:
        kept = rank < sample.per_identity
        rows, keys, rank = rows[kept], keys[kept], rank[kept]
    if sample.lines is not None and sample.lines < len(rows):
        # First everyone's first photo, then everyone's second, and so on.
        rows = np.sort(rows[np.lexsort((keys, rank))[: sample.lines]])
    return rows


def size_of(index: Index, sample: Sample) -> tuple[int, int]:
    """How many lines, of how many identities, `choose` would give; much sooner than it does.

    Raises:
        UsageError: as `choose`.
    """
    counts = np.bincount(index.identity[_candidates(index, sample)])
    if sample.per_identity is not None:
        counts = np.minimum(counts, sample.per_identity)
    lines, identities = int(counts.sum()), int((counts > 0).sum())
    if sample.lines is not None:
        lines, identities = min(lines, sample.lines), min(identities, sample.lines)
    return lines, identities


def as_options(sample: Sample) -> list[str]:
    """The options of ``facedet index`` that ask for this sample.

    ``--once`` stands where nothing else does: without any option that command takes every line.
    """
    asked = {
        **{field.name: getattr(sample.filters, field.name) for field in fields(Filters)},
        **{name: getattr(sample, name) for name in ("identities", "per_identity", "lines", "seed")},
    }
    default = {**asdict(Filters()), **asdict(Sample())}
    options: list[str] = []
    for name, value in asked.items():
        if value == default[name]:
            continue
        options.append("--" + name.replace("_", "-"))
        if value is not True:
            options.append(f"{value:g}" if isinstance(value, float) else str(value))
    return options if options and options[0] != "--seed" else ["--once", *options]


def _candidates(index: Index, sample: Sample) -> Rows:
    """All lines of the chosen identities that pass, each photo once."""
    rows = once_per_file(index, np.flatnonzero(matching(index, sample.filters)))
    if sample.identities is None:
        return rows
    n = len(index.identities)
    present = np.flatnonzero(np.bincount(index.identity[rows], minlength=n))
    keys = _mixed(_name_keys(index.identities)[present], sample.seed)
    wanted = np.zeros(n, bool)
    wanted[present[np.argsort(keys, kind="stable")[: sample.identities]]] = True
    return np.asarray(rows[wanted[index.identity[rows]]])


def _rank_within(groups: npt.NDArray[np.int16], keys: Keys) -> Rows:
    """The place of each entry among those of its group, by key: 0 for the lowest."""
    # One sort of one number instead of two sorts; 48 bits of the key decide well enough.
    order = np.argsort(groups.astype(np.uint64) << np.uint64(48) | keys >> np.uint64(16))
    starts = np.flatnonzero(np.append(True, np.diff(groups[order]) != 0)[: len(order)])
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return rank


def _name_keys(names: tuple[str, ...]) -> Keys:
    digests = [blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _mixed(values: Keys, seed: int) -> Keys:
    """SplitMix64 (Steele, Lea, Flood 2014): close values and seeds give unrelated numbers."""
    z = values + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
