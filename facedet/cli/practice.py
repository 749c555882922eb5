"""``facedet practice``: make the practice dataset, and serve its little internet."""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet.cli.output import Meter, as_job, check_destination, say, write_json
from facedet.errors import PracticeError, UsageError
from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.jobs import Worker
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, begun_options, make, read_options
from facedet.practice.server import LittleInternet, Network
from facedet.practice.truth import Truth, read_truth
from facedet.settings import load_settings
from facedet.vggface.making import make_index

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

LOOK_S = 0.2


def add_parser(commands: "Subparsers") -> None:
    """Add this command."""
    parser = commands.add_parser("practice", help=_("make and serve a VGG Face for practice"))
    add = parser.add_argument
    default = Options(port=load_settings().practice_port)
    add("folder", type=Path, metavar="DIR", help=_("a new folder, or one made before"))
    add(
        "--photos",
        type=int,
        metavar="N",
        help=_("lines, all faults included; default {n:,}").format(n=default.photos),
    )
    add("--seed", type=int, metavar="S", help=_("same seed, same bytes"))
    add(
        "--faults",
        type=float,
        metavar="SHARE",
        help=_("share of lines with something wrong; default {s}").format(s=default.faults),
    )
    add("--source", metavar="LABELS.csv", help=_("use your own labelled pictures"))
    add("--store", type=Path, metavar="FILE", help=_("index it as well, see `facedet index`"))
    add(
        "--careless",
        type=Path,
        metavar="DATASET",
        help=_("fill a new dataset folder as a careless downloader would: for the cleaners"),
    )
    add("--serve", action="store_true", help=_("then serve it on this computer until Ctrl-C"))
    add(
        "--port",
        type=int,
        metavar="P",
        help=_("of three to serve at; 0: any that are free; default {p}").format(p=default.port),
    )
    add("--latency", type=float, default=0.0, metavar="MS", help=_("before each answer"))
    add("--bandwidth", type=float, metavar="KB/S", help=_("of each connection"))
    add("--log", type=Path, metavar="FILE", help=_("what was asked when, as JSON lines"))
    add("--workers", type=int, metavar="N", help=_("processes; default: all cores"))
    add("--json", metavar="FILE", help=_('machine-readable; "-" for stdout'))
    add("--run-dir", type=Path, metavar="DIR", help=_("run as a job"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the dataset where it is not there yet, and serve it where that was asked."""
    check_destination(options.json)
    if options.workers is not None and not 1 <= options.workers <= 256:
        raise UsageError(_("--workers is {n}: give 1 to 256").format(n=options.workers))
    if options.port is not None and options.port != 0 and not 1024 <= options.port <= 65_533:
        raise UsageError(
            _("the port is {p}: give 1024 to 65533, or 0 for any").format(p=options.port)
        )
    network = _network(options)
    return as_job(options.run_dir, lambda worker: _make_and_serve(options, network, worker))


def _make_and_serve(options: argparse.Namespace, network: Network, worker: Worker | None) -> int:
    wanted = _wanted(options)
    quiet = options.json == "-" or worker is not None
    with Meter(_("painting"), worker, "painted", unit=_("photos")) as meter:
        make(options.folder, wanted, meter.tick, options.workers)
    lines = read_truth(options.folder)
    if options.store:
        _index(options.folder, options.store, len(lines))
    result = _result(lines, read_options(options.folder))
    if options.careless:
        with Meter(_("storing"), worker, "stored", unit=_("links")) as meter:
            result["careless_files"] = lay_out(options.folder, options.careless, meter.tick)
    if worker:
        worker.event("made", folder=str(options.folder), **result)
    if options.json:
        write_json(result, options.json)
    if not quiet:
        _report(options.folder, result)
        if options.careless:
            _report_careless(options.careless, result)
    if options.serve:
        _serve(options, network, worker, quiet)
    return 0


def _wanted(options: argparse.Namespace) -> Options:
    """What was asked for; of a dataset that was begun, what was not said is as it was then.

    Its port stands in its links, so that another one is no other dataset: it only serves there.
    """
    begun = begun_options(options.folder)
    said = {name: getattr(options, name) for name in ("photos", "seed", "faults")}
    said["source"] = str(Path(options.source).absolute()) if options.source else None
    said["port"] = None if begun else options.port or load_settings().practice_port
    return replace(
        begun or Options(), **{name: value for name, value in said.items() if value is not None}
    )


def _index(folder: Path, store: Path, n_lines: int) -> None:
    """Index the label files, which must come out whole: `index` and we have one rule for names."""
    made = make_index(folder / "vgg_face_dataset", store)
    account = made.account
    if account.lost or account.refused or account.parsed != n_lines:
        raise PracticeError(
            _(
                "{store} has {parsed:,} of the {n:,} lines of {folder}: see {findings}. If "
                "somebody changed the label files, delete the folder and make the set anew"
            ).format(
                store=store,
                parsed=account.parsed,
                n=n_lines,
                folder=folder,
                findings=made.findings_path,
            )
        )


def _network(options: argparse.Namespace) -> Network:
    if not 0 <= options.latency < 60_000:
        raise UsageError(_("--latency is {ms}: give 0 to 60000 ms").format(ms=options.latency))
    if options.bandwidth is not None and not options.bandwidth > 0:
        raise UsageError(_("--bandwidth is {n}: give more than 0").format(n=options.bandwidth))
    bytes_per_s = options.bandwidth and options.bandwidth * 1000
    return Network(latency_s=options.latency / 1000, bytes_per_s=bytes_per_s)


def _result(lines: Sequence[Truth], made: Options) -> dict[str, Any]:
    return {
        "lines": len(lines),
        "identities": len({line.identity for line in lines}),
        "faults": dict(Counter(line.fault for line in lines).most_common()),
        "options": asdict(made),
    }


def _report(folder: Path, result: dict[str, Any]) -> None:
    n, people = result["lines"], result["identities"]
    say(
        _("{folder}: {lines} of {people}; {bad:,} with something wrong").format(
            folder=folder,
            lines=ngettext("{n:,} line", "{n:,} lines", n).format(n=n),
            people=ngettext("{n:,} person", "{n:,} people", people).format(n=people),
            bad=n - result["faults"].get("ok", 0),
        )
    )
    say(_("what is wrong with which: {path}").format(path=folder / "truth.csv"))


def _report_careless(dataset: Path, result: dict[str, Any]) -> None:
    say(
        _("{dataset}: {n:,} files as a careless downloader leaves them, nothing looked at").format(
            dataset=dataset, n=result["careless_files"]
        )
    )
    if too_large := result["faults"].get("too_large", 0):
        say(
            ngettext(
                "left out: {n:,} link to hundreds of megabytes",
                "left out: {n:,} links to hundreds of megabytes each",
                too_large,
            ).format(n=too_large)
        )


def _serve(
    options: argparse.Namespace, network: Network, worker: Worker | None, quiet: bool
) -> None:
    written = read_options(options.folder).port
    port = written if options.port is None else options.port
    with LittleInternet(
        options.folder / "site", port=port, network=network, log_path=options.log
    ) as internet:
        if not quiet:
            for line in _how_to_reach(internet.ports.http, written):
                say(line)
            sys.stdout.flush()
        if worker is None:
            signal.signal(signal.SIGTERM, lambda _signal, _frame: internet.stop())
            internet.wait()
            return
        worker.event("serving", ports=list(internet.ports))
        while True:
            worker.checkpoint()
            time.sleep(LOOK_S)


def _how_to_reach(port: int, written: int) -> list[str]:
    """What a person must know who has another tool than ours."""
    proxy = f"http://127.0.0.1:{port}"
    lines = []
    if port != written:
        lines = [
            _(
                "serving at port {port}; the links say {written}, so give other tools the proxy"
            ).format(port=port, written=written)
        ]
    ends = _("serving; Ctrl-C ends it. For other tools: http_proxy={url}").format(url=proxy)
    return [*lines, ends]
