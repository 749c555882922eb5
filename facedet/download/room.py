"""Room on the disk: what a download is going to need, and a reserve that it never touches."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from facedet.download.folder import DiskError
from facedet.download.ledger import Ledger
from facedet.i18n import gettext as _

RESERVE_BYTES = 200_000_000  # a full system disk harms more than this download
ASSUMED_BYTES = 80_000  # of a photo of the web, and the share of links that give one
ASSUMED_SHARE = 0.5
ENOUGH_TRIED = 100  # links, after which this list's own share is the better guess


@dataclass(frozen=True, slots=True)
class Room:
    """What is free, and what the links that wait will need, in bytes.

    Args:
        free: where the dataset lies.
        needed: expected; the reserve is not in it.
        measured: whether this dataset's own pictures say so, rather than an assumption.
    """

    free: int
    needed: int
    measured: bool

    @property
    def fits(self) -> bool:
        """Whether the reserve stays free."""
        return self.free - self.needed >= RESERVE_BYTES


def room(dataset: Path, waiting: int, ledger: Ledger | None = None) -> Room:
    """What so many links will need.

    Args:
        dataset: the folder; it may not be there yet.
        waiting: links.
        ledger: what came so far says how large the rest will be.
    """
    mean = ledger.mean_bytes() if ledger else None
    share = ASSUMED_SHARE
    if ledger is not None and (found := ledger.funnel()).tried >= ENOUGH_TRIED:
        share = found.pictures / found.tried
    needed = waiting * share * (ASSUMED_BYTES if mean is None else mean)
    return Room(free_bytes(dataset), int(needed), mean is not None)


def check_room(dataset: Path, waiting: int, ledger: Ledger) -> None:
    """Refuse a download that would not fit, before it has filled the disk.

    Raises:
        DiskError: with what would fit.
    """
    found = room(dataset, waiting, ledger)
    if found.fits:
        return
    least = _(
        "{dataset}: about {needed:,.0f} MB are to come and {free:,.0f} MB are free, of which "
        "{reserve:,.0f} MB stay so; make room, choose another disk, or take fewer with --limit"
    )
    raise DiskError(
        least.format(
            dataset=dataset,
            needed=found.needed / 1e6,
            free=found.free / 1e6,
            reserve=RESERVE_BYTES / 1e6,
        )
    )


def check_reserve(dataset: Path) -> None:
    """Look while it runs: others fill the disk, too.

    Raises:
        DiskError: only the reserve is left.
    """
    free = free_bytes(dataset)
    if free < RESERVE_BYTES:
        raise DiskError(
            _("only {free:,.0f} MB are free at {place}; make room and start again").format(
                free=free / 1e6, place=dataset
            )
        )


def free_bytes(place: Path) -> int:
    """Where that folder lies, or will lie."""
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
