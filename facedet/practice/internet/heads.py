"""HTTP/1.1 heads, read and written; RFC 9112 and RFC 9110, as much as a picture server needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD_BYTES = 16 * 1024
_ABSOLUTE = re.compile(r"http://([^/?#]*)(.*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@\[\]/]*)(?::([0-9]{0,5}))?")
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
# A triplet, or what must be one: all but RFC 3986's unreserved and reserved characters. Square
# brackets belong to hosts; some clients escape them elsewhere.
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class BadHeadError(Exception):
    """A head that cannot be answered; `status` says why, and the connection ends."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What a client asks for.

    Args:
        method: as sent.
        host: in lower case, without port or final dot.
        port: as in the address; None where it says none.
        path: with the query; ``host:port`` for ``CONNECT``.
        absolute: asked as one asks a proxy, with the whole address.
        keep_alive: whether the client can take another answer on this connection.
        chunks: whether it knows chunked bodies: not in HTTP/1.0.
        body_bytes: that follow the head.
        fields: the header fields, names in lower case.
    """

    method: str = ""
    host: str = ""
    port: int | None = None
    path: str = ""
    absolute: bool = False
    keep_alive: bool = False
    chunks: bool = True
    body_bytes: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)


def parse_head(raw: bytes) -> Head:
    """Read a head, without the empty line at its end.

    Raises:
        BadHeadError: 400 where it breaks the rules, 411 for a body of unknown length, 505 for
            another version than 1.0 and 1.1.
    """
    first, *lines = raw.decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise BadHeadError(400) from None
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadHeadError(505 if version.startswith("HTTP/") else 400)
    fields = _fields(lines)
    if "transfer-encoding" in fields:
        raise BadHeadError(411)
    new = version == "HTTP/1.1"
    if new and "host" not in fields:
        raise BadHeadError(400)
    authority, path, absolute = _target(method, target, fields.get("host", ""))
    host, port = _host_and_port(authority)
    wishes = fields.get("connection", "").lower()
    return Head(
        method=method,
        host=host,
        port=port,
        path=path,
        absolute=absolute,
        keep_alive="close" not in wishes and (new or "keep-alive" in wishes),
        chunks=new,
        body_bytes=_body_bytes(fields),
        fields=fields,
    )


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # A space before the colon, or a folded line, is how two servers come to read two requests.
        if not colon or not name or name.strip() != name:
            raise BadHeadError(400)
        name, value = name.lower(), value.strip()
        if name in fields:
            if name in {"host", "content-length"}:
                raise BadHeadError(400)
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


def _target(method: str, target: str, host: str) -> tuple[str, str, bool]:
    """Authority, path, and whether the target was absolute: then the Host field does not count."""
    if method == "CONNECT":
        return target, target, True
    if target.startswith("/"):
        return host, target, False
    if not (match := _ABSOLUTE.fullmatch(target)) or not match[1]:
        raise BadHeadError(400)
    rest = match[2]
    return match[1], rest if rest.startswith("/") else f"/{rest}", True


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if not (match := _AUTHORITY.fullmatch(authority)):
        raise BadHeadError(400)
    return match[1].lower().rstrip("."), int(match[2]) if match[2] else None


def _body_bytes(fields: Mapping[str, str]) -> int:
    length = fields.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or len(length) > 15:
        raise BadHeadError(400)
    return int(length)


def asked_range(fields: Mapping[str, str], size: int, etag: str, modified: str) -> slice | None:
    """The part of a file that is asked for; None for the whole.

    Args:
        fields: of the request.
        size: of the file in bytes.
        etag, modified: of the file; a range is void where ``If-Range`` names another one.

    Returns:
        A slice with start < stop <= size; an empty one, ``slice(0, 0)``, where nothing of the file
        lies in the range (416). Several ranges at once give the whole, as the RFC allows.
    """
    match = _RANGE.fullmatch(fields.get("range", ""))
    if not match or fields.get("if-range", etag) not in {etag, modified}:
        return None
    first, last = match[1][:18], match[2][:18]
    if not first:
        if not last:
            return None
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    return slice(start, stop) if start < stop else slice(0, 0)


def write_head(
    status: int, fields: bytes, length: int | None, *, keep: bool, chunks: bool
) -> bytes:
    """A head up to and with its empty line.

    Args:
        fields: further header lines, each with its line end.
        length: of the body; None where it is not said, and then chunks or the end of the
            connection say where it ends.
    """
    lines = _STATUS_LINES[status] + fields
    if length is not None:
        lines += b"Content-Length: %d\r\n" % length
    elif chunks:
        lines += b"Transfer-Encoding: chunked\r\n"
    return lines + (b"Connection: keep-alive\r\n\r\n" if keep else b"Connection: close\r\n\r\n")


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unnamed"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


_STATUS_LINES = {status: _status_line(status) for status in range(200, 600)}


def normal_path(path: str) -> str:
    """A path and query as all ways to write them become: RFC 3986, 6.2.2.

    Clients differ: one sends ``|`` as it stands in the link, another ``%7C``, a third ``%7c``.

    Args:
        path: each character is one byte (ISO 8859-1, as in a head).
    """
    return _ESCAPED.sub(_normal_escape, path)


def _normal_escape(match: re.Match[str]) -> str:
    found = match[0]
    character = chr(int(found[1:], 16)) if len(found) == 3 else found
    return character if character in _UNRESERVED else f"%{ord(character):02X}"
