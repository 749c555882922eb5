"""Files that ride along in installed packages, found without importing those packages."""

from importlib.util import find_spec
from pathlib import Path


def package_file(package: str, *parts: str) -> Path | None:
    """The file `parts` within an installed package, or None where either is missing."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        path = Path(folder, *parts)
        if path.is_file():
            return path
    return None
