"""Some links tried at random, to know what all of them will give before hours are spent."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from facedet.download.addresses import canonical
from facedet.download.engine import Ask, Progress, Settings
from facedet.download.ledger import Ledger
from facedet.download.links import Link
from facedet.download.run import LEDGER, Network, ask_all, mark_placeholders
from facedet.download.supply import Listed

Z_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a random sample of the links says about all of them.

    Args:
        tried, good: links of the sample, and those that gave a picture.
        rate, low, high: the share of good ones, and its 95 % interval (Wilson 1927).
        mean_bytes: of a picture.
        seconds: that the sample took.
        total: different addresses in all, of which the sample was drawn.
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


def probe(
    links: Sequence[Link],
    n: int,
    settings: Settings,
    network: Network,
    *,
    seed: int = 0,
    report: Callable[[Progress], None] = lambda _progress: None,
    asked: Callable[[], Ask] = lambda: "",
) -> Probe | None:
    """Try a random sample just as the download would, keep nothing, and tell what to expect.

    "Image removed" is known by its number, so a small sample takes some of it for pictures.

    Returns:
        None where somebody stopped it: what had come by then came faster than the rest.
    """
    different = list({canonical(link.url): link for link in links}.values())
    sample = Random(seed).sample(different, min(n, len(different)))
    began = time.monotonic()
    with TemporaryDirectory(prefix="facedet-probe-") as name:
        folder = Path(name)
        with Ledger.open(folder / LEDGER) as ledger:
            ledger.add(sample)
            ask_all(folder, ledger, settings, network, Listed(sample), report, asked)
            mark_placeholders(ledger)
            tally = ledger.counts()
            sizes = [row.bytes or 0 for row in ledger.each() if row.state == "done"]
    if tally.waiting:
        return None
    low, high = wilson(tally.done, tally.total)
    return Probe(
        tried=tally.total,
        good=tally.done,
        rate=tally.done / tally.total if tally.total else 0.0,
        low=low,
        high=high,
        mean_bytes=sum(sizes) / len(sizes) if sizes else 0.0,
        seconds=time.monotonic() - began,
        total=len(different),
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
