"""A download from beginning to end: links into the ledger, the run, labels of what came.

In the dataset's folder ``links.csv`` keeps what was asked for, and ``labels.csv`` has the rows
whose photo is there.
"""

import asyncio
import csv
import math
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from filelock import FileLock, Timeout

from facedet.download.addresses import Resolve, system_resolve
from facedet.download.client import DEFAULT_LIMITS, Client, Limits
from facedet.download.content import Picture, examine, label_fits
from facedet.download.engine import Ask, Download, Progress, Settings
from facedet.download.ledger import Ledger, Row, Where
from facedet.download.links import Link, names_of, read_links
from facedet.download.outcome import ErrorClass, Fetched
from facedet.errors import DatasetError
from facedet.files import replaced_atomically
from facedet.i18n import gettext as _
from facedet.labels.table import Problem

LEDGER = "ledger.sqlite"
LINKS = "links.csv"
LABELS = "labels.csv"
ADDED = ("image_width", "image_height", "label_fits")
LEAST_FREE_BYTES = 200_000_000
Z_95 = 1.96


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a random sample of the links says about all of them.

    Args:
        tried, good: links of the sample, and those that gave a picture.
        rate, low, high: the share of good ones, and its 95 % interval (Wilson 1927).
        mean_bytes: of a picture.
        seconds: that the sample took.
        total: links in all, of which the sample was drawn.
    """

    tried: int
    good: int
    rate: float
    low: float
    high: float
    mean_bytes: float
    seconds: float
    total: int

    @property
    def expected_photos(self) -> float:
        """Of all links."""
        return self.rate * self.total

    @property
    def expected_bytes(self) -> float:
        """Of all photos."""
        return self.expected_photos * self.mean_bytes

    @property
    def expected_seconds(self) -> float:
        """For all links, at the sample's speed; a long run is faster than a short one."""
        return self.seconds / self.tried * self.total if self.tried else 0.0


def open_dataset(labels_csv: Path, dataset: Path) -> tuple[Ledger, tuple[Problem, ...]]:
    """The dataset's ledger with all links of a label table in it, and the rows without one.

    Raises:
        LabelError: the table cannot be read.
        DatasetError: the folder is of another list, or has a damaged ledger.
    """
    kept = dataset / LINKS
    own = labels_csv.resolve() in (kept.resolve(), (dataset / LABELS).resolve())
    source = kept if own and kept.exists() else labels_csv
    links, problems = read_links(source)
    if not links:
        raise DatasetError(_("{name}: no row has a link").format(name=labels_csv.name))
    if source != kept and kept.exists():
        _check_contains(links, kept, labels_csv)
    ledger = Ledger.open(dataset / LEDGER)
    try:
        ledger.add(links)
        ledger.tidy()
        if source != kept:
            # Kept apart from labels.csv, which will say what came.
            with replaced_atomically(kept) as temporary:
                shutil.copyfile(source, temporary)
    except BaseException:
        ledger.close()
        raise
    return ledger, problems


def _check_contains(links: Sequence[Link], kept: Path, given: Path) -> None:
    """A longer list may take the place of the dataset's own, another one may not."""
    before, _problems = read_links(kept)
    missing = {(link.identity, link.photo_id) for link in before}
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
def alone(dataset: Path) -> Iterator[None]:
    """Hold the dataset for one download.

    Raises:
        DatasetError: another process downloads into it.
    """
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
    only: Collection[str] | None = None,
    limit: int | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
    asked: Callable[[], Ask] = lambda: "",
) -> Progress:
    """Download what waits, and write the labels of all that is there; also when stopped.

    Args:
        only: ask for these URLs and no others; see `take_up_again`.
        limit: links to ask for in this run, at most.

    Raises:
        DiskError: the disk is full or broken, or was nearly full at the start.
    """
    check_free(dataset)
    found = ledger.funnel()
    links, total = ledger.waiting(limit), min(found.urls - found.tried, limit or found.urls)
    if only is not None:
        chosen = [link for link in ledger.waiting() if link.url in only][:limit]
        links, total = iter(chosen), len(chosen)

    async def run() -> Progress:
        async with Client(
            limits=network.limits,
            allow_private=network.allow_private,
            resolve=network.resolve,
            connections=settings.workers,
        ) as client:
            job = Download(dataset, ledger, client, settings, report, asked)
            return await job.run(links, total)

    mark_placeholders(ledger)  # a kill may have come between a copy and its rows
    try:
        return asyncio.run(run())
    finally:
        mark_placeholders(ledger)
        write_labels(dataset, ledger)


def take_up_again(ledger: Ledger, classes: Sequence[ErrorClass]) -> set[str]:
    """Let the failures of these classes wait again; returns their URLs."""
    urls = {row.url for name in classes for row in ledger.each(Where(error_class=name))}
    ledger.retry(classes)
    return urls


def mark_placeholders(ledger: Ledger) -> None:
    """Turn every picture that so many addresses share into the failure that it is."""
    for sha256, host in ledger.placeholders():
        ledger.mark_placeholders(sha256, host)


def check_free(dataset: Path) -> int:
    """Bytes free where the dataset lies.

    Raises:
        DatasetError: too few to begin.
    """
    place = next(path for path in (dataset, *dataset.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        raise DatasetError(
            _("only {free:.0f} MB are free at {place}; make room first").format(
                free=free / 1e6, place=place
            )
        )
    return free


def probe(links: Sequence[Link], n: int, network: Network, seed: int = 0) -> Probe:
    """Try a random sample of the links, keep nothing, and tell what to expect of all."""
    sample = Random(seed).sample(list(links), min(n, len(links)))
    sizes: list[int] = []

    async def run() -> None:
        async with Client(
            limits=network.limits, allow_private=network.allow_private, resolve=network.resolve
        ) as client:
            gate = asyncio.Semaphore(32)

            async def one(link: Link) -> None:
                async with gate:
                    answer = await client.fetch(link.url)
                if isinstance(answer, Fetched) and isinstance(
                    await asyncio.to_thread(examine, answer.body, link.photo_id), Picture
                ):
                    sizes.append(len(answer.body))

            await asyncio.gather(*(one(link) for link in sample))

    began = time.monotonic()
    asyncio.run(run())
    low, high = wilson(len(sizes), len(sample))
    return Probe(
        tried=len(sample),
        good=len(sizes),
        rate=len(sizes) / len(sample) if sample else 0.0,
        low=low,
        high=high,
        mean_bytes=sum(sizes) / len(sizes) if sizes else 0.0,
        seconds=time.monotonic() - began,
        total=len(links),
    )


def wilson(good: int, tried: int, z: float = Z_95) -> tuple[float, float]:
    """The interval of a share, 0-1 (E. B. Wilson 1927); all of it where nothing was tried."""
    if tried == 0:
        return 0.0, 1.0
    share, z2 = good / tried, z * z
    centre = share + z2 / (2 * tried)
    spread = z * math.sqrt(share * (1 - share) / tried + z2 / (4 * tried * tried))
    below = 1 + z2 / tried
    return max(0.0, (centre - spread) / below), min(1.0, (centre + spread) / below)


def write_labels(dataset: Path, ledger: Ledger) -> int:
    """``labels.csv`` anew: the rows of ``links.csv`` whose photo is there; returns how many.

    ``image_path`` is where it lies, and three columns say what is known of it. A row whose link is
    not the one that was fetched is left out: that photo is not its own.
    """
    there = {(row.identity, row.photo_id): row for row in ledger.each(Where(state="done"))}
    n = 0
    with (
        (dataset / LINKS).open(encoding="utf-8-sig", newline="") as source,
        replaced_atomically(dataset / LABELS) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as target,
    ):
        rows = csv.DictReader(source)
        given = list(rows.fieldnames or ())
        columns = [*given, *(column for column in ADDED if column not in given)]
        writer = csv.DictWriter(target, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            names = (row.get("identity") or "", row.get("photo_id") or "", row["image_path"])
            found = there.get(names_of(*names))
            if found is not None and found.url == row.get("url"):
                writer.writerow(row | _known(found, row))
                n += 1
    return n


def _known(found: Row, row: Mapping[str, str]) -> dict[str, str]:
    """The cells that a photo fills; its label is judged by the row's own box."""
    assert found.image_width is not None
    assert found.image_height is not None
    fits = ""
    if row.get("x1"):
        box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
        fits = str(int(label_fits(box, (found.image_width, found.image_height))))
    return {
        "image_path": found.image_path,
        "image_width": str(found.image_width),
        "image_height": str(found.image_height),
        "label_fits": fits,
    }
