"""The list of detectors: what there is, what it is good and bad at, and whether it runs here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facedet.detectors import haar, torchvision_rcnn, yunet
from facedet.detectors.base import Entry
from facedet.detectors.checkpoints import SUFFIXES
from facedet.errors import UnknownModelError, shown_name
from facedet.i18n import gettext as _
from facedet.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, built-in detectors first, then the checkpoints of the models folders."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def usable(self) -> list[Entry]:
        """Those that can run now."""
        return [entry for entry in self.entries if entry.usable]

    def get(self, name_or_file: str) -> Entry:
        """The entry of that name, or of the checkpoint file at that path.

        Raises:
            UnknownModelError: neither; the message lists the names.
        """
        for entry in self.entries:
            if entry.name == name_or_file:
                return entry
        path = Path(name_or_file)
        if path.suffix.lower() in SUFFIXES and path.is_file():
            return torchvision_rcnn.entry_of(path)
        raise UnknownModelError(
            _("there is no detector {name!r}; choose one of: {known}").format(
                name=shown_name(name_or_file), known=", ".join(e.name for e in self.entries)
            )
        )


def load_catalogue(settings: Settings | None = None) -> Catalogue:
    """The catalogue as it is now; models folders are read anew, unchanged files from memory."""
    settings = settings or load_settings()
    found = [*yunet.entries(), *haar.entries(), *torchvision_rcnn.entries(settings.models_dirs)]
    return Catalogue(tuple(_with_unique_names(found)))


def _with_unique_names(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Two files may share a stem, or be called like a built-in: the later one gets a number."""
    seen: set[str] = set()
    for entry in entries:
        name, n = entry.name, 2
        while name in seen:
            name, n = f"{entry.name}-{n}", n + 1
        seen.add(name)
        yield entry if name == entry.name else replace(entry, name=name, title=name)
