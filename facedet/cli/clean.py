"""``facedet clean``: which pictures of a dataset should be set aside, and setting them aside."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet import cleanings
from facedet.cleaning import quarantine, table
from facedet.cleaning.catalogue import CLEANERS, explain, get
from facedet.cleaning.cleaner import Setting, Threshold
from facedet.cleaning.pool import Conditions
from facedet.cleaning.run import Cleaned, Progress, clean
from facedet.cli.output import Meter, as_job, check_destination, say, warn, write_json
from facedet.cli.troubles import MOST_TOLD, as_rows, exit_code, say_moved, warn_of
from facedet.errors import DatasetError, UsageError, checked_score, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import Limits
from facedet.jobs import Stopped, Worker
from facedet.settings import load_settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

MOST_WORKERS = 256
_SWITCH = {"on": True, "off": False}


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("clean", help=_("find the pictures to set aside"))
    add = parser.add_argument
    add("dataset", type=Path, metavar="DATASET", help=_("a dataset, or any folder of pictures"))
    add("--cleaner", metavar="NAME", help=_("what looks at them: ") + ", ".join(CLEANERS))
    add("--min-score", type=float, metavar="S", help=_("a face counts from this score on, 0-1"))
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=_("a threshold: a number, or on or off; may be given again"),
    )
    add("--workers", type=int, metavar="N", help=_("processes; default: all cores"))
    add("--apply", action="store_true", help=_("move what is to be set aside to quarantine/"))
    add(
        "--undo",
        nargs="*",
        metavar="PATH",
        help=_("bring pictures back from quarantine, all or these; measures nothing"),
    )
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job that can be resumed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure what is new, judge all, and move what was asked for."""
    check_destination(options.json)
    if options.workers is not None and not 1 <= options.workers <= MOST_WORKERS:
        raise UsageError(
            _("--workers is {n}: give 1 to {most}").format(n=options.workers, most=MOST_WORKERS)
        )
    if options.undo is not None:
        if options.apply:
            raise UsageError(_("give --apply or --undo, not both"))
        return as_job(options.run_dir, lambda worker: _undo(options, worker))
    if options.cleaner is None:
        raise UsageError(
            _("say with --cleaner what looks at them: {known}").format(known=", ".join(CLEANERS))
        )
    _thresholds(options)
    return as_job(options.run_dir, lambda worker: _clean(options, worker))


def _thresholds(options: argparse.Namespace) -> dict[str, Setting]:
    """What was chosen for the dataset on the page, and on top of it what this command says.

    Raises:
        UsageError: no such threshold, or none that may be set so.
    """
    cleaner = get(options.cleaner)
    said = dict(_setting(text) for text in options.set)
    if options.min_score is not None:
        said["min_score"] = checked_score(options.min_score)
    for threshold in cleaner.thresholds:
        if threshold.name in said:
            _check_kind(threshold, said[threshold.name])
    cleaner.levels(said)  # refuses other names, and numbers out of range
    return cleanings.settings_of(options.dataset, cleaner) | said


def _check_kind(threshold: Threshold, setting: Setting) -> None:
    """A switch takes no number, and a number that rules share cannot be off."""
    if threshold.is_switch and not isinstance(setting, bool):
        raise UsageError(
            _("{name} is {value:g}, but it is a switch: give on or off").format(
                name=threshold.name, value=setting
            )
        )
    if not threshold.rule and setting is False:
        raise UsageError(
            _("{name} cannot be off, other rules need it: give {low:g} to {high:g}").format(
                name=threshold.name, low=threshold.low, high=threshold.high
            )
        )


def _setting(text: str) -> tuple[str, Setting]:
    name, _equals, value = text.partition("=")
    try:
        return name, _SWITCH[value] if value in _SWITCH else float(value)
    except ValueError as error:
        raise UsageError(
            _("--set {text}: give NAME=VALUE, with a number, or on or off").format(
                text=shown_name(text)
            )
        ) from error


def _clean(options: argparse.Namespace, worker: Worker | None) -> int:
    if worker:
        worker.event("plan", dataset=str(options.dataset), cleaner=options.cleaner)
    with Meter(_("cleaning"), worker, "cleaned", unit=_("pictures")) as meter:
        done = clean(
            options.dataset,
            get(options.cleaner),
            thresholds=_thresholds(options),
            conditions=Conditions(workers=options.workers, limits=Limits.of(load_settings())),
            report=lambda progress: _tell(progress, meter, worker),
            asked=worker.asked if worker else lambda: "",
        )
    if done.stopped:
        return _ended_by_stop(worker)
    if not len(done.table):
        raise DatasetError(
            _("no pictures here: {folder}").format(folder=shown_name(str(options.dataset)))
        )
    result = _result(options, done)
    if options.apply:
        with Meter(_("setting aside"), worker, "moved", unit=_("pictures")) as meter:
            applied = quarantine.apply(
                options.dataset, done.table[done.here], options.cleaner, meter.tick
            )
        result["moved"] = len(applied.moved)
        result["troubles"] = as_rows(applied.troubles)
    _give(options, worker, result, _report_clean)
    return exit_code(result.get("troubles", []))


def _undo(options: argparse.Namespace, worker: Worker | None) -> int:
    with Meter(_("bringing back"), worker, "moved", unit=_("pictures")) as meter:
        restored = quarantine.undo(options.dataset, options.undo or None, meter.tick)
    result = {
        "dataset": str(options.dataset),
        "restored": len(restored.restored),
        "troubles": as_rows(restored.troubles),
    }
    _give(options, worker, result, _report_undo)
    return exit_code(as_rows(restored.troubles))


def _tell(progress: Progress, meter: Meter, worker: Worker | None) -> None:
    if worker is None:
        meter.tick(progress.done, progress.total)
        return
    worker.event(
        "cleaned",
        done=progress.done,
        total=progress.total,
        reasons=dict(progress.reasons),
        per_second=round(progress.per_second, 2),
    )


def _ended_by_stop(worker: Worker | None) -> int:
    if worker:
        raise Stopped
    warn(_("stopped; what is measured is kept, and the same command goes on"))
    return 1


def _result(options: argparse.Namespace, done: Cleaned) -> dict[str, Any]:
    here = done.table[done.here]
    aside = here["verdict"] == table.SET_ASIDE
    rows = zip(here.index, here["verdict"], here["reason"], strict=True)
    return {
        "dataset": str(options.dataset),
        "cleaner": options.cleaner,
        "pictures": len(here),
        "keep": int((~aside).sum()),
        "set_aside": int(aside.sum()),
        "reasons": done.reasons,
        "in_quarantine": len(done.table) - len(here),
        "other_files": done.n_companions,
        "labelled": done.n_labels,
        "measured_now": done.measured_now,
        "seconds": round(done.seconds, 3),
        "ms_per_picture": round(done.ms_per_picture, 3),
        "rows": [
            {"image_path": image_path, "verdict": verdict, "reason": reason}
            for image_path, verdict, reason in rows
        ],
    }


def _give(
    options: argparse.Namespace, worker: Worker | None, result: dict[str, Any], report: Any
) -> None:
    if worker:
        told = {name: value for name, value in result.items() if name != "rows"}
        worker.event("summary", **told | {"troubles": result.get("troubles", [])[:MOST_TOLD]})
    if options.json:
        write_json(result, options.json)
    if options.json != "-" and worker is None:
        report(result)


def _report_clean(result: dict[str, Any]) -> None:
    say(
        _("{n:,} pictures: keep {keep:,}, set aside {aside:,}; {ms:.2f} ms each").format(
            n=result["pictures"],
            keep=result["keep"],
            aside=result["set_aside"],
            ms=result["ms_per_picture"],
        )
    )
    for reason, n in result["reasons"].items():
        say(f"{n:10,}  {reason}: {explain(reason)}")
    without = result["pictures"] - result["labelled"]
    if without and _reads_labels(result["cleaner"]):
        say(
            ngettext(
                "{n:,} picture has no row in labels.csv: what a label says was not asked of it",
                "{n:,} pictures have no row in labels.csv: what a label says was not asked of them",
                without,
            ).format(n=without)
        )
    if "moved" in result:
        say_moved(result["moved"])
        warn_of(result["troubles"])
    elif result["set_aside"]:
        say(_("nothing is moved yet: --apply does it, and --undo brings everything back"))


def _reads_labels(cleaner: str) -> bool:
    return any(each.name == "does_not_fit" for each in get(cleaner).thresholds)


def _report_undo(result: dict[str, Any]) -> None:
    n = result["restored"]
    say(ngettext("{n:,} picture is back", "{n:,} pictures are back", n).format(n=n))
    warn_of(result["troubles"])
