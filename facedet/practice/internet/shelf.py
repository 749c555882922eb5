"""The files of the site: small ones kept in memory up to a limit, large ones read while sent."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

BLOCK_BYTES = 64 * 1024
MAX_KEPT_FILE_BYTES = 1024 * 1024
MAX_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServedFile:
    """One file as it was when first asked for.

    Args:
        path: of the file.
        size: in bytes.
        etag: a strong tag, in quotes.
        modified: as in ``Last-Modified``.
        content: all of it, or None where it is too large to keep.
    """

    path: Path
    size: int
    etag: str
    modified: str
    content: bytes | None

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop` in blocks; raises OSError where the file is gone by now."""
        if self.content is not None:
            yield self.content[start:stop]
            return
        with self.path.open("rb") as file:
            file.seek(start)
            while start < stop and (block := file.read(min(BLOCK_BYTES, stop - start))):
                start += len(block)
                yield block


class Shelf:
    """Files by path; those not asked for lately make room."""

    def __init__(self, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._files: OrderedDict[Path, ServedFile] = OrderedDict()
        self._room = max_kept_bytes

    def take(self, path: Path) -> ServedFile:
        """The file, from memory where possible; raises OSError where it cannot be read."""
        if served := self._files.get(path):
            self._files.move_to_end(path)
            return served
        served = _look_at(path)
        self._files[path] = served
        self._room -= _cost(served)
        while self._room < 0 and len(self._files) > 1:
            self._room += _cost(self._files.popitem(last=False)[1])
        return served


def _look_at(path: Path) -> ServedFile:
    with path.open("rb") as file:
        content = file.read(MAX_KEPT_FILE_BYTES + 1)
    about = path.stat()
    kept = content if len(content) <= MAX_KEPT_FILE_BYTES else None
    return ServedFile(
        path,
        about.st_size if kept is None else len(kept),
        f'"{about.st_size:x}-{about.st_mtime_ns:x}"',
        formatdate(about.st_mtime, usegmt=True),
        kept,
    )


def _cost(served: ServedFile) -> int:
    return len(served.content or b"") + 1024  # the entry itself counts too
