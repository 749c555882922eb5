"""Decompression in bounded steps: a small file may claim to hold anything."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import IO, Protocol

from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

PIECE = 1 << 18  # what comes out in one step, at most
_INPUT = 1 << 16
_XZ_MEMORY = 80_000_000  # `xz -9` needs 65 MB
# Each needs a new decompressor: millions of empty ones would take hours.
_MAX_PARTS = 100_000


class DamageError(Exception):
    """The archive is broken, or ends, at this place; the message says how."""


class Unpacked:
    """The bytes in a .gz, .bz2, .xz or plain file, read forwards once.

    Args:
        file: from its beginning.
        name: what to call it in messages.
        max_bytes: how many may come out in all.

    `spoiled` is what the decompressor found wrong with the bytes, checksums included; "" so far.
    `excess`: whether something plain follows the compressed bytes; it is handed on as it is.
    """

    def __init__(self, file: IO[bytes], name: str, max_bytes: int) -> None:
        self.spoiled, self.excess = "", False
        self._name, self._max_bytes = name, max_bytes
        self._pieces = self._unpack(file)
        self._piece, self._at = b"", 0
        self._total = 0

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._total - len(self._piece) + self._at

    def read(self, n: int) -> bytes:
        """The next `n` bytes.

        Raises:
            DamageError: there are fewer, or they are damaged.
            DatasetError: more than `max_bytes` came out.
        """
        parts = list(self._parts(n))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, n: int) -> None:
        """Leave out `n` bytes, at the memory of one piece; raises as `read`."""
        for _part in self._parts(n):
            pass

    def drain(self) -> bool:
        """Read to the end, so that all checksums are compared; whether only zeros came.

        Raises:
            DamageError: it ends too early, or is damaged.
            DatasetError: more than `max_bytes` came out.
        """
        zeros = not self._piece[self._at :].strip(b"\0")
        while self._next():
            zeros = zeros and not self._piece.strip(b"\0")
        self._at = len(self._piece)
        return zeros

    def _parts(self, n: int) -> Iterator[bytes]:
        while n > 0:
            if self._at == len(self._piece) and not self._next():
                raise DamageError(_("it ends too early"))
            part = self._piece[self._at : self._at + n]
            self._at += len(part)
            n -= len(part)
            yield part

    def _unpack(self, file: IO[bytes]) -> Iterator[bytes]:
        data = file.read(_INPUT)
        for magic, make in _KINDS.items():
            if data.startswith(magic):
                data = yield from _decompressed(data, file, magic, make)
                self.excess = bool(data)
                break
        while data:
            yield data
            data = file.read(_INPUT)

    def _next(self) -> bool:
        try:
            piece = next(self._pieces, b"")
        except (zlib.error, lzma.LZMAError, OSError) as error:
            self.spoiled = shown_name(str(error))
            raise DamageError(self.spoiled) from error
        if not piece:
            return False
        self._piece, self._at = piece, 0
        self._total += len(piece)
        if self._total > self._max_bytes:
            raise too_large(self._name, self._max_bytes)
        return True


def too_large(name: str, max_bytes: int) -> DatasetError:
    """What to raise where more comes out, or is announced, than may."""
    return DatasetError(
        _("{name}: more than {limit:.0f} GB when unpacked; this is not VGG Face").format(
            name=shown_name(name), limit=max_bytes / 1e9
        )
    )


class _Decompressor(Protocol):
    """What those of bz2 and lzma share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's, with the manners of the others; it compares length and CRC-32 itself."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


GZIP = b"\x1f\x8b"
_KINDS: dict[bytes, Callable[[], _Decompressor]] = {
    GZIP: _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": _xz,
    b"\x5d\x00\x00\x80": _xz,
}


def _decompressed(
    data: bytes, file: IO[bytes], magic: bytes, make: Callable[[], _Decompressor]
) -> Generator[bytes, None, bytes]:
    """All parts, one after another, as `gzip -d` does; returns the first bytes after the last."""
    for _part in range(_MAX_PARTS):
        unpacker = make()
        while not unpacker.eof:
            if not data and unpacker.needs_input and not (data := file.read(_INPUT)):
                raise DamageError(_("it ends too early"))
            piece = unpacker.decompress(data, PIECE)
            data = b""
            if piece:
                yield piece
        data = _after_padding(unpacker.unused_data, file)
        if not data.startswith(magic):
            return data
    raise DamageError(_("more than {n:,} compressed parts").format(n=_MAX_PARTS))


def _after_padding(data: bytes, file: IO[bytes]) -> bytes:
    """Tapes are filled up with zeros; a few bytes at least, so that what begins can be told."""
    data = data.lstrip(b"\0")
    while len(data) < 8 and (more := file.read(_INPUT)):
        data = (data + more).lstrip(b"\0")
    return data
