"""Small things about files that several modules need: atomic writes, names from strangers."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

MAX_NAME_BYTES = 120  # far below every file system's limit, with room for a suffix of ours
_FORBIDDEN = set('<>:"/\\|?*')  # Windows forbids them; `/` and `\` would leave the folder


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write so that a reader, or a crash, sees the old content or the new, never half."""
    data = content.encode() if isinstance(content, str) else content
    with replaced_atomically(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it takes the place of `path` when the block ends well."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def safe_name(name: str, default: str = "photo") -> str:
    """A file name made of a stranger's: no folder, no control or reserved characters, not long."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in last)
    kept = kept.strip(" .") or default
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix) > 8:
        stem, suffix = kept, ""
    room = MAX_NAME_BYTES - len(suffix.encode()) - 1
    stem = stem.encode()[:room].decode(errors="ignore") or default
    return f"{stem}.{suffix}" if suffix else stem


def unique_paths(paths: Iterable[Path]) -> list[Path]:
    """The same paths, where the second of two with one stem becomes ``name-2.suffix``, and so on.

    Suffixes do not count, for a copy may get another one: ``a.png`` and ``a.webp`` stay apart when
    both become JPEG. Nor does case, which half of the world's file systems ignore.
    """
    seen: set[str] = set()
    out: list[Path] = []
    for path in paths:
        candidate, n = path, 2
        while str(candidate.with_suffix("")).lower() in seen:
            candidate, n = path.with_name(f"{path.stem}-{n}{path.suffix}"), n + 1
        seen.add(str(candidate.with_suffix("")).lower())
        out.append(candidate)
    return out
