"""Names of files that become names of people, of folders, and cells of tables."""

import re
from pathlib import PurePosixPath

from facedet.i18n import gettext as _

MAX_NAME = 1_000
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._'-]{0,99}", re.ASCII)
_COMPANIONS = frozenset(("README", "licence.txt"))
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)


def check_plain(name: str) -> None:
    """Whether a name can be shown, stored and looked up at all.

    Raises:
        ValueError: with the reason, fit to be shown.
    """
    if len(name) > MAX_NAME:
        raise ValueError(
            _("a name of {n:,} characters, the limit is {limit:,}").format(
                n=len(name), limit=MAX_NAME
            )
        )
    if not name.isprintable():
        raise ValueError(_("a name with characters that are not text"))


def identity_of(name: str) -> str | None:
    """Whose label file it is; None for what belongs to the dataset beside them.

    Args:
        name: its path within the archive or folder.

    Raises:
        ValueError: anything else, with the reason.
    """
    check_plain(name)
    path = PurePosixPath(name)
    if len(path.parts) <= 2 and path.name in _COMPANIONS:
        return None
    if path.parent.name != "files" or len(path.parts) > 3 or path.suffix != ".txt":
        raise ValueError(_("not part of the dataset; expected files/<Name>.txt"))
    if not _IDENTITY.fullmatch(path.stem):
        raise ValueError(_("a name may have letters, digits and . _ - ' only"))
    if _DEVICES.fullmatch(path.stem):
        raise ValueError(_("Windows keeps this name for a device; rename the file"))
    return path.stem


class Names:
    """The identities of one source, each once: photos of two would lie in one folder.

    Windows and macOS do not tell ``Anna`` from ``anna``, nor Windows ``Al_Jr.`` from ``Al_Jr``.
    """

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def take(self, identity: str) -> None:
        """Note that `identity` is there.

        Raises:
            ValueError: it is already, or one that some systems take for the same.
        """
        key = identity.lower().rstrip(".")
        if identity == self._taken.get(key):
            raise ValueError(_("a second file of that name"))
        if key in self._taken:
            raise ValueError(
                _("some systems cannot tell this name from {name}; rename one of them").format(
                    name=self._taken[key]
                )
            )
        self._taken[key] = identity
