"""Set aside, never deleted: pictures move to ``quarantine/`` and back, and a manifest knows each.

::

    DATASET/quarantine/<image_path>      the picture, byte for byte
    DATASET/quarantine/manifest.csv      one row a picture: from where, why, measured, by whom, when

A row is on disk before its picture moves. So after a kill at any moment the disk itself says how
far each move came, and every start begins by looking (`recover`). No move takes the place of
another file, at neither end: where a name is taken, quarantine gives a free one, and undo leaves
the picture where it is and says so. Rows that a person's own hands made untrue are told and put
right: a file that was moved within ``quarantine/`` is known by its bytes, one that no row knows
gets a row, and a row whose file is nowhere stays, for the file may come back.
"""

import errno
import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd
from filelock import FileLock, Timeout

from facedet.cleaning.decisions import now
from facedet.cleaning.manifest import FOLDER, MANIFEST, Held, disk_error, read, write
from facedet.cleaning.moves import (
    DISK_ERRORS,
    drop_half_copies,
    finish,
    is_cut_in_two,
    lies,
    move,
)
from facedet.cleaning.pictures import path_of, text_of
from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

PERSON = "person"
MAX_NAME_BYTES = 255  # of one part of a path, on every file system in use
LONGEST_VALUE = 4000  # letters of one measured value; the cleaner's own table has all of it

Kind = Literal["gone", "changed", "taken", "refused", "back", "found", "lost", "unknown"]
Tick = Callable[[int, int], None]

_LOCK = f"{FOLDER}/.lock"
_OURS = {MANIFEST, _LOCK}
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part")  # see `files.replaced_atomically`
_NOT_MEASURED = ("image_path", "verdict", "reason", "by")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One picture that is not as was thought.

    Args:
        image_path: which.
        kind: ``gone``: the file is nowhere; ``changed``: it is not the one that was measured;
            ``taken``: another file has its name; ``refused``: the path is no picture inside the
            dataset, or may not be moved; ``back``: a person has brought it back by hand;
            ``found``: it lay elsewhere in quarantine than its row says, or no row knew it;
            ``lost``: its row says quarantine, and it is not there any more; ``unknown``: it is
            not there.
        says: a sentence fit to be shown.
    """

    image_path: str
    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did: the pictures that it moved, and what went otherwise."""

    moved: tuple[Held, ...] = ()
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What `undo` did: the pictures that are back, and what went otherwise."""

    restored: tuple[Held, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def apply(
    dataset: Path,
    judged: pd.DataFrame | Sequence[pd.DataFrame],
    by: str = "",
    tick: Tick = lambda _done, _total: None,
) -> Applied:
    """Move every picture whose verdict is ``set_aside`` into quarantine.

    Args:
        dataset: the dataset's folder.
        judged: one row a picture: ``image_path`` (a column or the index), ``verdict``, ``reason``;
            ``by`` where not all are of one cleaner; whatever else it has counts as measured. Where
            ``size_bytes`` and ``mtime_ns`` are among that, a file that has changed since stays.
            Several such tables, each with its own columns, are one plan.
        by: the cleaner's name, of rows that say ``cleaner`` or nothing.
        tick: called with pictures done, and their total.

    Returns:
        What moved. A picture that cannot be moved is a trouble, and the others go on.

    Raises:
        DatasetError: another process moves pictures of this dataset, the manifest is damaged, or
            the disk takes no more; what has moved until then is in the manifest.
    """
    tables = [judged] if isinstance(judged, pd.DataFrame) else judged
    wanted = list({row.image_path: row for one in tables for row in _wanted(one, by)}.values())
    if not wanted:
        return Applied()
    with _alone(dataset):
        rows, troubles = _settled(dataset)
        leaving, refused = _planned(dataset, wanted, rows)
        moved, failed = _carry_out(dataset, [*rows, *leaving], leaving, tick)
    return Applied(moved, (*troubles, *refused, *failed))


def undo(
    dataset: Path,
    paths: Iterable[str] | None = None,
    tick: Tick = lambda _done, _total: None,
) -> Restored:
    """Bring pictures back to where they came from, all of them or those of some paths.

    Args:
        dataset: the dataset's folder.
        paths: as they were in the dataset, or as they are in quarantine; None for all.
        tick: called with pictures done, and their total.

    Raises:
        DatasetError: as `apply`.
    """
    asked = None if paths is None else list(dict.fromkeys(paths))
    if not (dataset / FOLDER).is_dir():
        return Restored((), tuple(map(_unknown, asked or ())))
    with _alone(dataset):
        rows, troubles = _settled(dataset)
        chosen, unknown = _chosen(rows, asked)
        returning, refused = _ways_back(dataset, chosen)
        told = {trouble.image_path for trouble in refused if trouble.kind == "gone"}
        troubles = [one for one in troubles if one.kind != "lost" or one.image_path not in told]
        on_the_way = {row.quarantine_path: row for row in returning}
        rows = [on_the_way.get(row.quarantine_path, row) for row in rows]
        restored, failed = _carry_out(dataset, rows, returning, tick)
        _drop_empty_folders(dataset / FOLDER)
    return Restored(restored, (*troubles, *unknown, *refused, *failed))


def recover(dataset: Path) -> tuple[Trouble, ...]:
    """Make disk and manifest agree after a kill or a person's own hands; returns what was untrue.

    `apply` and `undo` begin with it.

    Raises:
        DatasetError: as `apply`.
    """
    if not (dataset / FOLDER).is_dir():
        return ()
    with _alone(dataset):
        return tuple(_settled(dataset)[1])


def manifest(dataset: Path) -> tuple[Held, ...]:
    """The pictures in quarantine as the disk has them now, the oldest first; changes nothing.

    Raises:
        DatasetError: the manifest is damaged.
    """
    rows = read(dataset)
    there = [replace(row, state="aside") for row in rows if lies(dataset / row.quarantine_path)]
    lost = [row for row in rows if not lies(dataset / row.quarantine_path)]
    return (*there, *(row for row, _was in _reunited(dataset, lost, _strays(dataset, rows))))


# --- Deciding what moves where


def _wanted(judged: pd.DataFrame, by: str) -> Iterator[Held]:
    """The pictures to be set aside, each once; where they will lie is not decided yet."""
    table = judged if "image_path" in judged else judged.rename_axis("image_path").reset_index()
    table = table[table["verdict"] == "set_aside"].drop_duplicates("image_path")
    when = now()
    for row in table.to_dict("records"):
        yield Held(
            image_path=str(row["image_path"]),
            quarantine_path="",
            reason=_plain(row["reason"]) or "",
            by=_says_it(row.get("by"), by),
            when=when,
            measured={
                str(name): _plain(value) for name, value in row.items() if name not in _NOT_MEASURED
            },
            state="leaving",
        )


def _says_it(told: object, cleaner: str) -> str:
    return told if isinstance(told, str) and told not in ("", "cleaner") else cleaner


def _plain(value: Any) -> Any:
    """A measured value as JSON knows it."""
    if hasattr(value, "item"):  # of numpy
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _planned(
    dataset: Path, wanted: Sequence[Held], rows: Sequence[Held]
) -> tuple[list[Held], list[Trouble]]:
    """Those that can be moved, with a free name in quarantine each."""
    taken = {*_OURS, *(row.quarantine_path for row in rows)}
    held = {row.image_path for row in rows if row.state != "lost"}
    inside = _Inside(dataset)
    leaving: list[Held] = []
    troubles: list[Trouble] = []
    for row in wanted:
        trouble = inside.trouble_with_picture(row.image_path)
        if trouble is None and _is_another(path_of(dataset, row.image_path), row):
            says = _("it has changed since it was measured; clean again")
            trouble = Trouble(row.image_path, "changed", says)
        if trouble and trouble.kind == "gone" and row.image_path in held:
            continue  # it is where it shall be
        if trouble:
            troubles.append(trouble)
            continue
        place = _free_place(dataset, f"{FOLDER}/{inside.on_disk(row.image_path)}", taken)
        if not inside.goes_straight(place):
            troubles.append(_linked(row.image_path))
            continue
        taken.add(place)
        leaving.append(replace(row, quarantine_path=place))
    return leaving, troubles


def _is_another(path: Path, row: Held) -> bool:
    """Whether the file is not the one that was measured, as far as the table tells."""
    told = row.measured.get("size_bytes"), row.measured.get("mtime_ns")
    with suppress(FileNotFoundError):  # in this very moment; the move will say so
        stat = path.stat()
        return None not in told and told != (stat.st_size, stat.st_mtime_ns)
    return False


def _free_place(dataset: Path, place: str, taken: Collection[str]) -> str:
    """``a.jpg``, or ``a-2.jpg`` where that is taken, and so on."""
    path, n = PurePosixPath(place), 1
    while place in taken or lies(dataset / place):
        n += 1
        place = str(path.with_name(f"{path.stem}-{n}{path.suffix}"))
    return place


def _chosen(rows: Sequence[Held], asked: Sequence[str] | None) -> tuple[list[Held], list[Trouble]]:
    """The rows that are meant, the latest first: it was at its place last."""
    if asked is None:
        return list(reversed(rows)), []
    meant = set(asked)
    chosen = [
        row for row in reversed(rows) if row.image_path in meant or row.quarantine_path in meant
    ]
    known = {path for row in chosen for path in (row.image_path, row.quarantine_path)}
    return chosen, [_unknown(path) for path in asked if path not in known]


def _ways_back(dataset: Path, chosen: Sequence[Held]) -> tuple[list[Held], list[Trouble]]:
    """Those whose place is free."""
    inside = _Inside(dataset)
    planned: set[str] = set()
    returning: list[Held] = []
    troubles: list[Trouble] = []
    for row in chosen:
        trouble = inside.trouble_with_path(row.image_path)
        if trouble is None and not inside.goes_straight(row.quarantine_path):
            trouble = _linked(row.image_path)
        if trouble is None and row.state == "lost":
            trouble = Trouble(row.image_path, "gone", _("its file is not in quarantine any more"))
        if trouble is None and (row.image_path in planned or lies(_home(dataset, row))):
            trouble = _taken(row)
        if trouble:
            troubles.append(trouble)
        else:
            planned.add(row.image_path)
            returning.append(replace(row, state="returning"))
    return returning, troubles


class _Inside:
    """Judges paths: tables come from strangers, and may say ``../../etc/passwd``."""

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset
        self._links: dict[PurePosixPath, bool] = {}

    def trouble_with_path(self, image_path: str) -> Trouble | None:
        """Why nothing may be moved to or from there."""
        trouble = self._trouble_with_text(image_path)
        if trouble or (on_disk := self.on_disk(image_path)) == image_path:
            return trouble
        # What a name that is no UTF-8 stands for may be anything, too.
        trouble = self._trouble_with_text(on_disk)
        return replace(trouble, image_path=image_path) if trouble else None

    def on_disk(self, image_path: str) -> str:
        """The path as the disk has it, relative to the dataset."""
        if "\\x" not in image_path:
            return image_path
        try:
            path = path_of(self._dataset, image_path)
        except OSError:  # no name that a disk could have
            return image_path
        return str(path).removeprefix(f"{self._dataset}/")

    def _trouble_with_text(self, image_path: str) -> Trouble | None:
        parts = image_path.split("/")
        if "\0" in image_path or any(part in {"", ".", ".."} for part in parts):
            return Trouble(image_path, "refused", _("the path leads out of the dataset"))
        if max(len(part.encode(errors="surrogateescape")) for part in parts) > MAX_NAME_BYTES:
            return Trouble(image_path, "refused", _("no file has so long a name"))
        if parts[0] == FOLDER:
            return Trouble(image_path, "refused", _("it lies in the quarantine itself"))
        return None if self.goes_straight(image_path) else _linked(image_path)

    def knows_both_ends(self, row: Held) -> bool:
        """Whether both places of a picture are in the dataset."""
        straight = self.goes_straight(row.quarantine_path)
        return straight and not self.trouble_with_path(row.image_path)

    def goes_straight(self, path: str) -> bool:
        """Whether no folder of a path is a symbolic link, which may lead anywhere."""
        return not any(map(self._is_link, PurePosixPath(path).parents))

    def trouble_with_picture(self, image_path: str) -> Trouble | None:
        """Why this is no file that may be moved."""
        if trouble := self.trouble_with_path(image_path):
            return trouble
        path = path_of(self._dataset, image_path)
        if path.is_symlink():
            return Trouble(image_path, "refused", _("it is a symbolic link"))
        if path.is_file():
            return None
        if path.exists():
            return Trouble(image_path, "refused", _("it is no file"))
        return Trouble(image_path, "gone", _("the file is not there any more"))

    def _is_link(self, folder: PurePosixPath) -> bool:
        if not folder.parts:  # the dataset's folder itself may be reached by a link
            return False
        if folder not in self._links:
            self._links[folder] = (self._dataset / folder).is_symlink()
        return self._links[folder]


# --- Moving, and looking how far it came


def _carry_out(
    dataset: Path, rows: Sequence[Held], moving: Sequence[Held], tick: Tick
) -> tuple[tuple[Held, ...], list[Trouble]]:
    """Note the moves, make them, and look what became of them; what moved, and what did not."""
    if not moving:
        return (), []
    write(dataset, rows)  # the intent, before anything moves
    failed: dict[str, Trouble] = {}
    full: OSError | None = None
    for done, row in enumerate(moving, 1):
        try:
            move(*_way(dataset, row))
        except OSError as error:
            if error.errno in DISK_ERRORS:
                full = error
                break
            failed[row.quarantine_path] = _failed(row, error)
        tick(done, len(moving))
    settled, found = _looked_at(dataset, list(_without(rows, failed)))
    write(dataset, settled)
    if full:
        raise disk_error(full) from full
    moved = (replace(row, state="aside") for row in moving if row.quarantine_path not in failed)
    return tuple(moved), [*failed.values(), *found]


def _without(rows: Sequence[Held], failed: Collection[str]) -> Iterator[Held]:
    """The rows as they were before the moves that failed."""
    for row in rows:
        if row.quarantine_path not in failed:
            yield row
        elif row.state == "returning":
            yield replace(row, state="aside")


def _way(dataset: Path, row: Held) -> tuple[Path, Path]:
    """From where to where."""
    home, aside = _home(dataset, row), dataset / row.quarantine_path
    return (aside, home) if row.state == "returning" else (home, aside)


def _home(dataset: Path, row: Held) -> Path:
    """Where a row's picture came from; its place in quarantine has the same kind of name."""
    if row.quarantine_path.isascii() or _is_utf8(row.quarantine_path):
        return dataset / row.image_path
    return path_of(dataset, row.image_path)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _settled(dataset: Path) -> tuple[list[Held], list[Trouble]]:
    """The manifest's rows after it is made to agree with the disk, and what was untrue in it."""
    rows = read(dataset)
    settled, troubles = _looked_at(dataset, rows)
    if settled != rows or not (dataset / MANIFEST).exists():
        write(dataset, settled)
    return settled, troubles


def _looked_at(dataset: Path, rows: Sequence[Held]) -> tuple[list[Held], list[Trouble]]:
    """The rows as the disk has them, after moves that were cut in two are brought to their end."""
    inside = _Inside(dataset)
    _tidy(dataset, rows, inside)
    places = [_place(dataset, row, inside) for row in rows]
    strays = _strays(dataset, [r for r, at in zip(rows, places, strict=True) if at == "aside"])
    lost = [row for row, at in zip(rows, places, strict=True) if at == "nowhere"]
    found = _reunited(dataset, lost, strays)
    again = {was.quarantine_path for _row, was in found if was}
    settled: list[Held] = []
    troubles: list[Trouble] = []
    for row, at in zip(rows, places, strict=True):
        if at == "aside":
            settled.append(replace(row, state="aside"))
        elif at == "home" and row.state in ("aside", "lost"):
            says = _("somebody has brought it back by hand")
            troubles.append(Trouble(row.image_path, "back", says))
        elif at == "nowhere" and row.quarantine_path not in again:
            settled.append(replace(row, state="lost"))
            if row.state != "lost":
                troubles.append(Trouble(row.image_path, "lost", _("its file is gone")))
    for row, was in found:
        settled.append(row)
        known = _("it was moved within quarantine by hand; its row says so now")
        says = known if was else _("it lay in quarantine, and no row knew it")
        troubles.append(Trouble(row.image_path, "found", says))
    return settled, troubles


def _place(dataset: Path, row: Held, inside: _Inside) -> Literal["home", "aside", "nowhere"]:
    """Where a row's picture lies; in one place afterwards, if a kill had left it in both."""
    # Whoever wrote the manifest: nothing outside the dataset is touched, or even looked at.
    if not inside.knows_both_ends(row):
        return "aside" if lies(dataset / row.quarantine_path) else "nowhere"
    source, target = _way(dataset, row)
    if row.state in ("leaving", "returning") and is_cut_in_two(source, target):
        moved = finish(source, target)
        return "aside" if moved == (row.state == "leaving") else "home"
    if lies(dataset / row.quarantine_path):
        return "aside"  # what lies at home as well is another file, put there since
    return "home" if lies(_home(dataset, row)) else "nowhere"


def _strays(dataset: Path, known: Sequence[Held]) -> list[Held]:
    """Files in quarantine that no row knows, as rows: their path there is where they came from."""
    places = _OURS | {row.quarantine_path for row in known}
    folder = dataset / FOLDER
    strays = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(dataset).as_posix()
        # A system's own hidden files are no pictures.
        if place in places or path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_file():
            image_path = text_of(path.relative_to(folder).as_posix())
            strays.append(Held(image_path=image_path, quarantine_path=place, when=now()))
    return strays


def _reunited(
    dataset: Path, lost: Iterable[Held], strays: Iterable[Held]
) -> list[tuple[Held, Held | None]]:
    """Each stray with the lost row that is its own, known by its bytes; None where none is.

    The row then has the stray's place. Where it does not know the sum of its bytes, size and time
    to the nanosecond must be the same, and no other row's.
    """
    left = list(lost)
    found: list[tuple[Held, Held | None]] = []
    for stray in strays:
        alike = _alike(dataset / stray.quarantine_path, left) if left else []
        name = PurePosixPath(stray.quarantine_path).name
        # Of equal ones that with the same name; else any, for their bytes are the same.
        alike.sort(key=lambda row: PurePosixPath(row.quarantine_path).name != name)
        was = alike[0] if alike else None
        if was is None:
            found.append((stray, None))
            continue
        left.remove(was)
        found.append((replace(was, quarantine_path=stray.quarantine_path, state="aside"), was))
    return found


def _alike(path: Path, rows: Iterable[Held]) -> list[Held]:
    """The rows whose picture this file is."""
    try:
        stat = path.stat()
        rows = [row for row in rows if row.measured.get("size_bytes", stat.st_size) == stat.st_size]
        summed = [row for row in rows if row.measured.get("sha256")]
        digest = _sha256(path) if summed else ""
    except OSError:  # it cannot be read, or has just gone
        return []
    alike = [row for row in summed if row.measured["sha256"] == digest]
    timed = [row for row in rows if row.measured.get("mtime_ns") == stat.st_mtime_ns]
    unsummed = [row for row in timed if not row.measured.get("sha256")]
    return alike or (unsummed if len(unsummed) == 1 else [])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _tidy(dataset: Path, rows: Sequence[Held], inside: _Inside) -> None:
    """Away with what a kill left half written."""
    for folder in {
        _way(dataset, row)[1].parent
        for row in rows
        if row.state in ("leaving", "returning") and inside.knows_both_ends(row)
    }:
        drop_half_copies(folder)
    with suppress(OSError):
        for path in (dataset / FOLDER).glob(".*.part"):
            if _HALF_WRITTEN.fullmatch(path.name):
                path.unlink()


def _drop_empty_folders(folder: Path) -> None:
    for path, _folders, _files in os.walk(folder, topdown=False):
        if Path(path) != folder:
            with suppress(OSError):  # not empty
                Path(path).rmdir()


@contextmanager
def _alone(dataset: Path) -> Iterator[None]:
    """Hold the dataset's quarantine: no two processes move its pictures at once."""
    folder = dataset / FOLDER
    try:
        if folder.is_symlink() or not dataset.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        folder.mkdir(exist_ok=True)
        lock = FileLock(dataset / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DatasetError(
            _("another process is moving pictures of {dataset}; wait for it, or end it").format(
                dataset=shown_name(dataset.name)
            )
        ) from error
    except OSError as error:
        raise DatasetError(
            _("{folder} cannot be used ({reason}); it must be a folder, and yours").format(
                folder=shown_name(str(folder)), reason=error.strerror
            )
        ) from error
    try:
        yield
    finally:
        lock.release()


def _failed(row: Held, error: OSError) -> Trouble:
    if isinstance(error, FileNotFoundError):
        return Trouble(row.image_path, "gone", _("the file is not there any more"))
    if isinstance(error, FileExistsError):
        return _taken(row)
    says = _("it cannot be moved ({reason})").format(reason=error.strerror)
    return Trouble(row.image_path, "refused", says)


def _linked(image_path: str) -> Trouble:
    return Trouble(image_path, "refused", _("a folder on its way is a symbolic link"))


def _taken(row: Held) -> Trouble:
    says = _("another file has its place; move that one, and try again")
    return Trouble(row.image_path, "taken", says)


def _unknown(path: str) -> Trouble:
    return Trouble(path, "unknown", _("it is not in quarantine"))
