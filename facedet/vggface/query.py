"""Questions to an index: which lines pass some filters, and what these lines are like."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facedet.errors import UsageError
from facedet.i18n import gettext as _
from facedet.vggface.lines import FRONTAL_ABOVE
from facedet.vggface.store import BoolArray, Index

MOST_HOSTS = 15
MOST_EXTENSIONS = 8
MOST_POSES = 8
# Histogram edges: of scores, and of box sides, which spread over two orders of magnitude.
SCORE_EDGES = np.arange(0, 6.25, 0.25)
SIDE_EDGES = np.array([0, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, np.inf])


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which lines to look at; the default is all of them.

    Args:
        curated: only those of the final, curated set.
        frontal: only frontal faces: pose above 2.
        min_score, max_score: of the DPM detector; both ends included.
        min_side, max_side: shorter side of the box in pixels; both ends included.
        inside: only boxes that begin within their photo.
        https: only addresses with https.
        host: only this host, in lower case; "" for all.
        identity: only this person; "" for all.
    """

    curated: bool = False
    frontal: bool = False
    min_score: float = -np.inf
    max_score: float = np.inf
    min_side: float = 0.0
    max_side: float = np.inf
    inside: bool = False
    https: bool = False
    host: str = ""
    identity: str = ""

    def __post_init__(self) -> None:
        for name in ("score", "side"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if not low <= high:  # NaN fails this comparison too
                raise UsageError(
                    _("{name} from {low} to {high}: give two numbers, the smaller first").format(
                        name=name, low=low, high=high
                    )
                )


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts by name, largest first; what does not fit on a chart is summed up in `rest`."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    rest_names: int = 0
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges: ``counts[i]`` lie in ``edges[i] <= value < edges[i + 1]``."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the chosen lines are like, ready for plotting.

    Args:
        lines: chosen.
        identities: with one line at least.
        unique_urls: different addresses.
        repeated: lines whose URL stands earlier in the same file, among those chosen.
        negative: lines whose box begins left of or above the photo.
        unusual: lines whose URL has characters that RFC 3986 does not allow.
        without_extension: lines whose URL ends in no name of a kind of file.
        hosts, schemes, extensions, curation, poses: lines by each, as the files have it; the
            extension may be "".
        n_hosts: different hosts.
        scores: of the DPM detector.
        sides: shorter side of the boxes, in pixels.
        lines_per_identity: one count for each identity that has a line, smallest first.
    """

    lines: int
    identities: int
    unique_urls: int
    repeated: int
    negative: int
    unusual: int
    without_extension: int
    n_hosts: int
    hosts: Bars
    schemes: Bars
    extensions: Bars
    curation: Bars
    poses: Bars
    scores: Histogram
    sides: Histogram
    lines_per_identity: npt.NDArray[np.intp]


def matching(index: Index, filters: Filters) -> BoolArray:
    """Which lines pass: (N,) bool.

    Raises:
        UsageError: a host or identity that the index does not have.
    """
    chosen = np.ones(len(index), bool)
    if filters.curated:
        chosen &= index.curated
    if filters.frontal:
        chosen &= index.pose > FRONTAL_ABOVE
    if filters.min_score > -np.inf or filters.max_score < np.inf:
        chosen &= _within(index.detection_score, filters.min_score, filters.max_score)
    if filters.min_side > 0 or filters.max_side < np.inf:
        chosen &= _within(index.sides, filters.min_side, filters.max_side)
    if filters.inside:
        chosen &= ~index.negative
    if filters.https:
        chosen &= index.https
    if filters.host:
        chosen &= index.host == _number_of(index.hosts, filters.host, _("host"))
    if filters.identity:
        chosen &= index.identity == _number_of(index.identities, filters.identity, _("identity"))
    return chosen


def statistics(index: Index, filters: Filters | None = None) -> Statistics:
    """What the lines that pass are like.

    Raises:
        UsageError: as `matching`.
    """
    rows = np.flatnonzero(matching(index, filters or Filters()))
    per_identity = np.bincount(index.identity[rows], minlength=len(index.identities))
    per_host = np.bincount(index.host[rows], minlength=len(index.hosts))
    per_extension = np.bincount(index.extension[rows], minlength=len(index.extensions))
    https = int(index.https[rows].sum())
    curated = int(index.curated[rows].sum())
    return Statistics(
        lines=len(rows),
        identities=int((per_identity > 0).sum()),
        unique_urls=_distinct(index.url_number[rows], index.n_urls),
        repeated=len(rows) - len(once_per_file(index, rows)),
        negative=int(index.negative[rows].sum()),
        unusual=int(index.unusual[rows].sum()),
        without_extension=sum(
            int(n) for name, n in zip(index.extensions, per_extension, strict=True) if not name
        ),
        n_hosts=int((per_host > 0).sum()),
        hosts=_bars(index.hosts, per_host, MOST_HOSTS),
        schemes=Bars(("http", "https"), (len(rows) - https, https)),
        extensions=_bars(index.extensions, per_extension, MOST_EXTENSIONS),
        curation=Bars(("1", "0"), (curated, len(rows) - curated)),
        poses=_poses(index.pose[rows]),
        scores=_histogram(index.detection_score[rows], SCORE_EDGES),
        sides=_histogram(index.sides[rows], SIDE_EDGES),
        lines_per_identity=np.sort(per_identity[per_identity > 0]),
    )


def once_per_file(index: Index, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Of these rows, only the first of each that share URL and file.

    Args:
        rows: ascending.
    """
    first = index.first_row[rows]
    owner = np.full(len(index), -1, np.int32)
    owner[first[::-1]] = rows[::-1]  # the last to write is the earliest row
    return np.sort(owner[owner >= 0]).astype(np.intp)


def _within(values: npt.NDArray[Any], low: float, high: float) -> BoolArray:
    # Values are float32: a limit of 0.1 must let the stored 0.1 through.
    return np.asarray((values >= np.float32(low)) & (values <= np.float32(high)))


def _number_of(names: tuple[str, ...], name: str, kind: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise UsageError(
            _("there is no {kind} {name!r} in this index").format(kind=kind, name=name[:80])
        ) from None


def _distinct(numbers: npt.NDArray[np.int32], n: int) -> int:
    seen = np.zeros(n, bool)
    seen[numbers] = True
    return int(seen.sum())


def _bars(names: tuple[str, ...], counts: npt.NDArray[np.intp], most: int) -> Bars:
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    shown, others = order[:most], order[most:]
    return Bars(
        tuple(names[i] for i in shown),
        tuple(counts[shown].tolist()),
        len(others),
        int(counts[others].sum()),
    )


def _poses(pose: npt.NDArray[np.float32]) -> Bars:
    """The most frequent poses in their own order; a broken list may have any number of them."""
    values, counts = np.unique(pose, return_counts=True)
    shown = np.sort(np.argsort(-counts, kind="stable")[:MOST_POSES])
    rest = int(counts.sum() - counts[shown].sum())
    names = tuple(f"{value:g}" for value in values[shown])
    return Bars(names, tuple(counts[shown].tolist()), len(values) - len(shown), rest)


def _histogram(values: npt.NDArray[np.float32], edges: npt.NDArray[np.float64]) -> Histogram:
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], 0))  # what lies beyond is at the end
    counts, _edges = np.histogram(inside, edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
