"""The list of cleaners. A new one is a file with a measure and a verdict function, and a line here.

Command line, comparison and page take their names, columns, numbers and code from this list alone.
"""

from facedet.cleaning import faces, integrity
from facedet.cleaning.cleaner import Cleaner, problems
from facedet.errors import UsageError, shown_name
from facedet.i18n import gettext as _

# By name; functions, for what they say to people depends on the language of the reader.
CLEANERS = {
    "integrity": integrity.cleaner,
    "faces": faces.yunet,
    "faces-haar": faces.haar,
}


def get(name: str) -> Cleaner:
    """The cleaner of that name.

    Raises:
        UsageError: there is none; the message lists the names.
    """
    if name not in CLEANERS:
        raise UsageError(
            _("there is no cleaner {name!r}; choose one of: {known}").format(
                name=shown_name(name), known=", ".join(CLEANERS)
            )
        )
    return CLEANERS[name]()


def explain(reason: str) -> str:
    """What a reason means, in one plain sentence; empty for one that no cleaner gives."""
    rules = {t.name: t.help for make in CLEANERS.values() for t in make().thresholds if t.rule}
    return {**rules, **problems()}.get(reason, "")
