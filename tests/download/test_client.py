"""The guarded fetch against servers of all kinds: good, broken, hostile, and the practice ones."""

import asyncio
import contextlib
import csv
import gc
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from facedet.download import body, guard
from facedet.download.client import USER_AGENT, Client, Limits, fetch_once
from facedet.download.endings import EndedError
from facedet.download.outcome import Failed, Fetched
from facedet.practice import server as practice_server
from facedet.practice.dataset import Options, make
from facedet.practice.faults import all_faults
from facedet.practice.server import LittleInternet

QUICK = Limits(
    connect_s=5.0,  # patient enough for a busy computer; what tests the waits has its own
    first_byte_s=5.0,
    between_bytes_s=5.0,
    total_s=10.0,
    max_bytes=1_000_000,
    max_header_bytes=1 << 14,
)
PUBLIC_IP = "93.184.216.34"
OK = b"HTTP/1.1 200 OK\r\n"
PICTURE = bytes(range(256)) * 40
MOST_GROWTH = 50_000_000

Writer = asyncio.StreamWriter
Script = Callable[[Writer], Awaitable[None]]
Outcome = Fetched | Failed


def whole(content: bytes, *fields: str) -> bytes:
    lines = "".join(f"{field}\r\n" for field in fields)
    return OK + f"{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content


class Server:
    """Reads heads and lets a script answer; counts and keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
        ):
            while not writer.is_closing():
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await self.script(writer)
                await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/a.jpg"


@contextlib.asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def says(*answers: bytes, close: bool = False) -> Script:
    """A script that gives one answer after another, the last one for ever."""
    left = [*answers]

    async def script(writer: Writer) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        if close:
            writer.close()

    return script


def breaks(writer: Writer) -> None:
    """A reset instead of a goodbye."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def ask(script: Script, limits: Limits = QUICK, times: int = 1) -> tuple[list[Outcome], Server]:
    """What a few attempts, one after the other, come to."""

    async def run() -> tuple[list[Outcome], Server]:
        async with serving(script) as server, Client(limits=limits, allow_private=True) as client:
            return [await client.fetch(server.url) for _time in range(times)], server

    return asyncio.run(run())


def outcome(script: Script, limits: Limits = QUICK) -> Outcome:
    ((result,), _server) = ask(script, limits)
    return result


def failure(script: Script, limits: Limits = QUICK) -> str:
    result = outcome(script, limits)
    assert isinstance(result, Failed), result
    assert result.note
    return result.error_class


# What a whole answer gives


def test_a_body_comes_whole() -> None:
    (result,), server = ask(says(whole(PICTURE)))
    assert result == Fetched(PICTURE, 200, server.url)


def test_an_empty_body_is_a_body() -> None:
    assert outcome(says(whole(b""))).body == b""  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabcde",
        OK + b"\r\nabcde",
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + whole(b"abcde"),
        b"HTTP/1.1 203 Like It\r\nContent-Length: 5\r\n\r\nabcde",
    ],
)
def test_all_ways_to_frame_a_body_are_read(answer: bytes) -> None:
    assert outcome(says(answer, close=True)).body == b"abcde"  # type: ignore[union-attr]


def gzipped(data: bytes, wbits: int = 31) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzipped(PICTURE)),
        ("X-GZIP", gzipped(PICTURE)),
        ("gzip", gzipped(PICTURE[:100]) + gzipped(PICTURE[100:])),
        ("deflate", gzipped(PICTURE, 15)),
        ("deflate", gzipped(PICTURE, -15)),
        ("identity", PICTURE),
        ("", PICTURE),
    ],
)
def test_a_packed_body_is_unpacked(encoding: str, sent: bytes) -> None:
    answer = whole(sent, f"Content-Encoding: {encoding}")
    assert outcome(says(answer)).body == PICTURE  # type: ignore[union-attr]


# What else may come


def test_a_request_says_who_asks_and_nothing_more() -> None:
    _results, server = ask(says(whole(b"")))
    request, *fields = server.heads[0].strip().split("\r\n")
    assert request == "GET /a.jpg HTTP/1.1"
    assert set(fields) == {
        f"Host: 127.0.0.1:{server.port}",
        f"User-Agent: {USER_AGENT}",
        "Accept: image/*",
        "Accept-Encoding: identity",
    }


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (b"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", "http_4xx"),
        (b"HTTP/1.1 404 X\r\nContent-Length: 3\r\n\r\nabc", "http_4xx"),
        (b"HTTP/1.1 499 X\r\nContent-Length: 3\r\n\r\nabc", "http_4xx"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nabc", "http_5xx"),
        (b"HTTP/1.1 599 X\r\nContent-Length: 3\r\n\r\nabc", "http_5xx"),
        (b"HTTP/1.1 204 X\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 205 X\r\nContent-Length: 0\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 304 X\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 300 X\r\nContent-Length: 0\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", "not_an_image"),
        (b"HTTP/1.1 206 X\r\nContent-Length: 3\r\n\r\nabc", "truncated"),
    ],
)
def test_each_status_has_its_class(answer: bytes, error_class: str) -> None:
    result = outcome(says(answer, close=True))
    assert isinstance(result, Failed)
    assert (result.error_class, result.http_status) == (error_class, int(answer[9:12]))


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (b"", "connect"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "truncated"),
        (OK + b"Content-Length: 10\r\n\r\nabc", "truncated"),
        (OK + b"Content-Length: 10\r\n\r\n", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", "truncated"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "not_an_image"),
        (OK + b"Content-Length: -3\r\n\r\nabc", "not_an_image"),
        (OK + b"Content-Length: 99999999999999999999999\r\n\r\nabc", "not_an_image"),
        (OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "truncated"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not_an_image"),
        (b"220 smtp ready\r\n", "not_an_image"),
        (b"\0" * 100, "not_an_image"),
        (b"\x15\x03\x01\0\x02\x02\x28", "not_an_image"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "not_an_image"),
        (OK + b"Content-Encoding: br\r\n\r\nabc", "not_an_image"),
        (OK + b"Content-Encoding: gzip, gzip\r\n\r\nabc", "not_an_image"),
        (OK + b"Content-Encoding: gzip\r\n\r\nabc", "not_an_image"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzipped(PICTURE)[:-20], "truncated"),
    ],
)
def test_a_broken_answer_has_its_class(answer: bytes, error_class: str) -> None:
    assert failure(says(answer, close=True)) == error_class


@pytest.mark.parametrize(
    ("before", "error_class"),
    [
        (b"", "connect"),
        (OK + b"Content-Length: 10\r\n\r\nabc", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "truncated"),
        (OK + b"\r\nabc", "truncated"),  # only the end of the connection would end this one
    ],
)
def test_a_reset_is_no_end_of_a_body(before: bytes, error_class: str) -> None:
    async def script(writer: Writer) -> None:
        writer.write(before)
        await writer.drain()
        await asyncio.sleep(0.02)  # the system may drop what is not read when a reset comes
        breaks(writer)

    assert failure(script) == error_class


def test_a_server_that_breaks_off_is_asked_once() -> None:
    async def script(writer: Writer) -> None:
        breaks(writer)

    _results, server = ask(script)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (b"7", 7.0),
        (b"0", 0.0),
        (b"999999999999", 604_800.0),
        (b"-5", None),
        (b"soon", None),
        (b"1.5", None),
        (b"", None),
        (b"Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (b"Wed, 21 Oct 9915 07:28:00 GMT", 604_800.0),
        (b"Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("٧".encode(), None),
    ],
)
def test_the_wait_asked_for_is_kept_within_bounds(seconds: bytes, expected: float | None) -> None:
    answer = b"HTTP/1.1 429 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % seconds
    result = outcome(says(answer))
    assert isinstance(result, Failed)
    assert result.retry_after_s == expected


def test_a_date_to_wait_for_is_counted_from_now() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert body.retry_after_s({"Retry-After": "Thu, 01 Jan 2026 12:01:30 GMT"}, now) == 90.0


def test_a_503_too_may_ask_for_a_wait() -> None:
    result = outcome(says(b"HTTP/1.1 503 X\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"))
    assert isinstance(result, Failed)
    assert (result.error_class, result.retry_after_s) == ("http_5xx", 3.0)


# Kept connections


def test_connections_are_kept_between_requests() -> None:
    _results, server = ask(says(whole(PICTURE)), times=3)
    assert server.connections == 1


def test_connections_are_kept_after_an_error_page() -> None:
    page = b"HTTP/1.1 404 X\r\nContent-Length: 2000\r\n\r\n" + bytes(2000)
    _results, server = ask(says(page), times=3)
    assert server.connections == 1


def test_a_kept_connection_that_ended_unseen_is_replaced() -> None:
    async def run() -> tuple[Outcome, int]:
        asked_again = 0

        async def script(writer: Writer) -> None:
            nonlocal asked_again
            if server.connections == 1 and len(server.heads) == 2:
                asked_again += 1
                writer.close()  # the request was sent, and this is the answer
            else:
                writer.write(whole(PICTURE))

        async with serving(script) as server, Client(limits=QUICK, allow_private=True) as client:
            await client.fetch(server.url)
            return await client.fetch(server.url), asked_again

    result, asked_again = asyncio.run(run())
    assert isinstance(result, Fetched)
    assert asked_again == 1


def test_where_too_many_are_open_a_connection_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.Doors, "crowded", True)
    _results, server = ask(says(whole(b"")))
    assert "Connection: close" in server.heads[0]


def test_no_more_are_asked_at_once_than_said() -> None:
    async def run() -> int:
        at_once = most = 0

        async def script(writer: Writer) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            writer.write(whole(b""))

        async with (
            serving(script) as server,
            Client(limits=QUICK, allow_private=True, connections=2) as client,
        ):
            await asyncio.gather(*(client.fetch(server.url) for _n in range(10)))
        return most

    assert asyncio.run(run()) == 2


# Nothing of one answer goes into the next request


def test_cookies_are_not_kept() -> None:
    answer = whole(b"", "Set-Cookie: a=b; Path=/", "Set-Cookie: c=d")
    _results, server = ask(says(answer), times=2)
    assert "cookie" not in server.heads[1].lower()


def test_a_redirect_carries_neither_cookies_nor_where_it_came_from() -> None:
    moved = b"HTTP/1.1 302 X\r\nLocation: /b.jpg\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    _results, server = ask(says(moved, whole(b"")))
    assert "/b.jpg" in server.heads[1]
    assert not {"cookie", "referer"} & {
        line.split(":")[0].lower() for line in server.heads[1].split("\r\n")
    }


def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    async def run() -> tuple[Outcome, Server, Server]:
        async with serving(says(whole(b"proxy"))) as proxy, serving(says(whole(b"site"))) as site:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            async with Client(limits=QUICK, allow_private=True) as client:
                return await client.fetch(site.url), proxy, site

    result, proxy, site = asyncio.run(run())
    assert isinstance(result, Fetched)
    assert (result.body, proxy.connections) == (b"site", 0)
    assert "authorization" not in site.heads[0].lower()


# Time


async def silent(_writer: Writer) -> None:
    await asyncio.sleep(60)


def dripping(piece: bytes, start: bytes = b"", pause_s: float = 0.05) -> Script:
    async def script(writer: Writer) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return script


def timed(script: Script, limits: Limits) -> tuple[Outcome, float]:
    begun = time.monotonic()
    return outcome(script, limits), time.monotonic() - begun


LONG = Limits(connect_s=9, first_byte_s=9, between_bytes_s=9, total_s=9)


@pytest.mark.parametrize(
    ("script", "limits", "note"),
    [
        (silent, replace(LONG, first_byte_s=0.2), "no answer in time"),
        (dripping(b"X", OK), replace(LONG, connect_s=0.1, first_byte_s=0.2), "no answer in time"),
        (
            dripping(b"", OK + b"Content-Length: 9\r\n\r\na"),
            replace(LONG, between_bytes_s=0.2),
            "in the middle",
        ),
        (dripping(b"a", OK + b"\r\n"), replace(LONG, total_s=0.3), "not done"),
        (
            dripping(b"a", OK + b"Content-Length: 99\r\n\r\n"),
            replace(LONG, between_bytes_s=0.2, total_s=0.4),
            "not done",
        ),
        (
            dripping(b"HTTP/1.1 100 X\r\n\r\n"),
            replace(LONG, connect_s=0.1, first_byte_s=0.2),
            "no answer in time",
        ),
    ],
    ids=["silent", "head", "stop", "drip", "drip-with-length", "continue"],
)
def test_each_phase_has_an_end(script: Script, limits: Limits, note: str) -> None:
    result, seconds = timed(script, limits)
    assert isinstance(result, Failed)
    assert result.error_class == "timeout"
    assert note in result.note
    assert seconds < 4


def test_a_slow_answer_within_the_limits_is_fetched() -> None:
    async def script(writer: Writer) -> None:
        writer.write(OK + b"Content-Length: 8\r\n\r\n")
        for _n in range(8):
            await asyncio.sleep(0.05)
            writer.write(b"a")

    limits = Limits(first_byte_s=0.2, between_bytes_s=0.2, total_s=5)
    assert outcome(script, limits).body == b"a" * 8  # type: ignore[union-attr]


def test_an_error_page_that_never_ends_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "REST_S", 0.2)
    script = dripping(b"a", b"HTTP/1.1 404 X\r\n\r\n")
    result, seconds = timed(script, LONG)
    assert isinstance(result, Failed)
    assert result.error_class == "http_4xx"
    assert seconds < 4


def never_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_args: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", hang)


def test_a_connection_that_is_not_made_in_time_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_connects(monkeypatch)
    limits = replace(LONG, connect_s=0.2)
    result = fetch_once("http://a.example/", limits=limits, resolve=lambda _h, p: [(PUBLIC_IP, p)])
    assert isinstance(result, Failed)
    assert (result.error_class, result.note) == ("timeout", "no connection in time")


def test_a_name_with_many_dead_addresses_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    never_connects(monkeypatch)
    begun = time.monotonic()
    result = fetch_once(
        "http://a.example/",
        limits=replace(LONG, connect_s=0.3),
        resolve=lambda _h, p: [(f"93.184.216.{n}", p) for n in range(1, 20)],
    )
    assert isinstance(result, Failed)
    assert result.error_class == "timeout"
    assert time.monotonic() - begun < 4


def test_a_name_system_that_does_not_answer_is_not_waited_for() -> None:
    over = threading.Event()

    def resolve(_host: str, _port: int) -> list[tuple[str, int]]:
        over.wait(9)
        return []

    begun = time.monotonic()
    limits = replace(LONG, first_byte_s=0.2)
    result = fetch_once("http://a.example/", limits=limits, resolve=resolve)
    seconds = time.monotonic() - begun
    over.set()
    assert isinstance(result, Failed)
    assert result.error_class == "dns"
    assert seconds < 4


# Size and memory


def test_a_body_announced_too_large_is_not_read() -> None:
    async def script(writer: Writer) -> None:
        writer.write(OK + b"Content-Length: 20000001\r\n\r\n")
        await asyncio.sleep(60)

    result, seconds = timed(script, LONG)
    assert isinstance(result, Failed)
    assert result.error_class == "too_large"
    assert seconds < 4


@pytest.mark.parametrize("encoding", ["", "Content-Encoding: gzip\r\n"], ids=["plain", "packed"])
def test_a_body_of_exactly_the_limit_is_fetched(encoding: str) -> None:
    content = bytes(QUICK.max_bytes)
    sent = gzipped(content) if encoding else content
    answer = OK + f"{encoding}Content-Length: {len(sent)}\r\n\r\n".encode() + sent
    assert outcome(says(answer)).body == content  # type: ignore[union-attr]


def test_one_byte_more_than_the_limit_is_too_large() -> None:
    assert failure(says(OK + b"\r\n" + bytes(QUICK.max_bytes + 1), close=True)) == "too_large"


def test_one_unpacked_byte_more_than_the_limit_is_too_large() -> None:
    answer = whole(gzipped(bytes(QUICK.max_bytes + 1)), "Content-Encoding: gzip")
    assert failure(says(answer)) == "too_large"


def endless(start: bytes, piece: bytes) -> Script:
    async def script(writer: Writer) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return script


def packed_zeros(gigabytes: int) -> Script:
    async def script(writer: Writer) -> None:
        writer.write(OK + b"Content-Encoding: gzip\r\n\r\n")
        packer = zlib.compressobj(1, wbits=31)
        for _mb in range(gigabytes * 1000):
            writer.write(packer.compress(bytes(1_000_000)))
            await writer.drain()

    return script


FILLER = b"a" * 65_536
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (endless(b"HTTP/1.1 200 ", FILLER), {"too_large"}),
        (endless(OK + b"X: ", FILLER), {"too_large"}),
        (endless(OK, FILLER), {"too_large"}),
        (endless(OK, b"X-Many: 1\r\n" * 1000), {"too_large"}),
        (endless(FILLER, FILLER), {"not_an_image"}),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), {"timeout"}),
        (endless(OK + b"\r\n", FILLER), {"too_large"}),
        (endless(CHUNKED, b"10000\r\n" + FILLER + b"\r\n"), {"too_large"}),
        (endless(CHUNKED, b"1\r\na\r\n" * 10_000), {"timeout", "too_large"}),
        (endless(CHUNKED + b"1;", FILLER), {"timeout", "truncated"}),
        (endless(CHUNKED, b"0" * 65_536), {"timeout", "truncated"}),
        (endless(CHUNKED + b"0\r\nX: ", FILLER), {"too_large", "truncated"}),
        (endless(CHUNKED + b"0\r\n", b"X-Many: 1\r\n" * 1000), {"too_large", "truncated"}),
        (endless(b"HTTP/1.1 404 X\r\n\r\n", FILLER), {"http_4xx"}),
        (endless(b"HTTP/1.1 302 X\r\nLocation: file:///x\r\n\r\n", FILLER), {"blocked_address"}),
        (packed_zeros(10), {"too_large"}),
        (endless(OK + b"Content-Encoding: gzip\r\n\r\n", gzipped(b"")), {"not_an_image"}),
    ],
    ids=[
        *("status", "header-line", "header-name", "headers", "garbage", "continue", "body"),
        *("chunks", "small-chunks", "chunk-extension", "chunk-size", "trailer", "trailers"),
        *("error-page", "redirect-page", "zeros", "empty-members"),
    ],
)
def test_an_endless_answer_ends_in_bounds(script: Script, expected: set[str]) -> None:
    limits = replace(QUICK, max_bytes=20_000_000)
    if "timeout" in expected:
        limits = replace(limits, connect_s=0.2, first_byte_s=0.2, total_s=0.4)
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss

    async def watched() -> tuple[Outcome, int]:
        most = before

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.005)

        async with serving(script) as server, Client(limits=limits, allow_private=True) as client:
            watching = asyncio.create_task(watch())
            result = await client.fetch(server.url)
            watching.cancel()
        return result, most

    begun = time.monotonic()
    result, most = asyncio.run(watched())
    assert isinstance(result, Failed)
    assert result.error_class in expected
    assert time.monotonic() - begun < 8
    assert most - before < MOST_GROWTH


def test_a_head_of_many_good_lines_is_too_large_in_all() -> None:
    lines = b"".join(b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(20))
    assert failure(says(OK + lines + b"\r\n", close=True)) == "too_large"


# Redirects


def moved(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode(
        "utf-8", "surrogateescape"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    (result,), server = ask(says(moved("/b.jpg", status), whole(PICTURE)))
    assert result == Fetched(PICTURE, 200, f"http://127.0.0.1:{server.port}/b.jpg")


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("b.jpg?c=d#e", "/b.jpg?c=d"),
        ("?x", "/a.jpg?x"),
        ("  /b.jpg ", "/b.jpg"),
        ("/b c.jpg", "/b%20c.jpg"),
        ("/ä.jpg", "/%C3%A4.jpg"),
        ("/\udce4.jpg", "/%E4.jpg"),
        ("/b%2Fc.jpg", "/b%2Fc.jpg"),
    ],
)
def test_addresses_in_redirects_are_read_as_browsers_do(location: str, asked: str) -> None:
    _results, server = ask(says(moved(location), whole(b"")))
    assert server.heads[1].split(" ")[1] == asked


def test_five_redirects_are_followed() -> None:
    script = says(*(moved(f"/{n}") for n in range(5)), whole(PICTURE))
    assert isinstance(outcome(script), Fetched)


def test_six_redirects_are_too_many() -> None:
    (result,), server = ask(says(*(moved(f"/{n}") for n in range(6)), whole(PICTURE)))
    assert isinstance(result, Failed)
    assert result.error_class == "redirect_loop"
    assert len(server.heads) == 6


@pytest.mark.parametrize("location", ["/a.jpg", "", "#x", "http://127.0.0.1:PORT/a.jpg"])
def test_a_redirect_back_is_a_loop(location: str) -> None:
    async def script(writer: Writer) -> None:
        port = writer.get_extra_info("sockname")[1]
        writer.write(moved(location.replace("PORT", str(port))))

    (result,), server = ask(script)
    assert isinstance(result, Failed)
    assert result.error_class == "redirect_loop"
    assert len(server.heads) == 1


# Where it may go


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """Where sockets were told to connect to. All that is outside is in truth on this computer."""
    real = asyncio.SelectorEventLoop.sock_connect
    where: list[tuple[str, int]] = []

    async def connect(
        loop: asyncio.SelectorEventLoop, sock: socket.socket, address: tuple[str, int]
    ) -> None:
        where.append((address[0], address[1]))
        if address[0] != "127.0.0.1":
            address = ("127.0.0.1", address[1])
        await real(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect)
    yield where


FORBIDDEN = [
    *("http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/"),
    *("http://0177.0.0.1/", "http://127.0.0.1./", "http://１２７.0.0.1/", "http://0/"),
    *("http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/"),
    *("http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fd00:ec2::254]/"),
    *("http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[2001:0:1::1]/"),
    *("http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/"),
    *("http://169.254.169.254/latest/meta-data/", "http://100.100.100.200/", "http://224.0.0.1/"),
    *("http://localhost/", "http://pix.localhost/", "http://inside.example/"),
    *("http://user@outside.example/", "http://outside.example:0/", "http://a b/"),
    *("file:///etc/passwd", "ftp://outside.example/", "gopher://outside.example/"),
    *("data:image/png;base64,AA", "javascript:alert(1)", "http://outside.example\\@127.0.0.1/"),
    *("//127.0.0.1/", "http://half.example/", "http://" + "a" * 300 + ".example/"),
]


def pretend_names(host: str, port: int) -> list[tuple[str, int]]:
    known = {
        "outside.example": [PUBLIC_IP],
        "inside.example": ["10.0.0.1"],
        "half.example": [PUBLIC_IP, "10.0.0.1"],
        "localhost": ["127.0.0.1", "::1"],
        "pix.localhost": ["127.0.0.1"],
    }
    return [(ip, port) for ip in known[host]]


@pytest.mark.parametrize("url", [url for url in FORBIDDEN if not url.startswith("//")])
def test_a_forbidden_link_is_never_asked(url: str, connected: list[tuple[str, int]]) -> None:
    result = fetch_once(url, limits=QUICK, resolve=pretend_names)
    assert isinstance(result, Failed)
    assert (result.error_class, result.http_status) == ("blocked_address", None)
    assert connected == []


def redirected(
    location: str, client_options: dict[str, Any], host: str = "outside.example"
) -> Outcome:
    async def run() -> Outcome:
        async with (
            serving(says(moved(location))) as server,
            Client(limits=QUICK, resolve=pretend_names, **client_options) as client,
        ):
            return await client.fetch(f"http://{host}:{server.port}/a.jpg")

    return asyncio.run(run())


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_redirect_to_a_forbidden_address_is_not_followed(
    url: str, allow_private: bool, connected: list[tuple[str, int]]
) -> None:
    result = redirected(url, {"allow_private": allow_private})
    assert isinstance(result, Failed)
    assert (result.error_class, result.http_status) == ("blocked_address", 302)
    assert [ip for ip, _port in connected] == [PUBLIC_IP]


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/"),
        *("http://[fc00::1]/", "http://169.254.169.254/", "http://[fe80::1]/"),
        "http://inside.example/",
    ],
)
def test_a_practice_link_is_not_led_into_the_private_network(
    url: str, connected: list[tuple[str, int]]
) -> None:
    result = redirected(url, {"allow_private": True}, host="pix.localhost")
    assert isinstance(result, Failed)
    assert (result.error_class, result.final_url) == ("blocked_address", url)
    assert [ip for ip, _port in connected] == ["127.0.0.1"]


def test_a_practice_link_may_lead_outside(connected: list[tuple[str, int]]) -> None:
    async def run() -> Outcome:
        async with (
            serving(says(whole(PICTURE))) as outside,
            serving(says(moved(f"http://outside.example:{outside.port}/b.jpg"))) as inside,
            Client(limits=QUICK, resolve=pretend_names, allow_private=True) as client,
        ):
            return await client.fetch(f"http://pix.localhost:{inside.port}/a.jpg")

    assert isinstance(asyncio.run(run()), Fetched)
    assert [ip for ip, _port in connected] == ["127.0.0.1", PUBLIC_IP]


def test_an_ipv6_address_is_connected_to_as_it_is() -> None:
    async def run() -> Outcome:
        server = Server(says(whole(PICTURE)))
        try:
            listening = await asyncio.start_server(server.talk, "::1", 0)
        except OSError:
            pytest.skip("this computer has no IPv6")
        port = listening.sockets[0].getsockname()[1]
        async with listening, Client(limits=QUICK, allow_private=True) as client:
            return await client.fetch(f"http://[::1]:{port}/")

    assert isinstance(asyncio.run(run()), Fetched)


def test_from_outside_there_is_no_way_back_to_this_computer() -> None:
    outside = guard.judged([(PUBLIC_IP, 80)], "loopback", private=True)
    with pytest.raises(EndedError, match="inwards"):
        guard.judged([("127.0.0.1", 80)], outside.network, private=True)


def test_from_the_private_network_there_is_no_way_to_this_computer() -> None:
    with pytest.raises(EndedError, match="inwards"):
        guard.judged([("127.0.0.1", 80)], "private", private=True)


def test_a_name_of_several_kinds_of_network_is_refused() -> None:
    with pytest.raises(EndedError, match="several kinds"):
        guard.judged([(PUBLIC_IP, 80), ("127.0.0.1", 80)], None, private=True)


# Names that change


def test_the_connection_goes_to_the_address_that_was_judged(
    connected: list[tuple[str, int]],
) -> None:
    answers = [PUBLIC_IP, "127.0.0.1", "127.0.0.1"]
    result = asyncio.run(fetched_twice(answers, 1))
    assert isinstance(result[0], Fetched)
    assert [ip for ip, _port in connected] == [PUBLIC_IP]
    assert answers == ["127.0.0.1", "127.0.0.1"]  # asked once


def test_an_answer_that_changes_is_judged_again(
    connected: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "KEPT_S", 0.0)
    first, second = asyncio.run(fetched_twice([PUBLIC_IP, "127.0.0.1"], 2))
    assert isinstance(first, Fetched)
    assert isinstance(second, Failed)
    assert second.error_class == "blocked_address"
    assert [ip for ip, _port in connected] == [PUBLIC_IP]


def test_a_kept_connection_serves_only_its_own_kind_of_network(
    connected: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "KEPT_S", 0.0)
    asyncio.run(fetched_twice(["127.0.0.1", PUBLIC_IP], 2, allow_private=True))
    assert [ip for ip, _port in connected] == ["127.0.0.1", PUBLIC_IP]


async def fetched_twice(answers: list[str], times: int, **options: bool) -> list[Outcome]:
    async with (
        serving(says(whole(PICTURE))) as server,
        Client(
            limits=QUICK, resolve=lambda _host, port: [(answers.pop(0), port)], **options
        ) as client,
    ):
        url = f"http://changing.example:{server.port}/a.jpg"
        return [await client.fetch(url) for _time in range(times)]


def test_a_socket_is_made_for_judged_addresses_only() -> None:
    async def run() -> None:
        doors = guard.Doors(10)
        guard.way_now.set(guard.judged([(PUBLIC_IP, 80)], None, private=False))
        target = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
        with pytest.raises(PermissionError):
            doors._open(target)

    asyncio.run(run())


def test_a_name_is_looked_up_once_for_all_who_need_it() -> None:
    asked = []

    def resolve(host: str, port: int) -> list[tuple[str, int]]:
        asked.append(host)
        return [("127.0.0.1", port)]

    async def run() -> list[Outcome]:
        async with (
            serving(says(whole(PICTURE))) as server,
            Client(limits=QUICK, allow_private=True, resolve=resolve) as client,
        ):
            url = f"http://pix.example:{server.port}/a.jpg"
            return await asyncio.gather(*(client.fetch(url) for _n in range(20)))

    assert all(isinstance(result, Fetched) for result in asyncio.run(run()))
    assert asked == ["pix.example"]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        UnicodeError("label too long"),
        OSError("no files left"),
        None,
    ],
)
def test_a_name_that_leads_nowhere_is_dns(error: Exception | None) -> None:
    def resolve(_host: str, _port: int) -> list[tuple[str, int]]:
        if error:
            raise error
        return []

    result = fetch_once("http://gone.example/", limits=QUICK, resolve=resolve)
    assert isinstance(result, Failed)
    assert result.error_class == "dns"


def test_where_nobody_listens_is_connect(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/"
    result = fetch_once(url, limits=QUICK, allow_private=True)
    assert isinstance(result, Failed)
    assert (result.error_class, result.final_url) == ("connect", url)


# Encryption


_CERTIFICATE = practice_server._TLS / "practice-only-cert.pem"
_KEY = practice_server._TLS / "practice-only-key.pem"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The practice certificate, which is for ``localhost``, counts as good."""
    context = ssl.create_default_context(cafile=_CERTIFICATE)
    monkeypatch.setattr(guard, "tls_context", lambda: context)


def over_tls(host: str, script: Script | None = None) -> tuple[Outcome, list[str | None]]:
    names: list[str | None] = []

    async def run() -> Outcome:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_CERTIFICATE, _KEY)
        context.sni_callback = lambda _sock, name, _context: names.append(name)
        async with (
            serving(script or says(whole(PICTURE)), context) as server,
            Client(
                limits=QUICK, allow_private=True, resolve=lambda _h, port: [("127.0.0.1", port)]
            ) as client,
        ):
            return await client.fetch(f"https://{host}:{server.port}/a.jpg")

    return asyncio.run(run()), names


@pytest.mark.usefixtures("trusted")
def test_a_good_certificate_is_accepted_and_the_name_is_said() -> None:
    result, names = over_tls("localhost")
    assert isinstance(result, Fetched)
    assert names == ["localhost"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(host: str) -> None:
    result, _names = over_tls(host)
    assert isinstance(result, Failed)
    assert result.error_class == "tls"


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    result, _names = over_tls("localhost")
    assert isinstance(result, Failed)
    assert result.error_class == "tls"


def https_to(script: Script) -> Outcome:
    async def run() -> Outcome:
        async def accept(_reader: asyncio.StreamReader, writer: Writer) -> None:
            with contextlib.suppress(ConnectionError):
                await script(writer)
                await writer.drain()
            writer.close()

        listening = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        limits = replace(QUICK, connect_s=0.3)
        async with listening, Client(limits=limits, allow_private=True) as client:
            return await client.fetch(f"https://127.0.0.1:{port}/")

    return asyncio.run(run())


def test_a_server_without_encryption_is_tls() -> None:
    result = https_to(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert isinstance(result, Failed)
    assert result.error_class == "tls"


def test_a_handshake_that_never_ends_is_a_timeout() -> None:
    result = https_to(silent)
    assert isinstance(result, Failed)
    assert result.error_class == "timeout"


# In the lab's own hands


def test_giving_up_is_passed_on_and_does_no_harm() -> None:
    async def run() -> Outcome:
        asked = asyncio.Event()

        async def script(writer: Writer) -> None:
            if not asked.is_set():
                asked.set()
                await asyncio.sleep(60)
            writer.write(whole(PICTURE))

        async with serving(script) as server, Client(limits=LONG, allow_private=True) as client:
            first = asyncio.create_task(client.fetch(server.url))
            await asked.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return await client.fetch(server.url)

    assert isinstance(asyncio.run(run()), Fetched)


def test_one_fetch_works_within_a_running_loop_and_in_threads() -> None:
    async def run() -> list[Outcome]:
        async with serving(says(whole(PICTURE))) as server:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(4) as pool:
                return await asyncio.gather(
                    *(
                        loop.run_in_executor(pool, from_a_thread_with_a_loop, server.url)
                        for _n in range(4)
                    )
                )

    def from_a_thread_with_a_loop(url: str) -> Outcome:
        async def blocking() -> Outcome:
            return fetch_once(url, limits=QUICK, allow_private=True)

        return asyncio.run(blocking())

    assert all(isinstance(result, Fetched) for result in asyncio.run(run()))


# The practice internet: every fault has its class


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    folder = tmp_path_factory.mktemp("practice") / "set"
    make(folder, Options(photos=len(all_faults()), faults=1.0), workers=1)
    table = folder / "site" / "answers.jsonl"
    quicker = table.read_text(encoding="utf-8").replace('"slow"', '"slow", "seconds": 0.2')
    table.write_text(quicker, encoding="utf-8")
    with (folder / "truth.csv").open(encoding="utf-8") as file:
        rows = [(row["fault"], row["url"]) for row in csv.DictReader(file)]

    async def run(internet: LittleInternet) -> list[Outcome]:
        limits = Limits(first_byte_s=1.0)
        async with Client(
            limits=limits,
            allow_private=True,
            resolve=lambda host, port: [internet.resolve(host, port)],
        ) as client:
            return await asyncio.gather(*(client.fetch(url) for _fault, url in rows))

    with LittleInternet(folder, port=0) as internet:
        results = asyncio.run(run(internet))
    yield {fault: result for (fault, _url), result in zip(rows, results, strict=True)}


EXPECTED = {
    "http_404": "http_4xx",
    "http_403": "http_4xx",
    "http_410": "http_4xx",
    "rate_limited": "http_4xx",  # at first: trying again is somebody else's business
    "flaky": "http_5xx",
    "http_500": "http_5xx",
    "hangs": "timeout",
    "reset": "truncated",
    "truncated_body": "truncated",
    "redirect_loop": "redirect_loop",
    "redirect_private": "blocked_address",
    "too_large": "too_large",
    "unresolvable": "dns",
    "refused": "connect",
    "tls": "tls",
}


# Where no good line of the same person is at hand, a duplicate becomes an "ok".
@pytest.mark.parametrize("fault", sorted({f.name for f in all_faults()} - {"ok", "duplicate"}))
def test_each_practice_fault_has_its_class(practice: dict[str, Outcome], fault: str) -> None:
    result = practice[fault]
    # What is wrong with the bytes themselves is for the content check to say.
    assert (result.error_class if isinstance(result, Failed) else "ok") == EXPECTED.get(fault, "ok")


def test_a_practice_429_says_how_long_to_wait(practice: dict[str, Outcome]) -> None:
    result = practice["rate_limited"]
    assert isinstance(result, Failed)
    assert (result.http_status, result.retry_after_s) == (429, 1.0)
