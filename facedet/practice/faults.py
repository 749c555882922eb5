"""What can be wrong with a line of the practice dataset: the closed list, one fault a line.

Each is something that the real links of 2015 do today, or that a hostile server could do. A fault
is a property of the line, known when the dataset is made; what a downloader or a cleaner says about
it can therefore be scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facedet.i18n import gettext as _

FaultName = Literal[
    "ok",
    "http_404",
    "http_403",
    "http_410",
    "rate_limited",
    "flaky",
    "http_500",
    "slow",
    "hangs",
    "reset",
    "truncated_body",
    "redirect",
    "redirect_loop",
    "redirect_private",
    "html",
    "placeholder",
    "truncated_jpeg",
    "wrong_extension",
    "bomb",
    "zero_bytes",
    "too_large",
    "duplicate",
    "resized",
    "wrong_label",
    "second_face",
    "no_face",
    "unresolvable",
    "refused",
    "tls",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which a line can be wrong.

    Args:
        name: as it stands in ``truth.csv``.
        weight: how frequent it is among the faulty lines, relative to the others.
        picture: whether a patient client gets a whole picture that can be decoded.
        meaning: one plain sentence.
    """

    name: FaultName
    weight: float
    picture: bool
    meaning: str


def all_faults() -> tuple[Fault, ...]:
    """Every fault, ``ok`` first."""
    rows: Sequence[tuple[FaultName, float, bool, str]] = (
        ("ok", 0, True, _("The picture is there, and its label fits.")),
        ("http_404", 8, False, _("Not found: the page was deleted.")),
        ("http_403", 3, False, _("Forbidden: the site shows its pictures only on its own pages.")),
        ("http_410", 1.5, False, _("Gone: deleted for good.")),
        (
            "rate_limited",
            1.5,
            True,
            _("Too many requests at first; fine after the wait asked for."),
        ),
        ("flaky", 1.5, True, _("A server error at first; fine when tried again.")),
        ("http_500", 1.5, False, _("A server error every time.")),
        ("slow", 1.5, True, _("Answers late, but well.")),
        ("hangs", 1.5, False, _("Takes the request and never answers.")),
        ("reset", 1.5, False, _("Breaks the connection in the middle.")),
        ("truncated_body", 1.5, False, _("Announces more bytes than it sends.")),
        ("redirect", 2, True, _("Moved: another address has the picture.")),
        ("redirect_loop", 1.5, False, _("Two addresses that send one to each other, for ever.")),
        ("redirect_private", 1.5, False, _("Leads to an address inside a private network.")),
        ("html", 3, False, _("A web page where a picture should be, with status 200.")),
        ("placeholder", 3, False, _("The site's picture that says: image removed.")),
        ("truncated_jpeg", 1.5, False, _("The file on the server is cut off.")),
        ("wrong_extension", 1.5, True, _("A PNG or WebP file that is called .jpg.")),
        ("bomb", 1.5, False, _("A small file that decodes to gigabytes.")),
        ("zero_bytes", 1.5, False, _("An empty file.")),
        ("too_large", 1.5, False, _("A file of hundreds of megabytes.")),
        ("duplicate", 2, True, _("The same picture as at another address.")),
        ("resized", 2, True, _("The site shrank its picture since: the label no longer fits.")),
        ("wrong_label", 2, True, _("The label is on a place without a face.")),
        ("second_face", 3, True, _("Another face is in the picture, and no label says so.")),
        ("no_face", 2, True, _("There is no face in the picture.")),
        ("unresolvable", 2, False, _("The site's name leads nowhere any more.")),
        ("refused", 1.5, False, _("The computer is there, but no server answers.")),
        ("tls", 1.5, False, _("The site's certificate is not to be trusted.")),
    )
    return tuple(Fault(name=n, weight=w, picture=p, meaning=m) for n, w, p, m in rows)


def deal(n: int, share: float, rng: np.random.Generator) -> list[FaultName]:
    """One fault for each of `n` lines, in random order.

    Args:
        n: how many lines.
        share: of them with a fault, 0-1; each fault then occurs about as often as its weight says,
            and once at least where there is room.
    """
    faults = [fault for fault in all_faults() if fault.weight]
    weights = np.array([fault.weight for fault in faults])
    wanted = round(n * share)
    # Small sets should show every fault: once each, and the rest by weight.
    counts = np.full(len(faults), int(wanted >= len(faults)))
    exact = weights / weights.sum() * (wanted - counts.sum())
    counts += np.floor(exact).astype(int)
    order = np.argsort(np.floor(exact) - exact, kind="stable")  # largest remainder first
    counts[order[: wanted - counts.sum()]] += 1
    names: list[FaultName] = [
        fault.name for fault, k in zip(faults, counts, strict=True) for _k in range(k)
    ]
    names += ["ok"] * (n - len(names))
    return [names[i] for i in rng.permutation(n)]
