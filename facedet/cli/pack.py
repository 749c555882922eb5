"""``facedet pack``: the photos of a detect job, with their boxes in every format, as one ZIP."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facedet.cli.detect import photo_row
from facedet.cli.output import progress, say
from facedet.detectors.batch import detections_of
from facedet.draw import REDACTION_STYLES, Redaction
from facedet.errors import FacedetError, ImageError, checked_score
from facedet.exports import LABEL_FORMATS, File, copy_suffix, label_files, picture_copy, write_zip
from facedet.files import unique_paths
from facedet.i18n import gettext as _
from facedet.images import Limits, read
from facedet.jobs import Event, Worker, read_events
from facedet.settings import load_settings
from facedet.types import Detections

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("pack", help=_("a ZIP of a detect job's photos and boxes"))
    add = parser.add_argument
    add("job", type=Path, metavar="JOB", help=_("the --run-dir of a `facedet detect`"))
    add("--out", type=Path, required=True, metavar="FILE.zip")
    add("--min-score", type=float, default=0.0, metavar="S", help=_("leave out lower scores, 0-1"))
    add("--redact", choices=REDACTION_STYLES, help=_("hide the faces instead of drawing boxes"))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the ZIP; photos that could not be read are listed in it with the reason."""
    checked_score(options.min_score)
    events, _end = read_events(options.job / "events.jsonl")
    rows = [photo_row(event) for event in events if event["event"] == "photo"]
    if not rows:
        raise FacedetError(_("{job} holds no detected photo").format(job=options.job))
    if options.run_dir is None:
        write_zip(options.out, _files(rows, options, None))
        say(str(options.out))
        return 0
    with Worker(options.run_dir) as worker:
        worker.event("plan", total=len(rows), done=0)
        write_zip(options.out, _files(rows, options, worker))
    return 0


def _files(
    rows: Sequence[Event], options: argparse.Namespace, worker: Worker | None
) -> Iterator[File]:
    how = Redaction(style=options.redact) if options.redact else None
    limits = Limits.of(load_settings())
    names = unique_paths(Path(Path(row["image"]).name) for row in rows)
    labelled: list[tuple[str, Detections]] = []
    unread: list[str] = []
    for row, name in progress(zip(rows, names, strict=True), len(rows), _("photos")):
        try:
            if row["error"] is not None:
                raise ImageError(row["error"])
            photo = read(Path(row["image"]), limits)
            found = detections_of(row).at_least(options.min_score)
            path = f"photos/{name.with_suffix(copy_suffix(photo))}"
            labelled.append((path, found))
            yield File(path, picture_copy(photo, found, how))
        except ImageError as error:
            unread.append(f"{error}\n")
        if worker:
            worker.event("packed", image=row["image"])
            worker.checkpoint()
    for label_format in LABEL_FORMATS:
        yield from label_files(labelled, label_format, str(rows[0]["model"]))
    if unread:
        yield File("not-read.txt", "".join(unread).encode())
