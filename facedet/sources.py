"""From what a person names (files, folders, globs) to the picture files that are meant."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facedet import images
from facedet.errors import FacedetError, shown_name
from facedet.i18n import gettext as _

# Picture formats that the lab does not read are still named, with a reason, and not passed over.
_OTHER_PICTURES = ".psd .tga .ico .icns .jp2 .j2k .jxl .svg .eps .ppm .pgm .pcx .dng .cr2 .nef"
PICTURE_SUFFIXES = frozenset((*images.SUFFIXES, *_OTHER_PICTURES.split()))
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")


@dataclass(frozen=True, slots=True)
class Source:
    """One picture file, and its place below the folder that was named (for copies of it)."""

    path: Path
    relative: Path


def find_pictures(names: Iterable[str]) -> tuple[list[Source], list[str]]:
    """The picture files behind these names, in a stable order, each once; and what held none.

    A file is taken as it is, whatever its suffix, and also when it does not exist (it then fails
    as one picture). A folder is walked: files with a picture's suffix or first bytes, hidden ones
    left out. ``*``, ``?`` and ``[`` are expanded where no file has that very name.

    Returns:
        The sources, and one line for each folder or glob without any picture.
    """
    found: dict[Path, Source] = {}
    empty: list[str] = []
    for name in names:
        try:
            for source in _expand(name):
                found.setdefault(source.path, source)
        except FacedetError as error:
            empty.append(str(error))
    return list(found.values()), empty


def _expand(name: str) -> Iterator[Source]:
    path = Path(name)
    if _exists(path, "dir"):
        yield from _walk(path)
    elif not _exists(path, "file") and glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - a Path cannot be absolute here
        if not matches:
            raise FacedetError(_("no file matches {name}").format(name=shown_name(name)))
        for match in matches:
            if not (_exists(Path(match), "dir") and not _holds_picture(Path(match))):
                yield from _expand(match)
    else:
        yield Source(path, Path(path.name))


def _holds_picture(folder: Path) -> bool:
    """A glob names folders by accident: one without pictures is passed over."""
    return any(True for _picture in _pictures(folder))


def _exists(path: Path, kind: str) -> bool:
    try:
        return path.is_dir() if kind == "dir" else path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _walk(folder: Path) -> Iterator[Source]:
    pictures = sorted(_pictures(folder))
    if not pictures:
        raise FacedetError(
            _("there is no picture in {name}; looked for {suffixes} and others").format(
                name=shown_name(str(folder)), suffixes=", ".join(images.SUFFIXES[:4])
            )
        )
    for path in pictures:
        yield Source(path, path.relative_to(folder))


def _pictures(folder: Path) -> Iterator[Path]:
    inside = (p for p in folder.rglob("*") if not _is_hidden(p.relative_to(folder)))
    return (p for p in inside if p.is_file() and _looks_like_picture(p))


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _looks_like_picture(path: Path) -> bool:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_MAGIC)
    except OSError:
        return False
