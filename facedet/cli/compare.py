"""``facedet compare``: two cleaners side by side, and against the truth where it is known."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facedet import cleanings
from facedet.cleaning import catalogue, truth
from facedet.cleaning.cleaner import Setting
from facedet.cleaning.compare import Comparison, as_json, compare
from facedet.cleaning.pictures import LABELS, read_labels
from facedet.cleaning.report import report_html, verdicts_csv
from facedet.cleaning.truth import FaultScore, Truth, read_truth, reasons_of, with_copies
from facedet.cleanings import Place
from facedet.cli.output import check_destination, say, write_json
from facedet.errors import DatasetError, FacedetError, UsageError, shown_name
from facedet.files import write_atomically
from facedet.i18n import gettext as _
from facedet.images import Limits
from facedet.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT = "integrity,faces"
CSV, HTML = "comparison.csv", "comparison.html"


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("compare", help=_("put two cleaners side by side"))
    add = parser.add_argument
    add("dataset", type=Path, metavar="DATASET", help=_("a folder that both have cleaned"))
    add(
        "--cleaners",
        default=DEFAULT,
        metavar="A,B",
        help=_("two of: {all}; default {default}").format(
            all=", ".join(catalogue.CLEANERS), default=DEFAULT
        ),
    )
    add(
        "--truth",
        type=Path,
        metavar="TRUTH.csv",
        help=_("what is known to be wrong; default: truth.csv of the dataset, if it is there"),
    )
    add(
        "--report",
        type=Path,
        metavar="DIR",
        help=_("write {csv} and {html} with pictures there").format(csv=CSV, html=HTML),
    )
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare what lies in the dataset's tables; no picture is read but for the report."""
    check_destination(options.json)
    names = _names(options.cleaners)
    tables = {name: _judged(options.dataset, name) for name in names}
    known = _truth(options, tables)
    moved = {name: cleanings.settings_of(options.dataset, catalogue.get(name)) for name in names}
    compared = compare(
        tables,
        known,
        read_labels(options.dataset).identity_of,
        {name: reasons_of(catalogue.get(name)) for name in names},
    )
    if options.report:
        _write_report(options.report, options.dataset, compared, tables, known)
    if options.json:
        said = {"dataset": str(options.dataset), "thresholds": moved, **as_json(compared)}
        write_json(said, options.json)
    if options.json != "-":
        _tell(compared)
        _tell_thresholds(moved)
    return 0


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(set(names)) != 2 or len(names) != 2:
        raise UsageError(_("--cleaners is {text!r}: give two names, as A,B").format(text=text))
    for name in names:
        catalogue.get(name)
    return names


def _judged(dataset: Path, name: str) -> "pd.DataFrame":
    if not dataset.is_dir():
        raise DatasetError(_("{folder} is no folder").format(folder=dataset))
    judged = cleanings.judged(Place(dataset), name)  # by the thresholds that were chosen there
    if not len(judged):
        raise DatasetError(
            _(
                "{name} has not judged any picture of {dataset}; first run: "
                "facedet clean {dataset} --cleaner {name}"
            ).format(name=name, dataset=dataset)
        )
    return judged


def _truth(options: argparse.Namespace, tables: Mapping[str, "pd.DataFrame"]) -> Truth | None:
    path = options.truth or options.dataset / truth.FILE
    if not options.truth and not path.is_file():
        return None
    known = read_truth(path, options.dataset / LABELS)
    sums = [judged["sha256"] for judged in tables.values() if "sha256" in judged]
    if known.groups or not sums:
        return known
    return with_copies(known, dict(zip(sums[0].index, sums[0], strict=True)))


def _write_report(
    folder: Path,
    dataset: Path,
    compared: Comparison,
    tables: Mapping[str, "pd.DataFrame"],
    known: Truth | None,
) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / CSV, verdicts_csv(tables, known))
        page = report_html(dataset, compared, tables, Limits.of(load_settings()))
        write_atomically(folder / HTML, page)
    except OSError as error:
        raise FacedetError(
            _("no report can be written to {folder} ({reason}); name another folder").format(
                folder=shown_name(str(folder)), reason=error.strerror or error
            )
        ) from error


def _tell(compared: Comparison) -> None:
    first, second = compared.names
    keep, aside = _("{name} keeps"), _("{name} sets aside")
    n = {cell: f"{len(paths):,}" for cell, paths in compared.cells.items()}
    _say_rows(
        [
            ["", keep.format(name=second), aside.format(name=second)],
            [keep.format(name=first), n["both"], n["only_first"]],
            [aside.format(name=first), n["only_second"], n["neither"]],
        ]
    )
    say(compared.agreement.sentence)
    for name, ms in compared.ms_per_picture.items():
        if ms is not None:
            say(_("{name}: {ms:.3g} ms a picture").format(name=name, ms=ms))
    for name, paths in compared.unmatched.items():
        if paths:
            says = _("{n:,} pictures that only {name} has judged are left out")
            say(says.format(n=len(paths), name=name))
    if compared.scores:
        _tell_scores(compared)


def _tell_thresholds(moved: Mapping[str, Mapping[str, Setting]]) -> None:
    """Nothing where all are the cleaners' own."""
    told = [
        f"{cleaner}: "
        + ", ".join(f"{name}={cleanings.as_text(one)}" for name, one in settings.items())
        for cleaner, settings in moved.items()
        if settings
    ]
    if told:
        says = _("by thresholds that were chosen for this dataset: {thresholds}")
        say(says.format(thresholds="; ".join(told)))


def _tell_scores(compared: Comparison) -> None:
    scores = {name: compared.scores[name] for name in compared.names}
    found = {name: {one.fault: one for one in score.faults} for name, score in scores.items()}
    faults = list(dict.fromkeys(fault for mine in found.values() for fault in mine))
    heads = [_("found by {name}").format(name=name) for name in scores]
    rows = [[_("fault"), _("pictures"), *heads]]
    for fault in faults:
        n = max(mine[fault].pictures for mine in found.values() if fault in mine)
        rows.append([fault, f"{n:,}", *(_share(mine.get(fault)) for mine in found.values())])
    _say_rows(rows)
    for name, score in scores.items():
        rows = [[name, _("pictures"), _("right")]]
        rows += [[r.reason, f"{r.pictures:,}", f"{r.precision:.3f}"] for r in score.reasons]
        _say_rows(rows)


def _share(score: FaultScore | None) -> str:
    return "–" if score is None or score.recall is None else f"{score.recall:.3f}"


def _say_rows(rows: list[list[str]]) -> None:
    """A small table: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        say("  ".join((first.ljust(widths[0]), *cells)))
    say("")
