"""The label files inside an archive or a folder, which may come from anyone.

Nothing is ever unpacked to disk: members are judged by `tarfile.data_filter` (PEP 706) and by our
own stricter rules, then read into memory one by one, within limits.
"""

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Self

from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

Kind = Literal["lost", "refused", "note"]

# Names of files become names of folders, and cells of tables: nothing that means something there.
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._'-]{0,99}", re.ASCII)
MAX_HEADER_BYTES = 1_000_000
_COMPANIONS = frozenset(("README", "licence.txt"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know about the files.

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
    for item in _folder(source, limits, tick) if source.is_dir() else _tar(source, limits, tick):
        found += isinstance(item, LabelFile)
        yield item
    if not found:
        raise DatasetError(
            _("{name}: no label file in it; expected files/<Name>.txt, one a person").format(
                name=shown_name(source.name)
            )
        )


def _folder(source: Path, limits: ArchiveLimits, tick: Tick) -> Iterator[LabelFile | Finding]:
    root = source.parent if source.name == "files" else source
    paths = sorted(_walk(source))
    if len(paths) > limits.max_members:
        raise _too_many(source, limits)
    total = 0
    for done, path in enumerate(paths, 1):
        name = path.relative_to(root).as_posix()
        # A link may lead out of the folder: it is named, never followed.
        size = 0 if path.is_symlink() else path.stat().st_size
        total += size
        judged = _judge(name, size, not path.is_symlink() and path.is_file(), limits)
        _check_total(total, source, limits)
        if isinstance(judged, str):
            yield _read(judged, name, path)
        elif judged:
            yield judged
        tick(done, len(paths))


def _read(identity: str, name: str, path: Path) -> LabelFile | Finding:
    try:
        return LabelFile(identity, name, path.read_bytes())
    except OSError as error:
        return _refused(name, _("cannot be read ({reason})").format(reason=error.strerror or error))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _tar(source: Path, limits: ArchiveLimits, tick: Tick) -> Iterator[LabelFile | Finding]:
    try:
        size, file = source.stat().st_size, source.open("rb")
    except OSError as error:
        raise DatasetError(
            _("{name}: cannot be read ({reason}); give the archive, or the folder unpacked").format(
                name=shown_name(str(source)), reason=error.strerror or error
            )
        ) from error
    begun = False
    with file:
        try:
            with tarfile.open(
                fileobj=file, mode="r|*", bufsize=1 << 18, tarinfo=_StrictTarInfo
            ) as archive:
                for item in _members(archive, source, limits):
                    begun = True
                    if item is not None:
                        yield item
                    tick(file.tell(), size)
        except (tarfile.TarError, EOFError, OSError) as error:
            if not begun:
                raise _not_an_archive(source, error) from error
            yield _refused(
                source.name,
                _("the archive is damaged here ({reason}): what follows is missing").format(
                    reason=shown_name(str(error))
                ),
            )


def _not_an_archive(source: Path, error: Exception) -> DatasetError:
    return DatasetError(
        _(
            "{name}: not a tar archive ({reason}); "
            "give vgg_face_dataset.tar.gz, or the folder unpacked"
        ).format(name=shown_name(source.name), reason=shown_name(str(error)))
    )


class _StrictTarInfo(tarfile.TarInfo):
    """What `tarfile` is too patient with."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The next header. Only blocks of zeros are an end: all else means that something is lost.

        Raises:
            tarfile.ReadError: the archive ends, or is damaged, at this place.
        """
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> Self:
        # Long names and the like are read into memory whole, however long they claim to be.
        if not self.isreg() and self.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: Self = super()._proc_member(archive)  # type: ignore[misc]
        return member


def _members(
    archive: tarfile.TarFile, source: Path, limits: ArchiveLimits
) -> Iterator[LabelFile | Finding | None]:
    total, seen = 0, set[str]()
    for count, member in enumerate(archive, 1):
        total += member.size
        # Before a byte of it is decompressed: a bomb says how large it is.
        _check_total(total, source, limits)
        if count > limits.max_members:
            raise _too_many(source, limits)
        judged = _judge_member(member, limits)
        if isinstance(judged, str) and judged not in seen:
            seen.add(judged)
            yield LabelFile(judged, member.name, _content(archive, member))
        elif isinstance(judged, str):
            yield _refused(member.name, _("a second file of that name"))
        else:
            yield judged


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = archive.extractfile(member)
    assert file is not None  # it is a regular file
    data = file.read()
    if len(data) < member.size:
        raise EOFError(member.name)
    return data


def _judge_member(member: tarfile.TarInfo, limits: ArchiveLimits) -> str | Finding | None:
    try:
        # The rules of PEP 706 for data: no way out of the folder, no devices, no bent links.
        tarfile.data_filter(member, "/somewhere")
    except tarfile.FilterError as error:
        return _refused(member.name, shown_name(str(error)))
    if member.isdir():
        return None
    return _judge(member.name, member.size, member.isreg(), limits)


def _judge(name: str, size: int, regular: bool, limits: ArchiveLimits) -> str | Finding | None:
    """The identity of a label file; a finding for what is refused; None for what is just there."""
    path = PurePosixPath(name)
    if not regular:
        return _refused(name, _("a link or a device, not a file"))
    if len(path.parts) <= 2 and path.name in _COMPANIONS:
        return None
    if path.parent.name != "files" or len(path.parts) > 3 or path.suffix != ".txt":
        return _refused(name, _("not part of the dataset; expected files/<Name>.txt"))
    if not _IDENTITY.fullmatch(path.stem):
        return _refused(name, _("a name may have letters, digits and . _ - ' only"))
    if size > limits.max_file_bytes:
        return _refused(
            name,
            _("{size:.0f} MB, the limit is {limit:.0f} MB").format(
                size=size / 1e6, limit=limits.max_file_bytes / 1e6
            ),
        )
    return path.stem


def _refused(name: str, reason: str) -> Finding:
    return Finding(name, 0, "refused", reason)


def _check_total(total: int, source: Path, limits: ArchiveLimits) -> None:
    if total > limits.max_total_bytes:
        raise DatasetError(
            _("{name}: more than {limit:.0f} GB when unpacked; this is not VGG Face").format(
                name=shown_name(source.name), limit=limits.max_total_bytes / 1e9
            )
        )


def _too_many(source: Path, limits: ArchiveLimits) -> DatasetError:
    return DatasetError(
        _("{name}: more than {limit:,} files; this is not VGG Face").format(
            name=shown_name(source.name), limit=limits.max_members
        )
    )
