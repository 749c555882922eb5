"""What a person takes away from a comparison: all verdicts as CSV, and one HTML file with pictures.

The HTML file needs nothing beside itself: no script, no link, its pictures are in it. Names come
from strangers and are escaped.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from facedet.cleaning.cells import as_csv, path_cell
from facedet.cleaning.compare import Cell, Comparison
from facedet.cleaning.decisions import now
from facedet.cleaning.manifest import read as read_manifest
from facedet.cleaning.pictures import path_of
from facedet.cleaning.truth import Score, Truth
from facedet.errors import FacedetError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import language
from facedet.images import Limits, encode, fit, read

MOST_PICTURES = 24  # of each cell
MOST_IDENTITIES = 40
MOST_WRONG = 200
THUMBNAIL_PX = 160
# Reading these once more would only hang or crash this process, too.
NEVER_READ = frozenset(("hangs", "crashed", "bomb", "too_large"))


def verdicts_csv(tables: Mapping[str, pd.DataFrame], truth: Truth | None = None) -> bytes:
    """All verdicts side by side, one row a picture, as the bytes of a CSV file.

    Args:
        tables: judged tables by the cleaners' names; index or column: `image_path`.
        truth: adds a column with the fault.

    Returns:
        Columns ``image_path``, then ``<cleaner>_verdict``, ``<cleaner>_reason`` and
        ``<cleaner>_by`` for each; cells are empty where a cleaner has not judged a picture.
    """
    sides = [_verdicts(table) for table in tables.values()]
    columns = [f"{name}_{what}" for name in tables for what in ("verdict", "reason", "by")]
    paths = sorted(set[str]().union(*sides))
    rows = (
        [path_cell(path), *(cell for side in sides for cell in side.get(path, ("", "", "")))]
        for path in paths
    )
    if truth is None:
        return as_csv(("image_path", *columns), rows)
    with_fault = ([*row, truth.faults.get(path, "")] for path, row in zip(paths, rows, strict=True))
    return as_csv(("image_path", *columns, "fault"), with_fault)


def _verdicts(table: pd.DataFrame) -> dict[str, tuple[str, str, str]]:
    paths = table.get("image_path", table.index)
    by = table.get("by", ["cleaner"] * len(table))
    cells = zip(paths, table["verdict"], table["reason"], by, strict=True)
    return {path: (str(verdict), str(reason), str(who)) for path, verdict, reason, who in cells}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where to find what the report shows."""

    dataset: Path
    reasons: Sequence[Mapping[str, str]]
    places: Mapping[str, str]
    limits: Limits


def report_html(
    dataset: Path,
    compared: Comparison,
    tables: Mapping[str, pd.DataFrame],
    limits: Limits | None = None,
) -> str:
    """The comparison as one self-contained HTML page, for the screen (light or dark) and paper.

    Args:
        dataset: the dataset's folder; pictures in its quarantine are found as well.
        compared: what `compare` said of `tables`.
        tables: the judged tables.
        limits: of pictures that are opened; at most `MOST_PICTURES` of each cell are.
    """
    reasons = [
        {path: reason for path, (_verdict, reason, _by) in _verdicts(table).items()}
        for table in tables.values()
    ]
    places = {row.image_path: row.quarantine_path for row in read_manifest(dataset)}
    source = _Source(dataset, reasons, places, limits or Limits())
    body = (
        _head(dataset, compared),
        _square(compared, source),
        _costs(compared),
        _against_truth(compared),
        _given_reasons(compared, source),
        *(_gallery(compared, cell, source) for cell in compared.cells),
        _identities(compared),
        _wrong(compared),
    )
    title = _text(_("Cleaning of {name}").format(name=dataset.name))
    return _PAGE.format(
        language=escape(language()), title=title, style=_STYLE, body="\n".join(filter(None, body))
    )


def _text(value: object) -> str:
    """A stranger's words within the page: one line, nothing that HTML or UTF-8 would mind."""
    return escape(shown_name(str(value)))


def _head(dataset: Path, compared: Comparison) -> str:
    question = _("Which pictures would each of the two cleaners set aside, and which is right?")
    found = _("{n:,} pictures judged by both; {when}").format(n=compared.pictures, when=now())
    return (
        f"<h1>{_text(_('Cleaning of {name}').format(name=dataset.name))}</h1>"
        f'<p class="quiet">{escape(question)}</p><p class="quiet">{escape(found)}</p>'
    )


def _square(compared: Comparison, source: _Source) -> str:
    """The 2 x 2 picture."""
    first, second = map(_text, compared.names)
    keeps, aside = escape(_("keeps")), escape(_("sets aside"))
    cells = {
        cell: f'<td class="{cell}"><b>{len(paths):,}</b>{_why(cell, paths, source)}</td>'
        for cell, paths in compared.cells.items()
    }
    return (
        f"<h2>{escape(compared.agreement.sentence)}</h2>"
        f'<table class="square"><thead><tr><td></td><th scope="col">{second} {keeps}</th>'
        f'<th scope="col">{second} {aside}</th></tr></thead><tbody>'
        f'<tr><th scope="row">{first} {keeps}</th>{cells["both"]}{cells["only_first"]}</tr>'
        f'<tr><th scope="row">{first} {aside}</th>{cells["only_second"]}{cells["neither"]}</tr>'
        "</tbody></table>"
    )


def _why(cell: Cell, paths: Sequence[str], source: _Source) -> str:
    """The most frequent reasons of a cell."""
    if cell == "both":
        return f"<span>{escape(_('kept by both'))}</span>"
    counts = Counter(one for path in paths for one in _reasons(path, source)[:1])
    told = ", ".join(f"{_text(reason)} {n:,}" for reason, n in counts.most_common(4))
    return f"<span>{told}</span>"


def _reasons(image_path: str, source: _Source) -> list[str]:
    """All that any cleaner says against a picture, each once."""
    said = (one for table in source.reasons for one in table.get(image_path, "").split())
    return list(dict.fromkeys(said))


def _costs(compared: Comparison) -> str:
    rows = (
        (name, _("not told") if ms is None else _("{ms:.3g} ms a picture").format(ms=ms))
        for name, ms in compared.ms_per_picture.items()
    )
    return _table(_("What measuring costs"), (_("cleaner"), _("time of one core")), rows)


def _against_truth(compared: Comparison) -> str:
    if not compared.scores:
        return ""
    scores = [compared.scores[name] for name in compared.names]
    by_fault = [{one.fault: one for one in score.faults} for score in scores]
    faults = list(dict.fromkeys(one.fault for score in scores for one in score.faults))
    rows = (
        (
            fault,
            f"{max(side[fault].pictures for side in by_fault if fault in side):,}",
            *(_share(side[fault].recall) if fault in side else "" for side in by_fault),
        )
        for fault in faults
    )
    heads = (_("{name} finds").format(name=name) for name in compared.names)
    return _table(
        _("Against the truth: of each fault, the share found"),
        (_("fault"), _("pictures"), *heads),
        rows,
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _given_reasons(compared: Comparison, source: _Source) -> str:
    tables = []
    for name, table in zip(compared.names, source.reasons, strict=True):
        counts = Counter(reason.split()[0] for reason in table.values() if reason)
        score = compared.scores.get(name)
        rows = ((reason, f"{n:,}", _precision(score, reason)) for reason, n in counts.most_common())
        title = _("Why {name} sets pictures aside").format(name=name)
        heads = (_("first reason"), _("pictures"), _("share that is right") if score else "")
        tables.append(_table(title, heads, rows))
    return f'<div class="beside">{"".join(tables)}</div>'


def _precision(score: Score | None, reason: str) -> str:
    found = (one.precision for one in score.reasons if one.reason == reason) if score else ()
    return _share(next(iter(found), None)) if score else ""


def _gallery(compared: Comparison, cell: Cell, source: _Source) -> str:
    """Some pictures of a cell, spread evenly over all of them."""
    paths = compared.cells[cell]
    if not paths:
        return ""
    shown = [paths[i * len(paths) // MOST_PICTURES] for i in range(MOST_PICTURES)]
    tiles = "".join(_tile(path, source) for path in dict.fromkeys(shown))
    first, second = compared.names
    title = {
        "both": _("Kept by both: {n:,}"),
        "only_first": _("Set aside by {second} alone: {n:,}"),
        "only_second": _("Set aside by {first} alone: {n:,}"),
        "neither": _("Set aside by both: {n:,}"),
    }[cell].format(first=first, second=second, n=len(paths))
    return f'<h2>{_text(title)}</h2><div class="gallery {cell}">{tiles}</div>'


def _tile(image_path: str, source: _Source) -> str:
    reasons = _reasons(image_path, source)
    name = _text(image_path)
    src = None if NEVER_READ & set(reasons) else _thumbnail(image_path, source)
    seen = f'<img src="{src}" alt="{name}">' if src else f"<i>{escape(_('no picture to show'))}</i>"
    said = _text(" ".join(reasons))
    return f'<figure title="{name}">{seen}<figcaption>{name}<br><b>{said}</b></figcaption></figure>'


def _thumbnail(image_path: str, source: _Source) -> str | None:
    """A small JPEG as a data URL; None where the picture cannot be read."""
    try:
        at_home = path_of(source.dataset, image_path)
        path = at_home if at_home.exists() else source.dataset / source.places.get(image_path, "")
        if not lies_inside(source.dataset, path):
            return None
        small = fit(read(path, source.limits).pixels, THUMBNAIL_PX)
    except (FacedetError, OSError):  # no name that a disk could have, for one
        return None
    return "data:image/jpeg;base64," + base64.b64encode(encode(small)).decode()


def lies_inside(dataset: Path, path: Path) -> bool:
    """Whether it is a file of this dataset, and no link; tables are files of anyone."""
    if not path.is_relative_to(dataset) or ".." in path.relative_to(dataset).parts:
        return False
    return path.is_file() and not path.is_symlink()


def _identities(compared: Comparison) -> str:
    rows = (
        (
            *(one.identity, f"{one.pictures:,}", f"{one.kept_first:,}"),
            *(f"{one.kept_second:,}", f"{one.kept_both:,}"),
        )
        for one in compared.identities[:MOST_IDENTITIES]
    )
    heads = (_("kept by {name}").format(name=name) for name in compared.names)
    title = _("What is left of whom, the greatest losses first")
    return _table(title, (_("identity"), _("pictures"), *heads, _("kept by both")), rows)


def _wrong(compared: Comparison) -> str:
    tables = []
    for name, score in compared.scores.items():
        rows = [(w.image_path, w.fault, w.mistake, w.reason) for w in score.wrong[:MOST_WRONG]]
        title = _("What {name} got wrong: {n:,}").format(name=name, n=len(score.wrong))
        heads = (_("picture"), _("fault"), _("mistake"), _("it said"))
        tables.append(_table(title, heads, rows))
    return "".join(tables)


def _table(title: str, heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{_text(title)}</h2>{table}</section>"


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

# The lab's colours; the cells are told apart by their edges, too.
_STYLE = """
:root { color-scheme: light dark; --paper: #fcfbf8; --ink: #101619; --line: #dcd7cb;
  --kept: #009e73; --aside: #d55e00; --one: #e69f00; --other: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #11161a; --ink: #e7e9e6; --line: #2e383e; --other: #56b4e9; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-family: Georgia, serif; font-weight: 600; line-height: 1.25; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
.quiet { opacity: .75; margin: .2rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .3rem .7rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
section { overflow-x: auto; }
.square { border-collapse: separate; border-spacing: .4rem; }
.square td, .square th { border: 0; overflow-wrap: normal; }
.square tbody th { max-width: 7rem; }
.square tbody td { border: 3px solid; border-radius: 6px; padding: .6rem .8rem; width: 14rem;
  height: 5rem; }
.square b { display: block; font-size: 1.6rem; line-height: 1.2; }
.square span { font-size: .85rem; }
.square .both { border-color: var(--kept); }
.square .only_first { border-color: var(--one); border-style: dashed; }
.square .only_second { border-color: var(--other); border-style: dotted; }
.square .neither { border-color: var(--aside); border-style: double; }
.beside { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; }
figure { margin: 0; font-size: .75rem; overflow-wrap: anywhere; break-inside: avoid; }
figure img, figure i { display: flex; width: 100%; height: 8rem; object-fit: contain;
  border: 1px solid var(--line); align-items: center; justify-content: center; }
tr { break-inside: avoid; }
h2 { break-after: avoid; }
@media print { body { margin: 0; max-width: none; } .gallery { gap: .4rem; }
  .gallery { grid-template-columns: repeat(6, 1fr); } }
"""
