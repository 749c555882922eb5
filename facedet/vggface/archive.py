"""The label files inside an archive or a folder, which may come from anyone.

Nothing is ever unpacked to disk: members are judged by `tarfile.data_filter` (PEP 706) and by our
own stricter rules, then read into memory one by one, within limits.
"""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _
from facedet.vggface.members import Member, members
from facedet.vggface.names import Names, check_plain, identity_of
from facedet.vggface.unpacking import DamageError, Unpacked, too_large

Kind = Literal["lost", "refused", "note"]

MAX_SHOWN = 300  # characters of a name or reason
MAX_DEPTH = 8  # folders within folders; the dataset has two


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know about the files.

    Names and reasons may hold a stranger's characters: what is no text is replaced here, so that
    whoever prints or stores a finding need not care.

    Args:
        file: its name within the archive.
        line: 1 for the first; 0 where it concerns the file as a whole.
        kind: ``lost``: a line that was not taken; ``refused``: a file that was not; ``note``:
            strange, but nothing is missing because of it.
        reason: in words.
    """

    file: str
    line: int
    kind: Kind
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", _plain(self.file))
        object.__setattr__(self, "reason", _plain(self.reason))


def _plain(text: str) -> str:
    if text.isprintable() and len(text) <= MAX_SHOWN:
        return text
    start = "".join(c if c.isprintable() else "�" for c in text[:MAX_SHOWN])
    return start if len(text) <= MAX_SHOWN else f"{start[:-1]}…"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One person's label file: who, under which name it lies there, and all its bytes."""

    identity: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """Ten times what the real archive needs: 2,622 files, 0.3 MB at most each, 0.36 GB in all."""

    max_members: int = 30_000
    max_file_bytes: int = 16_000_000
    max_total_bytes: int = 4_000_000_000


Tick = Callable[[int, int], None]


def label_files(
    source: Path, limits: ArchiveLimits | None = None, tick: Tick = lambda _done, _total: None
) -> Iterator[LabelFile | Finding]:
    """Every label file of an archive or a folder, and a `Finding` for all else that lies there.

    Args:
        source: ``vgg_face_dataset.tar.gz`` (or .tar, .tar.xz, .tar.bz2), or the folder unpacked.
        tick: called with bytes (of an archive) or files (of a folder) done, and their total.

    Raises:
        DatasetError: no such archive or folder, not an archive, beyond the limits, or no label
            file in it.
    """
    found = 0
    limits = limits or ArchiveLimits()
    # Unlike Path.is_dir, this never raises: what cannot be looked at cannot be opened either.
    items = _folder if os.path.isdir(source) else _tar  # noqa: PTH112
    for item in items(source, limits, tick):
        found += isinstance(item, LabelFile)
        yield item
    if not found:
        raise DatasetError(
            _("{name}: no label file in it; expected files/<Name>.txt, one a person").format(
                name=_shown(source)
            )
        )


def _folder(source: Path, limits: ArchiveLimits, tick: Tick) -> Iterator[LabelFile | Finding]:
    root = source.parent if source.name == "files" else source
    paths, findings = _walk(source, root, limits)
    yield from findings
    total, names = 0, Names()
    for done, path in enumerate(sorted(paths), 1):
        name = _name(path, root)
        try:
            status = path.lstat()  # a link may lead out of the folder: it is named, never followed
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
            if total > limits.max_total_bytes:
                raise too_large(_shown(source), limits.max_total_bytes)
            identity = _judged(name, status.st_size, stat.S_ISREG(status.st_mode), names, limits)
            if identity is not None:
                yield LabelFile(identity, name, path.read_bytes())
        except OSError as error:
            yield _unreadable(name, error)
        except ValueError as reason:
            yield _refused(name, str(reason))
        tick(done, len(paths))


def _walk(source: Path, root: Path, limits: ArchiveLimits) -> tuple[list[Path], list[Finding]]:
    """All that lies below, but no further than the limits; folders that cannot be looked into."""
    paths: list[Path] = []
    findings: list[Finding] = []
    folders, seen = [(source, 1)], 0
    while folders:
        folder, depth = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    seen += 1
                    if seen > limits.max_members:
                        raise _too_many(source, limits)
                    path = Path(entry.path)
                    if not entry.is_dir(follow_symlinks=False):
                        paths.append(path)
                    elif depth < MAX_DEPTH:
                        folders.append((path, depth + 1))
                    else:
                        findings.append(_refused(_name(path, root), _("too deep; not looked into")))
        except OSError as error:
            if folder == source:
                raise _cannot_be_read(source, error) from error
            findings.append(_unreadable(_name(folder, root), error))
    return paths, findings


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _tar(source: Path, limits: ArchiveLimits, tick: Tick) -> Iterator[LabelFile | Finding]:
    try:
        size, file = source.stat().st_size, source.open("rb")
    except (OSError, ValueError) as error:
        raise _cannot_be_read(source, error) from error
    begun = False
    with file:
        stream = Unpacked(file, _shown(source), limits.max_total_bytes)
        try:
            for item in _label_members(stream, source, limits):
                begun = True
                if item is not None:
                    yield item
                tick(file.tell(), size)
            damage = ""
        except DamageError as error:
            if not begun:
                raise _not_an_archive(source, error, stream.spoiled) from error
            damage = str(error)
        for reason in _end(stream, damage):
            yield _refused(source.name, reason)
        tick(size, size)


def _end(stream: Unpacked, damage: str) -> Iterator[str]:
    """What is to be said of the archive as a whole, once all checksums are compared."""
    if damage:
        yield _("the archive is damaged here ({reason}): what follows is missing").format(
            reason=damage
        )
    try:
        zeros = stream.drain()
    except DamageError:
        cut = not damage and not stream.spoiled
    else:
        cut = False
        if not damage and not zeros:
            yield _("something follows the end of the archive; it was not read")
    if cut:
        yield _(
            "the archive is cut off after its last file: "
            "the checksum that would prove its lines is missing"
        )
    if stream.spoiled:
        yield _(
            "the archive is damaged ({reason}): its lines are not to be trusted; get it again"
        ).format(reason=stream.spoiled)


def _label_members(
    stream: Unpacked, source: Path, limits: ArchiveLimits
) -> Iterator[LabelFile | Finding | None]:
    total, names = 0, Names()
    for count, member in enumerate(members(stream), 1):
        total += member.info.size
        # Before a byte of it is decompressed: a bomb says how large it is.
        if total > limits.max_total_bytes:
            raise too_large(_shown(source), limits.max_total_bytes)
        if count > limits.max_members:
            raise _too_many(source, limits)
        name = member.info.name
        try:
            identity = _judged_member(member, names, limits)
        except (ValueError, tarfile.FilterError) as reason:
            yield _refused(name, str(reason))
        else:
            if identity is None:
                yield None
            else:
                yield LabelFile(identity, name, stream.read(member.info.size))


def _judged_member(member: Member, names: Names, limits: ArchiveLimits) -> str | None:
    info = member.info
    for text in (info.name, info.linkname):
        check_plain(text)  # first: the filter below asks the file system about them
    # The rules of PEP 706 for data: no way out of the folder, no devices, no bent links.
    tarfile.data_filter(info, "/somewhere")
    if info.isdir():
        return None
    if member.sparse:
        raise ValueError(_("a sparse file; pack the archive without --sparse"))
    return _judged(info.name, info.size, info.isreg(), names, limits)


def _judged(name: str, size: int, regular: bool, names: Names, limits: ArchiveLimits) -> str | None:
    """The identity of a label file; None for what is just there; raises for what is refused."""
    if not regular:
        raise ValueError(_("a link or a device, not a file"))
    identity = identity_of(name)
    if identity is None:
        return None
    if size > limits.max_file_bytes:
        raise ValueError(
            _("{size:.0f} MB, the limit is {limit:.0f} MB").format(
                size=size / 1e6, limit=limits.max_file_bytes / 1e6
            )
        )
    names.take(identity)
    return identity


def _shown(source: Path) -> str:
    return shown_name(source.name or str(source))  # "/" and "." have no name


def _refused(name: str, reason: str) -> Finding:
    return Finding(name, 0, "refused", reason)


def _unreadable(name: str, error: OSError) -> Finding:
    return _refused(name, _("cannot be read ({reason})").format(reason=error.strerror or error))


def _cannot_be_read(source: Path, error: Exception) -> DatasetError:
    return DatasetError(
        _("{name}: cannot be read ({reason}); give the archive, or the folder unpacked").format(
            name=shown_name(str(source)), reason=getattr(error, "strerror", None) or error
        )
    )


def _not_an_archive(source: Path, error: Exception, spoiled: str) -> DatasetError:
    if spoiled:
        return DatasetError(
            _("{name}: damaged ({reason}); get it again").format(
                name=_shown(source), reason=spoiled
            )
        )
    return DatasetError(
        _(
            "{name}: not a tar archive ({reason}); "
            "give vgg_face_dataset.tar.gz, or the folder unpacked"
        ).format(name=_shown(source), reason=shown_name(str(error)))
    )


def _too_many(source: Path, limits: ArchiveLimits) -> DatasetError:
    return DatasetError(
        _("{name}: more than {limit:,} files; this is not VGG Face").format(
            name=_shown(source), limit=limits.max_members
        )
    )
