"""What a download came to, in words and tables; with practice links also whether it is right."""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facedet.download.account import Tally
from facedet.download.ledger import Ledger
from facedet.download.links import names_of
from facedet.download.outcome import ERROR_CLASSES, ErrorClass
from facedet.errors import DatasetError, shown_name
from facedet.i18n import gettext as _

Verdict = ErrorClass | Literal["ok"]
VERDICTS: tuple[Verdict, ...] = ("ok", *ERROR_CLASSES)

# What a downloader must say about each fault of the practice links. All others give a picture.
_EXPECTED: Mapping[str, ErrorClass] = {
    "http_404": "http_4xx",
    "http_403": "http_4xx",
    "http_410": "http_4xx",
    "http_500": "http_5xx",
    "hangs": "timeout",
    "reset": "truncated",
    "truncated_body": "truncated",
    "truncated_jpeg": "truncated",
    "redirect_loop": "redirect_loop",
    "redirect_private": "blocked_address",
    "html": "not_an_image",
    "zero_bytes": "not_an_image",
    "placeholder": "placeholder",
    "bomb": "bomb",
    "too_large": "too_large",
    "unresolvable": "dns",
    "refused": "connect",
    "tls": "tls",
}
_ANSWERED: tuple[ErrorClass, ...] = ("http_4xx", "http_5xx")
_MAY_BE_UNASKED: tuple[ErrorClass, ...] = ("connect", "timeout")
_GIVES_PICTURE = frozenset(
    (
        *("ok", "rate_limited", "flaky", "slow", "redirect", "wrong_extension", "duplicate"),
        *("resized", "wrong_label", "second_face", "no_face"),
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel: what is counted, how much, and its share of the step before."""

    name: str
    n: int
    share: float


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many links failed in one way, and what it means.

    Args:
        http_status: for ``http_4xx`` and ``http_5xx`` only; there None where nobody asked, for the
            site was given up.
    """

    error_class: ErrorClass
    http_status: int | None
    n: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Yield:
    """What one identity or host gave.

    Args:
        share: of its links that have come to something, those with a picture; 0 where none has.
    """

    name: str
    links: int
    waiting: int
    pictures: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Each fault of the truth against what the ledger says of it.

    Args:
        faults: that occur, in the order of the verdicts expected for them.
        verdicts: the columns: those expected or given, ``ok`` first.
        counts: links by fault and verdict; what is not there is 0.
        unscored: links of the truth that the ledger does not have, or that still wait.
    """

    faults: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    counts: Mapping[tuple[str, Verdict], int]
    unscored: int

    @property
    def wrong(self) -> int:
        """How many links lie beside the diagonal."""
        return sum(n for (fault, said), n in self.counts.items() if said != expected_class(fault))

    @property
    def is_diagonal(self) -> bool:
        """Whether every link came to what it should."""
        return not self.wrong


def funnel(ledger: Ledger) -> list[Step]:
    """From lines to labels that fit; shares of the step before, 0 where that is empty."""
    found = ledger.funnel()
    counts = (
        (_("lines in the table"), found.lines),
        (_("lines with a usable link"), found.usable),
        (_("different addresses"), found.urls),
        (_("asked so far"), found.tried),
        (_("answered"), found.answered),
        (_("pictures"), found.pictures),
        (_("with a label that fits"), found.fitting),
    )
    before = (found.lines, *(n for _name, n in counts))
    return [Step(name, n, _share(n, of)) for (name, n), of in zip(counts, before, strict=False)]


def by_class(ledger: Ledger) -> list[ClassCount]:
    """Each way to fail that occurs, the most frequent first; a site's answers one by one."""
    return [
        ClassCount(error_class, status, n, _meaning(error_class, status))
        for error_class, status, n in ledger.failures()
    ]


def by_host(ledger: Ledger) -> list[Yield]:
    """What each host gave, the one with the most links first."""
    return [_as_yield(tally) for tally in ledger.by_host()]


def by_identity(ledger: Ledger) -> list[Yield]:
    """What each identity got, the one with the most links first."""
    return [_as_yield(tally) for tally in ledger.by_identity()]


def expected_class(fault: str) -> Verdict:
    """What a fault of the practice links must come to.

    Raises:
        KeyError: no fault of the practice links.
    """
    return "ok" if fault in _GIVES_PICTURE else _EXPECTED[fault]


def confusion(ledger: Ledger, truth_csv: Path) -> Confusion:
    """The practice links' faults against the ledger.

    Args:
        truth_csv: of the practice dataset; it may have more links than the ledger.

    Raises:
        DatasetError: it cannot be read, or is none.
    """
    truth = read_truth(truth_csv)
    counts: Counter[tuple[str, Verdict]] = Counter()
    for row in ledger.each():
        fault = truth.get((row.identity, row.photo_id))
        if fault is not None and row.state != "waiting":
            counts[fault, row.error_class or "ok"] += 1
    given = {said for _fault, said in counts}
    faults = {fault for fault, _said in counts}
    columns = given | {expected_class(fault) for fault in faults}
    return Confusion(
        faults=tuple(sorted(faults, key=lambda f: (VERDICTS.index(expected_class(f)), f))),
        verdicts=tuple(verdict for verdict in VERDICTS if verdict in columns),
        counts=counts,
        unscored=len(truth) - counts.total(),
    )


def explain(error_class: ErrorClass, http_status: int | None = None) -> str:
    """What it means, in one plain sentence.

    Args:
        http_status: says more of ``http_4xx`` and ``http_5xx``, and nothing of the others.
    """
    if http_status is not None and error_class in _ANSWERED:
        return _explain_status(http_status)
    meanings: Mapping[ErrorClass, str] = {
        "dns": _("The site's name is not known any more: most likely the site is gone."),
        "connect": _("The computer was asked for, but no server answered there."),
        "tls": _("The site's certificate is not to be trusted, so nothing was taken from it."),
        "timeout": _("The server took too long to answer; it may do better at another time."),
        "http_4xx": _("The site says no: mostly 404, the page is gone, or 403, it is forbidden."),
        "http_5xx": _("The server has trouble of its own; it may do better at another time."),
        "redirect_loop": _("The site sends one on and on and never to a picture."),
        "blocked_address": _(
            "This is no address that we ask: it leads into a private network, or is no web link."
        ),
        "too_large": _("The file is larger than we take; it was broken off."),
        "not_an_image": _("Something came, often a web page, but no picture that can be read."),
        "placeholder": _(
            "The site shows the same picture, such as: image removed, for many links."
        ),
        "truncated": _("Only a part of the picture came, or only a part is on the server."),
        "bomb": _("A small file that would become a giant picture in memory; it was not opened."),
        "disk": _("The picture came, but the disk of this computer did not take it."),
        "cancelled": _("The download was stopped while this picture was on its way."),
    }
    return meanings[error_class]


def _explain_status(http_status: int) -> str:
    """What a site's refusal or trouble means, in one plain sentence with its number."""
    meanings = {
        400: _("The server cannot make sense of the link (400)."),
        401: _("The site shows this only to those who log in (401)."),
        403: _("The site does not show this to us, perhaps only on its own pages (403)."),
        404: _("There is nothing at this address, most likely not any more (404)."),
        410: _("The site took this away for good (410)."),
        429: _("The site was asked too often and wants to be left alone for a while (429)."),
        451: _("The site may not show this, for a law or a court forbids it (451)."),
        500: _("Something broke in the server; it may do better at another time (500)."),
        502: _("A server passed the question on and got nonsense back; try again later (502)."),
        503: _("The server is overloaded or being repaired; try again later (503)."),
        504: _("A server passed the question on and waited in vain; try again later (504)."),
    }
    no = _("The site says no, for a reason that is seldom given ({status}).")
    trouble = _("The server has trouble of its own; it may do better at another time ({status}).")
    other = (no if http_status < 500 else trouble).format(status=http_status)
    return meanings.get(http_status, other)


def _meaning(error_class: ErrorClass, http_status: int | None) -> str:
    """As `explain`, and whether links were not asked, for their site had been given up.

    In the ledger every answer of a site has its number; without one there was none.
    """
    if http_status is None and error_class in _ANSWERED:
        return _("The site failed again and again, or wanted to be left alone: we asked no more.")
    if error_class in _MAY_BE_UNASKED:
        more = _("Where that happened again and again, the site's other links were not asked.")
        return f"{explain(error_class)} {more}"
    return explain(error_class, http_status)


def read_truth(truth_csv: Path) -> dict[tuple[str, str], str]:
    """The fault of each photo of a practice set, under the names that its link has in the ledger.

    Raises:
        DatasetError: it cannot be read, or is none.
    """
    try:
        with truth_csv.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        truth = {names_of(row["identity"], row["photo_id"], ""): row["fault"] for row in rows}
        for fault in set(truth.values()):
            expected_class(fault)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, csv.Error) as error:
        raise DatasetError(
            _(
                "{name}: no truth of practice links ({reason}); give the truth.csv of the set"
            ).format(name=shown_name(truth_csv.name), reason=shown_name(repr(error)))
        ) from error
    return truth


def _share(n: int, of: int) -> float:
    return n / of if of else 0.0


def _as_yield(tally: Tally) -> Yield:
    share = _share(tally.done, tally.total - tally.waiting)
    return Yield(tally.name, tally.total, tally.waiting, tally.done, share)
