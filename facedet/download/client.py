"""One attempt at one link: every hop judged, every wait and every byte bounded, no surprise raised.

aiohttp does the HTTP: for the same pictures it needs about half of the processor time of urllib3 in
threads, and its hooks let `guard` decide where it connects.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, quote, urljoin

import aiohttp
from yarl import URL

import facedet
from facedet.download.addresses import (
    DEFAULT_PORTS,
    MAX_URL_CHARACTERS,
    Network,
    Resolve,
    check_characters,
    check_url,
    literal_ip,
    system_resolve,
)
from facedet.download.body import leave, read_body, retry_after_s
from facedet.download.endings import (
    NETWORK_ERRORS,
    EndedError,
    LostConnectionError,
    before_answer,
)
from facedet.download.guard import Doors, Names, Way, judged, way_now
from facedet.download.outcome import Failed, Fetched
from facedet.i18n import gettext as _

USER_AGENT = (
    f"facedet/{facedet.__version__} (face-detection lab; fetches labelled photos for teaching)"
)
REDIRECTS = frozenset((301, 302, 303, 307, 308))
WITHOUT_BODY = frozenset((204, 205, 304))
MAX_HEADER_LINES = 128
TRIES_ON_KEPT = 3  # connections that turn out to have ended while nobody used them
READ_BYTES = 1 << 16  # twice as many may wait to be taken
LARGE_AT_ONCE = 16  # bodies beyond `body.LARGE_BYTES`: without a bound, they could fill the memory
_KNOWN = frozenset(status.value for status in HTTPStatus)
_NEVER_CEIL = 1e9  # aiohttp rounds long waits up to whole seconds otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one attempt may take.

    Args:
        connect_s: to connect, encryption included.
        first_byte_s: until the answer begins; also until the name system answers.
        between_bytes_s: the longest pause within the answer.
        total_s: all hops together.
        max_bytes: of the body, as sent and as unpacked.
        max_redirects: hops beyond the first.
        max_header_bytes: of the head of one answer.
    """

    connect_s: float = 5.0
    first_byte_s: float = 10.0
    between_bytes_s: float = 10.0
    total_s: float = 60.0
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    max_header_bytes: int = 1 << 16


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Trip:
    """An attempt on its way: which address is next, and how it came there.

    Args:
        url: asked next.
        status: of the answer that led here; None at the beginning.
        network: that answer's; a redirect never leads further inwards.
        asked: the addresses that were asked so far.
        seconds: that they took together, without what the caller let pass between two.
    """

    url: str
    status: int | None = None
    network: Network | None = None
    asked: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class _Place:
    """The last address of a hop and what it answered, for the account of a failure."""

    url: str
    status: int | None


class Client:
    """Fetches links, many at once; between entering and leaving, in one event loop.

    Args:
        limits: of each attempt.
        allow_private: this computer and private networks may be asked. A redirect may still
            never lead inwards.
        resolve: what to ask for the addresses of a name; called in a thread.
        connections: attempts at once; more wait for their turn, which counts for no limit.
        user_agent: who says to be asking.
    """

    def __init__(
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        allow_private: bool = False,
        resolve: Resolve = system_resolve,
        connections: int = 256,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._limits = limits
        self._allow_private = allow_private
        self._resolve = resolve
        self._connections = connections
        # No cookies, no referrer; and asked for plain bytes, for pictures are packed already.
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "image/*",
            "Accept-Encoding": "identity",
        }
        self._sessions: dict[Network, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._turns = asyncio.Semaphore(self._connections)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._names = Names(self._resolve, self._connections, self._limits.first_byte_s)
        self._doors = Doors(2 * self._connections)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._names.close()
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def fetch(self, url: str) -> Fetched | Failed:
        """One attempt at a link, its redirects included; raises nothing for what others do."""
        answer: Fetched | Failed | Trip = Trip(url)
        while isinstance(answer, Trip):
            answer = await self.hop(answer)
        return answer

    async def hop(self, trip: Trip) -> Fetched | Failed | Trip:
        """One request of an attempt; where the answer is a redirect, the trip that goes on there.

        Who asks hop by hop can be polite to each host that a link leads to.
        """
        began = time.monotonic()
        place = _Place(trip.url, trip.status)
        async with self._turns:
            try:
                async with asyncio.timeout(self._limits.total_s - trip.seconds):
                    answer = await self._hop(trip, place)
            except EndedError as end:
                failed = end
            except TimeoutError:
                failed = EndedError(
                    "timeout",
                    _("not done after {n:g} seconds").format(n=self._limits.total_s),
                )
            else:
                if isinstance(answer, Trip):
                    return replace(answer, seconds=trip.seconds + time.monotonic() - began)
                return answer
        return Failed(
            error_class=failed.error_class,
            note=failed.note,
            http_status=place.status,
            final_url=place.url,
            retry_after_s=failed.retry_after_s,
            doubtful=failed.doubtful,
        )

    async def reaches(self, url: str) -> bool:
        """Whether this address's host can be connected to now; it is asked for nothing."""
        try:
            async with asyncio.timeout(self._limits.connect_s):
                way = await self._way(_checked(url), None)
                ip, port = way.addresses[0]
                _reader, writer = await asyncio.open_connection(ip, port)
        except (EndedError, OSError):  # a timeout is an OSError
            return False
        writer.close()
        return True

    async def _hop(self, trip: Trip, place: _Place) -> Fetched | Trip:
        parts = _checked(trip.url)
        place.url = url = parts.geturl()
        way = await self._way(parts, trip.network)
        response = await self._ask(url, way)
        place.status = response.status
        try:
            _check_head(response, self._limits.max_header_bytes)
            if response.status in REDIRECTS and "Location" in response.headers:
                place.url = _joined(url, response.headers["Location"])
                await leave(response)
                asked = (*trip.asked, url)
                place.url = self._next(place.url, asked)
                return Trip(place.url, response.status, way.network, asked)
            if refusal := _refusal(response):
                await leave(response)
                raise refusal
            body = await read_body(
                response, self._limits.max_bytes, self._limits.between_bytes_s, self._large
            )
            return Fetched(body, response.status, url)
        finally:
            response.close()  # What was read to its end has given its connection back already.

    def _next(self, url: str, asked: tuple[str, ...]) -> str:
        """Where a redirect leads, if one may go on there."""
        url = _checked(url).geturl()
        if url in asked:
            raise EndedError("redirect_loop", _("redirects lead back to where they began"))
        if len(asked) > self._limits.max_redirects:
            raise EndedError(
                "redirect_loop",
                _("more than {n} redirects").format(n=self._limits.max_redirects),
            )
        return url

    async def _way(self, parts: SplitResult, came_from: Network | None) -> Way:
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        ip = literal_ip(host)
        addresses = ((ip, port),) if ip else await self._names.look_up(host, port)
        return judged(addresses, came_from, self._allow_private)

    async def _ask(self, url: str, way: Way) -> aiohttp.ClientResponse:
        """One request; its answer as soon as the head has come."""
        limits = self._limits
        token = way_now.set(way)
        try:
            # The library's own limits are of each wait; a head may also come byte by byte.
            async with asyncio.timeout(limits.connect_s + limits.first_byte_s):
                return await self._answer(url, way)
        except NETWORK_ERRORS as error:
            raise before_answer(error) from error
        finally:
            way_now.reset(token)

    async def _answer(self, url: str, way: Way) -> aiohttp.ClientResponse:
        session = self._session(way.network)
        headers = {"Connection": "close"} if self._doors.crowded else None
        for _try in range(TRIES_ON_KEPT):
            try:
                return await session.get(
                    URL(url, encoded=True), headers=headers, allow_redirects=False
                )
            except LostConnectionError:
                # A server may end a kept connection in the very moment in which it is used.
                if way.opened:
                    raise
        raise LostConnectionError(_("kept connections ended, one after the other"))

    def _session(self, network: Network) -> aiohttp.ClientSession:
        if network not in self._sessions:
            limits = self._limits
            self._sessions[network] = aiohttp.ClientSession(
                connector=self._doors.connector(network),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # no proxy, no .netrc
                auto_decompress=False,
                middlewares=(_once,),
                timeout=aiohttp.ClientTimeout(
                    connect=limits.connect_s,
                    sock_read=limits.first_byte_s,
                    ceil_threshold=_NEVER_CEIL,
                ),
                read_bufsize=READ_BYTES,
                max_line_size=limits.max_header_bytes // 4,
                max_field_size=limits.max_header_bytes // 4,
                max_headers=MAX_HEADER_LINES,
            )
        return self._sessions[network]


def fetch_once(
    url: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_private: bool = False,
    resolve: Resolve = system_resolve,
) -> Fetched | Failed:
    """One attempt at one link, waited for; from any thread, also one with a running event loop."""

    async def once() -> Fetched | Failed:
        async with Client(
            limits=limits, allow_private=allow_private, resolve=resolve, connections=1
        ) as client:
            return await client.fetch(url)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(once())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, once()).result()


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the library from asking again by itself: a host must see no more than we count."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise LostConnectionError(str(error)) from error


def _checked(url: str) -> SplitResult:
    try:
        return check_url(url)
    except ValueError as error:
        raise EndedError("blocked_address", str(error)) from error


def _joined(url: str, location: str) -> str:
    """Where a redirect leads; whatever cannot be read is given back as it is, to be refused."""
    # Servers write what they like: spaces and bytes that are no text are quoted, as browsers do.
    text = "".join(
        quote(c.encode("utf-8", "surrogateescape")) if c == " " or "\ud800" <= c <= "\udfff" else c
        for c in location.strip(" \t")
    )
    try:
        check_characters(text)
        return urljoin(url, text)
    except ValueError:
        return text[:MAX_URL_CHARACTERS]


def _check_head(response: aiohttp.ClientResponse, max_bytes: int) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
    if size > max_bytes:
        raise EndedError("too_large", _("a head of {n:,} bytes").format(n=size))


def _refusal(response: aiohttp.ClientResponse) -> EndedError | None:
    """Why an answer that is no redirect has no body for us; None where it may have one."""
    status = response.status
    if 400 <= status < 600:
        # Our own words for the status: the server's are a stranger's.
        phrase = HTTPStatus(status).phrase if status in _KNOWN else ""
        return EndedError(
            "http_4xx" if status < 500 else "http_5xx",
            f"{status} {phrase}".strip(),
            retry_after_s(response.headers),
        )
    if status in REDIRECTS:
        return EndedError("not_an_image", _("{n}: a redirect that leads nowhere").format(n=status))
    if status in WITHOUT_BODY or not 200 <= status < 300:
        return EndedError("not_an_image", _("{n}: an answer without content").format(n=status))
    if status == HTTPStatus.PARTIAL_CONTENT:
        return EndedError(
            "truncated", _("{n}: only a part, which nobody asked for").format(n=status)
        )
    return None
