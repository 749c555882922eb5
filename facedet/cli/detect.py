"""``facedet detect``: boxes on photos, as lines, as JSON, as drawn or redacted copies."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from facedet.cli.output import as_job, check_destination, progress, say, warn, write_json
from facedet.detectors import Entry, load_catalogue
from facedet.detectors.batch import Result, detect_all
from facedet.draw import REDACTION_STYLES, Redaction
from facedet.errors import FacedetError, JobError, UsageError, checked_score, shown_name
from facedet.exports import copy_suffix, picture_copy
from facedet.files import unique_paths, write_atomically
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import Limits, Photo, read
from facedet.jobs import Event, Worker, read_events
from facedet.settings import load_settings
from facedet.sources import Source, find_pictures

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("detect", help=_("find the faces in photos"))
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help=_('file, folder or glob; "-": a list on stdin'))
    add("--paths-from", type=Path, metavar="FILE", help=_("a file with one path a line"))
    add("--model", default="yunet", metavar="NAME", help=_("see `facedet models`"))
    add("--min-score", type=float, metavar="S", help=_("keep faces of at least this score, 0-1"))
    add("--out", type=Path, metavar="DIR", help=_("write copies with the boxes drawn"))
    add("--redact", choices=REDACTION_STYLES, help=_("with --out: hide the faces instead"))
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--workers", type=int, metavar="N", help=_("threads; default: all cores"))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job that can be resumed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect in all pictures; a broken one is a line on stderr and does not stop the others."""
    entry = load_catalogue().get(options.model)
    if options.min_score is None:
        options.min_score = entry.default_score
    checked_score(options.min_score)
    _check_options(options)
    sources = _sources(options)
    return as_job(
        options.run_dir, lambda worker: _detect_and_report(sources, entry, options, worker)
    )


def _detect_and_report(
    sources: Sequence[Source], entry: Entry, options: argparse.Namespace, worker: Worker | None
) -> int:
    rows = _detect(sources, entry, options, worker)
    if options.json:
        write_json(rows, options.json)
    return _exit_code(rows)


def _sources(options: argparse.Namespace) -> list[Source]:
    found, empty = find_pictures(_names(options))
    sources = _without_own_copies(found, options.out)
    if not sources and empty:
        raise FacedetError("; ".join(empty))
    if not sources:
        raise UsageError(_("no picture was named; give a file, a folder, a glob or -"))
    for line in empty:
        warn(line)
    return sources


def _check_options(options: argparse.Namespace) -> None:
    check_destination(options.json)
    if options.redact and not options.out:
        raise UsageError(_("--redact needs --out DIR, the folder for the redacted copies"))
    if options.workers is not None and not 1 <= options.workers <= 256:
        raise UsageError(_("--workers is {n}: give 1 to 256").format(n=options.workers))


def _names(options: argparse.Namespace) -> Iterator[str]:
    for path in options.paths:
        if path == "-":
            if isinstance(sys.stdin, TextIOWrapper):
                sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
            yield from _lines(sys.stdin)
        else:
            yield path
    if options.paths_from:
        # As the file system has them: a name need not be valid UTF-8.
        with options.paths_from.open(encoding="utf-8", errors="surrogateescape") as file:
            yield from _lines(file)


def _without_own_copies(sources: list[Source], out: Path | None) -> list[Source]:
    """A folder that is walked a second time holds the copies of the first: those are no photos."""
    if out is None:
        return sources
    folder = out.resolve()

    def is_copy(source: Source) -> bool:
        walked = source.path.resolve().parents[len(source.relative.parts) - 1]
        return walked in folder.parents and folder in source.path.resolve().parents

    return [source for source in sources if not is_copy(source)]


def _lines(file: TextIO) -> Iterator[str]:
    names = (line.rstrip("\r\n") for line in file)
    return (name for name in names if name)


def _detect(
    sources: Sequence[Source], entry: Entry, options: argparse.Namespace, worker: Worker | None
) -> list[dict[str, Any]]:
    """All rows in the order of the sources; those that an earlier run of the job has are reused."""
    settings = {"model": entry.name, "min_score": options.min_score}
    done = _rows_so_far(options.run_dir, settings) if worker else {}
    todo = [source for source in sources if str(source.path) not in done]
    if worker:
        worker.event("plan", total=len(sources), done=len(sources) - len(todo), **settings)
    limits = Limits.of(load_settings())
    pictures = [(str(s.path), lambda p=s.path: read(p, limits)) for s in todo]
    use = _Copies.plan(sources, options).write if options.out else None
    detector = entry.load(options.min_score)
    results = detect_all(pictures, entry.name, detector, options.workers, use)
    for result in progress(results, len(todo), _("photos")):
        row = result.to_json()
        done[result.name] = row
        _report(result, quiet=bool(options.json == "-" or worker))
        if worker:
            worker.event("photo", **row)
            worker.checkpoint()
    return [done[str(source.path)] for source in sources]


def _rows_so_far(run_dir: Path, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of earlier runs in this directory, which must have been asked for the same way."""
    events, _end = read_events(run_dir / "events.jsonl")
    for event in events:
        if event["event"] == "plan" and any(event.get(k) != v for k, v in settings.items()):
            raise JobError(
                _("{run_dir} holds results of other settings ({found}); choose another").format(
                    run_dir=run_dir, found=", ".join(f"{k} {event.get(k)}" for k in settings)
                )
            )
    return {event["image"]: photo_row(event) for event in events if event["event"] == "photo"}


def photo_row(event: Event) -> dict[str, Any]:
    """A job's ``photo`` event as the contract's row."""
    return {key: value for key, value in event.items() if key not in ("event", "time")}


def _report(result: Result, *, quiet: bool) -> None:
    if result.error is not None:
        warn(result.error)
    elif not quiet and result.found is not None:
        n = len(result.found)
        faces = ngettext("{n} face", "{n} faces", n).format(n=n)
        scores = ", ".join(f"{score:.2f}" for score in result.found.scores)
        say(f"{shown_name(result.name)}: {faces}" + (f" ({scores})" if n else ""))


def _exit_code(rows: Sequence[dict[str, Any]]) -> int:
    """1 where not a single picture could be read: then nothing of what was asked was done."""
    failed = sum(row["error"] is not None for row in rows)
    if failed and len(rows) > 1:
        warn(_("{n} of {m} pictures could not be read").format(n=failed, m=len(rows)))
    return 1 if failed == len(rows) else 0


@dataclass(frozen=True, slots=True)
class _Copies:
    """Where the copy of each picture goes, and how it is made."""

    targets: dict[str, Path]
    how: Redaction | None

    @classmethod
    def plan(cls, sources: Sequence[Source], options: argparse.Namespace) -> "_Copies":
        targets = unique_paths(options.out / source.relative for source in sources)
        originals = {source.path.resolve() for source in sources}
        for source, target in zip(sources, targets, strict=True):
            suffixes = {target.with_suffix(s).resolve() for s in (".jpg", ".png", target.suffix)}
            if suffixes & originals:
                raise UsageError(
                    _("--out {out} would overwrite {name}; choose another folder").format(
                        out=options.out, name=shown_name(str(source.path))
                    )
                )
        how = Redaction(style=options.redact) if options.redact else None
        return cls({str(s.path): t for s, t in zip(sources, targets, strict=True)}, how)

    def write(self, photo: Photo, result: Result) -> None:
        assert result.found is not None
        planned = self.targets[result.name]
        target = planned.with_suffix(copy_suffix(photo))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, picture_copy(photo, result.found, self.how))
