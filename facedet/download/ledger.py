"""The account of a download: one row a link, in an SQLite file that survives anything.

A picture is on disk before its row says so: whoever dies between the two leaves a link that waits,
and is fetched again. All rows of one URL have the same fate, for a URL is fetched once.
"""

import csv
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self, cast

from facedet.download.account import COLUMNS, Funnel, Outcome, Row, State, Tally, Where
from facedet.download.content import is_placeholder, label_fits
from facedet.download.folder import (
    DiskError,
    disk_error,
    drop_copies,
    drop_parts,
    keep_one,
    store_picture,
    writes,
)
from facedet.download.links import Link, host_of
from facedet.download.outcome import ERROR_CLASSES, ErrorClass
from facedet.errors import DatasetError, shown_name
from facedet.files import replaced_atomically
from facedet.i18n import gettext as _
from facedet.labels.table import FORMULA_STARTS

__all__ = [
    "DiskError",
    "Funnel",
    "Ledger",
    "Outcome",
    "Row",
    "State",
    "Tally",
    "Where",
    "store_picture",
]

VERSION = 1
APPLICATION = 0x46446C31  # "FDl1": whose file this is (SQLite's application_id)
PAGE_ROWS = 1000
BUSY_S = 30.0
_CLASSES = ", ".join(f"'{name}'" for name in ERROR_CLASSES)
_SCHEMA = (
    f"""
    CREATE TABLE links (
        identity TEXT NOT NULL,
        photo_id TEXT NOT NULL,
        url TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
        error_class TEXT NOT NULL DEFAULT '' CHECK (error_class IN ('', {_CLASSES})),
        http_status INTEGER,
        bytes INTEGER,
        sha256 TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        first_at REAL,
        last_at REAL,
        final_url TEXT NOT NULL DEFAULT '',
        image_path TEXT NOT NULL DEFAULT '',
        note TEXT NOT NULL DEFAULT '',
        image_width INTEGER,
        image_height INTEGER,
        label_fits INTEGER,
        host TEXT NOT NULL,
        x1 REAL, y1 REAL, x2 REAL, y2 REAL,
        repeats INTEGER NOT NULL DEFAULT 0, -- whether an earlier row has the same URL
        number INTEGER PRIMARY KEY,
        UNIQUE (identity, photo_id),
        CHECK ((state = 'failed') = (error_class <> ''))
    )""",
    "CREATE INDEX links_by_url ON links (url)",
    "CREATE INDEX links_by_picture ON links (sha256, host) WHERE sha256 <> ''",
)
# What a row gets from the fetch of its URL; its label is judged row by row.
_FATE = (
    *("state", "error_class", "http_status", "bytes", "sha256", "final_url", "image_path", "note"),
    *("image_width", "image_height"),
)
_DISK_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
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
        mode = "rwc" if create else "rw"
        with _said(path):
            db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_S,
                isolation_level=None,  # transactions begin where we say so
                check_same_thread=False,
            )
            try:
                _prepare(db, path)
            except BaseException:
                db.close()
                raise
        return cls(path, db)

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

        A new link with a URL that is known shares its fate, come what came.

        Raises:
            DatasetError: a photo is there with another URL; nothing is added then.
        """
        with self._writing() as db:
            last = int(db.execute("SELECT COALESCE(MAX(number), 0) FROM links").fetchone()[0])
            db.execute(_INCOMING)
            db.executemany("INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _incoming(links))
            for photo, known, url in db.execute(_CONTRADICTION):
                raise DatasetError(
                    _(
                        "{photo} is in this dataset with another link, {known}, not {url}; "
                        "choose another folder for this list"
                    ).format(photo=photo, known=shown_name(known), url=shown_name(url))
                )
            added = db.execute(_ADD).rowcount
            db.execute("DROP TABLE incoming")
            db.execute(_MARK_REPEATS, (last,))
            db.execute(_SHARE_FATE, {"last": last})
            db.execute(_JUDGE, (last,))
        return added

    def waiting(self, limit: int | None = None) -> Iterator[Link]:
        """The links to do, one for each URL, in the order in which they were added.

        May go on while outcomes are recorded: none comes twice.
        """
        last, left = 0, limit if limit is not None else -1
        while left:
            n = PAGE_ROWS if left < 0 else min(left, PAGE_ROWS)
            page = self._all(_WAITING, last, n)
            for number, identity, photo_id, url, x1, y1, x2, y2 in page:
                yield Link(identity, photo_id, url, None if x1 is None else (x1, y1, x2, y2))
                last = number
            if len(page) < n:
                return
            left -= n if left > 0 else 0

    def retry(self, classes: Iterable[ErrorClass]) -> int:
        """Let the failed links of these classes wait again; returns how many."""
        wanted = tuple(classes)
        marks = ", ".join("?" * len(wanted))
        # The picture's sum stays: that it was a placeholder must not be forgotten.
        with self._writing() as db:
            return db.execute(f"{_FORGET} WHERE error_class IN ({marks})", wanted).rowcount

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what URLs came to, all or nothing; every row of a URL gets the same.

        A picture's file must be on disk by then.
        """
        with self._writing() as db:
            db.executemany(_RECORD, map(_as_values, outcomes))

    # --- Placeholders

    def placeholders(self, among: Iterable[str] | None = None) -> list[tuple[str, str]]:
        """Pictures that are a host's "image removed" and still stand as done: (sha256, host).

        What earlier runs have found counts, too, so that nothing has to be remembered between.

        Args:
            among: look only at pictures with one of these sums: those that have just come.
        """
        sums = None if among is None else sorted(set(among))
        marks = "" if sums is None else f" AND sha256 IN ({', '.join('?' * len(sums))})"
        return [
            (sha256, host) for sha256, host in self._all(_SUSPECTS.format(marks), *(sums or ()))
        ]

    def mark_placeholders(self, sha256: str, host: str) -> int:
        """Turn this picture of this host from done to failed; returns how many rows.

        One copy of its file is kept in the folder ``placeholders``; equal ones go. In this order:
        the copy, the rows, the files; a crash in between is made good by `tidy`.
        """
        same = "sha256 = ? AND host = ? AND state = 'done'"
        query = f"SELECT DISTINCT image_path FROM links WHERE {same}"
        paths = [path for (path,) in self._all(query, sha256, host) if _PICTURE.fullmatch(path)]
        kept = keep_one(self._dataset, sha256, paths)
        note = _("the same picture at many addresses of {host}").format(host=host)
        with self._writing() as db:
            n = db.execute(
                "UPDATE links SET state = 'failed', error_class = 'placeholder', image_path = ?, "
                f"note = ?, label_fits = NULL WHERE {same}",
                (kept, note, sha256, host),
            ).rowcount
        if kept:
            drop_copies(self._dataset, [(path, sha256) for path in paths])
        return n

    def tidy(self) -> int:
        """Take away what a killed process left: half-written files, copies of placeholders.

        Call it before a run, while no other process writes pictures here. Returns how many files.
        """
        query = "SELECT identity, photo_id, image_path, sha256 FROM links WHERE error_class = ?"
        copies = [
            (f"images/{identity}/{photo_id}{PurePosixPath(kept).suffix}", sha256)
            for identity, photo_id, kept, sha256 in self._all(query, "placeholder")
        ]
        copies = [copy for copy in copies if _PICTURE.fullmatch(copy[0])]
        return drop_parts(self._dataset) + drop_copies(self._dataset, copies)

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
        return Funnel(*self._all(_FUNNEL)[0])

    def rows(self, where: Where | None = None, offset: int = 0, limit: int = 100) -> list[Row]:
        """A page of the rows that fit, in the order in which they were added."""
        clause, values = _clause(where or Where())
        query = f"SELECT {_COLUMNS} FROM links{clause} ORDER BY number LIMIT ? OFFSET ?"
        return [Row(*row) for row in self._all(query, *values, limit, offset)]

    def newest(self, limit: int) -> list[Row]:
        """The pictures that came last, the newest first."""
        query = f"SELECT {_COLUMNS} FROM links WHERE state = 'done' ORDER BY last_at DESC LIMIT ?"
        return [Row(*row) for row in self._all(query, limit)]

    def count(self, where: Where | None = None) -> int:
        """How many rows fit."""
        clause, values = _clause(where or Where())
        return int(self._all(f"SELECT COUNT(*) FROM links{clause}", *values)[0][0])

    def each(self, where: Where | None = None) -> Iterator[Row]:
        """All rows that fit, in that order; others may write meanwhile."""
        clause, values = _clause(where or Where())
        after = f"{clause} AND" if clause else " WHERE"
        query = f"SELECT {_COLUMNS}, number FROM links{after} number > ? ORDER BY number LIMIT ?"
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
        with self._lock, _said(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or after an error or a crash nothing."""
        with self._lock, _said(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise


# --- SQL

_INCOMING = """
CREATE TEMP TABLE incoming (
    identity TEXT, photo_id TEXT, url TEXT, host TEXT, x1 REAL, y1 REAL, x2 REAL, y2 REAL
)"""
_CONTRADICTION = """
SELECT identity || '/' || photo_id, links.url, incoming.url
FROM incoming JOIN links USING (identity, photo_id) WHERE incoming.url <> links.url LIMIT 1"""
_ADD = """
INSERT OR IGNORE INTO links (identity, photo_id, url, host, x1, y1, x2, y2)
SELECT identity, photo_id, url, host, x1, y1, x2, y2 FROM incoming ORDER BY incoming.rowid"""
_MARK_REPEATS = """
UPDATE links SET repeats = 1 WHERE number > ? AND EXISTS (
    SELECT 1 FROM links AS before WHERE before.url = links.url AND before.number < links.number
)"""
_SHARED = f"{', '.join(_FATE)}, attempts, first_at, last_at"
_SHARE_FATE = f"""
UPDATE links SET ({_SHARED}) = (
    SELECT {_SHARED} FROM links AS known WHERE known.url = links.url AND known.number <= :last
)
WHERE number > :last AND repeats AND EXISTS (
    SELECT 1 FROM links AS known WHERE known.url = links.url AND known.number <= :last
)"""
_JUDGE = """
UPDATE links SET label_fits = judged(x1, y1, x2, y2, image_width, image_height)
WHERE number > ? AND state = 'done'"""
_WAITING = """
SELECT number, identity, photo_id, url, x1, y1, x2, y2 FROM links
WHERE state = 'waiting' AND NOT repeats AND number > ? ORDER BY number LIMIT ?"""
_FORGET = """
UPDATE links SET state = 'waiting', error_class = '', http_status = NULL, bytes = NULL,
    final_url = '', image_path = '', note = '', image_width = NULL, image_height = NULL,
    label_fits = NULL"""
_RECORD = f"""
UPDATE links SET ({", ".join(_FATE)}) = ({", ".join("?" * len(_FATE))}),
    label_fits = judged(x1, y1, x2, y2, ?, ?),
    attempts = attempts + ?, first_at = COALESCE(first_at, ?), last_at = ?
WHERE url = ?"""
_SUSPECTS = """
SELECT sha256, host FROM links WHERE sha256 <> ''{}
GROUP BY sha256, host
HAVING SUM(state = 'done') > 0
    AND is_placeholder(COUNT(DISTINCT url), COUNT(DISTINCT identity))
ORDER BY sha256, host"""
_FUNNEL = """
SELECT COUNT(*), COALESCE(SUM(NOT repeats), 0),
    COALESCE(SUM(NOT repeats AND state <> 'waiting'), 0),
    COALESCE(SUM(NOT repeats AND http_status IS NOT NULL), 0),
    COALESCE(SUM(NOT repeats AND state = 'done'), 0),
    COALESCE(SUM(NOT repeats AND state = 'done' AND label_fits IS NOT 0), 0)
FROM links"""
_COLUMNS = ", ".join(COLUMNS)


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
        yield link.identity, link.photo_id, link.url, host_of(link.url), *box


def _as_values(outcome: Outcome) -> tuple[object, ...]:
    """The values of `_RECORD`, in its order."""
    w, h = outcome.image_wh or (None, None)
    fate = {"error_class": outcome.error_class or "", "image_width": w, "image_height": h}
    values = (fate[name] if name in fate else getattr(outcome, name) for name in _FATE)
    return *values, w, h, outcome.attempts, outcome.at, outcome.at, outcome.url


def _judged(*values: float | None) -> int | None:
    """`label_fits` for SQLite; None where there is no label, or no picture."""
    if None in values:
        return None
    x1, y1, x2, y2, w, h = cast(tuple[float, float, float, float, int, int], values)
    return int(label_fits((x1, y1, x2, y2), (w, h)))


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


# --- The file


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Check whose file it is, and make the table in a new one."""
    db.create_function("judged", 6, _judged, deterministic=True)
    db.create_function("is_placeholder", 2, is_placeholder, deterministic=True)
    if _is_new(db):
        db.execute("PRAGMA journal_mode = WAL")  # others may read while one writes
        db.execute("BEGIN IMMEDIATE")
        if _is_new(db):  # and no other process was quicker
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    # A commit survives the death of this process; that of the machine may cost the last ones.
    db.execute("PRAGMA synchronous = NORMAL")
    found = [
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    ]
    if found[0] != APPLICATION:
        raise DatasetError(
            _("{name} is a database of something else; choose another folder").format(
                name=shown_name(path.name)
            )
        )
    if found[1] != VERSION:
        raise DatasetError(
            _("{name} has version {found}, this program reads {version}; update it").format(
                name=shown_name(path.name), found=found[1], version=VERSION
            )
        )


def _is_new(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    name = shown_name(path.name)
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # our own mistake
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DISK_CODES:
            raise disk_error(name, error) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            text = _("{name} is in use by another process; wait for it or stop it")
        elif code == sqlite3.SQLITE_CANTOPEN:
            text = _("{name} cannot be opened; check the folder and its permissions")
        else:
            text = _("{name} is damaged or no ledger ({reason}); move it away and start again")
        raise DatasetError(text.format(name=name, reason=error)) from error
