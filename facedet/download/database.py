"""The ledger's file: whose it is, and what its errors mean."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from facedet.download.content import label_fits
from facedet.download.folder import disk_error
from facedet.download.statements import SCHEMA
from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

VERSION = 2
APPLICATION = 0x46446C31  # "FDl1": whose file this is (SQLite's application_id)
BUSY_S = 30.0
DISK_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """The file at `path`, checked, and with its tables made where it is new."""
    mode = "rwc" if create else "rw"
    with said(path):
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
    return db


@contextmanager
def said(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    name = shown_name(path.name)
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # our own mistake
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in DISK_CODES:
            raise disk_error(name, error) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            text = _("{name} is in use by another process; wait for it or stop it")
        elif code == sqlite3.SQLITE_CANTOPEN:
            text = _("{name} cannot be opened; check the folder and its permissions")
        else:
            text = _("{name} is damaged or no ledger ({reason}); move it away and start again")
        raise DatasetError(text.format(name=name, reason=error)) from error


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Check whose file it is, and make the table in a new one."""
    db.create_function("judged", 6, _judged, deterministic=True)
    if _is_new(db):
        db.execute("PRAGMA journal_mode = WAL")  # others may read while one writes
        db.execute("BEGIN IMMEDIATE")
        if _is_new(db):  # and no other process was quicker
            for statement in SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO source (number, made_at) VALUES (1, ?)", (time.time(),))
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
        older = _(
            "{name} was made by an older version of this program (its version is {found}, this one "
            "reads {version}); download into a new folder"
        )
        newer = _(
            "{name} was made by a newer version of this program (its version is {found}, this one "
            "reads {version}); update the program"
        )
        text = older if found[1] < VERSION else newer
        raise DatasetError(text.format(name=shown_name(path.name), found=found[1], version=VERSION))


def _is_new(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]


def _judged(*values: float | None) -> int | None:
    """`label_fits` for SQLite; None where there is no label, or no picture."""
    if None in values:
        return None
    x1, y1, x2, y2, w, h = cast(tuple[float, float, float, float, int, int], values)
    return int(label_fits((x1, y1, x2, y2), (w, h)))
