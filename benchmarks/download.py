"""Our downloader beside img2dataset, on the same practice set from the same server in one run.

img2dataset lives in an environment of its own (it pins pandas below 3); FACEDET_IMG2DATASET names
its Python, for example after

    python3 -m venv i2d && i2d/bin/pip install img2dataset==1.47.0
    FACEDET_IMG2DATASET=i2d/bin/python python -m benchmarks download

It reaches the practice set's sites through the server as its proxy, which is no further hop. Both
keep files at their original size. Good pictures are those that ``truth.csv`` says can be got; each
tool is run with several settings, and its best one counts.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from facedet.download.ledger import Ledger
from facedet.practice.dataset import Options
from facedet.practice.server import LittleInternet, Network
from facedet.practice.truth import Truth, read_truth
from tools.practice_set import free_port, make_with_labels

LINES = 2000
THREADS = (32, 128, 256)
RETRIES = (0, 2)
WORKERS = (32, 128)
MANY = int(os.environ.get("FACEDET_BENCH_LINKS", "50000"))
TIMEOUT_S = 10  # of both: ours waits as long for the first byte


def run() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        faulty = _practice(folder / "faulty", LINES, 0.4, port)
        figures |= _side_by_side(faulty, port, folder)
        clean = _practice(folder / "clean", LINES, 0.0, port)
        figures |= _where_the_time_goes(clean, port, folder)
        figures |= _many(clean, port, folder)
    return figures


def _side_by_side(practice: Path, port: int, folder: Path) -> dict[str, Any]:
    truth = read_truth(practice)
    print(f"{LINES:,} links, 40 % with a fault, 20 ms latency")
    ours = [_ours(practice, port, folder / "ours", workers, truth) for workers in WORKERS]
    python = os.environ.get("FACEDET_IMG2DATASET")
    figures: dict[str, Any] = {"ours": max(ours, key=lambda row: row["good_per_s"])}
    if python is None:
        print("img2dataset: not measured; set FACEDET_IMG2DATASET to its Python")
        return figures
    theirs = [
        _theirs(Path(python), practice, port, folder / "theirs", threads, retries, truth)
        for retries in RETRIES
        for threads in THREADS
    ]
    best = max(theirs, key=lambda row: row["good_per_s"])
    figures["img2dataset"] = best
    figures["ratio"] = figures["ours"]["good_per_s"] / best["good_per_s"]
    print(f"ours / img2dataset, good pictures a second: {figures['ratio']:.2f} (at least 1.5)")
    print(f"good pictures: ours {figures['ours']['good']:,}, img2dataset {best['good']:,}")
    return figures


def _ours(
    practice: Path, port: int, out: Path, workers: int, truth: list[Truth]
) -> dict[str, float]:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "facedet", "download", str(practice / "labels.csv")]
    command += ["--out", str(out), "--workers", str(workers), "--allow-private"]
    with LittleInternet(practice / "site", port=port, network=Network(latency_s=0.02)):
        seconds = _timed(command)
    with Ledger.open(out / "ledger.sqlite", create=False) as ledger:
        got = {row.url for row in ledger.each() if row.state == "done"}
    return _row(f"ours, at most {workers} requests", seconds, got, truth)


def _theirs(
    python: Path,
    practice: Path,
    port: int,
    out: Path,
    threads: int,
    retries: int,
    truth: list[Truth],
) -> dict[str, float]:
    shutil.rmtree(out, ignore_errors=True)
    command = [str(python.with_name("img2dataset")), f"--url_list={practice / 'labels.csv'}"]
    command += ["--input_format=csv", "--url_col=url", f"--output_folder={out}"]
    command += ["--output_format=files", "--resize_mode=no", "--skip_reencode=True"]
    command += ["--processes_count=2", f"--thread_count={threads}", f"--timeout={TIMEOUT_S}"]
    command += ["--number_sample_per_shard=1000", "--enable_wandb=False"]
    command += [f"--retries={retries}"]
    proxy = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    with LittleInternet(practice / "site", port=port, network=Network(latency_s=0.02)):
        seconds = _timed(command, environ)
    got = set()
    for path in out.rglob("*.json"):
        told = json.loads(path.read_text())
        if told.get("status") == "success":
            got.add(told["url"])
    return _row(f"img2dataset, 2 x {threads}, {retries} retries", seconds, got, truth)


def _row(label: str, seconds: float, got: set[str], truth: list[Truth]) -> dict[str, float]:
    can_be_got = {row.url for row in truth if row.faces is not None}
    good = len(got & can_be_got)
    print(f"{label:34} {seconds:6.1f} s {good:6,} good {good / seconds:7.1f} a second")
    return {"seconds": seconds, "good": good, "good_per_s": good / seconds}


def _where_the_time_goes(practice: Path, port: int, folder: Path) -> dict[str, Any]:
    out = folder / "shares"
    command = [sys.executable, "-m", "facedet", "download", str(practice / "labels.csv")]
    command += ["--out", str(out), "--allow-private", "--json", str(folder / "shares.json")]
    with LittleInternet(practice / "site", port=port):
        seconds = _timed(command)
    told = json.loads((folder / "shares.json").read_text())
    work: dict[str, float] = told["work_seconds"]
    total = sum(work.values())
    print(
        f"\n{LINES:,} links without a fault, no latency: {seconds:.1f} s, of all work done at once"
    )
    for kind, value in work.items():
        print(f"  {kind:10} {100 * value / total:5.1f} % ({value:.1f} s)")
    return {"clean_seconds": seconds, "work_seconds": work}


def _many(practice: Path, port: int, folder: Path) -> dict[str, Any]:
    """Very many links: what the server has is repeated at ever new addresses."""
    site = folder / "many"
    _repeat(practice, site, MANY, port)
    out = folder / "many-set"
    command = [sys.executable, "-m", "facedet", "download", str(site / "labels.csv")]
    command += ["--out", str(out), "--allow-private"]
    samples: list[tuple[float, float, int]] = []
    with LittleInternet(site / "site", port=port):
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = perf_counter()
        while process.poll() is None:
            try:
                process.wait(2)
            except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
                with psutil.Process(process.pid).oneshot():
                    rss = psutil.Process(process.pid).memory_info().rss / 1e6
                samples.append((perf_counter() - began, rss, _done(out)))
    print(f"\n{MANY:,} links:")
    figures: dict[str, Any] = {}
    if len(samples) < 10:
        print("  over too soon to say; ask for more with FACEDET_BENCH_LINKS")
        return figures
    for part in range(5):
        inside = samples[len(samples) * part // 5 : len(samples) * (part + 1) // 5]
        span = inside[-1][0] - inside[0][0]
        rate = (inside[-1][2] - inside[0][2]) / span if span else 0.0
        rss = max(sample[1] for sample in inside)
        print(f"  fifth {part + 1}: {rate:7.1f} links a second, {rss:6.0f} MB")
        figures[f"many_{part + 1}"] = {"links_per_s": rate, "rss_mb": rss}
    return figures


def _done(out: Path) -> int:
    if not (out / "ledger.sqlite").exists():
        return 0
    with Ledger.open(out / "ledger.sqlite", create=False) as ledger:
        return ledger.counts().done


def _repeat(practice: Path, site: Path, n: int, port: int) -> None:
    shutil.copytree(practice / "site", site / "site")
    answers = [json.loads(line) for line in (practice / "site/answers.jsonl").open()]
    files = [
        answer
        for answer in answers
        if answer["answer"] == "file" and "shared" not in answer["file"]
    ]
    with (
        (site / "site/answers.jsonl").open("w") as table,
        (site / "labels.csv").open("w", newline="") as labels,
    ):
        rows = csv.writer(labels)
        rows.writerow(["image_path", "x1", "y1", "x2", "y2", "identity", "photo_id", "url"])
        for number in range(n):
            answer = files[number % len(files)]
            # Shared pictures of one host would be taken for placeholders: hosts are many, too.
            host = f"h{number // 4 % 500}-{number // 2000}.many.localhost"
            path = f"/{number}.jpg"
            table.write(json.dumps(answer | {"host": host, "path": path}) + "\n")
            identity, photo_id = f"P{number // 1000:03d}", f"{number:08d}"
            url = f"http://{host}:{port}{path}"
            rows.writerow(
                [f"images/{identity}/{photo_id}.jpg", 1, 1, 50, 50, identity, photo_id, url]
            )


def _practice(folder: Path, lines: int, faults: float, port: int) -> Path:
    make_with_labels(folder, Options(photos=lines, faults=faults, port=port))
    return folder


def _timed(command: list[str], environ: dict[str, str] | None = None) -> float:
    began = perf_counter()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    seconds = perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-600:]}")
    return seconds
