"""Reading an answer within bounds: bytes counted as they come, packed ones as they come out."""

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import aiohttp

from facedet.download.endings import NETWORK_ERRORS, EndedError, within_body
from facedet.errors import shown_name
from facedet.i18n import gettext as _

MOST_WAIT_S = 7 * 86_400.0
MOST_MEMBERS = 1000  # a gzip file may be several, one after the other; each costs time
# What is read of a page that nobody wants, so that its connection can be used again.
REST_BYTES = 1 << 16
REST_S = 1.0
LARGE_BYTES = 4_000_000  # few photos are; of those, only some are read at the same time


async def read_body(
    response: aiohttp.ClientResponse,
    max_bytes: int,
    between_bytes_s: float,
    large: asyncio.Semaphore,
) -> bytes:
    """The whole body, unpacked.

    Args:
        response: its head has come.
        max_bytes: of what is sent, and of what comes out of it.
        between_bytes_s: the longest pause.
        large: held while a body of more than `LARGE_BYTES` is read.

    Raises:
        EndedError: `too_large`, `truncated`, `timeout`, or `not_an_image` for a packing that is
            unknown or broken.
    """
    if (response.content_length or 0) > max_bytes:
        raise too_large(max_bytes)
    unpack = _unpacker(response.headers.get("Content-Encoding", ""), max_bytes)
    # None where all has come already. (Not "if connection": its truth is whether heads wait in it.)
    connection = response.connection.protocol if response.connection else None
    if connection is not None:
        connection.read_timeout = between_bytes_s
        connection.start_timeout()
    pieces: list[bytes] = []
    came = size = 0
    async with AsyncExitStack() as held:
        try:
            while piece := await response.content.readany():
                came += len(piece)
                if came > max_bytes:
                    raise too_large(max_bytes)
                pieces.append(unpack.feed(piece))
                before, size = size, size + len(pieces[-1])
                if before <= LARGE_BYTES < size:
                    await held.enter_async_context(large)
        except NETWORK_ERRORS as error:
            raise within_body(error) from error
    # Where only the end of the connection ends the body, a broken one looks like an end.
    broken = connection is not None and isinstance(connection.exception(), aiohttp.ClientOSError)
    if broken and _until_close(response):
        raise within_body(ConnectionResetError())
    unpack.finish()
    return b"".join(pieces)


async def leave(response: aiohttp.ClientResponse) -> None:
    """Read the rest of an answer that nobody wants, if it is short: its connection can be kept."""
    left = REST_BYTES if (response.content_length or 0) <= REST_BYTES else 0
    with contextlib.suppress(*NETWORK_ERRORS):
        async with asyncio.timeout(REST_S):
            while left > 0 and (piece := await response.content.readany()):
                left -= len(piece)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How long Retry-After asks to wait, 0 s to a week; None where it does not (RFC 9110, 10.2.3).

    Args:
        headers: of the answer.
        now: with time zone; default the clock's.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MOST_WAIT_S)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    wait = (when - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), MOST_WAIT_S)


def too_large(max_bytes: int) -> EndedError:
    """More bytes than we take."""
    return EndedError("too_large", _("more than {n:.3g} MB").format(n=max_bytes / 1e6))


def _until_close(response: aiohttp.ClientResponse) -> bool:
    names = response.headers
    return "Content-Length" not in names and "Transfer-Encoding" not in names


def _badly_packed() -> EndedError:
    return EndedError("not_an_image", _("packed, and the packing is broken"))


class _Unpacker(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> None: ...


def _unpacker(encoding: str, max_bytes: int) -> _Unpacker:
    """We ask for plain bytes; some servers pack them all the same."""
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Zlib(max_bytes, zlib.MAX_WBITS | 16)
        case "deflate":
            return _Zlib(max_bytes, None)
        case unknown:
            raise EndedError(
                "not_an_image",
                _("packed in a way unknown here: {name}").format(name=shown_name(unknown)),
            )


class _Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> None:
        pass


class _Zlib:
    """Never more than `max_bytes` come out, whatever goes in.

    Args:
        max_bytes: in all.
        wbits: as zlib has it; None: with or without its header, as the first byte says. Servers
            do not agree about what "deflate" means.
    """

    def __init__(self, max_bytes: int, wbits: int | None) -> None:
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._wbits = wbits
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def feed(self, data: bytes) -> bytes:
        out = bytearray()
        try:
            while data:
                data = self._step(data, out)
        except zlib.error as error:
            raise _badly_packed() from error
        return bytes(out)

    def finish(self) -> None:
        if self._stream and not self._stream.eof:
            raise EndedError("truncated", _("the packed answer ends in the middle"))

    def _step(self, data: bytes, out: bytearray) -> bytes:
        """Unpack up to the end of the data or of one of the streams in it; what is left of it."""
        if self._wbits is None:
            # RFC 1950: the low half of the first byte is 8 where there is a header.
            self._wbits = zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
        if self._stream is None or self._stream.eof:
            self._stream = zlib.decompressobj(self._wbits)
            self._members += 1
            if self._members > MOST_MEMBERS:
                raise _badly_packed()
        piece = self._stream.decompress(data, self._left + 1)
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._max_bytes)
        out += piece
        return self._stream.unused_data
