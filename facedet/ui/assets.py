"""The browser halves of our components: plain files, joined without a build step."""

from pathlib import Path

UI_DIR = Path(__file__).parent


def joined(*names: str) -> str:
    """The named files below ``facedet/ui``, in order, as one script or style sheet."""
    return "\n".join((UI_DIR / name).read_text(encoding="utf-8") for name in names)
