"""Where a picture's file ends by its own structure: whether something is missing or follows.

A decoder alone does not tell: Pillow accepts a JPEG whose last bytes are missing, and every decoder
stops reading where its picture is whole.
"""

import re

_OUTER_BOXES = frozenset((b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid"))
# In a JPEG's coded data FF is followed by 00, a restart or more FF; all else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
PADDING = b"\0\r\n\t "  # what may follow a picture's end without being anything


def end_of(data: bytes) -> int | None:
    """The offset at which the file is over, beyond its last byte where something is missing.

    Knows JPEG (ITU-T T.81, B.1), PNG (its chunks), WebP (the RIFF size), AVIF and HEIF (their
    boxes). None for others, whose decoders notice by themselves, and for a broken structure.
    """
    if data.startswith(b"\xff\xd8"):
        return _end_of_jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _end_of_png(data)
    if data[:4] == b"RIFF" and len(data) >= 8:
        return 8 + int.from_bytes(data[4:8], "little")
    if data[4:8] == b"ftyp":
        return _end_of_boxes(data)
    return None


def is_cut_off(data: bytes) -> bool:
    """Whether the file ends before its own structure does; what follows the end is no matter."""
    end = end_of(data)
    return end is not None and end > len(data)


def _end_of_jpeg(data: bytes) -> int | None:
    """Walks from marker to marker until the end-of-image marker."""
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xD9:
            return at + 2
        if kind == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        if kind == 0x01 or 0xD0 <= kind <= 0xD8:  # markers without content
            at += 2
            continue
        if at + 4 > len(data):
            break
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
        if kind == 0xDA:  # a scan: coded data until the next marker
            found = _SCAN_END.search(data, at)
            at = found.start() if found else len(data)
    return max(at, len(data)) + 2


def _end_of_png(data: bytes) -> int:
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == b"IEND":
            # The end needs no checksum to be one: a decoder does not look at it either.
            return min(at + 12 + size, max(at + 8, len(data)))
        at += 12 + size
    return max(at, len(data)) + 12


def _end_of_boxes(data: bytes) -> int | None:
    at = 0
    while data[at + 4 : at + 8] in _OUTER_BOXES:  # what else follows does not belong to it
        size = int.from_bytes(data[at : at + 4])
        if size == 1:  # the true size follows as 64 bits
            size = int.from_bytes(data[at + 8 : at + 16])
        if size < 8:
            return None  # 0: to the end of the file; the rest is no size
        at += size
    return at
