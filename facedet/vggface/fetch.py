"""The archive from its official address: in pieces that add up, whatever the network does."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import requests

from facedet.errors import DatasetError
from facedet.files import write_atomically
from facedet.i18n import gettext as _

OFFICIAL_URL = "http://www.robots.ox.ac.uk/~vgg/data/vgg_face/vgg_face_dataset.tar.gz"
OFFICIAL_FILES = 2_622
OFFICIAL_LINES = 2_604_849
MAX_BYTES = 1_000_000_000  # several times what it has
TIMEOUT_S = (10.0, 30.0)  # to connect; between two pieces
TRIES = 5
_PIECE = 1 << 14  # what a broken connection loses at most

Tick = Callable[[int, int], None]


def fetch(
    url: str,
    path: Path,
    tick: Tick = lambda _done, _total: None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `url` to `path`, or go on where an earlier try ended; what is there stays.

    What came so far lies beside it as ``<name>.part``, with the server's mark of the version
    (ETag or date): when the file changed on the server in the meantime, it is begun anew.

    Args:
        tick: called with bytes so far, and their total (0 where the server does not say).
        wait: how to wait between two tries.

    Raises:
        DatasetError: it cannot be had now; trying again later goes on from here.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(TRIES):
        try:
            _fetch_on(url, part, tick)
        except _PASSING as error:
            if attempt == TRIES - 1:
                _give_up(url, part, str(error) or type(error).__name__)
            wait(2.0**attempt)
        except (requests.RequestException, OSError) as error:
            _give_up(url, part, str(error))
        else:
            part.replace(path)
            _mark_of(part).unlink(missing_ok=True)
            return path
    raise AssertionError("the last try returns or raises")


class _IncompleteError(Exception):
    """The connection ended before the file did."""


_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # also a plain body that ends early
    _IncompleteError,
)


def _fetch_on(url: str, part: Path, tick: Tick) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    mark = _mark_of(part).read_text() if _mark_of(part).exists() else ""
    if have and mark:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink(missing_ok=True)  # longer than the file is: not of this file
            raise _IncompleteError
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content
        have = have if goes_on else 0
        total = _total(answer.headers, have)
        write_atomically(_mark_of(part), _mark(answer.headers))
        with part.open("ab" if goes_on else "wb") as file:
            for piece in answer.iter_content(_PIECE):
                have += len(piece)
                if have > MAX_BYTES:
                    raise OSError(_("more than {n:.0f} MB").format(n=MAX_BYTES / 1e6))
                file.write(piece)
                tick(have, total)
    if total and have < total:
        raise _IncompleteError


def _total(headers: Mapping[str, str], have: int) -> int:
    length = headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else 0


def _mark(headers: Mapping[str, str]) -> str:
    """What If-Range may be asked with: a strong ETag, or the date (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _mark_of(part: Path) -> Path:
    return part.with_name(part.name + ".mark")


def _give_up(url: str, part: Path, reason: str) -> NoReturn:
    have = part.stat().st_size if part.exists() else 0
    raise DatasetError(
        _(
            "{url} cannot be had now ({reason}). {have:.1f} MB are kept: try again to go on from "
            "there, or give an archive that you have, or make the practice dataset."
        ).format(url=url, reason=reason[:200], have=have / 1e6)
    )
