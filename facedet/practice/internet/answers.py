"""What to answer: a request and the table in, a `Reply` out, as plain data. No socket here."""

import html
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Literal

from facedet.i18n import gettext as _
from facedet.practice.internet.heads import Head, asked_range, normal_path
from facedet.practice.internet.shelf import BLOCK_BYTES, ServedFile, Shelf
from facedet.practice.internet.site import Answer, Doors, Kind, Site

SLOW_PIECES = 21  # 20 pauses between them
# Start of image and a JFIF segment: what a client that looks at the first bytes expects.
_JPEG_START = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")

# What happens after the body: go on; close; close after reading what else comes, so that the
# answer is not lost to a reset; break the connection; say nothing at all, and wait.
Ending = Literal["keep", "close", "linger", "reset", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, ready to be sent.

    Args:
        answer: what the log calls it.
        status: of the answer.
        fields: further header lines, each with its line end.
        body: all of it, where it is at hand; else `stream` makes it, piece by piece.
        stream: makes the pieces, or None.
        length: as announced, which need not be true; None: not announced.
        late_s: seconds before the first byte.
        pause_s: seconds between two pieces.
        ending: what happens after the body.
        early: the client came back too soon.
    """

    answer: str
    status: int
    fields: bytes = b""
    body: bytes = b""
    stream: Callable[[], Iterator[bytes]] | None = None
    length: int | None = None
    late_s: float = 0.0
    pause_s: float = 0.0
    ending: Ending = "keep"
    early: bool = False

    @property
    def at_once(self) -> bool:
        """Whether nothing of it has to be waited for."""
        return self.stream is None and not self.late_s and self.ending in {"keep", "close"}

    def pieces(self) -> Iterator[bytes]:
        """The body in the pieces in which it is sent."""
        return self.stream() if self.stream else iter((self.body,))


@dataclass(slots=True)
class _Asked:
    """How often an address was asked, and when it last said 429."""

    times: int = 0
    refused_at: float = -math.inf


class Answers:
    """Decides what each request gets; remembers only how often an address was asked.

    Args:
        site: the table.
        doors: what is asked as of a proxy may name a port where nobody listens.
        clock: seconds, steady.
    """

    def __init__(
        self, site: Site, doors: Doors, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._site = site
        self._doors = doors
        self._clock = clock
        self._shelf = Shelf()
        self._asked: dict[tuple[str, str], _Asked] = {}
        self._says = _sentences()
        self._plays: Mapping[Kind, Callable[[Answer, Head], Reply]] = {
            "file": self._file,
            "status": _status,
            "rate_limited": self._rate_limited,
            "flaky": self._flaky,
            "slow": self._slow,
            "hang": _hang,
            "reset": self._half,
            "truncated": self._half,
            "redirect": _redirect,
            "html": _html,
            "huge": _huge,
        }

    def forget(self) -> None:
        """As if nothing had been asked yet."""
        self._asked.clear()

    def reply(self, head: Head) -> Reply:
        """The answer to a GET or HEAD, or why there is none."""
        if head.method not in {"GET", "HEAD"}:
            return page("method", 405, fields=b"Allow: GET, HEAD\r\n", ending=_after_body(head))
        if head.absolute:
            elsewhere = self._doors.bound_port(head.port or 80) != self._doors.bound.http
            if refusal := self._not_reached(head, elsewhere):
                return refusal
        answer = self._site.answers.get((head.host, normal_path(head.path)))
        if answer is None:
            return self._unknown(head)
        try:
            return self._plays[answer.kind](answer, head)
        except OSError:  # deleted since the table was read
            return page("missing_file", 500)

    def tunnel(self, head: Head) -> int | Reply:
        """The bound port to which a CONNECT leads, or why it leads nowhere."""
        port = self._doors.bound_port(head.port or 443)
        return self._not_reached(head, port == self._doors.bound.refused) or port

    def complaint(self, status: int) -> Reply:
        """The answer to a head that cannot be read."""
        return page("bad_request", status, self._says["bad_request"], ending="linger")

    def _not_reached(self, head: Head, nobody_listens: bool) -> Reply | None:
        """What a proxy says that cannot, or will not, go to that address; None where it can."""
        if head.host.endswith(".invalid"):
            return page("unresolvable", 502, self._says["unresolvable"].format(host=head.host))
        if not head.host.endswith(".localhost"):  # never an open proxy
            return page("not_ours", 403, self._says["not_ours"].format(host=head.host))
        if nobody_listens:
            return page("refused", 502, self._says["refused"].format(host=head.host))
        return None

    def _unknown(self, head: Head) -> Reply:
        if head.host in self._site.hosts:
            return page("unknown_path", 404)
        return page("unknown_host", 404, self._says["unknown_host"].format(host=head.host))

    def _file(self, answer: Answer, head: Head) -> Reply:
        served = self._served(answer)
        fields = _file_fields(answer, served)
        span = None
        if head.method == "GET":
            span = asked_range(head.fields, served.size, served.etag, served.modified)
        if span is not None and not span.stop:
            return _out_of_range(answer, served)
        if span is None:
            return _file_reply(answer, served, 200, fields, slice(0, served.size))
        says = f"Content-Range: bytes {span.start}-{span.stop - 1}/{served.size}\r\n"
        return _file_reply(answer, served, 206, fields + says.encode(), span)

    def _served(self, answer: Answer) -> ServedFile:
        assert answer.file is not None  # the table is checked when it is read
        return self._shelf.take(answer.file)

    def _rate_limited(self, answer: Answer, head: Head) -> Reply:
        asked = self._ask(answer)
        now = self._clock()
        early = now < asked.refused_at + answer.retry_after
        if not early and asked.times > answer.times:
            return self._file(answer, head)
        asked.refused_at = now
        # The header knows whole seconds only, and a client that obeys must not come too early.
        wait = f"Retry-After: {math.ceil(answer.retry_after)}\r\n".encode()
        return page(answer.kind, 429, fields=wait, early=early)

    def _flaky(self, answer: Answer, head: Head) -> Reply:
        if self._ask(answer).times > answer.times:
            return self._file(answer, head)
        return page(answer.kind, 500)

    def _ask(self, answer: Answer) -> _Asked:
        asked = self._asked.setdefault((answer.host, answer.path), _Asked())
        asked.times += 1
        return asked

    def _slow(self, answer: Answer, _head: Head) -> Reply:
        served = self._served(answer)
        return Reply(
            answer=answer.kind,
            status=200,
            fields=_file_fields(answer, served),
            stream=partial(_in_small_pieces, served),
            length=served.size,
            late_s=answer.seconds,
            pause_s=answer.seconds / (SLOW_PIECES - 1),
        )

    def _half(self, answer: Answer, _head: Head) -> Reply:
        served = self._served(answer)
        return Reply(
            answer=answer.kind,
            status=200,
            fields=_file_fields(answer, served),
            stream=partial(served.part, 0, served.size // 2),
            length=max(1, served.size),  # of an empty file, too, something is missing
            ending="reset" if answer.kind == "reset" else "close",
        )


def _sentences() -> dict[str, str]:
    # Looked up once, in the language of whoever starts the server: its thread knows none.
    return {
        "bad_request": _("This request cannot be read."),
        "unresolvable": _("The name {host} leads nowhere."),
        "not_ours": _(
            "{host} is outside: this server plays the practice sites under .localhost, "
            "and leads nowhere else."
        ),
        "refused": _("At {host} nobody listens on this port."),
        "unknown_host": _(
            "There is no site {host} in the practice dataset. Addresses that answer are in its "
            "label files."
        ),
    }


def page(
    answer: str,
    status: int,
    text: str = "",
    *,
    fields: bytes = b"",
    ending: Ending = "keep",
    early: bool = False,
) -> Reply:
    """A short page that says the status, and `text` where there is more to say."""
    known = {code.value: code.phrase for code in HTTPStatus}
    title = f"{status} {known.get(status, '')}".strip()
    body = (
        f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{html.escape(text)}</p>\n"
    )
    return Reply(
        answer=answer,
        status=status,
        fields=b"Content-Type: text/html; charset=utf-8\r\n" + fields,
        # 204 and 304 end with their head.
        body=b"" if status in {204, 304} else body.encode(),
        length=None if status in {204, 304} else len(body.encode()),
        ending=ending,
        early=early,
    )


def _after_body(head: Head) -> Ending:
    # A client that waits for "100 Continue" may send its body, or not: nobody can tell, so close.
    return "linger" if "expect" in head.fields else "keep"


def _status(answer: Answer, _head: Head) -> Reply:
    return page(answer.kind, answer.status)


def _hang(answer: Answer, _head: Head) -> Reply:
    return Reply(answer=answer.kind, status=0, ending="never")


def _redirect(answer: Answer, _head: Head) -> Reply:
    where = f"Location: {answer.location}\r\n".encode()
    return page(answer.kind, answer.status, fields=where)


# Part of the play, like the pictures: a page as such sites had, so not for translation.
_MOVED = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Page not available - {host}</title>
<meta name="robots" content="noindex">
</head>
<body>
<header><a href="/">{host}</a> | <a href="/galleries/">Galleries</a></header>
<main>
<h1>Sorry, this page is no longer available</h1>
<p>The picture you are looking for has been moved or taken down since we renewed our site.</p>
<form action="/search"><input name="q" placeholder="Search {host}"><button>Search</button></form>
<p><a href="/">Back to the front page</a></p>
</main>
<footer>All pictures belong to their owners. <a href="/privacy/">Privacy</a></footer>
</body>
</html>
"""


def _html(answer: Answer, _head: Head) -> Reply:
    body = _MOVED.format(host=html.escape(answer.host)).encode()
    return Reply(
        answer=answer.kind,
        status=200,
        fields=b"Content-Type: text/html; charset=utf-8\r\n",
        body=body,
        length=len(body),
    )


def _huge(answer: Answer, head: Head) -> Reply:
    return Reply(
        answer=answer.kind,
        status=200,
        fields=_type_field(answer),
        stream=partial(_padded_jpeg, answer.bytes),
        length=answer.bytes if answer.declared else None,
        # Without a length and without chunks, only the end of the connection ends the body.
        ending="keep" if answer.declared or head.chunks else "close",
    )


def _padded_jpeg(size: int) -> Iterator[bytes]:
    padding = bytes(BLOCK_BYTES)
    first = min(size, BLOCK_BYTES)
    yield (_JPEG_START + padding)[:first]
    for start in range(first, size, BLOCK_BYTES):
        yield padding[: size - start]


def _in_small_pieces(served: ServedFile) -> Iterator[bytes]:
    step = max(1, math.ceil(served.size / SLOW_PIECES))
    for start in range(0, served.size, step):
        yield from served.part(start, min(served.size, start + step))


def _file_reply(
    answer: Answer, served: ServedFile, status: int, fields: bytes, span: slice
) -> Reply:
    length = span.stop - span.start
    if served.content is None:
        stream = partial(served.part, span.start, span.stop)
        return Reply(answer=answer.kind, status=status, fields=fields, stream=stream, length=length)
    body = served.content[span]
    return Reply(answer=answer.kind, status=status, fields=fields, body=body, length=length)


def _out_of_range(answer: Answer, served: ServedFile) -> Reply:
    return page(answer.kind, 416, fields=f"Content-Range: bytes */{served.size}\r\n".encode())


def _type_field(answer: Answer) -> bytes:
    return f"Content-Type: {answer.type}\r\n".encode()


def _file_fields(answer: Answer, served: ServedFile) -> bytes:
    lines = f"Last-Modified: {served.modified}\r\nETag: {served.etag}\r\n"
    ranges = (
        b"Accept-Ranges: bytes\r\n" if answer.kind in {"file", "rate_limited", "flaky"} else b""
    )
    return _type_field(answer) + lines.encode() + ranges
