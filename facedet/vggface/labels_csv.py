"""Lines of an index as the lab's label table, written before any photo is there."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facedet.files import replaced_atomically
from facedet.images import SUFFIXES
from facedet.labels.table import REQUIRED
from facedet.parallel import in_order
from facedet.vggface.columns import BOX
from facedet.vggface.store import Index

COLUMNS = (*REQUIRED, "identity", "photo_id", "url", "pose", "detection_score", "curated")
DEFAULT_SUFFIX = "jpg"  # most of the web's photos; the download knows better, and says so
_NUMBERS = (*BOX, "pose", "detection_score")
_CHUNK = 1 << 17


def write_labels(index: Index, rows: npt.NDArray[np.intp], path: Path) -> int:
    """Write these rows; the file appears under its name when it is whole.

    ``image_path`` says where the photo will lie: ``images/<identity>/<photo_id>.<suffix>``. Numbers
    are the shortest text that reads back as the same float32.

    Returns:
        How many rows were written: all of them.
    """
    with replaced_atomically(path) as temporary, temporary.open("wb") as out:
        out.write((",".join(COLUMNS) + "\n").encode())
        for lines in in_order(lambda part: _as_lines(index, *part), _parts(index, rows)):
            out.write(lines)
    return len(rows)


def _parts(
    index: Index, rows: npt.NDArray[np.intp]
) -> Iterator[tuple[npt.NDArray[np.intp], pa.RecordBatch]]:
    """The chosen rows and their columns, a part of the store at a time."""
    start = 0
    with pq.ParquetFile(index.path) as store:
        for batch in store.iter_batches(_CHUNK, columns=["photo_id", "url", *_NUMBERS, "curated"]):
            stop = start + batch.num_rows
            mine = rows[np.searchsorted(rows, start) : np.searchsorted(rows, stop)]
            if len(mine):
                yield mine, batch.take(pa.array(mine - start))
            start = stop


def _as_lines(index: Index, rows: npt.NDArray[np.intp], batch: pa.RecordBatch) -> pa.Buffer:
    """The rows as the bytes of the file: one string array whose content is exactly these."""
    text = pa.string()
    identities = pa.array(index.identities, text).take(pa.array(index.identity[rows]))
    photo_ids = pc.utf8_lpad(batch.column("photo_id").cast(text), 8, "0")
    suffixes = pa.array([_suffix(name) for name in index.extensions], text)
    suffix = suffixes.take(pa.array(index.extension[rows]))
    stem = pc.binary_join_element_wise("images", identities, photo_ids, "/")
    numbers = [batch.column(name).cast(text) for name in _NUMBERS]
    cells = [
        pc.binary_join_element_wise(stem, suffix, "."),
        *numbers[:4],
        identities,
        photo_ids,
        _quoted(batch.column("url")),
        *numbers[4:],
        batch.column("curated").cast(pa.int8()).cast(text),
    ]
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), "", "\n")
    ends = np.frombuffer(lines.buffers()[1], np.int32)
    return lines.buffers()[2].slice(0, int(ends[len(lines)]))


def _quoted(cells: pa.Array) -> pa.Array:
    """Cells with a comma or a quote in them, quoted (RFC 4180); most have none."""
    escaped = pc.replace_substring(cells, '"', '""')
    quoted = pc.binary_join_element_wise('"', escaped, '"', "")
    return pc.if_else(pc.match_substring_regex(cells, '[,"]'), quoted, cells)


def _suffix(extension: str) -> str:
    return extension if f".{extension}" in SUFFIXES else DEFAULT_SUFFIX
