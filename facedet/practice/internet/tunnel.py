"""The two ends of a CONNECT tunnel: what one gets, the other sends."""

import asyncio
from collections.abc import Callable
from typing import cast

from facedet.practice.internet.hub import Hub


class TunnelEnd(asyncio.Protocol):
    """One end. When one closes, so does the other, after sending what it still has.

    Args:
        hub: learns of the end, so that it can close it.
        partner: where to send what comes in.
        on_closed: called with the number of bytes that came in here.
    """

    def __init__(
        self, hub: Hub, partner: asyncio.Transport, on_closed: Callable[[int], None]
    ) -> None:
        self._hub = hub
        self._partner = partner
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._passed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open on one end."""
        self._transport = cast(asyncio.Transport, transport)
        self._hub.lines.add(self)

    def data_received(self, data: bytes) -> None:
        """Something to pass on."""
        self._passed += len(data)
        self._partner.write(data)

    def pause_writing(self) -> None:
        """No more goes out here for now, so the other shall not read."""
        self._partner.pause_reading()

    def resume_writing(self) -> None:
        """More can go out again."""
        self._partner.resume_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Closed on one end; close the other."""
        self._hub.lines.discard(self)
        self._partner.close()
        self._on_closed(self._passed)

    def drop(self) -> None:
        """End it at once."""
        if self._transport:
            self._transport.abort()

    def look_after(self) -> None:
        """The connection inside the tunnel ends when it is idle, and this one with it."""
