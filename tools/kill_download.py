"""Kill a download again and again, and compare the end with a run that nobody disturbed.

``python -m tools.kill_download [KILLS] [LINES]`` makes a practice set, serves it, and starts
``facedet download`` as a process that gets SIGKILL after a random while. Ledger and disk must
equal, row by row but for times and attempts, those of a download that was left alone.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from facedet.download.ledger import Ledger
from facedet.practice.dataset import Options
from facedet.practice.server import LittleInternet, Network
from tools.practice_set import free_port, make_with_labels

Rows = list[tuple[object, ...]]


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        labels = make_with_labels(folder / "practice", Options(photos=lines, port=port))
        network = Network(latency_s=0.02)
        with LittleInternet(folder / "practice/site", port=port, network=network):
            _download(labels, folder / "left alone", None)
        with LittleInternet(folder / "practice/site", port=port, network=network):
            done = _kill_again_and_again(labels, folder / "killed", kills)
        same_rows = _rows(folder / "left alone") == _rows(folder / "killed")
        same_files = _files(folder / "left alone") == _files(folder / "killed")
    print(f"{done} kills, {lines:,} lines: ledger equal {same_rows}, files equal {same_files}")
    if not (same_rows and same_files):
        raise SystemExit(1)


def _kill_again_and_again(labels: Path, dataset: Path, kills: int) -> int:
    """Returns how many kills hit a process at work; the last run is left alone."""
    chance, done = random.Random(0), 0
    for _k in range(kills):
        done += not _download(labels, dataset, chance.uniform(0.4, 1.4))
        # An answer that is over would leave nothing to kill: what failed is asked for again.
        if dataset.joinpath("ledger.sqlite").exists():
            with Ledger.open(dataset / "ledger.sqlite", create=False) as ledger:
                if ledger.counts().waiting < 200:
                    ledger.retry(["http_4xx", "http_5xx", "timeout", "connect", "tls", "dns"])
    _download(labels, dataset, None)
    return done


def _download(labels: Path, dataset: Path, seconds: float | None) -> bool:
    """Run the command; True where it ended by itself."""
    command = [sys.executable, "-m", "facedet", "download", str(labels), "--out", str(dataset)]
    process = subprocess.Popen(
        [*command, "--allow-private"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _rows(dataset: Path) -> Rows:
    left_out = ("attempts", "first_at", "last_at")
    with Ledger.open(dataset / "ledger.sqlite", create=False) as ledger:
        names = [n for n in next(iter(ledger.each())).__slots__ if n not in left_out]
        return [tuple(getattr(row, name) for name in names) for row in ledger.each()]


def _files(dataset: Path) -> dict[str, str]:
    return {
        path.relative_to(dataset).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for place in ("images", "placeholders")
        for path in sorted((dataset / place).rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    main()
