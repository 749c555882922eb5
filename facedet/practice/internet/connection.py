"""One connection: reads heads, sends replies, keeps the log. An `asyncio.Protocol`, for speed."""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from typing import cast

from facedet.practice.internet.answers import Reply
from facedet.practice.internet.heads import (
    MAX_HEAD_BYTES,
    BadHeadError,
    Head,
    parse_head,
    write_head,
)
from facedet.practice.internet.hub import Hub
from facedet.practice.internet.records import Request
from facedet.practice.internet.tunnel import TunnelEnd

IDLE_S = 60.0
HANG_S = 120.0
LINGER_S = 1.0
# Some systems drop what is not yet read when a connection breaks; the half body should be seen.
BEFORE_RESET_S = 0.02
SLICES_PER_S = 50  # a thin line sends this often


@dataclass(slots=True, eq=False)
class _Exchange:
    """A request under way."""

    head: Head
    arrived: float
    answer: str
    status: int = 0
    sent_bytes: int = 0
    early: bool = False


class Connection(asyncio.Protocol):
    """The server's side of one connection.

    A reply that is all there is written on the spot; whatever waits runs in a task, one at most.
    """

    _transport: asyncio.Transport

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._number = next(hub.numbers)
        self._buffer = bytearray()
        self._skip = 0  # bytes of a request's body, which nobody reads
        self._exchange: _Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving = False
        self._idle_since = time.monotonic()
        self._free_at = 0.0  # when a thin line has carried all that was put on it
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        # No cushion: a byte counts as sent when the system has it. (1, for with 0 asyncio's TLS
        # pauses on an empty buffer and never goes on.)
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._hub.lines.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """It left, or we did: what was under way ends here."""
        self._leaving = True
        if self._task:
            self._task.cancel()
        self._log()
        self._hub.lines.discard(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._room.clear()

    def resume_writing(self) -> None:
        """The system has taken all that was written."""
        self._room.set()

    def data_received(self, data: bytes) -> None:
        """A piece of a head, a whole one, or more than one."""
        if self._leaving:
            return
        self._buffer += data
        if not self._exchange:
            self._advance()
        elif len(self._buffer) > MAX_HEAD_BYTES:
            self._transport.pause_reading()

    def drop(self) -> None:
        """End it at once."""
        self._transport.abort()

    def look_after(self) -> None:
        """End it where no request, or no whole one, came for a minute."""
        if not self._exchange and time.monotonic() - self._idle_since > IDLE_S:
            self._transport.close()

    def _advance(self) -> None:
        """Take the next request, as long as one is there and none is under way."""
        while not self._exchange and not self._leaving:
            if self._skip:
                skipped = min(self._skip, len(self._buffer))
                del self._buffer[:skipped]
                self._skip -= skipped
            while self._buffer.startswith(b"\r\n"):  # old clients end a body with one too many
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
            if end >= 0:
                raw = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                self._begin(raw)
            elif len(self._buffer) > MAX_HEAD_BYTES:
                self._answer(Head(), self._hub.answers.complaint(431))
            else:
                return

    def _begin(self, raw: bytes) -> None:
        try:
            head = parse_head(raw)
        except BadHeadError as error:
            self._answer(Head(), self._hub.answers.complaint(error.status))
            return
        if head.method != "CONNECT":
            self._answer(head, self._hub.answers.reply(head))
            return
        way = self._hub.answers.tunnel(head)
        if isinstance(way, Reply):
            self._answer(head, way)
        else:
            self._exchange = _Exchange(head, self._hub.now(), "connect")
            self._run(self._connect(way))

    def _answer(self, head: Head, reply: Reply) -> None:
        self._exchange = exchange = _Exchange(
            head, self._hub.now(), reply.answer, early=reply.early
        )
        self._skip = head.body_bytes
        if not (reply.at_once and self._hub.network.instant):
            self._run(self._play(exchange, reply))
            return
        body = reply.body if head.method != "HEAD" else b""
        self._write(exchange, reply.status, self._head(head, reply) + body, len(body))
        if self._room.is_set():
            self._finish(head, reply)
        else:
            self._run(self._finish_later(head, reply))

    def _run(self, work: "asyncio._CoroutineLike[None]") -> None:
        self._task = asyncio.get_running_loop().create_task(work)

    async def _play(self, exchange: _Exchange, reply: Reply) -> None:
        """Send a reply that takes its time."""
        head = exchange.head
        await asyncio.sleep(self._hub.network.latency_s + reply.late_s)
        if reply.ending == "never":
            await asyncio.sleep(HANG_S)
            self._transport.close()
            return
        try:
            await self._send(exchange, reply)
        except OSError:  # the file went away meanwhile: nothing can mend a body half sent
            self._transport.abort()
            return
        if reply.ending == "reset":
            await self._room.wait()
            await asyncio.sleep(BEFORE_RESET_S)
            self._break()
            return
        await self._finish_later(head, reply)

    async def _send(self, exchange: _Exchange, reply: Reply) -> None:
        head = exchange.head
        begun = self._head(head, reply)
        framed = reply.length is None and head.chunks and reply.status not in {204, 304}
        for piece in reply.pieces() if head.method != "HEAD" else ():
            if exchange.sent_bytes:
                await asyncio.sleep(reply.pause_s)
            data = b"%x\r\n%b\r\n" % (len(piece), piece) if framed and piece else piece
            await self._send_slowly(exchange, reply.status, begun + data, len(piece))
            begun = b""
        if framed and head.method != "HEAD":
            begun += b"0\r\n\r\n"
        if begun:
            await self._send_slowly(exchange, reply.status, begun, 0)

    async def _send_slowly(
        self, exchange: _Exchange, status: int, data: bytes, body_bytes: int
    ) -> None:
        """Write as fast as the client reads and the line carries."""
        rate = self._hub.network.bytes_per_s
        step = max(1, len(data)) if rate is None else max(1, int(rate / SLICES_PER_S))
        before = len(data) - body_bytes
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            if rate is not None:
                # A byte arrives when the line has carried it, so the wait comes first.
                self._free_at = max(time.monotonic(), self._free_at) + len(piece) / rate
                await asyncio.sleep(self._free_at - time.monotonic())
            await self._room.wait()
            in_body = max(0, start + len(piece) - before) - max(0, start - before)
            self._write(exchange, status, piece, in_body)

    def _write(self, exchange: _Exchange, status: int, data: bytes, body_bytes: int) -> None:
        exchange.status = status
        exchange.sent_bytes += body_bytes
        self._transport.write(data)

    def _head(self, head: Head, reply: Reply) -> bytes:
        fields = reply.fields + self._hub.date_field()
        keep = head.keep_alive and reply.ending == "keep"
        if reply.status in {204, 304}:
            return write_head(reply.status, fields, None, keep=keep, chunks=False)
        return write_head(reply.status, fields, reply.length, keep=keep, chunks=head.chunks)

    async def _finish_later(self, head: Head, reply: Reply) -> None:
        await self._room.wait()
        self._finish(head, reply)
        self._advance()

    def _finish(self, head: Head, reply: Reply) -> None:
        self._log()
        self._idle_since = time.monotonic()
        if head.keep_alive and reply.ending == "keep":
            self._transport.resume_reading()
            return
        self._leaving = True
        if reply.ending == "linger" and self._transport.can_write_eof():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()

    def _break(self) -> None:
        """A reset instead of a goodbye: the system sends one where nothing may linger."""
        self._log()
        if sock := self._transport.get_extra_info("socket"):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _connect(self, port: int) -> None:
        """Open a tunnel to one of our own doors, and step aside."""
        self._transport.pause_reading()
        await asyncio.sleep(self._hub.network.latency_s)
        loop = asyncio.get_running_loop()
        try:
            far, _end = await loop.create_connection(
                lambda: TunnelEnd(self._hub, self._transport, self._tunnelled),
                self._hub.address,
                port,
            )
        except OSError:  # no files left, say
            self._transport.abort()
            return
        near = TunnelEnd(self._hub, far, lambda _passed: None)
        near.connection_made(self._transport)
        self._transport.set_protocol(near)
        self._hub.lines.discard(self)
        self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self._exchange:
            self._exchange.status = 200
        if self._buffer:
            far.write(bytes(self._buffer))
        self._transport.resume_reading()

    def _tunnelled(self, passed: int) -> None:
        if self._exchange:
            self._exchange.sent_bytes = passed
        self._log()

    def _log(self) -> None:
        """The row of the request under way, if one is; from here on, none is."""
        if not (exchange := self._exchange):
            return
        self._exchange = None
        self._task = None
        head = exchange.head
        self._hub.journal.add(
            Request(
                time=exchange.arrived,
                ended=self._hub.now(),
                host=head.host,
                method=head.method,
                path=head.path,
                # Its status line was sent, but it announced what never came.
                status=0 if exchange.answer == "reset" else exchange.status,
                answer=exchange.answer,
                sent_bytes=exchange.sent_bytes,
                connection=self._number,
                early=exchange.early,
            )
        )
