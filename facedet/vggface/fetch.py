"""The archive from its official address: in pieces that add up, whatever the network does."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NoReturn

import requests
from filelock import FileLock, Timeout
from urllib3.exceptions import HTTPError

from facedet.errors import DatasetError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.vggface.unpacking import GZIP, DamageError, Unpacked

OFFICIAL_URL = "http://www.robots.ox.ac.uk/~vgg/data/vgg_face/vgg_face_dataset.tar.gz"
OFFICIAL_FILES = 2_622
OFFICIAL_LINES = 2_604_849
MAX_BYTES = 1_000_000_000  # several times what it has
MAX_UNPACKED_BYTES = 4_000_000_000
TIMEOUT_S = (10.0, 30.0)  # to connect; between two pieces
TRIES = 5
_PIECE = 1 << 14  # what a broken connection loses at most

_RANGE = re.compile(r"bytes (?:(\d{1,15})-\d{1,15}|\*)/(?:(\d{1,15})|\*)", re.ASCII)
_LENGTH = re.compile(r"\d{1,15}", re.ASCII)

Tick = Callable[[int, int], None]


def fetch(
    url: str,
    path: Path,
    tick: Tick = lambda _done, _total: None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `url` to `path`, or go on where an earlier try ended; what is there stays.

    What came so far lies beside it as ``<name>.part``, with the server's mark of the version
    (ETag or date): when the file changed on the server in the meantime, it is begun anew. The
    final name is taken only by a gzip file that is whole, by its own length and checksum.

    Args:
        tick: called with bytes so far, and their total (0 where the server does not say).
        wait: how to wait between two tries.

    Raises:
        DatasetError: it cannot be had now; trying again later goes on from here. Or what came is
            no gzip file: nothing is kept of it. Or somebody else is fetching it already.
    """
    if path.exists():
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(part.with_name(part.name + ".lock"), timeout=0):
            if not path.exists():
                _try_often(url, part, tick, wait)
                part.replace(path)
                _mark_of(part).unlink(missing_ok=True)
    except Timeout as error:
        raise DatasetError(
            _("{name} is being fetched already; wait until that is done").format(
                name=shown_name(path.name)
            )
        ) from error
    except _UselessError as error:
        raise DatasetError(
            _("{url} did not give the archive ({reason}); nothing is kept of what came").format(
                url=url, reason=error
            )
        ) from error
    except (requests.RequestException, HTTPError, _IncompleteError, OSError) as error:
        _give_up(url, part, str(error) or type(error).__name__)
    return path


class _IncompleteError(Exception):
    """The connection ended before the file did."""


class _UselessError(Exception):
    """What came is something else, and would be something else the next time."""


_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    HTTPError,  # of the body: a connection that breaks, a plain body that ends early
    _IncompleteError,
)


def _try_often(url: str, part: Path, tick: Tick, wait: Callable[[float], None]) -> None:
    for attempt in range(TRIES):
        try:
            _check_whole(part, known_whole=_fetch_on(url, part, tick))
        except _PASSING:
            if attempt == TRIES - 1:
                raise
            wait(2.0**attempt)
        else:
            return


def _fetch_on(url: str, part: Path, tick: Tick) -> bool:
    """Take what the server gives; whether it said how much there is, and all of it is here."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    mark = _read_mark(part)
    if have and mark:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        start, total = _range(answer)
        unsatisfied = answer.status_code == requests.codes.requested_range_not_satisfiable
        if unsatisfied and have == total:
            return True  # an earlier call had it all, and ended before it could say so
        goes_on = answer.status_code == requests.codes.partial_content
        if unsatisfied or (goes_on and start != have):
            part.unlink(missing_ok=True)  # not of this file, or not its next bytes: begin anew
            raise _IncompleteError(_("the server sent another part than was asked for"))
        answer.raise_for_status()
        have = have if goes_on else 0
        pieces = _pieces(answer, begins=have == 0)
        first = next(pieces, b"")  # judged before what is here gives way to it
        write_atomically(_mark_of(part), _mark(answer.headers))
        with part.open("ab" if goes_on else "wb") as file:
            for piece in chain((first,), pieces):
                file.write(piece)
                have += len(piece)
                tick(have, total)
                if have > MAX_BYTES:
                    break
    if have > MAX_BYTES:
        _useless(part, _("more than {n:.0f} MB").format(n=MAX_BYTES / 1e6))
    if have < total:
        raise _IncompleteError(_("the connection ended early"))
    return total > 0


def _pieces(answer: requests.Response, begins: bool) -> Iterator[bytes]:
    """The body as it came: a server that calls the gzip file an encoding is not obeyed.

    Raises:
        _UselessError: it is the beginning, and not that of a gzip file.
        _IncompleteError: not even the beginning came.
    """
    head = b""
    for piece in answer.raw.stream(_PIECE, decode_content=False):
        head += piece
        if begins and len(head) >= len(GZIP):
            _check_head(head, answer.headers)
            begins = False
        if not begins:
            yield head
            head = b""
    if begins:
        raise _IncompleteError(_("the connection ended early"))


def _check_head(head: bytes, headers: Mapping[str, str]) -> None:
    if head.startswith(GZIP):
        return
    if "html" in headers.get("Content-Type", "") or head.lstrip()[:1] == b"<":
        raise _UselessError(_("a web page; does this network want a login in the browser first?"))
    raise _UselessError(_("no gzip file"))


def _check_whole(part: Path, known_whole: bool) -> None:
    """Read the file to the end of its gzip stream, at the memory of one piece.

    Raises:
        _UselessError: it is damaged, or ends early though the server says that this is all.
        _IncompleteError: it ends early, and the server never said how long it is.
    """
    with part.open("rb") as file:
        stream = Unpacked(file, part.name, MAX_UNPACKED_BYTES)
        try:
            stream.drain()
            damage = _("something follows its end") if stream.excess else ""
        except (DamageError, DatasetError) as error:
            if not (known_whole or stream.spoiled or isinstance(error, DatasetError)):
                raise _IncompleteError(_("the connection ended early")) from error
            damage = str(error)
    if damage:
        _useless(part, _("damaged: {reason}").format(reason=damage))


def _useless(part: Path, reason: str) -> NoReturn:
    part.unlink(missing_ok=True)
    _mark_of(part).unlink(missing_ok=True)
    raise _UselessError(reason)


def _range(answer: requests.Response) -> tuple[int, int]:
    """Where the body begins in the file (-1: unsaid), and how long the file is (0: unsaid)."""
    if answer.status_code == requests.codes.ok:
        length = _LENGTH.fullmatch(answer.headers.get("Content-Length", ""))
        return 0, int(length[0]) if length else 0
    said = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if said is None:
        return -1, 0
    return int(said[1] or -1), int(said[2] or 0)


def _mark(headers: Mapping[str, str]) -> str:
    """What If-Range may be asked with: a strong ETag, or the date (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _mark_of(part: Path) -> Path:
    return part.with_name(part.name + ".mark")


def _read_mark(part: Path) -> str:
    try:
        return _mark_of(part).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""  # without it, or with rubbish in it, the file is begun anew


def _give_up(url: str, part: Path, reason: str) -> NoReturn:
    have = part.stat().st_size if part.exists() else 0
    reason = "".join(c if c.isprintable() else " " for c in reason[:200])
    raise DatasetError(
        _(
            "{url} cannot be had now ({reason}). {have:.1f} MB are kept: try again to go on from "
            "there, or give an archive that you have, or make the practice dataset."
        ).format(url=url, reason=reason, have=have / 1e6)
    )
