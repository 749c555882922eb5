"""Kill a cleaning again and again, at work and while it moves pictures, and look what is left.

``python -m tools.kill_clean [KILLS] [LINES]`` lays a practice set out as a careless downloader
leaves it, and starts ``facedet clean``, ``--apply`` and ``--undo`` as processes that get SIGKILL at
a random moment. After each kill the disk must equal the manifest, with no picture lost or doubled.
In the end the table must equal that of a cleaner that nobody disturbed, and undo must have brought
every picture back to its place, byte for byte.
"""

import hashlib
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from facedet.cleaning import catalogue, decisions, quarantine, table
from facedet.cleaning.run import clean
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make

CLEANER = "integrity"
ACTS = ("clean", "apply", "undo")
LOOK_S = 0.001
PATIENCE_S = 120.0
AFRESH = 300  # pictures that each cleaning has to measure


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as name:
        dataset, calm = Path(name) / "killed", Path(name) / "left alone"
        make(Path(name) / "set", Options(photos=lines))
        for folder in (dataset, calm):
            lay_out(Path(name) / "set", folder)
        before = _sums(dataset)
        # A person sets everything aside, so that there is much to move.
        decisions.decide(dataset, before, "set_aside")
        hits = _kill_again_and_again(dataset, kills, Counter(before.values()))
        same_bytes, same_table = _end(dataset, calm, before)
    told = ", ".join(f"{n} in {act}" for act, n in hits.items())
    print(f"{hits.total()} kills ({told}), {len(before):,} files: after each, none lost or doubled")
    print(f"and disk equal manifest; all back at their places {same_bytes}, table {same_table}")
    if not (same_bytes and same_table):
        raise SystemExit(1)


def _kill_again_and_again(dataset: Path, kills: int, content: Counter[str]) -> Counter[str]:
    """Returns how many kills hit each act; an act that was over sooner does not count."""
    chance, hits = random.Random(0), Counter[str]()
    for act in itertools.cycle(ACTS):
        if hits.total() == kills:
            return hits
        _make_work(dataset, act, chance)
        hits[act] += _killed(dataset, act, _moment(dataset, act, chance))
        quarantine.recover(dataset)
        _check(dataset, content)
    raise AssertionError("acts never end")


def _make_work(dataset: Path, act: str, chance: random.Random) -> None:
    """See to it that there is something to measure, to set aside or to bring back."""
    here, aside = sorted(_files(dataset / "images")), _count(dataset / quarantine.FOLDER)
    if act == "clean":  # some pictures look new
        for path in chance.sample(here, min(len(here), AFRESH)):
            path.touch()
    elif not (here if act == "apply" else aside):
        _start(dataset, "undo" if act == "apply" else "apply").wait(PATIENCE_S)


def _moment(dataset: Path, act: str, chance: random.Random) -> Callable[[], bool]:
    """Whether it is time to kill: so many pictures are measured, or moved."""
    if act == "clean":
        rows = chance.randint(0, AFRESH - 1)
        return lambda: _rows_written(dataset) > rows
    aside, here = _count(dataset / quarantine.FOLDER), _count(dataset / "images")
    if act == "apply":
        wanted = aside + chance.randint(1, here)
        return lambda: _count(dataset / quarantine.FOLDER) >= wanted
    left = chance.randint(0, max(0, aside - 1))
    return lambda: _count(dataset / quarantine.FOLDER) <= left


def _killed(dataset: Path, act: str, now: Callable[[], bool]) -> bool:
    """Run the command and kill it when it is time; False where it ended by itself."""
    process = _start(dataset, act)
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if now():
            process.kill()
            process.wait()
            return True
        time.sleep(LOOK_S)
    if process.poll() is None:
        process.kill()
        raise SystemExit(f"{act} did not end")
    return False


def _start(dataset: Path, act: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "facedet", "clean", str(dataset), "--cleaner", CLEANER]
    if act != "clean":
        command.append(f"--{act}")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _check(dataset: Path, content: Counter[str]) -> None:
    held = quarantine.manifest(dataset)
    aside = {f"{quarantine.FOLDER}/{name}" for name in _sums(dataset, quarantine.FOLDER)}
    if aside != {row.quarantine_path for row in held}:
        raise SystemExit("the manifest is not what lies in quarantine")
    there = Counter(_sums(dataset).values()) + Counter(_sums(dataset, quarantine.FOLDER).values())
    if there != content:
        raise SystemExit(f"lost: {content - there}, doubled: {there - content}")


def _end(dataset: Path, calm: Path, before: dict[str, str]) -> tuple[bool, bool]:
    """Whether all is back, and the table as if nothing had happened."""
    for act in ("undo", "clean"):
        if _start(dataset, act).wait(PATIENCE_S):
            raise SystemExit(f"{act} failed in the end")
    same_bytes = _sums(dataset) == before and not quarantine.manifest(dataset)
    decisions.forget(dataset)
    clean(calm, catalogue.get(CLEANER))
    return same_bytes, _rows(dataset).equals(_rows(calm))


def _rows_written(dataset: Path) -> int:
    journal = table.journal_path(dataset, CLEANER)
    try:
        return journal.read_bytes().count(b"\n")
    except OSError:
        return 0


def _rows(dataset: Path) -> pd.DataFrame:
    return table.judged(dataset, CLEANER).drop(columns=["mtime_ns", "seconds", "note"])


def _sums(dataset: Path, folder: str = "images") -> dict[str, str]:
    """Each file's sha256; paths relative to the dataset, in quarantine relative to that."""
    base = dataset / folder if folder == quarantine.FOLDER else dataset
    return {
        path.relative_to(base).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _files(dataset / folder)
    }


def _files(folder: Path) -> Iterator[Path]:
    for place, _folders, names in os.walk(folder):
        for name in names:
            if not name.startswith(".") and name != "manifest.csv":
                yield Path(place) / name


def _count(folder: Path) -> int:
    return sum(1 for _path in _files(folder))


if __name__ == "__main__":
    main()
