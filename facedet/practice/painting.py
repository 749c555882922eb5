"""Painting the pictures of the practice dataset, by many processes, and going on after a crash.

What is painted is recorded as it comes, with size and checksum. Only what is recorded, and is still
as it was recorded, is not painted again.
"""

import multiprocessing
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from facedet.files import write_atomically
from facedet.practice.develop import FORMATS, develop, shrink
from facedet.practice.labelled import LabelledStudio
from facedet.practice.options import Options
from facedet.practice.plan import PlannedLine
from facedet.practice.studio import CastStudio, Studio

FEW = 40  # fewer pictures than this are painted sooner than two processes start
_CHUNK = 8

Tick = Callable[[int, int], None]


def studio_of(options: Options) -> Studio:
    """Who makes the pictures.

    Raises:
        LabelError: the label table that is the source cannot be used.
    """
    if options.source is not None:
        return LabelledStudio(Path(options.source))
    return CastStudio(max(3, min(24, options.photos // 40)), options.seed)


def picture_name(line: PlannedLine) -> str:
    """The file of a line's picture, below the site's folder."""
    return f"{line.address.host}/{line.number:06d}{FORMATS[line.format][0]}"


def paint_all(
    site: Path,
    record: Path,
    lines: Sequence[PlannedLine],
    options: Options,
    tick: Tick,
    workers: int | None,
) -> None:
    """Paint the picture of each line into the folder `site`, but for those that are there.

    Args:
        record: a file that says which are there; written on, and good for another try.
        tick: called with pictures painted, and their total.
        workers: processes; None: one a core.
    """
    known = _still_there(site, record)
    todo = [line for line in lines if picture_name(line) not in known]
    write_atomically(record, "".join(known.values()))
    for host in {line.address.host for line in todo}:
        (site / host).mkdir(parents=True, exist_ok=True)
    done = len(lines) - len(todo)
    tick(done, len(lines))
    with (
        record.open("a", encoding="utf-8") as file,
        _painted(site, todo, options, workers or os.cpu_count() or 1) as painted,
    ):
        for rows in painted:
            file.writelines(rows)
            file.flush()
            done += len(rows)
            tick(done, len(lines))


# --- The record: a line ``crc32 bytes name`` a picture


def _still_there(site: Path, record: Path) -> dict[str, str]:
    """The recorded pictures that are as they were recorded: name to row."""
    try:
        rows = record.read_bytes().decode(errors="replace").splitlines(keepends=True)
    except OSError:
        return {}
    named = {row.rpartition(" ")[2].rstrip("\n"): row for row in rows}
    return {name: row for name, row in named.items() if _row_of(site, name) == row}


def _row_of(site: Path, name: str) -> str:
    try:
        return _row(name, (site / name).read_bytes())
    except (OSError, ValueError):  # no such file; no file name
        return ""


def _row(name: str, data: bytes) -> str:
    return f"{zlib.crc32(data):08x} {len(data)} {name}\n"


# --- The painters


@contextmanager
def _painted(
    site: Path, todo: Sequence[PlannedLine], options: Options, workers: int
) -> Iterator[Iterable[list[str]]]:
    """The pictures' rows for the record, as they are painted."""
    if workers == 1 or len(todo) < FEW:
        _start_painter(options)
        yield ([_paint(site, line)] for line in todo)
        return
    # Spawned, not forked: the caller may have threads, and locks in them.
    spawn = multiprocessing.get_context("spawn")
    chunks = [todo[i : i + _CHUNK] for i in range(0, len(todo), _CHUNK)]
    with ProcessPoolExecutor(workers, spawn, _start_worker, (options,)) as pool:
        try:
            yield pool.map(_paint_some, [site] * len(chunks), chunks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(options: Options) -> None:
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    _start_painter(options)


def _end_with_parent() -> None:
    """A killed process cannot tell its workers, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_painter: Studio | None = None


def _start_painter(options: Options) -> None:
    global _painter
    cv2.setNumThreads(1)
    _painter = studio_of(options)


def _paint_some(site: Path, lines: Sequence[PlannedLine]) -> list[str]:
    return [_paint(site, line) for line in lines]


def _paint(site: Path, line: PlannedLine) -> str:
    assert _painter is not None
    pixels = _painter.render(line.shot)
    if line.shown_scale < 1:
        pixels, _boxes = shrink(pixels, line.shot.boxes_xyxy, line.shown_scale)
    file = develop(pixels, np.random.default_rng(line.seed), line.format)
    data = file.data
    if line.fault == "truncated_jpeg":
        data = data[: max(200, round(len(data) * (0.3 + 0.5 * (line.seed % 97) / 97)))]
    name = picture_name(line)
    write_atomically(site / name, data)
    return _row(name, data)
