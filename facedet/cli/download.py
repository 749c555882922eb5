"""``facedet download``: the photos behind the links of a label table, with an account of each."""

import argparse
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet.cli.output import Meter, as_job, check_destination, say, warn, write_json
from facedet.download import report
from facedet.download.engine import Ask, Progress, Settings
from facedet.download.hosts import Manners
from facedet.download.labels import PROBLEMS
from facedet.download.ledger import Ledger
from facedet.download.links import read_links
from facedet.download.outcome import RECORDED, ErrorClass
from facedet.download.probe import Probe, probe
from facedet.download.run import Network, download, opened, take_up_again
from facedet.errors import UsageError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.images import Limits
from facedet.jobs import Stopped, Worker
from facedet.labels.table import Problem
from facedet.settings import load_settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

MOST_WORKERS = 512
EVENT_EVERY_S = 1.0
# Named in an event: thousands of events with hundreds of names would be large.
MOST_RESTING = 5
MOST_FAILING = 8
MOST_TOLD = 10  # broken lines, on a terminal


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("download", help=_("get the photos behind the links"))
    add = parser.add_argument
    default = Settings()
    add("labels", type=Path, metavar="LABELS.csv", help=_("a label table with a column url"))
    add("--out", type=Path, metavar="DATASET", help=_("the dataset's folder; goes on where it is"))
    add("--workers", type=int, default=default.workers, metavar="N", help=_("requests at once"))
    add(
        "--per-host",
        type=int,
        default=default.manners.per_host,
        metavar="N",
        help=_("requests at once to one site"),
    )
    add(
        "--retry",
        metavar="CLASS,…",
        help=_("try failures of these classes again: ") + ", ".join(RECORDED),
    )
    add("--limit", type=int, metavar="N", help=_("ask for so many links, then stop"))
    add("--probe", type=int, metavar="N", help=_("try N links, keep nothing, say what to expect"))
    add("--seed", type=int, default=0, metavar="S", help=_("of the probe's sample"))
    add(
        "--allow-private",
        action="store_true",
        help=_("also from this computer and private networks: for practice only"),
    )
    add("--truth", type=Path, metavar="TRUTH.csv", help=_("of a practice set: check the account"))
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job that can be resumed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Probe, or download; what was done before is not done again."""
    check_destination(options.json)
    _check(options)
    if options.allow_private:
        warn(_("addresses of this computer and of private networks are allowed"))
    network = Network(allow_private=options.allow_private)
    work = _probe if options.probe else _download
    return as_job(options.run_dir, lambda worker: work(options, network, worker))


def _check(options: argparse.Namespace) -> None:
    for name, most in (
        ("workers", MOST_WORKERS),
        ("per_host", 64),
        ("limit", 10**9),
        ("probe", 10**6),
    ):
        value = getattr(options, name)
        if value is not None and not 1 <= value <= most:
            raise UsageError(
                _("--{name} is {value}: give 1 to {most:,}").format(
                    name=name.replace("_", "-"), value=value, most=most
                )
            )
    mixed = [name for name in ("retry", "limit", "truth", "out") if getattr(options, name)]
    if options.probe and mixed:
        raise UsageError(
            _("--probe keeps nothing, so --{name} does not go with it").format(name=mixed[0])
        )
    if options.truth:
        report.read_truth(options.truth)  # before hours of work, not after
    if options.out is None and not options.probe:
        raise UsageError(_("give --out DATASET, the folder for the photos; or --probe N"))


def _classes(text: str | None) -> list[ErrorClass]:
    wanted = [name for name in (text or "").split(",") if name]
    unknown = [name for name in wanted if name not in RECORDED]
    if unknown or (text is not None and not wanted):
        raise UsageError(
            _("--retry: there is no class {name}; there are {all}").format(
                name=repr(unknown[0] if unknown else ""), all=", ".join(RECORDED)
            )
        )
    return [name for name in RECORDED if name in wanted]


def _probe(options: argparse.Namespace, network: Network, worker: Worker | None) -> int:
    stopper = _Stopper(worker)
    with Meter(_("trying"), worker, "downloaded", unit=_("links")) as meter:
        found = probe(
            read_links(options.labels).links,
            options.probe,
            _settings(options),
            network,
            seed=options.seed,
            report=_reporter(meter, worker),
            asked=stopper.asked,
        )
    if found is None:
        return _ended_by_stop(worker, _("stopped; a part of the sample would mislead"))
    expected = ("expected_photos", "expected_bytes", "expected_seconds")
    told = asdict(found) | {name: getattr(found, name) for name in expected}
    if worker:
        worker.event("summary", **told)
    if options.json:
        write_json(told, options.json)
    if options.json != "-" and worker is None:
        _report_probe(found)
    return 0


def _report_probe(found: Probe) -> None:
    say(
        _(
            "{good:,} of {tried:,} links gave a picture: {rate:.1f} % "
            "(95 % interval {low:.1f} to {high:.1f} %)"
        ).format(
            good=found.good,
            tried=found.tried,
            rate=100 * found.rate,
            low=100 * found.low,
            high=100 * found.high,
        )
    )
    say(
        _("all {n:,}: about {photos:,.0f} photos, {mb:,.0f} MB, {minutes:.1f} minutes").format(
            n=found.total,
            photos=found.expected_photos,
            mb=found.expected_bytes / 1e6,
            minutes=found.expected_seconds / 60,
        )
    )


def _download(options: argparse.Namespace, network: Network, worker: Worker | None) -> int:
    quiet = options.json == "-" or worker is not None
    retry = _classes(options.retry)
    stopper = _Stopper(worker)
    with (
        opened(options.labels, options.out) as (ledger, table),
        Meter(_("downloading"), worker, "downloaded", unit=_("links")) as meter,
    ):
        if not quiet:
            _warn_of(table.problems, options)
        if worker:
            worker.event("plan", dataset=str(options.out), problems=len(table.problems))
        done = download(
            options.out,
            ledger,
            _settings(options),
            network,
            only_again=_takes_up_again(ledger, retry, options.run_dir),
            limit=options.limit,
            report=_reporter(meter, worker),
            asked=stopper.asked,
        )
        result = _result(ledger, done, options)
    if worker:
        if done.labels_kept:
            worker.event("labels_kept", file=done.labels_kept)
        worker.event("summary", **result)
    if options.json:
        write_json(result, options.json)
    if not quiet:
        _report(result)
        _warn_of_changes(done)
    if stopper.asked() == "stop":
        text = _("stopped; what is done is kept, and the same command goes on")
        return _ended_by_stop(worker, text)
    return int(result.get("wrong", 0) > 0)


def _ended_by_stop(worker: Worker | None, text: str) -> int:
    """What was asked for on the page ends as it does for every job; Ctrl-C is told, too."""
    if worker:
        raise Stopped
    warn(text)
    return 1


def _warn_of(problems: Sequence[Problem], options: argparse.Namespace) -> None:
    for problem in problems[:MOST_TOLD]:
        warn(f"{options.labels.name} line {problem.line}: {problem.reason}")
    if len(problems) > MOST_TOLD:
        warn(
            _("and {n:,} more lines that cannot be used; all are in {path}").format(
                n=len(problems) - MOST_TOLD, path=options.out / PROBLEMS
            )
        )


def _warn_of_changes(done: Progress) -> None:
    """What people had changed in the folder since the last run."""
    if done.labels_kept:
        warn(
            _(
                "labels.csv had been changed; it is written anew, and yours is kept as {name}"
            ).format(name=done.labels_kept)
        )
    if done.missed:
        warn(
            ngettext(
                "{n:,} picture had gone from the folder, and was asked for again",
                "{n:,} pictures had gone from the folder, and were asked for again",
                done.missed,
            ).format(n=done.missed)
        )


def _takes_up_again(ledger: Ledger, retry: Sequence[ErrorClass], run_dir: Path | None) -> bool:
    """Whether this run is a retry; a job that is resumed begins none anew, but goes on."""
    if not retry:
        return False
    noted = run_dir / "retry" if run_dir else None
    if noted is None or not noted.exists():
        take_up_again(ledger, retry)
    if noted is not None:
        noted.touch()
    return True


class _Stopper:
    """Ctrl-C and SIGTERM as a wish: what is under way is settled or left to wait, then it ends."""

    def __init__(self, worker: Worker | None) -> None:
        self.stopped = False
        self._worker = worker
        # A flag, and nothing raised: in the midst of asyncio, an exception may be swallowed.
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                signal.signal(kind, self._stop)

    def asked(self) -> Ask:
        """What a person wants: by signal, or by the job's control file."""
        if self.stopped:
            return "stop"
        return self._worker.asked() if self._worker else ""

    def _stop(self, kind: int, _frame: object) -> None:
        self.stopped = True
        signal.signal(kind, signal.SIG_DFL)  # who asks twice means now


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        workers=options.workers,
        manners=Manners(per_host=options.per_host),
        image_limits=Limits.of(load_settings()),
    )


def _reporter(meter: Meter, worker: Worker | None) -> Callable[[Progress], None]:
    last = [0.0, -1.0]  # when it was told, and how far it was

    def report_to(progress: Progress) -> None:
        if worker is None:
            meter.tick(progress.done, progress.total)
            return
        now, over = time.monotonic(), progress.done == progress.total
        if over or (
            now - last[0] >= EVENT_EVERY_S and (progress.done != last[1] or progress.active)
        ):
            last[:] = now, progress.done
            worker.event("downloaded", **_told(progress))

    return report_to


def _told(progress: Progress) -> dict[str, Any]:
    """The progress as an event, short however many sites there are."""
    told = {each.name: getattr(progress, each.name) for each in fields(progress)}
    return told | {
        "resting": dict(nlargest(MOST_RESTING, progress.resting.items(), key=itemgetter(1))),
        "n_resting": len(progress.resting),
        "failing_hosts": dict(progress.failing_hosts.most_common(MOST_FAILING)),
        "failing_identities": dict(progress.failing_identities.most_common(MOST_FAILING)),
    }


def _result(ledger: Ledger, done: Progress, options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {
        "dataset": str(options.out),
        "this_run": {"links": done.done, "pictures": done.good, "bytes": done.size_bytes},
        "funnel": {step.name: step.n for step in report.funnel(ledger)},
        "errors": ledger.counts().failed,
        "failures": [asdict(row) for row in report.by_class(ledger)],
        "work_seconds": done.seconds,
    }
    if options.truth:
        table = report.confusion(ledger, options.truth)
        result["confusion"] = {
            fault: {verdict: n for verdict in table.verdicts if (n := table.counts[fault, verdict])}
            for fault in table.faults
        }
        result["wrong"] = table.wrong
    return result


def _report(result: dict[str, Any]) -> None:
    for name, n in result["funnel"].items():
        say(f"{n:10,}  {name}")
    for row in result["failures"]:
        say(f"{row['n']:10,}  {row['error_class']}: {row['meaning']}")
    for fault, verdicts in result.get("confusion", {}).items():
        told = ", ".join(f"{verdict} {n:,}" for verdict, n in verdicts.items())
        say(f"{fault:>18}  {told}")
    if "wrong" in result:
        n = result["wrong"]
        say(
            ngettext(
                "{n:,} line is told otherwise than it is",
                "{n:,} lines are told otherwise than they are",
                n,
            ).format(n=n)
        )
