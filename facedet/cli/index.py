"""``facedet index``: the VGG Face archive to a label table, whole or a sample of it."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet.cli.output import Meter, as_job, check_destination, say, warn, write_json
from facedet.errors import DatasetError, UsageError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.jobs import Worker
from facedet.settings import load_settings
from facedet.vggface import (
    COURSE_PHOTOS,
    Filters,
    Index,
    Sample,
    choose,
    course_lines,
    forecast,
    write_labels,
)
from facedet.vggface.fetch import OFFICIAL_FILES, OFFICIAL_LINES, OFFICIAL_URL, fetch
from facedet.vggface.making import Made, make_index
from facedet.vggface.sampling import SURVIVAL_RATE, checked_rate

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OFFICIAL = "official"
Tick = Callable[[int, int], None]


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("index", help=_("VGG Face: from the archive to labels.csv"))
    add = parser.add_argument
    add(
        "source",
        metavar="ARCHIVE_OR_DIR",
        help=_("the archive, the folder unpacked, an index (.parquet), or the word {word}").format(
            word=OFFICIAL
        ),
    )
    add("--out", type=Path, metavar="FILE", help=_("the label table to write"))
    add("--store", type=Path, metavar="FILE", help=_("the index to write; default: beside --out"))
    add("--identities", type=int, metavar="N", help=_("so many people, chosen at random"))
    add("--per-identity", type=int, metavar="M", help=_("so many photos of each, at most"))
    add("--lines", type=int, metavar="N", help=_("so many lines in all, at most"))
    add("--seed", type=int, default=0, metavar="S", help=_("another seed, another sample"))
    add("--once", action="store_true", help=_("each address of a person once; as all of these do"))
    course = _("enough lines that about {n:,} photos survive").format(n=COURSE_PHOTOS)
    add("--course", action="store_true", help=course)
    add(
        "--survival",
        type=float,
        default=SURVIVAL_RATE,
        metavar="R",
        help=_("share of the links that still work, for --course and the forecast"),
    )
    _add_filters(parser)
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job"))
    parser.set_defaults(run=run)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    default = Filters()
    add("--curated", action="store_true", help=_("only the curated set"))
    add("--frontal", action="store_true", help=_("only frontal faces: pose above 2"))
    add("--min-score", type=float, default=default.min_score, metavar="S", help=_("of the DPM"))
    add("--max-score", type=float, default=default.max_score, metavar="S")
    add("--min-side", type=float, default=default.min_side, metavar="PX", help=_("of the box"))
    add("--max-side", type=float, default=default.max_side, metavar="PX")
    add("--inside", action="store_true", help=_("only boxes that begin within their photo"))
    add("--https", action="store_true", help=_("only addresses with https"))
    add("--host", default="", metavar="NAME", help=_("only this host"))
    add("--identity", default="", metavar="NAME", help=_("only this person"))


def run(options: argparse.Namespace) -> int:
    """Index the source, and write the sample that was asked for."""
    if options.out is None and options.store is None:
        raise UsageError(_("give --out labels.csv, or --store for the index alone, or both"))
    _check_destinations(options)
    sample = _sample(options)
    return as_job(options.run_dir, lambda worker: _index_and_report(options, sample, worker))


def _check_destinations(options: argparse.Namespace) -> None:
    """Nothing that is read may be written over, nor one result over the other."""
    check_destination(options.json)
    source = Path(options.source).resolve()
    store = _store_path(options).resolve()
    outputs = [path.resolve() for path in (options.out, options.store) if path is not None]
    for path in outputs:
        if path.is_dir():
            raise UsageError(_("{path} is a folder; give the name of a file").format(path=path))
        if path == source:
            raise UsageError(_("{path} is what shall be read; write elsewhere").format(path=path))
    if options.out is not None and options.out.resolve() == store:
        raise UsageError(_("--out and --store are one file; give two"))


def _store_path(options: argparse.Namespace) -> Path:
    store: Path = options.store or options.out.with_suffix(".index.parquet")
    return store


def _index_and_report(
    options: argparse.Namespace, sample: Sample | None, worker: Worker | None
) -> int:
    quiet = options.json == "-" or worker is not None
    index, made = _open_or_make(options, worker)
    result: dict[str, Any] = asdict(index.account)
    if made is not None:
        _report_findings(made, quiet)
        result["findings"] = str(made.findings_path)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        result |= _write_sample(index, sample, options)
    if not quiet:
        _report(index, result)
    if worker:
        worker.event("indexed", store=str(index.path), **result)
    if options.json:
        write_json(result, options.json)
    return 0


def _open_or_make(options: argparse.Namespace, worker: Worker | None) -> tuple[Index, Made | None]:
    source = Path(options.source)
    if source.suffix == ".parquet":
        return Index.open(source), None
    store = _store_path(options)
    official = options.source == OFFICIAL and not source.exists()
    if official:
        with Meter(_("fetching"), worker, "fetched") as meter:
            source = fetch(OFFICIAL_URL, _official_path(), meter.tick)
    with Meter(_("reading"), worker, "read") as meter:
        made = make_index(source, store, meter.tick)
    if official:
        _compare_with_official(made)
    return Index.open(store), made


def _official_path() -> Path:
    return load_settings().home / "downloads" / Path(OFFICIAL_URL).name


def _compare_with_official(made: Made) -> None:
    account = made.account
    if (account.files, account.lines) != (OFFICIAL_FILES, OFFICIAL_LINES):
        warn(
            _("{files:,} files with {lines:,} lines; {f:,} and {n:,} were expected").format(
                files=account.files, lines=account.lines, f=OFFICIAL_FILES, n=OFFICIAL_LINES
            )
        )


def _sample(options: argparse.Namespace) -> Sample | None:
    """What was asked for; None where nothing was: then every line is written as it stands."""
    if options.course and options.lines:
        raise UsageError(_("--course and --lines both say how many lines; give one of them"))
    checked_rate(options.survival)
    filters = Filters(**{name: getattr(options, name) for name in Filters.__dataclass_fields__})
    sample = Sample(
        filters=filters,
        identities=options.identities,
        per_identity=options.per_identity,
        lines=course_lines(options.survival) if options.course else options.lines,
        seed=options.seed,
    )
    asked = options.once or replace(sample, seed=0) != Sample()
    return sample if asked else None


def _write_sample(
    index: Index, sample: Sample | None, options: argparse.Namespace
) -> dict[str, Any]:
    rows = choose(index, sample)
    if not len(rows):
        raise DatasetError(_("no line passes these filters; loosen them"))
    write_labels(index, rows, options.out)
    expected = forecast(len(rows), options.survival)
    return {
        "labels": str(options.out),
        "rows": len(rows),
        "identities": len(set(index.identity[rows].tolist())),
        "expected_photos": round(expected.photos),
    }


def _report_findings(made: Made, quiet: bool) -> None:
    if quiet:
        return
    for finding in made.first:
        where = shown_name(finding.file) + (f" line {finding.line}" if finding.line else "")
        warn(f"{where}: {finding.reason}")
    account = made.account
    more = account.lost + account.refused + account.notes - len(made.first)
    if more > 0:
        warn(_("and {n:,} more: see {path}").format(n=more, path=made.findings_path))


def _report(index: Index, result: dict[str, Any]) -> None:
    account = index.account
    lines = ngettext("{n:,} line", "{n:,} lines", account.lines).format(n=account.lines)
    files = ngettext("{n:,} file", "{n:,} files", account.files).format(n=account.files)
    say(
        _("{lines} in {files}: {parsed:,} read, {lost:,} lost; files refused: {refused:,}").format(
            lines=lines,
            files=files,
            parsed=account.parsed,
            lost=account.lost,
            refused=account.refused,
        )
    )
    if "labels" in result:
        say(
            _(
                "{path}: {rows:,} rows; people: {identities:,}; "
                "photos that may still be there: about {photos:,}"
            ).format(
                path=result["labels"],
                rows=result["rows"],
                identities=result["identities"],
                photos=result["expected_photos"],
            )
        )
    say(_("index: {path}").format(path=index.path))
