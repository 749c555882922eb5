"""VGG Face at full size: 2.6 million lines read, checked, stored, asked; beside what people use.

The 297 real files at hand are repeated until there are as many as Oxford's 2,622; the repeats get
other addresses (a number after the host), or one URL in nine would be different and no more. Each
step runs in a process of its own, so that its peak of memory is its own.

Three ways to have the same bytes are told apart, for "merely reading" depends on it: the archive as
it is downloaded (gzip), the folder from a cold disk, the folder from memory. DuckDB is measured
where it can be imported.
"""

import gc
import os
import re
import resource
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.data import DATA

FILES = 2_622
NAMES = ["id", "url", "left", "top", "right", "bottom", "pose", "detection_score", "curation"]
SESSIONS = 5
ROUNDS = 3

Measured = tuple[float, float, Any]  # seconds, peak MB of the process, what came out


def run() -> dict[str, Any]:
    real = DATA / "vgg_face_dataset-297.tar.gz"
    if not real.is_file():
        raise SystemExit(f"{real} is missing; set FACEDET_TEST_DATA to the folder of the data")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _repeat(real, folder / "full")
        archive = folder / "full.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            tar.add(folder / "full", "vgg_face_dataset")
        figures = _reading(folder / "full", archive, folder)
        figures |= _asking(folder / "out/labels.index.parquet", folder)
        figures |= _page(folder / "out/labels.index.parquet", folder / "home")
    return figures


def _reading(full: Path, archive: Path, folder: Path) -> dict[str, Any]:
    rows: dict[str, Measured] = {}
    for label, step, arguments in (
        ("archive: merely read", read_archive, (archive,)),
        ("archive: parse and check", parse, (archive,)),
        ("archive: labels.csv and store too", index, (archive, folder / "out")),
        ("folder, cold disk: merely read", read_cold, (full,)),
        ("folder, cold disk: parse and check", parse_cold, (full,)),
        ("folder, cold disk: labels.csv and store too", index_cold, (full, folder / "out2")),
        ("folder, in memory: merely read", read_folder, (full,)),
        ("folder, in memory: lines of text, Python", read_lines, (full,)),
        ("folder, in memory: parse and check", parse, (full,)),
        ("folder, in memory: labels.csv and store too", index, (full, folder / "out3")),
        ("folder, in memory: pyarrow.csv, file by file", pyarrow_files, (full,)),
        ("folder, in memory: pandas, file by file", pandas_files, (full,)),
    ):
        rows[label] = _apart(step, *arguments)
        seconds, peak_mb, came = rows[label]
        print(f"{label:46} {seconds:7.2f} s {peak_mb:7.0f} MB   {came:,}")
    figures: dict[str, Any] = {label: row[0] for label, row in rows.items()}
    for place in ("archive", "folder, cold disk", "folder, in memory"):
        base = figures[f"{place}: merely read"]
        for what, most in (("parse and check", 3), ("labels.csv and store too", 8)):
            if f"{place}: {what}" in figures:
                ratio = figures[f"{place}: {what}"] / base
                figures[f"{place}: {what} / merely read"] = ratio
                print(f"{place}: {what} / merely read: {ratio:.2f} (at most {most})")
    figures["peak, MB (at most 1500)"] = max(rows[label][1] for label in rows if "store" in label)
    print(f"peak while indexing: {figures['peak, MB (at most 1500)']:.0f} MB (at most 1500)")
    return figures


# --- Steps. Each runs alone in a fresh process, and imports what it needs there. Before those named
# ..._cold, the files are dropped from memory.


def read_folder(full: Path) -> int:
    return sum(len(path.read_bytes()) for path in _files(full))


def read_cold(full: Path) -> int:
    return read_folder(full)


def read_archive(archive: Path) -> int:
    with tarfile.open(archive, "r|*", bufsize=1 << 18) as tar:
        members = ((tar.extractfile(member), member) for member in tar)
        return sum(len(file.read()) for file, _member in members if file)


def read_lines(full: Path) -> int:
    count = 0
    for path in _files(full):
        with path.open() as file:
            count += sum(1 for _line in file)
    return count


def parse(source: Path) -> int:
    from facedet.vggface import label_files, read_blocks

    return sum(block.table.num_rows for block in read_blocks(label_files(source)))


def parse_cold(full: Path) -> int:
    return parse(full)


def index(source: Path, out: Path) -> int:
    from facedet.cli import main

    out.mkdir()
    assert main(["index", str(source), "--out", str(out / "labels.csv")]) == 0
    return sum(path.stat().st_size for path in out.iterdir())


def index_cold(full: Path, out: Path) -> int:
    return index(full, out)


def pyarrow_files(full: Path) -> int:
    from pyarrow import csv

    reading = csv.ReadOptions(column_names=NAMES)
    parsing = csv.ParseOptions(delimiter=" ", quote_char=False)
    tables = [
        csv.read_csv(path, read_options=reading, parse_options=parsing) for path in _files(full)
    ]
    return sum(table.num_rows for table in tables)


def pandas_files(full: Path) -> int:
    import pandas as pd

    tables = [pd.read_csv(path, sep=" ", names=NAMES, quoting=3) for path in _files(full)]
    return len(pd.concat(tables))


# --- Asking


def _asking(store: Path, folder: Path) -> dict[str, Any]:
    seconds, peak_mb, figures = _apart(ask_ours, store)
    del seconds
    print(f"\nParquet and columns in memory: {store.stat().st_size / 1e6:.0f} MB on disk")
    for label, value in figures.items():
        print(f"  {label:40} {value:7.3f} s")
    print(f"  {'process, peak':40} {peak_mb:7.0f} MB")
    figures["index process, peak MB"] = peak_mb
    others: list[tuple[str, Callable[..., Any]]] = [("SQLite", ask_sqlite)]
    if find_spec("duckdb"):
        others.append(("DuckDB", ask_duckdb))
    else:
        print("DuckDB: not measured; pip install duckdb")
    for name, step in others:
        _seconds, peak_mb, found = _apart(step, store, folder / name)
        print(f"{name}:")
        for label, value in found.items():
            print(f"  {label:40} {value:7.3f}")
        figures |= {f"{name}: {label}": value for label, value in found.items()}
    return figures


def _questions() -> dict[str, Any]:
    from facedet.vggface import Filters

    return {
        "all lines": Filters(),
        "curated": Filters(curated=True),
        "frontal, 64 px and more": Filters(frontal=True, min_side=64),
        "score 2 to 4": Filters(min_score=2, max_score=4),
        "https": Filters(https=True),
        "one host": Filters(host="i.ytimg.com"),
        "one person": Filters(identity="A.J._Buckley_0"),
        "everything at once": Filters(
            curated=True, frontal=True, inside=True, min_score=1, min_side=32, max_side=512
        ),
    }


def ask_ours(store: Path) -> dict[str, float]:
    from facedet.vggface import Index, Sample, choose, size_of, statistics

    loads = [_seconds(lambda: Index.open(store)) for _round in range(ROUNDS)]
    opened = Index.open(store)
    figures = {"load (at most 3)": median(loads)}
    for label, filters in _questions().items():
        gc.collect()
        times = [_seconds(lambda f=filters: statistics(opened, f)) for _round in range(ROUNDS)]
        figures[f"all statistics: {label} (at most 0.5)"] = median(times)
    figures["count a sample"] = _seconds(lambda: size_of(opened, Sample(per_identity=50)))
    figures["choose a course set"] = _seconds(lambda: choose(opened, Sample(lines=37_500)))
    figures["URLs of 50 rows"] = _seconds(lambda: opened.urls(range(50)))
    return figures


_SQL = {
    "lines": "select count(*) from t where {w}",
    "urls": "select count(distinct url_number) from t where {w}",
    "hosts": "select host, count(*) n from t where {w} group by 1 order by n desc limit 15",
    "extensions": "select extension, count(*) n from t where {w} group by 1 order by n desc",
    "poses": "select pose, count(*) from t where {w} group by 1",
    "scores": "select cast(detection_score*4 as int), count(*) from t where {w} group by 1",
    "sides": "select cast((x2-x1)/16 as int), count(*) from t where {w} group by 1",
    "people": "select identity, count(*) from t where {w} group by 1",
}
_WHERE = {
    "all lines": "1=1",
    "everything at once": "curated and pose > 2 and x1 >= 0 and y1 >= 0 "
    "and detection_score >= 1 and x2-x1 between 32 and 512",
}


def ask_duckdb(store: Path, place: Path) -> dict[str, float]:
    import duckdb

    base = duckdb.connect(str(place))
    made = _seconds(lambda: base.execute(f"create table t as select * from '{store}'"))
    figures = {"write, s": made, "MB on disk": place.stat().st_size / 1e6}
    return figures | _ask_sql(lambda sql: base.execute(sql).fetchall())


def ask_sqlite(store: Path, place: Path) -> dict[str, float]:
    import sqlite3

    import pyarrow.parquet as pq

    base = sqlite3.connect(place)
    table = pq.read_table(store)

    def write() -> None:
        marks = ",".join("?" * table.num_columns)
        base.execute(f"create table t ({','.join(table.column_names)})")
        for batch in table.to_batches(100_000):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            base.executemany(f"insert into t values ({marks})", rows)
        base.commit()

    figures = {"write, s": _seconds(write), "MB on disk": place.stat().st_size / 1e6}
    return figures | _ask_sql(lambda sql: base.execute(sql).fetchall())


def _ask_sql(ask: Callable[[str], Any]) -> dict[str, float]:
    def all_statistics(where: str) -> None:
        for sql in _SQL.values():
            ask(sql.format(w=where))

    return {
        f"all statistics: {label}, s": median(
            _seconds(lambda w=where: all_statistics(w)) for _round in range(ROUNDS)
        )
        for label, where in _WHERE.items()
    }


# --- The page


def _page(store: Path, home: Path) -> dict[str, Any]:
    """Five browser tabs look at the whole of it, and each filters it in its own way."""
    import psutil
    from playwright.sync_api import sync_playwright

    from tools.lab import BROWSER_FLAGS, find_browser, running_lab

    place = home / "vggface" / "own-full"
    place.mkdir(parents=True)
    store.replace(place / "index.parquet")
    with running_lab(home) as lab, sync_playwright() as play:
        server = psutil.Process(lab.pid)
        before = server.memory_info().rss / 1e6
        browser = play.chromium.launch(executable_path=find_browser(), args=list(BROWSER_FLAGS))
        waits: list[float] = []
        for number in range(SESSIONS):
            page = browser.new_page(viewport={"width": 1440, "height": 1600})
            began = perf_counter()
            page.goto(f"{lab.url}/dataset?list=own-full")
            page.locator(".js-plotly-plot").nth(7).wait_for()
            waits.append(perf_counter() - began)
            for switch in ("Only the curated set", "Only frontal faces")[: number % 2 + 1]:
                page.get_by_text(switch).click()
                page.wait_for_selector(
                    "[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000
                )
        after = server.memory_info().rss / 1e6
        browser.close()
    figures = {
        "page: first visitor, s": waits[0],
        "page: later visitors, median s": median(waits[1:]),
        "page: server before, MB": before,
        f"page: server with {SESSIONS} sessions, MB (at most 2000)": after,
    }
    print()
    for label, value in figures.items():
        print(f"{label:56} {value:8.2f}")
    return figures


# --- Helpers


def _repeat(real: Path, out: Path) -> None:
    (out / "files").mkdir(parents=True)
    host = re.compile(rb"(://[^/ ]+)/")
    with tarfile.open(real) as tar:
        members = [m for m in tar.getmembers() if m.name.endswith(".txt") and "/files/" in m.name]
        contents = {Path(m.name).stem: tar.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    names = sorted(contents)
    for number in range(FILES):
        name, again = names[number % len(names)], number // len(names)
        data = contents[name]
        if again:
            data = host.sub(rb"\1/%d/" % again, data)
        (out / "files" / f"{name}_{again}.txt").write_bytes(data)


def _files(full: Path) -> Iterable[Path]:
    return sorted((full / "files").iterdir())


def _forget(full: Path) -> None:
    """Ask the system to drop these files from its memory; no privileges needed."""
    for path in _files(full):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _apart(step: Callable[..., Any], *arguments: Any) -> Measured:
    """Run a step in a process of its own: its seconds without imports, its peak, its result."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, step, arguments).result()


def _measured(step: Callable[..., Any], arguments: tuple[Any, ...]) -> Measured:
    _warm_imports(step)
    if step.__name__.endswith("_cold"):
        _forget(arguments[0])
    began = perf_counter()
    result = step(*arguments)
    seconds = perf_counter() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 * 1.048576, result


def _warm_imports(step: Callable[..., Any]) -> None:
    if step.__name__.startswith(("parse", "index", "ask_ours")):
        import facedet.cli.index  # noqa: F401
    if step.__name__.startswith("pandas"):
        import pandas  # noqa: F401
    if step.__name__.startswith("pyarrow"):
        import pyarrow.csv  # noqa: F401


def _seconds(call: Callable[[], Any]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began
