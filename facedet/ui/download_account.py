"""What the ledger of a dataset says as a whole, counted once for all visitors."""

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from facedet.download import report
from facedet.download import room as disk
from facedet.download.account import Funnel, Where
from facedet.download.ledger import Ledger
from facedet.download.room import Room
from facedet.downloads import Dataset
from facedet.i18n import language

MOST_YIELDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Counting millions of rows takes seconds, so all of it is counted at once and kept.

    Args:
        size_bytes: of all pictures.
        space: what the links that wait will need; what is free is asked anew each time.
        people, sites: the first `MOST_YIELDS` of each.
    """

    funnel: Funnel
    size_bytes: int
    space: Room
    steps: list[report.Step]
    failures: list[report.ClassCount]
    people: list[report.Yield]
    sites: list[report.Yield]

    @property
    def waiting(self) -> int:
        """Addresses that have come to nothing yet."""
        return self.funnel.urls - self.funnel.tried


def account_of(dataset: Dataset) -> Account:
    """The account of a dataset that was begun. Raises `DatasetError`."""
    kept = _account(str(dataset.ledger_path), dataset.version, language())
    return replace(kept, space=replace(kept.space, free=disk.free_bytes(dataset.folder)))


@st.cache_data(max_entries=16, ttl="1h", show_spinner=False)
def _account(path: str, version: tuple[int, ...], reader: str) -> Account:
    with Ledger.open(Path(path), create=False) as ledger:
        found = ledger.funnel()
        return Account(
            funnel=found,
            size_bytes=_size(ledger, found.pictures),
            space=disk.room(Path(path).parent, found.urls - found.tried, ledger),
            steps=report.funnel(ledger),
            failures=report.by_class(ledger),
            people=report.by_identity(ledger)[:MOST_YIELDS],
            sites=report.by_host(ledger)[:MOST_YIELDS],
        )


def _size(ledger: Ledger, pictures: int) -> int:
    """Bytes of all pictures, each address once."""
    mean = ledger.mean_bytes()
    if mean is not None:
        return round(mean * pictures)
    # So few that there is no mean: they are added up.
    sizes = {row.image_path: row.bytes or 0 for row in ledger.each(Where(state="done"))}
    return sum(sizes.values())
