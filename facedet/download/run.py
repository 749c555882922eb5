"""A download from beginning to end: links into the ledger, the run, labels of what came."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from facedet.download.addresses import Resolve, system_resolve
from facedet.download.client import DEFAULT_LIMITS, Client, Limits
from facedet.download.engine import Ask, Download, Progress, Settings
from facedet.download.labels import (
    LABELS,
    LINKS,
    Written,
    keep_links,
    note_problems,
    write_labels,
)
from facedet.download.ledger import Ledger
from facedet.download.links import Link, LinkTable, read_links
from facedet.download.outcome import ErrorClass
from facedet.download.room import check_room
from facedet.download.supply import Listed, Recorded, Supply
from facedet.errors import DatasetError
from facedet.i18n import gettext as _

LEDGER = "ledger.sqlite"
HANDLES_EACH = 2  # a worker has a connection, and one may be kept for later
HANDLES_ELSE = 128  # files, libraries, the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the network is asked.

    Args:
        limits: of each attempt.
        allow_private: this computer and private networks, too: for practice and classrooms.
        resolve: what to ask for the addresses of names.
    """

    limits: Limits = DEFAULT_LIMITS
    allow_private: bool = False
    resolve: Resolve = system_resolve


@contextmanager
def opened(labels_csv: Path, dataset: Path) -> Iterator[tuple[Ledger, LinkTable]]:
    """Hold a dataset for one download, with all links of a label table in its ledger.

    What is yielded of the table is what was wrong with it; its links are left out.

    Raises:
        LabelError: the table cannot be read; nothing has been made then.
        DatasetError: it has no link, the folder is of another list or has a damaged ledger, or
            another process downloads into it.
    """
    source = _source(labels_csv, dataset)
    table = read_links(source)
    if not table.links:
        raise DatasetError(_("{name}: no row has a link").format(name=labels_csv.name))
    with _alone(dataset):
        kept = dataset / LINKS
        if source != kept and kept.exists():
            _check_contains(table.links, kept, labels_csv)
        with Ledger.open(dataset / LEDGER) as ledger:
            ledger.add(table.links)
            ledger.note_source(table.rows, len(table.problems))
            ledger.tidy()
            if source != kept:
                keep_links(source, dataset)
            note_problems(dataset, table.problems)
            # Its links are in the ledger now, and may be millions: they need not stay in memory.
            yield ledger, replace(table, links=())


def _source(labels_csv: Path, dataset: Path) -> Path:
    """A dataset's own labels.csv says what came; what was asked for is in its links.csv."""
    kept = dataset / LINKS
    own = labels_csv.resolve() in (kept.resolve(), (dataset / LABELS).resolve())
    return kept if own and kept.exists() else labels_csv


def _check_contains(links: Sequence[Link], kept: Path, given: Path) -> None:
    """A longer list may take the place of the dataset's own, another one may not."""
    missing = {(link.identity, link.photo_id) for link in read_links(kept).links}
    missing -= {(link.identity, link.photo_id) for link in links}
    if missing:
        identity, photo_id = min(missing)
        raise DatasetError(
            _(
                "{dataset} was made of another list: {photo} and {n:,} more are not in {given}; "
                "choose another folder, or a list that contains the first"
            ).format(
                dataset=kept.parent,
                photo=f"{identity}/{photo_id}",
                n=len(missing) - 1,
                given=given.name,
            )
        )


@contextmanager
def _alone(dataset: Path) -> Iterator[None]:
    dataset.mkdir(parents=True, exist_ok=True)
    lock = FileLock(dataset / "download.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DatasetError(
            _("another download writes to {dataset}; wait for it, or stop it").format(
                dataset=dataset
            )
        ) from error
    try:
        yield
    finally:
        lock.release()


def download(
    dataset: Path,
    ledger: Ledger,
    settings: Settings,
    network: Network,
    *,
    only_again: bool = False,
    limit: int | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
    asked: Callable[[], Ask] = lambda: "",
) -> Progress:
    """Download what waits, and write the labels of all that is there; also when stopped.

    Args:
        only_again: ask only for failures that wait to be tried again; see `take_up_again`.
        limit: links to ask for in this run, at most.

    Raises:
        DiskError: the disk is full or broken, or has no room for what is to come.
        NetworkAwayError: nothing can be reached, for long.
    """
    mark_placeholders(ledger)  # a kill may have come between a copy and its rows
    missed = ledger.miss_pictures()
    supply: Supply = Recorded(ledger, only_again=only_again)
    if limit is not None and limit < supply.total:
        supply = Listed(ledger.waiting(limit, only_again=only_again))
    check_room(dataset, supply.total, ledger)
    try:
        progress = ask_all(dataset, ledger, settings, network, supply, report, asked)
    except BaseException:
        with suppress(DatasetError):  # what ended the run is what must be told
            _finish(dataset, ledger)
        raise
    kept = _finish(dataset, ledger).kept
    return replace(progress, missed=missed, labels_kept=kept.name if kept else "")


def _finish(dataset: Path, ledger: Ledger) -> Written:
    mark_placeholders(ledger)
    return write_labels(dataset, ledger)


def ask_all(
    dataset: Path,
    ledger: Ledger,
    settings: Settings,
    network: Network,
    supply: Supply,
    report: Callable[[Progress], None],
    asked: Callable[[], Ask],
) -> Progress:
    """Ask for these links, with a client of its own; see `Download`."""
    settings = replace(settings, workers=possible_workers(settings.workers))

    async def run() -> Progress:
        async with Client(
            limits=network.limits,
            allow_private=network.allow_private,
            resolve=network.resolve,
            connections=settings.workers,
        ) as client:
            return await Download(dataset, ledger, client, settings, report, asked).run(supply)

    return asyncio.run(run())


def possible_workers(wanted: int) -> int:
    """As many as there are file handles for: without one, a good site would look dead.

    Where the system's soft limit is too low for them, it is raised for this process.
    """
    if sys.platform == "win32":
        return wanted  # has no such limit
    import resource

    needed = HANDLES_EACH * wanted + HANDLES_ELSE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft != endless and soft < needed:
        soft = needed if hard == endless else min(needed, hard)
        with suppress(ValueError, OSError):  # some systems have a lower bound of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    room = wanted if soft == endless else (soft - HANDLES_ELSE) // HANDLES_EACH
    return max(1, min(wanted, room))


def take_up_again(ledger: Ledger, classes: Sequence[ErrorClass]) -> int:
    """Let the failures of these classes wait again, unless some still do; returns how many.

    A retry that was interrupted goes on before another begins: what it has settled by then, perhaps
    by failing anew, is not asked for a second time.
    """
    return ledger.to_retry() or (ledger.retry(classes) and ledger.to_retry())


def mark_placeholders(ledger: Ledger) -> None:
    """Turn every picture that so many addresses share into the failure that it is."""
    for sha256, site in ledger.placeholders():
        ledger.mark_placeholders(sha256, site)
