"""The account of a download: one row a link, in an SQLite file that survives anything.

A picture is on disk before its row says so: whoever dies between the two leaves a link that waits,
and is fetched again. All rows of one address have the same fate, however they spell it, for it is
fetched once.
"""

import csv
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, cast

from facedet.download.account import COLUMNS, Funnel, Outcome, Row, Tally, Where
from facedet.download.addresses import canonical
from facedet.download.content import (
    PLACEHOLDER_URLS_ALONE,
    count_misfits,
    is_placeholder,
)
from facedet.download.database import connect, said
from facedet.download.folder import (
    drop,
    drop_copies,
    folders_of,
    is_part,
    keep_one,
    photo_of,
    writes,
)
from facedet.download.links import Box, Link, host_of
from facedet.download.outcome import ErrorClass
from facedet.download.statements import (
    ADD,
    CONTRADICTION,
    CORRECT,
    FAILURES,
    FATE,
    FORGET,
    FUNNEL,
    INCOMING,
    JUDGE,
    LABELS,
    MARK_REPEATS,
    OFTEN,
    ONLY_AGAIN,
    RECORD,
    ROW,
    SHARE_FATE,
    SUSPECTS,
    WAITING,
    WAITING_AT,
    WAITING_HOSTS,
)
from facedet.errors import DatasetError, shown_name
from facedet.files import replaced_atomically
from facedet.i18n import gettext as _
from facedet.labels.table import FORMULA_STARTS

PAGE_ROWS = 1000
LEAST_PICTURES = 20  # a mean of fewer says nothing
QUARANTINE = "quarantine"  # where cleaning sets pictures aside, in the folders that they had
MOST_LABELS = 200  # of one picture that are looked at; no group is larger
CLOCK_S = 2.0  # how coarse the times of files are on the coarsest file system (FAT)
_PICTURE = re.compile(r"images/(?!\.)[^/\\]+/(?!\.)[^/\\]+")  # a path out of a ledger is judged


class Ledger:
    """The ledger of one dataset folder; may be used from several threads and processes.

    Raises, from whatever method: `DiskError` where the disk is full or broken; `DatasetError` where
    the file is damaged, or kept by another process for half a minute.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open the ledger at `path`.

        Args:
            path: ``ledger.sqlite`` in the dataset's folder.
            create: make it, and its folder, where there is none.

        Raises:
            DatasetError: there is none, or it is damaged, foreign or of another version.
        """
        if create:
            with writes(path.parent.name):
                path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path, connect(path, create=create))

    def close(self) -> None:
        """Close the file; twice does no harm."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # --- Links

    def add(self, links: Iterable[Link]) -> int:
        """Add the links that are not there yet; returns how many.

        A new link with an address that is known shares its fate, come what came. A label that is
        another now than it was takes its place, and is judged anew.

        Raises:
            DatasetError: a photo is there with another address; nothing is added then.
        """
        with self._writing() as db:
            last = int(db.execute("SELECT COALESCE(MAX(number), 0) FROM links").fetchone()[0])
            db.execute(INCOMING)
            db.executemany(
                "INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _incoming(links)
            )
            for photo, known, url in db.execute(CONTRADICTION):
                raise DatasetError(
                    _(
                        "{photo} is in this dataset with another link, {known}, not {url}; "
                        "choose another folder for this list"
                    ).format(photo=photo, known=shown_name(known), url=shown_name(url))
                )
            db.execute(CORRECT)
            added = db.execute(ADD).rowcount
            db.execute("DROP TABLE incoming")
            db.execute(MARK_REPEATS, (last,))
            db.execute(SHARE_FATE, {"last": last})
            db.execute(JUDGE, (last,))
        return added

    def note_source(self, rows: int, unusable: int) -> None:
        """Write down of which table the links are; the last one counts.

        Args:
            rows: of the table, see `LinkTable`.
            unusable: of these, those without a link that can be used.
        """
        if not 0 <= unusable <= rows:
            raise ValueError(f"{unusable} of {rows} rows cannot be unusable")
        with self._writing() as db:
            db.execute("UPDATE source SET n_rows = ?, n_unusable = ?", (rows, unusable))

    def waiting(self, limit: int | None = None, *, only_again: bool = False) -> Iterator[Link]:
        """The links to do, one for each address, in the order in which they were added.

        May go on while outcomes are recorded: none comes twice.
        """
        query = WAITING.format(ONLY_AGAIN if only_again else "")
        last, left = 0, limit if limit is not None else -1
        while left:
            n = PAGE_ROWS if left < 0 else min(left, PAGE_ROWS)
            page = self._all(query, last, n)
            for row in page:
                yield _as_link(row)
                last = row[0]
            if len(page) < n:
                return
            left -= n if left > 0 else 0

    def waiting_hosts(self, *, only_again: bool = False) -> list[tuple[str, int]]:
        """Where links are to do, and how many addresses; the most first.

        Args:
            only_again: count only failures that wait to be tried again.
        """
        return [
            (host, n)
            for host, n in self._all(WAITING_HOSTS.format(ONLY_AGAIN if only_again else ""))
        ]

    def waiting_at(
        self, host: str, after: int, limit: int, *, only_again: bool = False
    ) -> list[tuple[int, Link]]:
        """The next links to do at a host, each with its number; the one to go on after."""
        query = WAITING_AT.format(ONLY_AGAIN if only_again else "")
        return [(row[0], _as_link(row)) for row in self._all(query, host, after, limit)]

    def retry(self, classes: Iterable[ErrorClass]) -> int:
        """Let the failed links of these classes wait again; returns how many rows.

        They are marked until they have come to something, so that an interrupted retry goes on.
        """
        wanted = tuple(classes)
        marks = ", ".join("?" * len(wanted))
        # The picture's sum and site stay: that it was a placeholder must not be forgotten.
        with self._writing() as db:
            return db.execute(
                f"{FORGET}, again = 1 WHERE error_class IN ({marks})", wanted
            ).rowcount

    def to_retry(self) -> int:
        """How many addresses were let wait again, and still do."""
        return sum(n for _host, n in self.waiting_hosts(only_again=True))

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what URLs came to, all or nothing; every row of an address gets the same.

        A picture's file must be on disk by then.
        """
        with self._writing() as db:
            db.executemany(RECORD, map(_as_values, outcomes))

    # --- Placeholders

    def placeholders(self, among: Iterable[str] | None = None) -> list[tuple[str, str]]:
        """Pictures that are a site's "image removed" and still stand as done: (sha256, site).

        A link belongs to its own site and to the one where it ended, for many sites may send to
        one. What earlier runs have found counts, too, so that nothing has to be remembered between.

        Args:
            among: look only at pictures with one of these sums: those that have just come.
        """
        sums = None if among is None else sorted(set(among))
        among_these = OFTEN if sums is None else ", ".join("?" * len(sums))
        return [
            (sha256, site)
            for sha256, site, n_urls, n_people in self._all(
                SUSPECTS.format(among_these), *(sums or ())
            )
            if is_placeholder(n_urls, n_people, self._misfits(sha256, site, n_urls))
        ]

    def _misfits(self, sha256: str, site: str, n_urls: int) -> int:
        """How many labels of this picture at this site contradict it or one another."""
        if n_urls >= PLACEHOLDER_URLS_ALONE:
            return 0  # nobody asks, and there may be thousands
        rows = self._all(LABELS, sha256, site, site, MOST_LABELS)
        labels = [(who, None if x1 is None else (x1, *box)) for who, _w, _h, x1, *box in rows]
        _who, w, h, *_box = rows[0]
        return count_misfits(cast(list[tuple[str, Box | None]], labels), (w, h))

    def mark_placeholders(self, sha256: str, site: str) -> int:
        """Turn this picture of this site from done to failed; returns how many rows.

        One copy of its file is kept in the folder ``placeholders``; equal ones go. In this order:
        the copy, the rows, the files; a crash in between is made good by `tidy`.
        """
        same = "sha256 = ? AND (host = ? OR final_host = ?) AND state = 'done'"
        query = f"SELECT DISTINCT image_path FROM links WHERE {same}"
        paths = [
            path for (path,) in self._all(query, sha256, site, site) if _PICTURE.fullmatch(path)
        ]
        kept = keep_one(self._dataset, sha256, paths)
        note = _("the same picture at many addresses of {host}").format(host=site)
        with self._writing() as db:
            n = db.execute(
                "UPDATE links SET state = 'failed', error_class = 'placeholder', image_path = ?, "
                f"note = ?, label_fits = NULL WHERE {same}",
                (kept, note, sha256, site, site),
            ).rowcount
        if kept:
            drop_copies(self._dataset, [(path, sha256) for path in paths])
        return n

    def tidy(self) -> int:
        """Take away what a killed process left: half-written files, and orphans.

        An orphan is a picture's file whose row does not say that it is there: the process died
        between the two, or among the files of a placeholder. What no row has the name of, and what
        is older than this ledger, is a person's and stays.

        Call it before a run, while no other process writes pictures here. Returns how many files.
        """
        n = 0
        for folder, names in folders_of(self._dataset):
            gone = [name for name in names if is_part(name)]
            if folder.startswith("images/"):
                gone += self._orphans(folder, names)
            n += drop(self._dataset / folder / name for name in gone)
        return n

    def miss_pictures(self) -> int:
        """Let pictures wait again that rows say are there and that are gone; returns how many.

        What was set aside into the dataset's quarantine is not gone.
        """
        names_in = dict(folders_of(self._dataset))
        query = "SELECT DISTINCT identity FROM links WHERE state = 'done'"
        gone = [
            path
            for (identity,) in self._all(query)
            for path in self._missing(f"images/{identity}", identity, names_in)
        ]
        with self._writing() as db:
            query = f"{FORGET} WHERE state = 'done' AND image_path = ?"
            db.executemany(query, [(path,) for path in gone])
        return len(gone)

    def _missing(
        self, folder: str, identity: str, names_in: Mapping[str, Sequence[str]]
    ) -> list[str]:
        query = "SELECT image_path FROM links WHERE identity = ? AND state = 'done'"
        there = {f"{folder}/{name}" for name in names_in.get(folder, ())}
        return [
            path
            for (path,) in self._all(query, identity)
            if path.startswith(f"{folder}/")
            and path not in there
            and not (self._dataset / QUARANTINE / path).exists()
        ]

    def _orphans(self, folder: str, names: Iterable[str]) -> list[str]:
        """Of the names of a person's files, those of orphans."""
        query = "SELECT image_path FROM links WHERE identity = ? AND state = 'done'"
        identity = folder.removeprefix("images/")
        there = {path for (path,) in self._all(query, identity)}
        loose = [name for name in names if f"{folder}/{name}" not in there]
        return [
            name
            for name in loose
            if self._has_row(identity, photo_of(name))
            and self._is_younger(self._dataset / folder / name)
        ]

    def _has_row(self, identity: str, photo_id: str) -> bool:
        query = "SELECT 1 FROM links WHERE identity = ? AND photo_id = ?"
        return bool(self._all(query, identity, photo_id))

    def _is_younger(self, path: Path) -> bool:
        """Whether a file came after this ledger; a new one may stand beside pictures of an old."""
        made_at: float = self._all("SELECT made_at FROM source")[0][0]
        with writes(path.name):
            return path.lstat().st_mtime >= made_at - CLOCK_S

    # --- Questions

    def counts(self) -> Tally:
        """All links."""
        return next(iter(self._tallies("''")), Tally("", 0, 0, {}))

    def by_host(self) -> list[Tally]:
        """The links of each host, the largest first."""
        return self._tallies("host")

    def by_identity(self) -> list[Tally]:
        """The links of each identity, the largest first."""
        return self._tallies("identity")

    def funnel(self) -> Funnel:
        """How many are left at each step."""
        return Funnel(*self._all(FUNNEL)[0])

    def failures(self) -> list[tuple[ErrorClass, int | None, int]]:
        """Failed links by class and, for the ``http_`` ones, by status; the largest first.

        A failure of theirs without status is a link that was not asked, for its site was given up.
        """
        return [(name, status, n) for name, status, n in self._all(FAILURES)]

    def mean_bytes(self) -> float | None:
        """Size of the pictures that are there; None where they are fewer than `LEAST_PICTURES`."""
        n, mean = self._all(
            "SELECT COUNT(*), AVG(bytes) FROM links WHERE state = 'done' AND NOT repeats"
        )[0]
        return mean if n >= LEAST_PICTURES else None

    def names(
        self, column: Literal["host", "identity"], containing: str = "", limit: int = 100
    ) -> list[str]:
        """Hosts or people whose name has this text in it, in any case; most links first."""
        wanted = containing.casefold()
        query = f"SELECT {column} FROM links GROUP BY 1 ORDER BY COUNT(*) DESC, 1"
        found = (name for (name,) in self._all(query) if wanted in name.casefold())
        return list(islice(found, limit))

    def rows(self, where: Where | None = None, offset: int = 0, limit: int = 100) -> list[Row]:
        """A page of the rows that fit, in the order in which they were added."""
        clause, values = _clause(where or Where())
        query = f"SELECT {ROW} FROM links{clause} ORDER BY number LIMIT ? OFFSET ?"
        return [Row(*row) for row in self._all(query, *values, limit, offset)]

    def picture_of(self, identity: str, photo_id: str) -> Row | None:
        """The row of a photo that came; None where it did not."""
        query = f"SELECT {ROW} FROM links WHERE identity = ? AND photo_id = ? AND state = 'done'"
        found = self._all(query, identity, photo_id)
        return Row(*found[0]) if found else None

    def newest(self, limit: int) -> list[Row]:
        """The pictures that came last, the newest first."""
        query = f"SELECT {ROW} FROM links WHERE state = 'done' ORDER BY last_at DESC LIMIT ?"
        return [Row(*row) for row in self._all(query, limit)]

    def count(self, where: Where | None = None) -> int:
        """How many rows fit."""
        clause, values = _clause(where or Where())
        return int(self._all(f"SELECT COUNT(*) FROM links{clause}", *values)[0][0])

    def each(self, where: Where | None = None) -> Iterator[Row]:
        """All rows that fit, in that order; others may write meanwhile."""
        clause, values = _clause(where or Where())
        after = f"{clause} AND" if clause else " WHERE"
        query = f"SELECT {ROW}, number FROM links{after} number > ? ORDER BY number LIMIT ?"
        last = 0
        while page := self._all(query, *values, last, PAGE_ROWS):
            for *cells, number in page:
                yield Row(*cells)
                last = number

    def export_csv(self, path: Path, where: Where | None = None) -> int:
        """Write the rows that fit as a table, with times in UTC; returns how many."""
        n = 0
        with (
            writes(path.name),
            replaced_atomically(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self.each(where):
                writer.writerow(_as_cells(row))
                n += 1
        return n

    def _tallies(self, column: str) -> list[Tally]:
        query = (
            f"SELECT {column}, state, error_class, COUNT(*) AS n FROM links "
            "GROUP BY 1, 2, 3 ORDER BY n DESC, error_class"
        )
        found: dict[str, dict[str, int]] = {}
        for name, state, error_class, n in self._all(query):
            found.setdefault(name, {})[error_class or state] = n
        tallies = [_as_tally(name, counts) for name, counts in found.items()]
        return sorted(tallies, key=lambda tally: (-tally.total, tally.name))

    # --- The file

    @property
    def _dataset(self) -> Path:
        return self.path.parent

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, said(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or after an error or a crash nothing."""
        with self._lock, said(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise


def _clause(where: Where) -> tuple[str, list[object]]:
    """The WHERE of a query and its values."""
    equal = ("state", "error_class", "host", "identity", "sha256", "label_fits")
    said = {name: getattr(where, name) for name in equal if getattr(where, name) is not None}
    parts = [f"{name} = ?" for name in said]
    values: list[object] = list(said.values())
    if where.text:
        parts.append("instr(lower(url || ' ' || note), lower(?)) > 0")
        values.append(where.text)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _incoming(links: Iterable[Link]) -> Iterator[tuple[object, ...]]:
    for link in links:
        box = link.box_xyxy or (None, None, None, None)
        yield (
            *(link.identity, link.photo_id, link.url, host_of(link.url), canonical(link.url)),
            *box,
        )


def _as_link(row: tuple[Any, ...]) -> Link:
    _number, identity, photo_id, url, *box = row
    return Link(identity, photo_id, url, None if box[0] is None else cast(Box, tuple(box)))


def _as_values(outcome: Outcome) -> tuple[object, ...]:
    """The values of `RECORD`, in its order."""
    w, h = outcome.image_wh or (None, None)
    made: dict[str, object] = {
        **{"error_class": outcome.error_class or "", "final_host": host_of(outcome.final_url)},
        **{"image_width": w, "image_height": h},
    }
    values = (made[name] if name in made else getattr(outcome, name) for name in FATE)
    began = outcome.at if outcome.began is None else outcome.began
    return *values, w, h, outcome.attempts, began, outcome.at, canonical(outcome.url)


def _as_tally(name: str, counts: dict[str, int]) -> Tally:
    failed = {each: counts[each] for each in counts if each not in ("waiting", "done")}
    return Tally(
        name, counts.get("waiting", 0), counts.get("done", 0), cast(dict[ErrorClass, int], failed)
    )


def _as_cells(row: Row) -> list[object]:
    """A row for a spreadsheet: times to read, and nothing that it would run as a formula."""
    return [_as_cell(name, getattr(row, name)) for name in COLUMNS]


def _as_cell(name: str, value: object) -> object:
    if name in ("first_at", "last_at") and isinstance(value, float):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
