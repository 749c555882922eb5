"""The members of a tar archive, one after another, by headers that `tarfile` reads singly.

`tarfile.open` is built for archives of friends: it follows chains of headers by recursion, believes
negative sizes, and ends in silence where a header is broken. Here each of these is a `DamageError`.
Formats: POSIX.1-2017 (pax), and the GNU tar manual's "Basic Tar Format".
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from facedet.i18n import gettext as _
from facedet.vggface.unpacking import DamageError, Unpacked

MAX_HEADER_BYTES = 1_000_000
MAX_CHAIN = 16  # a name, a link and a pax header are usual
_BLOCK = tarfile.BLOCKSIZE
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_LENGTH = re.compile(rb"([1-9]\d{0,6}) ")
_SIZE = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its header with long names put in, and whether its content has holes left out."""

    info: tarfile.TarInfo
    sparse: bool


def members(stream: Unpacked) -> Iterator[Member]:
    """Every member up to the mark of the end; what is not read of one is skipped.

    The content of a member, `info.size` bytes, may be read from `stream` until the next is asked
    for.

    Raises:
        DamageError: what cannot be understood, or the end before its mark.
        DatasetError: more came out than the stream may give.
    """
    extra: dict[str, str] = {}
    chain = 0
    while (block := stream.read(_BLOCK)).strip(b"\0"):
        info = _header(block)
        if info.type in _PAX or info.type in _LONG:
            chain += 1
            if chain > MAX_CHAIN:
                raise DamageError(_("a chain of more than {n} headers").format(n=MAX_CHAIN))
            extra |= _extra(info, stream)
            continue
        member = _complete(info, extra)
        if info.type == tarfile.GNUTYPE_SPARSE:
            _skip_map(block, stream)
        end = stream.position + _padded(info)
        yield member
        stream.skip(end - stream.position)
        extra, chain = {}, 0


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise DamageError(str(error)) from error
    if info.size < 0:
        raise DamageError(_("a size of {n:,} bytes").format(n=info.size))
    return info


def _extra(info: tarfile.TarInfo, stream: Unpacked) -> dict[str, str]:
    """What an extended header says about the member after it, in the words of pax."""
    if info.size > MAX_HEADER_BYTES:
        raise DamageError(_("a header of {n:,} bytes").format(n=info.size))
    data = stream.read(info.size)
    stream.skip(-info.size % _BLOCK)
    if info.type in _LONG:
        return {_LONG[info.type]: _text(data.split(b"\0", 1)[0])}
    records = dict(_records(data))
    if info.type != tarfile.XGLTYPE:
        return records
    # One for all that follow: a comment, as git writes it. No tool gives all files one name.
    if any(key in ("path", "size") or key.startswith("GNU.") for key in records):
        raise DamageError(_("a header that renames all files"))
    return {}


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Pax records, ``<length> <key>=<value>`` and a line end; the length counts all of it."""
    at = 0
    while at < len(data):
        length = _LENGTH.match(data, at)
        stop = at + int(length[1]) if length else at
        key, is_one, value = data[length.end() if length else at : stop].partition(b"=")
        if stop > len(data) or not is_one or not value.endswith(b"\n"):
            raise DamageError(_("a header that is no list of pax records"))
        yield _text(key), _text(value[:-1])
        at = stop


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _complete(info: tarfile.TarInfo, extra: dict[str, str]) -> Member:
    sparse = info.type == tarfile.GNUTYPE_SPARSE or any(k.startswith("GNU.sparse") for k in extra)
    info.name = extra.get("GNU.sparse.name", extra.get("path", info.name))
    info.linkname = extra.get("linkpath", info.linkname)
    if info.isdir():
        info.name = info.name.rstrip("/")
    if "size" in extra:
        if not _SIZE.fullmatch(extra["size"]):
            raise DamageError(_("a size of {text!r}").format(text=extra["size"][:40]))
        info.size = int(extra["size"])
    return Member(info, sparse)


def _padded(info: tarfile.TarInfo) -> int:
    """Bytes up to the next header; a folder or a link has none, whatever its size says."""
    has_content = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
    return -(-info.size // _BLOCK) * _BLOCK if has_content else 0


def _skip_map(block: bytes, stream: Unpacked) -> None:
    """The old GNU format lists the holes in blocks of their own, between header and content."""
    more = block[482]
    while more:
        more = stream.read(_BLOCK)[504]
