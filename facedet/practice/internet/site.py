"""The table ``answers.jsonl``: which address answers how, checked once and trusted after."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from facedet.errors import PracticeError, shown_name
from facedet.i18n import gettext as _
from facedet.practice.internet.heads import normal_path

DEFAULT_PORT = 8642
TABLE = "answers.jsonl"

Kind = Literal[
    "file",
    "status",
    "rate_limited",
    "flaky",
    "slow",
    "hang",
    "reset",
    "truncated",
    "redirect",
    "html",
    "huge",
]
_NEEDS: Mapping[str, tuple[str, ...]] = {  # beside host, path and answer
    "file": ("file", "type"),
    "status": ("status",),
    "rate_limited": ("file", "type"),
    "flaky": ("file", "type"),
    "slow": ("file", "type"),
    "hang": (),
    "reset": ("file",),
    "truncated": ("file",),
    "redirect": ("location", "status"),
    "html": (),
    "huge": ("bytes", "declared"),
}


class Ports(NamedTuple):
    """Three neighbours: plain HTTP, HTTP over TLS, and one where nobody listens."""

    http: int
    https: int
    refused: int

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """The base port and the two after it."""
        return cls(base, base + 1, base + 2)


class Doors:
    """Which bound port stands for a port in an address.

    The table was written for ports that may be taken on this computer. 80 and 443 mean plain and
    TLS; whatever else is asked for, nobody listens there.
    """

    def __init__(self, written: Ports, bound: Ports) -> None:
        self.bound = bound
        self._by_port = {80: bound.http, 443: bound.https}
        self._by_port |= dict(zip(bound, bound, strict=True))
        # Last, for addresses carry these: with another base, one number may be in both triples.
        self._by_port |= dict(zip(written, bound, strict=True))

    def bound_port(self, port: int) -> int:
        """Where to connect for an address with that port."""
        return self._by_port.get(port, self.bound.refused)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One row of the table; a field that its kind does not use keeps its default.

    Args:
        host: in lower case, under ``.localhost``.
        path: with the query, as it stands in the URL.
        kind: how to answer.
        file: resolved, inside the site's folder.
        type: content type of the file.
        status: of ``status`` and ``redirect``.
        times: how often ``rate_limited`` and ``flaky`` refuse first.
        retry_after: seconds that ``rate_limited`` asks to wait.
        seconds: until the first byte of ``slow``, and again until its last.
        location: where ``redirect`` leads.
        bytes: of ``huge``.
        declared: whether ``huge`` says its length.
    """

    host: str
    path: str
    kind: Kind
    file: Path | None = None
    type: str = "image/jpeg"
    status: int = 200
    times: int = 1
    retry_after: float = 1.0
    seconds: float = 1.5
    location: str = ""
    bytes: int = 0
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """All answers, by host and normal path; `written` are the ports that the addresses carry."""

    answers: Mapping[tuple[str, str], Answer]
    hosts: frozenset[str]
    written: Ports


def load_site(site_dir: Path) -> Site:
    """Read ``answers.jsonl`` and ``ports.json``.

    Args:
        site_dir: the folder that holds them, or the one that holds ``site/`` with them in it.

    Raises:
        PracticeError: where the table is missing, or a row of it cannot be served.
    """
    nested = site_dir / "site"
    # Links count by where they lead: what is served must lie in the folder itself.
    folder = (nested if (nested / TABLE).is_file() else site_dir).resolve()
    answers: dict[tuple[str, str], Answer] = {}
    for number, line in enumerate(_table(folder).splitlines(), 1):
        if not line.strip():
            continue
        try:
            answer = _answer(line, folder)
            place = answer.host, normal_path(answer.path)
            if place in answers:
                raise ValueError(_("this address has an answer already; delete one of the rows"))
        except ValueError as error:
            raise PracticeError(
                _("{table} line {number}: {reason}").format(
                    table=TABLE, number=number, reason=error
                )
            ) from error
        answers[place] = answer
    return Site(answers, frozenset(host for host, _path in answers), _written_ports(folder))


def _table(folder: Path) -> str:
    try:
        return (folder / TABLE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PracticeError(
            _("{path} cannot be read; make the practice dataset again").format(path=folder / TABLE)
        ) from error


def _written_ports(folder: Path) -> Ports:
    path = folder / "ports.json"
    if not path.is_file():
        return Ports.from_base(DEFAULT_PORT)
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return Ports(*(int(row[name]) for name in Ports._fields))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PracticeError(
            _("{path} must name three ports: http, https, refused").format(path=path)
        ) from error


def _answer(line: str, folder: Path) -> Answer:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(_("this is not JSON; mend or delete the line")) from error
    kind = row.get("answer") if isinstance(row, dict) else None
    if not isinstance(kind, str) or kind not in _NEEDS:
        raise ValueError(
            _("the answer {kind} is none of {kinds}").format(
                kind=_shown(kind), kinds=", ".join(_NEEDS)
            )
        )
    missing = [name for name in ("host", "path", *_NEEDS[kind]) if name not in row]
    if missing:
        raise ValueError(
            _("the answer {kind} needs {names}").format(kind=kind, names=", ".join(missing))
        )
    values = {name: check(row[name]) for name, check in _CHECKS.items() if name in row}
    if kind == "redirect" and values["status"] not in {301, 302, 303, 307, 308}:
        raise ValueError(_("a redirect has the status 301, 302, 303, 307 or 308"))
    if "file" in _NEEDS[kind]:
        values["file"] = _inside(folder, row["file"])
    return Answer(kind=kind, **values)  # type: ignore[arg-type]


def _inside(folder: Path, name: object) -> Path:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(_("the file {name} is no file name").format(name=_shown(name)))
    path = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118 - pathlib is far slower
    if not path.startswith(f"{folder}{os.sep}"):
        raise ValueError(
            _("the file {name} lies outside the folder of the site").format(name=_shown(name))
        )
    if not Path(path).is_file():
        raise ValueError(_("the file {name} is not there").format(name=_shown(name)))
    return Path(path)


def _shown(value: object) -> str:
    return shown_name(value if isinstance(value, str) else json.dumps(value))


def _text(pattern: str, meaning: Callable[[], str]) -> Callable[[Any], str]:
    allowed = re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str) or not allowed.fullmatch(value):
            raise ValueError(f"{_shown(value)}: {meaning()}")
        return value

    return check


def _number(name: str, low: float, high: float, whole: bool = True) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or not low <= value <= high:
            raise ValueError(
                _("{name} is {value}: give a number from {low} to {high}").format(
                    name=name, value=_shown(value), low=f"{low:g}", high=f"{high:g}"
                )
            )
        return value

    return check


def _host(value: Any) -> str:
    meaning = lambda: _("a host is a name under .localhost, such as pix.localhost")  # noqa: E731
    label = r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?"
    return _text(rf"({label}\.)+localhost", meaning)(
        value.lower() if isinstance(value, str) else value
    )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("declared is {value}: give true or false").format(value=_shown(value)))
    return value


_ONE_LINE = lambda: _("give one line of plain ASCII")  # noqa: E731
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "host": _host,
    "path": _text(
        r"/[!-\"$-~]*",
        lambda: _("a path begins with / and is written as in a URL: ASCII, no spaces, no #"),
    ),
    "type": _text(r"[!-~][ -~]*", _ONE_LINE),
    "location": _text(r"[!-~]+", _ONE_LINE),
    "status": _number("status", 200, 599),
    "times": _number("times", 0, 1e6),
    "retry_after": _number("retry_after", 0, 1e6, whole=False),
    "seconds": _number("seconds", 0, 1e6, whole=False),
    "bytes": _number("bytes", 0, 1e15),
    "declared": _flag,
}
