"""Moving one file so that nothing is lost: never in another's place, never half, whatever ends it.

A plain rename replaces whatever has the new name by then. Here a file gets its second name first,
which fails where that is taken, and then loses its first one. A kill in between leaves both names,
and `finish` brings such a move to its end.
"""

import errno
import os
import re
import secrets
import shutil
from contextlib import suppress
from filecmp import cmp
from pathlib import Path

# The disk as a whole takes no more: trying with the next file would only repeat it.
DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_HALF = re.compile(r"\.[0-9a-f]{16}\.moving")


def move(source: Path, target: Path) -> None:
    """Move a file, also to another file system; folders are made as needed.

    Raises:
        FileExistsError: something has the target's name; both stay as they are.
        OSError: it cannot be done, and the file is where it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)
        _leave(source, target)


def finish(source: Path, target: Path) -> bool:
    """Bring a move to its end that was cut in two; False where the file may not leave its place.

    Args:
        source, target: where `is_cut_in_two`.
    """
    try:
        _leave(source, target)
    except OSError:
        return False
    return True


def is_cut_in_two(source: Path, target: Path) -> bool:
    """Whether both are there and the same file, or the one a whole copy of the other."""
    if not (source.is_file() and target.is_file()):
        return False
    return source.samefile(target) or cmp(source, target, shallow=False)


def lies(path: Path) -> bool:
    """Whether there is anything of that name; a link that leads nowhere is something, too."""
    return os.path.lexists(path)


def drop_half_copies(folder: Path) -> None:
    """Away with what a kill left of copies to another file system: the whole file is elsewhere."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _HALF.fullmatch(path.name):
                path.unlink()


def _rename(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # This file system knows no second names: look first, and there is nothing better.
        if lies(target):
            raise _exists(target) from error
        source.rename(target)
        return
    _leave(source, target)


def _copy(source: Path, target: Path) -> None:
    """The same bytes and times; the name appears when all of it is on disk."""
    half = target.with_name(f".{secrets.token_hex(8)}.moving")
    try:
        shutil.copy2(source, half)
        with half.open("rb") as file:
            os.fsync(file.fileno())
        _rename(half, target)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _leave(source: Path, target: Path) -> None:
    """Of the file's two places give up the first; where that may not be, the second."""
    try:
        source.unlink()
    except OSError:
        target.unlink()
        raise


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
