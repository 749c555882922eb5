"""What the commands that move pictures say of those that did not move as asked."""

from collections.abc import Sequence

from facedet.cleaning.quarantine import Trouble
from facedet.cli.output import say, warn
from facedet.errors import shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext

MOST_TOLD = 10  # pictures, on a terminal and in a job's summary
Told = dict[str, str]

# What was put right by the way is told, and is no failure.
_PUT_RIGHT = frozenset(("back", "found", "lost"))


def as_rows(troubles: Sequence[Trouble]) -> list[Told]:
    """For JSON: path, kind and sentence of each."""
    return [{"image_path": one.image_path, "kind": one.kind, "says": one.says} for one in troubles]


def say_moved(n: int) -> None:
    """How many went to quarantine."""
    says = ngettext("{n:,} picture moved to quarantine/", "{n:,} pictures moved to quarantine/", n)
    say(says.format(n=n))


def warn_of(troubles: Sequence[Told]) -> None:
    """One line each, with the file's name, up to `MOST_TOLD`."""
    for one in troubles[:MOST_TOLD]:
        warn(f"{shown_name(one['image_path'])}: {one['says']}")
    if len(troubles) > MOST_TOLD:
        warn(_("and {n:,} more; --json has all").format(n=len(troubles) - MOST_TOLD))


def exit_code(troubles: Sequence[Told]) -> int:
    """1 where something that was asked for did not happen."""
    return int(any(one["kind"] not in _PUT_RIGHT for one in troubles))
