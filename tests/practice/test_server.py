"""Every kind of answer, over real sockets."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from facedet.errors import PracticeError
from facedet.practice.internet import connection
from facedet.practice.internet.heads import normal_path
from facedet.practice.internet.shelf import Shelf
from facedet.practice.plan import PRIVATE_URLS
from facedet.practice.server import (
    LittleInternet,
    Network,
    Request,
    early_requests,
    most_at_once,
)

PIX = "pix.localhost"
PICTURE = bytes(range(256)) * 120  # 30 KB
LARGE = PICTURE * 64  # more than is kept in memory: read while sent
PATIENCE_S = 5.0

Row = dict[str, Any]
A_PICTURE = {"file": "a.jpg", "type": "image/jpeg"}
ROWS: list[Row] = [
    {"path": "/a.jpg", "answer": "file", **A_PICTURE},
    {"path": "/a.jpg?size=2", "answer": "file", "file": "b/large.jpg", "type": "image/png"},
    {"path": "/empty.jpg", "answer": "file", "file": "empty.jpg", "type": "image/jpeg"},
    {"path": '/odd|a^b"(c)%20.jpg?d=|', "answer": "file", **A_PICTURE},
    {"path": "/gone.jpg", "answer": "status", "status": 410},
    {"path": "/busy.jpg", "answer": "rate_limited", "times": 1, "retry_after": 0.05, **A_PICTURE},
    {"path": "/strict.jpg", "answer": "rate_limited", "retry_after": 30, **A_PICTURE},
    {"path": "/flaky.jpg", "answer": "flaky", "times": 2, **A_PICTURE},
    {"path": "/slow.jpg", "answer": "slow", "seconds": 0.05, **A_PICTURE},
    {"path": "/hang.jpg", "answer": "hang"},
    {"path": "/reset.jpg", "answer": "reset", **A_PICTURE},
    {"path": "/cut.jpg", "answer": "truncated", **A_PICTURE},
    {
        "path": "/moved.jpg",
        "answer": "redirect",
        "status": 301,
        "location": f"http://{PIX}:8642/a.jpg",
    },
    {"path": "/page.jpg", "answer": "html"},
    {"path": "/huge.jpg", "answer": "huge", "bytes": 300_000_000, "declared": True},
    {"path": "/endless.jpg", "answer": "huge", "bytes": 300_000_000, "declared": False},
    {"path": "/chunks.jpg", "answer": "huge", "bytes": 200_000, "declared": False},
]


def write_site(folder: Path, rows: list[Row]) -> Path:
    site = folder / "site"
    (site / "b").mkdir(parents=True, exist_ok=True)
    (site / "a.jpg").write_bytes(PICTURE)
    (site / "b" / "large.jpg").write_bytes(LARGE)
    (site / "empty.jpg").write_bytes(b"")
    lines = [json.dumps({"host": PIX, **row}) for row in rows]
    (site / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("dataset"), ROWS)


@pytest.fixture(scope="module")
def running(dataset: Path) -> Iterator[LittleInternet]:
    with LittleInternet(dataset, port=0) as server:
        yield server


@pytest.fixture
def internet(running: LittleInternet) -> LittleInternet:
    running.reset()
    return running


def asked(internet: LittleInternet) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", internet.ports.http, timeout=PATIENCE_S)


Answered = tuple[http.client.HTTPResponse, bytes]


def get(
    internet: LittleInternet, path: str, host: str = PIX, method: str = "GET", **fields: str
) -> Answered:
    with contextlib.closing(asked(internet)) as client:
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        client.request(method, path, headers={"Host": host, **names})
        response = client.getresponse()
        return response, response.read()


def say(internet: LittleInternet, text: str, port: int | None = None) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection(
        ("127.0.0.1", port or internet.ports.http), timeout=PATIENCE_S
    ) as sock:
        sock.sendall(text.encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def until(told: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not told():
        assert time.monotonic() < deadline, "it did not happen in time"


def last(internet: LittleInternet) -> Request:
    until(lambda: bool(internet.log))
    return internet.log[-1]


# Files


def test_a_file_comes_whole_and_with_its_type(internet: LittleInternet) -> None:
    response, body = get(internet, "/a.jpg")
    assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert body == PICTURE


def test_a_file_says_when_it_changed_and_which_one_it_is(internet: LittleInternet) -> None:
    response, _body = get(internet, "/a.jpg")
    assert response.headers["Last-Modified"].endswith("GMT")
    assert response.headers["ETag"].startswith('"')


def test_the_query_belongs_to_the_path(internet: LittleInternet) -> None:
    response, body = get(internet, "/a.jpg?size=2")
    assert (response.headers["Content-Type"], body) == ("image/png", LARGE)


@pytest.mark.parametrize(
    "written",
    [
        '/odd|a^b"(c)%20.jpg?d=|',
        "/odd%7Ca%5Eb%22(c)%20.jpg?d=%7C",
        "/odd%7ca^b%22(c)%20.jpg?d=|",
        "/%6fdd|a^b%22(c)%20.jpg?d=|",
    ],
)
def test_an_address_is_found_however_it_is_escaped(internet: LittleInternet, written: str) -> None:
    assert get(internet, written)[1] == PICTURE


def test_a_usual_client_finds_an_unusual_address(internet: LittleInternet) -> None:
    assert proxied(internet, f'http://{PIX}:8642/odd|a^b"(c)%20.jpg?d=|').content == PICTURE


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a/b~c.jpg?d=1&e=(2)", "/a/b~c.jpg?d=1&e=(2)"),
        ("/%7e%2f%2F%zz", "/~%2F%2F%25zz"),
        ("/[x]{\xe9}", "/%5Bx%5D%7B%E9%7D"),
    ],
)
def test_a_path_has_one_normal_form(path: str, normal: str) -> None:
    assert normal_path(path) == normal == normal_path(normal)


def test_an_empty_file_is_empty(internet: LittleInternet) -> None:
    response, body = get(internet, "/empty.jpg")
    assert (response.status, response.headers["Content-Length"], body) == (200, "0", b"")


def test_host_names_match_in_any_case_and_with_any_port(internet: LittleInternet) -> None:
    assert get(internet, "/a.jpg", host="PIX.LocalHost.:80")[1] == PICTURE


ANSWERING = [row["path"] for row in ROWS if row["answer"] not in {"hang", "reset"}]


@pytest.mark.parametrize("path", ANSWERING)
def test_head_sends_no_body(internet: LittleInternet, path: str) -> None:
    text = f"HEAD {path} HTTP/1.1\r\nHost: {PIX}\r\nConnection: close\r\n\r\n"
    assert say(internet, text).endswith(b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("asked_for", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=30000-", slice(30000, None)),
        ("bytes=-50", slice(-50, None)),
        ("bytes=100-99999", slice(100, None)),
    ],
)
@pytest.mark.parametrize(("path", "whole"), [("/a.jpg", PICTURE), ("/a.jpg?size=2", LARGE)])
def test_a_range_is_that_part_of_the_file(
    internet: LittleInternet, path: str, whole: bytes, asked_for: str, part: slice
) -> None:
    response, body = get(internet, path, Range=asked_for)
    start, stop, _step = part.indices(len(whole))
    if asked_for == "bytes=100-99999":
        stop = min(stop, 100_000)
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert (response.status, body) == (206, whole[start:stop])


def test_a_range_beyond_the_end_is_416_and_says_the_size(internet: LittleInternet) -> None:
    response, _body = get(internet, "/a.jpg", Range="bytes=99999-")
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{len(PICTURE)}"


@pytest.mark.parametrize("asked_for", ["bytes=5-2", "bytes=-", "bytes=0-1,4-5", "lines=1-2"])
def test_a_range_that_makes_no_sense_is_ignored(internet: LittleInternet, asked_for: str) -> None:
    assert get(internet, "/a.jpg", Range=asked_for)[1] == PICTURE


def test_a_range_counts_only_for_the_same_file(internet: LittleInternet) -> None:
    etag = get(internet, "/a.jpg")[0].headers["ETag"]
    assert get(internet, "/a.jpg", Range="bytes=0-9", If_Range=etag)[0].status == 206
    assert get(internet, "/a.jpg", Range="bytes=0-9", If_Range='"another"')[0].status == 200


def test_files_not_asked_for_lately_make_room(tmp_path: Path) -> None:
    shelf = Shelf(max_kept_bytes=5000)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(bytes(1000))
    first = [shelf.take(path) for path in paths]  # 2,024 bytes each: the third displaces the first
    again = [shelf.take(path) for path in reversed(paths)]
    kept = [a is b for a, b in zip(first, reversed(again), strict=True)]
    assert kept == [False, True, True]


# Faults


def test_a_status_is_answered_as_the_table_says(internet: LittleInternet) -> None:
    response, body = get(internet, "/gone.jpg")
    assert (response.status, b"410 Gone" in body) == (410, True)


def test_a_known_site_has_no_page_of_another_name(internet: LittleInternet) -> None:
    assert get(internet, "/nothing.jpg")[0].status == 404
    assert last(internet).answer == "unknown_path"


def test_an_unknown_site_says_so(internet: LittleInternet) -> None:
    response, body = get(internet, "/a.jpg", host="<b>.localhost")
    assert response.status == 404
    assert b"no site &lt;b&gt;.localhost" in body


def test_a_client_that_waits_gets_the_file_after_a_429(internet: LittleInternet) -> None:
    response, _body = get(internet, "/busy.jpg")
    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    refused = time.monotonic()
    until(lambda: time.monotonic() > refused + 0.05)
    assert get(internet, "/busy.jpg")[1] == PICTURE
    assert not early_requests(internet.log)


def test_a_client_that_does_not_wait_is_noted(internet: LittleInternet) -> None:
    assert [get(internet, "/strict.jpg")[0].status for _again in range(2)] == [429, 429]
    assert [row.early for row in internet.log] == [False, True]
    assert early_requests(internet.log) == internet.log[1:]


def test_a_flaky_address_works_when_tried_again(internet: LittleInternet) -> None:
    assert [get(internet, "/flaky.jpg")[0].status for _again in range(3)] == [500, 500, 200]


def test_after_a_reset_nothing_was_ever_asked(internet: LittleInternet) -> None:
    get(internet, "/flaky.jpg")
    get(internet, "/flaky.jpg")
    internet.reset()
    assert internet.log == []
    assert get(internet, "/flaky.jpg")[0].status == 500


def test_a_slow_answer_is_late_and_then_takes_as_long_again(internet: LittleInternet) -> None:
    with contextlib.closing(asked(internet)) as client:
        begun = time.monotonic()
        client.request("GET", "/slow.jpg", headers={"Host": PIX})
        response = client.getresponse()
        late = time.monotonic() - begun
        body = response.read()
        whole = time.monotonic() - begun
    assert late >= 0.05
    assert whole >= 0.095
    assert body == PICTURE


def test_a_hanging_address_takes_the_request_and_never_answers(internet: LittleInternet) -> None:
    with socket.create_connection(("127.0.0.1", internet.ports.http), timeout=0.05) as sock:
        sock.sendall(f"GET /hang.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert internet.log == []
    assert last(internet).status == 0


def test_a_hanging_address_closes_in_the_end(
    internet: LittleInternet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HANG_S", 0.01)
    assert say(internet, f"GET /hang.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n") == b""


def test_a_reset_breaks_the_connection_in_the_middle(internet: LittleInternet) -> None:
    with contextlib.closing(asked(internet)) as client:
        client.request("GET", "/reset.jpg", headers={"Host": PIX})
        response = client.getresponse()
        assert response.headers["Content-Length"] == str(len(PICTURE))
        with pytest.raises(ConnectionResetError):
            response.read()
    assert (last(internet).status, last(internet).sent_bytes) == (0, len(PICTURE) // 2)


def test_a_truncated_body_ends_early_without_an_error(internet: LittleInternet) -> None:
    answer = say(internet, f"GET /cut.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n")
    head, _blank, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(PICTURE)}".encode() in head
    assert body == PICTURE[: len(PICTURE) // 2]


def test_a_redirect_says_where(internet: LittleInternet) -> None:
    response, _body = get(internet, "/moved.jpg")
    assert (response.status, response.headers["Location"]) == (301, f"http://{PIX}:8642/a.jpg")


def test_a_web_page_comes_in_place_of_a_picture(internet: LittleInternet) -> None:
    response, body = get(internet, "/page.jpg")
    assert (response.status, response.headers.get_content_type()) == (200, "text/html")
    assert PIX.encode() in body


def test_a_body_without_length_comes_in_chunks(internet: LittleInternet) -> None:
    response, body = get(internet, "/chunks.jpg")
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert (len(body), body[:3]) == (200_000, b"\xff\xd8\xff")


def test_a_body_without_length_ends_with_the_connection_in_http_1_0(
    internet: LittleInternet,
) -> None:
    answer = say(
        internet, f"GET /chunks.jpg HTTP/1.0\r\nHost: {PIX}\r\nConnection: keep-alive\r\n\r\n"
    )
    assert len(answer.partition(b"\r\n\r\n")[2]) == 200_000


@pytest.mark.parametrize("path", ["/huge.jpg", "/endless.jpg"])
def test_a_huge_answer_stops_when_the_client_leaves(internet: LittleInternet, path: str) -> None:
    with socket.create_connection(("127.0.0.1", internet.ports.http), timeout=PATIENCE_S) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {PIX}\r\n\r\n".encode())
        assert b"\xff\xd8\xff" in sock.recv(65536)
    assert last(internet).sent_bytes < 50_000_000


def test_a_huge_answer_waits_for_a_client_that_does_not_read(internet: LittleInternet) -> None:
    with socket.create_connection(("127.0.0.1", internet.ports.http), timeout=PATIENCE_S) as sock:
        sock.sendall(f"GET /huge.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n".encode())
        sock.recv(100)
        assert [get(internet, "/a.jpg")[1] for _again in range(5)] == [PICTURE] * 5


def test_a_file_that_went_away_is_a_server_error(tmp_path: Path) -> None:
    folder = write_site(tmp_path, ROWS)
    with LittleInternet(folder, port=0) as server:
        (folder / "site" / "a.jpg").unlink()
        assert get(server, "/a.jpg")[0].status == 500


# Connections


def test_one_connection_carries_many_requests(internet: LittleInternet) -> None:
    with contextlib.closing(asked(internet)) as client:
        for path in ("/a.jpg", "/gone.jpg", "/a.jpg?size=2", "/slow.jpg", "/chunks.jpg"):
            client.request("GET", path, headers={"Host": PIX})
            client.getresponse().read()
    assert len({row.connection for row in internet.log}) == 1
    assert len(internet.log) == 5


def test_requests_sent_ahead_are_answered_in_order(internet: LittleInternet) -> None:
    text = f"GET /slow.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n"
    text += f"GET /gone.jpg HTTP/1.1\r\nHost: {PIX}\r\nConnection: close\r\n\r\n"
    answer = say(internet, text)
    assert answer.index(b"200 OK") < answer.index(b"410 Gone")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_connection_closes_when_the_client_wants_it(
    internet: LittleInternet, version: str
) -> None:
    wish = "Connection: close\r\n" if version == "HTTP/1.1" else ""
    assert PICTURE in say(internet, f"GET /a.jpg {version}\r\nHost: {PIX}\r\n{wish}\r\n")


def test_a_head_may_come_in_pieces(internet: LittleInternet) -> None:
    with socket.create_connection(("127.0.0.1", internet.ports.http), timeout=PATIENCE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for letter in f"GET /gone.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n":
            sock.send(letter.encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 410 ")


def test_an_idle_connection_is_closed(
    internet: LittleInternet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.01)
    assert say(internet, "GET /half-a-head") == b""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET /a.jpg HTTP/1.1\r\n\r\n", 400),
        ("GET /a.jpg HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("GET a.jpg HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET http://u:p@x.localhost/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {'x' * 17_000}\r\n\r\n", 431),
        (f"GET /{'x' * 40_000}", 431),
    ],
)
def test_a_bad_head_is_refused_and_the_connection_ends(
    internet: LittleInternet, text: str, status: int
) -> None:
    assert say(internet, text).startswith(f"HTTP/1.1 {status} ".encode())
    assert last(internet).answer == "bad_request"


def test_other_methods_are_refused_and_their_bodies_skipped(internet: LittleInternet) -> None:
    body = "GET /gone.jpg HTTP/1.1\r\nHost: x\r\n\r\n"
    text = f"POST /a.jpg HTTP/1.1\r\nHost: {PIX}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    text += f"GET /a.jpg HTTP/1.0\r\nHost: {PIX}\r\n\r\n"
    answer = say(internet, text)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert [row.status for row in internet.log] == [405, 200]


# As a proxy


def proxied(internet: LittleInternet, url: str) -> requests.Response:
    proxy = f"http://127.0.0.1:{internet.ports.http}"
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, proxies={"http": proxy, "https": proxy}, timeout=PATIENCE_S)


@pytest.mark.parametrize("port", [":8642", ""])
def test_a_client_may_use_the_server_as_its_proxy(internet: LittleInternet, port: str) -> None:
    assert proxied(internet, f"http://{PIX}{port}/a.jpg").content == PICTURE


def test_a_proxied_client_follows_a_redirect(internet: LittleInternet) -> None:
    assert proxied(internet, f"http://{PIX}:8642/moved.jpg").content == PICTURE


def test_the_whole_address_counts_and_not_the_host_field(internet: LittleInternet) -> None:
    text = f"GET http://{PIX}:8642/a.jpg HTTP/1.1\r\nHost: else.localhost\r\n"
    assert PICTURE in say(internet, f"{text}Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("url", "status", "answer"),
    [
        ("http://gone.invalid/a.jpg", 502, "unresolvable"),
        (f"http://{PIX}:8644/a.jpg", 502, "refused"),
        (f"http://{PIX}:9999/a.jpg", 502, "refused"),
        ("http://example.com/", 403, "not_ours"),
        ("http://127.0.0.1:22/", 403, "not_ours"),
        ("http://localhost:8642/", 403, "not_ours"),
        ("http://10.0.0.1/a.jpg", 403, "not_ours"),
        ("http://[::1]:8642/", 403, "not_ours"),
        ("http://pix.localhost.example.com/", 403, "not_ours"),
    ],
)
def test_the_proxy_leads_nowhere_else(
    internet: LittleInternet, url: str, status: int, answer: str
) -> None:
    assert proxied(internet, url).status_code == status
    assert last(internet).answer == answer


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_the_proxy_itself_answers_for_private_addresses(tmp_path: Path, url: str) -> None:
    row = {"path": "/a.jpg", "answer": "redirect", "status": 302, "location": url}
    with LittleInternet(write_site(tmp_path, [row]), port=0) as server:
        answer = proxied(server, f"http://{PIX}:8642/a.jpg")
        assert (answer.url, answer.status_code) == (url, 403)
        assert [row.answer for row in server.log] == ["redirect", "not_ours"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("example.com:443", 403),
        ("127.0.0.1:22", 403),
        ("gone.invalid:443", 502),
        (f"{PIX}:8644", 502),
        (f"{PIX}:22", 502),
    ],
)
def test_connect_leads_nowhere_else(internet: LittleInternet, target: str, status: int) -> None:
    answer = say(internet, f"CONNECT {target} HTTP/1.0\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_connect_tunnels_to_the_tls_port(internet: LittleInternet) -> None:
    with contextlib.closing(
        http.client.HTTPSConnection(
            "127.0.0.1", internet.ports.http, timeout=PATIENCE_S, context=any_certificate()
        )
    ) as client:
        client.set_tunnel(PIX, 8643)
        client.request("GET", "/a.jpg?size=2", headers={"Host": PIX})
        assert client.getresponse().read() == LARGE
    until(lambda: len(internet.log) == 2)
    inside, tunnel = internet.log
    assert (inside.answer, tunnel.answer, tunnel.path) == ("file", "connect", f"{PIX}:8643")
    assert tunnel.sent_bytes > len(LARGE)


@pytest.mark.parametrize("path", ["/reset.jpg", "/cut.jpg"])
def test_faults_work_over_tls_too(internet: LittleInternet, path: str) -> None:
    with contextlib.closing(
        http.client.HTTPSConnection(
            "127.0.0.1", internet.ports.https, timeout=PATIENCE_S, context=any_certificate()
        )
    ) as client:
        client.request("GET", path, headers={"Host": PIX})
        response = client.getresponse()
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            response.read()


def test_nobody_trusts_the_certificate(internet: LittleInternet) -> None:
    client = http.client.HTTPSConnection(
        "127.0.0.1", internet.ports.https, timeout=PATIENCE_S, context=ssl.create_default_context()
    )
    with contextlib.closing(client), pytest.raises(ssl.SSLCertVerificationError):
        client.request("GET", "/a.jpg")


# Ports and names


def test_the_third_port_refuses_at_once(internet: LittleInternet) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", internet.ports.refused), timeout=PATIENCE_S)


def test_names_under_localhost_lead_to_the_ports_that_stand_for_theirs(
    internet: LittleInternet,
) -> None:
    asked_for = (8642, 8643, 8644, 80, 443, 22, internet.ports.https)
    http_port, https_port, refused = internet.ports
    found = [internet.resolve("A.Pix.localhost.", port) for port in asked_for]
    ports = [http_port, https_port, refused, http_port, https_port, refused, https_port]
    assert found == [("127.0.0.1", port) for port in ports]


@pytest.mark.parametrize("host", ["gone.invalid", "example.com", "localhost", "10.0.0.1", ""])
def test_no_other_name_leads_anywhere(internet: LittleInternet, host: str) -> None:
    with pytest.raises(socket.gaierror) as error:
        internet.resolve(host, 8642)
    assert error.value.errno == socket.EAI_NONAME


def test_addresses_may_have_been_written_for_other_ports(tmp_path: Path) -> None:
    write_site(tmp_path, ROWS)
    ports = {"http": 8643, "https": 8700, "refused": 8701}
    (tmp_path / "site" / "ports.json").write_text(json.dumps(ports), encoding="utf-8")
    with LittleInternet(tmp_path, port=0) as server:
        assert server.resolve(PIX, 8643)[1] == server.ports.http
        assert proxied(server, f"http://{PIX}:8643/a.jpg").content == PICTURE


def test_a_port_in_use_is_named_with_what_to_do(internet: LittleInternet, dataset: Path) -> None:
    port = internet.ports.http
    with pytest.raises(PracticeError, match=rf"port {port} is in use.*--port"):
        LittleInternet(dataset, port=port).__enter__()


def test_a_neighbour_in_use_is_named_too(dataset: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(PracticeError, match=rf"port {port} is in use"):
            LittleInternet(dataset, port=port - 2).__enter__()


@pytest.mark.parametrize("port", [-1, 65_534])
def test_three_ports_must_fit(dataset: Path, port: int) -> None:
    with pytest.raises(PracticeError, match="three in a row"):
        LittleInternet(dataset, port=port).__enter__()


def test_a_stopped_server_frees_its_ports_and_keeps_its_log(dataset: Path) -> None:
    with LittleInternet(dataset, port=0) as server:
        get(server, "/a.jpg")
        first = server.ports.http
    server.stop()
    assert [row.path for row in server.log] == ["/a.jpg"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first))


def test_stopping_ends_what_is_under_way(dataset: Path) -> None:
    with (
        socket.socket() as sock,
        LittleInternet(dataset, port=0) as server,
    ):
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", server.ports.http))
        sock.sendall(f"GET /huge.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n".encode())
        sock.recv(100)
    assert [row.answer for row in server.log] == ["huge"]


def test_whoever_waits_goes_on_when_the_server_stops(dataset: Path) -> None:
    with LittleInternet(dataset, port=0) as server:
        waiting = threading.Thread(target=server.wait)
        waiting.start()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


# The network and the log


def test_latency_comes_before_each_first_byte(dataset: Path) -> None:
    with LittleInternet(dataset, port=0, network=Network(latency_s=0.05)) as server:
        begun = time.monotonic()
        assert get(server, "/a.jpg")[1] == PICTURE
        assert time.monotonic() - begun >= 0.05


def test_a_thin_line_takes_its_time(dataset: Path) -> None:
    with LittleInternet(dataset, port=0, network=Network(bytes_per_s=300_000)) as server:
        begun = time.monotonic()
        assert get(server, "/a.jpg")[1] == PICTURE
        assert time.monotonic() - begun >= 0.1


@pytest.mark.parametrize("wrong", [{"latency_s": -1.0}, {"bytes_per_s": 0.0}])
def test_an_impossible_network_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Network(**wrong)


def test_a_row_says_what_was_asked_and_answered(internet: LittleInternet) -> None:
    get(internet, "/a.jpg?size=2", host=f"{PIX.upper()}:8642")
    (row,) = internet.log
    assert (row.host, row.method, row.path, row.status) == (PIX, "GET", "/a.jpg?size=2", 200)
    assert (row.answer, row.sent_bytes, row.early) == ("file", len(LARGE), False)
    assert 0 < row.ended - row.time < PATIENCE_S
    assert abs(row.time - time.time()) < 60


def test_the_log_shows_how_many_asked_at_once(internet: LittleInternet) -> None:
    with contextlib.ExitStack() as open_connections:
        for _client in range(3):
            address = ("127.0.0.1", internet.ports.http)
            sock = open_connections.enter_context(socket.create_connection(address))
            sock.sendall(f"GET /hang.jpg HTTP/1.1\r\nHost: {PIX}\r\n\r\n".encode())
        for _turn in range(2):  # answered after the server has looked at all three
            get(internet, "/", host="else.localhost")
    until(lambda: len(internet.log) == 5)
    assert most_at_once(internet.log, PIX.upper()) == 3


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([(1, 1)], 1),
        ([(1, 2), (2, 3)], 1),
        ([(1, 4), (2, 3), (3.5, 5)], 2),
    ],
)
def test_requests_one_after_another_are_never_at_once(
    times: list[tuple[float, float]], most: int
) -> None:
    row = Request(
        time=0, ended=0, host=PIX, method="GET", path="/", status=200, answer="file",
        sent_bytes=0, connection=1, early=False,
    )  # fmt: skip
    log = [replace(row, time=begun, ended=ended) for begun, ended in times]
    assert most_at_once([*log, replace(row, host="other.localhost", ended=9)], PIX) == most


def test_the_file_holds_the_same_rows_as_the_log(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with LittleInternet(dataset, port=0, log_path=path) as server:
        get(server, "/a.jpg")
        until(lambda: path.stat().st_size > 0)
        get(server, "/gone.jpg")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [Request(**row) for row in rows] == server.log


def test_a_log_that_cannot_be_written_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(PracticeError, match="cannot be written"):
        LittleInternet(dataset, port=0, log_path=tmp_path / "no" / "log.jsonl").__enter__()


# The table


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answer": "file", "file": "../answers.txt", "type": "a/b"}, "outside the folder"),
        ({"answer": "file", "file": "/etc/passwd", "type": "a/b"}, "outside the folder"),
        ({"answer": "file", "file": "link.jpg", "type": "a/b"}, "outside the folder"),
        ({"answer": "file", "file": "none.jpg", "type": "a/b"}, "is not there"),
        ({"answer": "file", "file": "b", "type": "a/b"}, "is not there"),
        ({"answer": "file", "file": "a\0.jpg", "type": "a/b"}, "no file name"),
        ({"answer": "file", "file": "a.jpg"}, "needs type"),
        ({"answer": "file", "file": "a.jpg", "type": "a/b\r\nX: y"}, "plain ASCII"),
        ({"answer": "explode"}, "none of file, status"),
        ({"answer": None}, "none of file, status"),
        ({"answer": "status", "status": 99}, "from 200 to 599"),
        ({"answer": "status", "status": True}, "from 200 to 599"),
        ({"answer": "redirect", "status": 200, "location": "/"}, "301, 302"),
        ({"answer": "redirect", "status": 301, "location": "/\r\nX: y"}, "plain ASCII"),
        ({"answer": "huge", "bytes": -1, "declared": True}, "bytes is -1"),
        ({"answer": "huge", "bytes": 1, "declared": 1}, "true or false"),
        ({"answer": "slow", "seconds": float("nan"), **A_PICTURE}, "seconds is NaN"),
        ({"answer": "html", "host": "example.com"}, r"under \.localhost"),
        ({"answer": "html", "path": "/a b"}, "no spaces"),
        ({"answer": "html", "path": "/a.jpg"}, "has an answer already"),
        ({"answer": "html", "path": "/%61.jpg"}, "has an answer already"),
    ],
)
def test_a_row_that_cannot_be_served_is_refused_with_its_line(
    tmp_path: Path, row: Row, reason: str
) -> None:
    write_site(tmp_path, [ROWS[0], {"path": "/x", **row}])
    (tmp_path / "answers.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "site" / "link.jpg").symlink_to(tmp_path / "answers.txt")
    with pytest.raises(PracticeError, match=f"^answers.jsonl line 2: .*{reason}"):
        LittleInternet(tmp_path)


@pytest.mark.parametrize("line", ["{", "[]", "7", '"x"', "[" * 100_000])
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, line: str) -> None:
    write_site(tmp_path, [])
    (tmp_path / "site" / "answers.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(PracticeError, match="line 1"):
        LittleInternet(tmp_path)


def test_a_missing_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(PracticeError, match="practice dataset again"):
        LittleInternet(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{", '{"http": 1}', '{"http": null}'])
def test_unreadable_ports_are_said(tmp_path: Path, text: str) -> None:
    write_site(tmp_path, ROWS)
    (tmp_path / "site" / "ports.json").write_text(text, encoding="utf-8")
    with pytest.raises(PracticeError, match="three ports"):
        LittleInternet(tmp_path)
