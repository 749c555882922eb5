"""The compact store: one Parquet file that holds every line, and the columns it is queried by.

Measured against DuckDB and SQLite (`python -m benchmarks index`): a few whole columns in memory
answer any question of the page in a fraction of a second, and are shared by all visitors. The URLs,
three quarters of the bytes, stay on disk until somebody asks for some.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facedet.errors import DatasetError, shown_name
from facedet.files import replaced_atomically
from facedet.i18n import gettext as _
from facedet.parallel import in_order
from facedet.types import FloatArray
from facedet.vggface.archive import Finding
from facedet.vggface.columns import BOX, Block
from facedet.vggface.lines import UNUSUAL_URL

VERSION = "1"
HOST_GROUPS = 16
_META = b"facedet.vggface"
# The extension is one of the path: neither ".com" of the host nor a name in the query.
_PARTS = (
    r"^https?://(?:[^/?#@]*@)?(?P<host>[^/?#@]+)"  # whoever logs in is no part of the host
    r"(?:/[^?#]*\.(?P<extension>[A-Za-z][A-Za-z0-9]{1,4})(?:[?#].*)?|.*)$"
)
_IN_MEMORY = ("identity", "photo_id", "curated", "pose", "detection_score", *BOX)
_DERIVED = ("https", "unusual", "host", "extension", "url_number", "first_row")

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of every line and file: ``lines == parsed + lost``.

    Args:
        files: label files read.
        lines: in them.
        parsed: lines in the store.
        lost: lines that could not be read; each is named in the findings.
        refused: files that were not read at all; each is named too.
        notes: remarks on what is strange, though nothing is missing because of it.
    """

    files: int
    lines: int
    parsed: int
    lost: int
    refused: int
    notes: int


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Every line by its columns, in the order of the files. All arrays have N entries.

    Args:
        path: the Parquet file, which also has the URLs.
        account: what became of every line.
        identities: names; `identity` counts in them.
        hosts, extensions: texts; `host` and `extension` count in them ("" for no extension).
        boxes_xyxy: (N, 4) float32, as they stand in the files: some are negative.
        url_number: equal for equal URLs, 0 to `n_urls` - 1.
        first_row: row of the first line of the same file with the same URL: itself, mostly.
        unusual: whether the URL has characters that RFC 3986 does not allow.
    """

    path: Path
    account: Account
    identities: tuple[str, ...]
    hosts: tuple[str, ...]
    extensions: tuple[str, ...]
    n_urls: int
    identity: npt.NDArray[np.int16]
    photo_id: IntArray
    boxes_xyxy: FloatArray
    pose: FloatArray
    detection_score: FloatArray
    curated: BoolArray
    https: BoolArray
    unusual: BoolArray
    host: IntArray
    extension: IntArray
    url_number: IntArray
    first_row: IntArray

    def __len__(self) -> int:
        return len(self.photo_id)

    @property
    def sides(self) -> FloatArray:
        """Shorter side of each box, in pixels of the photo as it was in 2015."""
        wh = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        return np.asarray(wh.min(axis=1))

    @property
    def negative(self) -> BoolArray:
        """Whether the box begins left of or above its photo."""
        return np.asarray((self.boxes_xyxy[:, :2] < 0).any(axis=1))

    def urls(self, rows: npt.NDArray[np.intp] | Sequence[int]) -> list[str]:
        """The URLs of some rows, read from disk."""
        wanted = np.asarray(rows, np.int64)
        urls: dict[int, str] = {}
        with pq.ParquetFile(self.path) as store:
            start = 0
            for group in range(store.num_row_groups):
                stop = start + store.metadata.row_group(group).num_rows
                mine = np.unique(wanted[(wanted >= start) & (wanted < stop)])
                if len(mine):  # only the parts of the file that hold some of them are read
                    column = store.read_row_group(group, columns=["url"]).column("url")
                    found = column.take(pa.array(mine - start)).to_pylist()
                    urls |= dict(zip(mine.tolist(), found, strict=True))
                start = stop
        return [urls[row] for row in wanted.tolist()]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Load an index.

        Raises:
            DatasetError: missing, not an index, or of another version.
        """
        try:
            table = pq.read_table(path, columns=[*_IN_MEMORY, *_DERIVED])
            meta = json.loads(table.schema.metadata[_META])
            if meta["version"] != VERSION:
                raise ValueError(f"version {meta['version']}")
            return cls._of(path, table, meta)
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                _("{name}: no index of VGG Face ({reason}); make it with facedet index").format(
                    name=shown_name(path.name), reason=shown_name(str(error))
                )
            ) from error

    @classmethod
    def _of(cls, path: Path, table: pa.Table, meta: dict[str, Any]) -> Self:
        hosts, host = _codes(table.column("host"))
        extensions, extension = _codes(table.column("extension"))
        plain = {
            name: _frozen(table.column(name).to_numpy())
            for name in (*_IN_MEMORY, *_DERIVED)
            if name not in (*BOX, "host", "extension")
        }
        boxes = np.stack([table.column(name).to_numpy() for name in BOX], axis=1)
        return cls(
            path=path,
            account=Account(**meta["account"]),
            identities=tuple(meta["identities"]),
            hosts=hosts,
            extensions=extensions,
            n_urls=int(plain["url_number"].max(initial=-1)) + 1,
            boxes_xyxy=_frozen(boxes),
            host=_frozen(host),
            extension=_frozen(extension),
            **plain,
        )


def build(blocks: Iterable[Block], path: Path, on_finding: Callable[[Finding], None]) -> Account:
    """Write the store; it appears under its name when it is whole.

    Args:
        blocks: from `columns.read_blocks`.
        path: the Parquet file to write.
        on_finding: gets each finding as it comes: there may be as many as lines.
    """
    identities: list[str] = []
    tables: list[pa.Table] = []
    count = {"lost": 0, "refused": 0, "note": 0}
    for block, derived in in_order(_with_derived, blocks):
        for finding in block.findings:
            count[finding.kind] += 1
            on_finding(finding)
        numbers = np.arange(len(block.identities), dtype=np.int16) + len(identities)
        column = pa.array(np.repeat(numbers, block.counts))
        tables.append(derived.append_column("identity", column))
        identities += block.identities
        if len(identities) > np.iinfo(np.int16).max:
            raise DatasetError(_("more than {n:,} people").format(n=np.iinfo(np.int16).max))
    tables = [table for table in tables if table.num_rows] or tables[:1]
    parsed = sum(table.num_rows for table in tables)
    account = Account(
        files=len(identities),
        lines=parsed + count["lost"],
        parsed=parsed,
        lost=count["lost"],
        refused=count["refused"],
        notes=count["note"],
    )
    with replaced_atomically(path) as temporary:
        _write(tables, temporary, account, identities)
    return account


def _with_derived(block: Block) -> tuple[Block, pa.Table]:
    """The block's table with the columns that questions are asked about."""
    url = block.table.column("url").combine_chunks()
    parts = pc.extract_regex(url, _PARTS)
    derived = {
        "https": pc.starts_with(url, "https"),
        "unusual": pc.match_substring_regex(url, UNUSUAL_URL),
        "host": pc.utf8_lower(pc.struct_field(parts, "host")),
        "extension": pc.utf8_lower(pc.struct_field(parts, "extension")),
    }
    table = block.table
    for name, column in derived.items():
        table = table.append_column(name, _dictionary(column))
    return block, table


def _dictionary(column: pa.Array) -> pa.Array:
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _write(tables: list[pa.Table], path: Path, account: Account, identities: Sequence[str]) -> None:
    meta = {"version": VERSION, "account": asdict(account), "identities": list(identities)}
    url_number, first_row = _repeats(tables)
    writer: pq.ParquetWriter | None = None
    start = 0
    try:
        for table in tables:
            rows = slice(start, start + table.num_rows)
            table = table.append_column("url_number", pa.array(url_number[rows]))  # noqa: PLW2901
            table = table.append_column("first_row", pa.array(first_row[rows]))  # noqa: PLW2901
            if writer is None:
                schema = table.schema.with_metadata({_META: json.dumps(meta)})
                writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)
            writer.write_table(table.cast(schema), row_group_size=1 << 20)
            start = rows.stop
    finally:
        if writer is not None:
            writer.close()


def _repeats(tables: Sequence[pa.Table]) -> tuple[IntArray, IntArray]:
    """A number for each URL, and the first row of the same file with the same URL."""
    _hosts, host = _codes(_joined(tables, "host"))
    number = _numbered(_joined(tables, "url"), host)
    identity = _joined(tables, "identity").to_numpy()
    return number, first_of_equal(identity.astype(np.int64) << 32 | number)


def _joined(tables: Sequence[pa.Table], column: str) -> pa.ChunkedArray:
    chunks = [chunk for table in tables for chunk in table.column(column).chunks]
    return pa.chunked_array(chunks, tables[0].schema.field(column).type)


def _numbered(urls: pa.ChunkedArray, host: IntArray) -> IntArray:
    """Equal numbers for equal URLs, from 0 on.

    Equal URLs have equal hosts, so groups of hosts are numbered apart: on two cores, and with a
    dictionary of a sixteenth of the URLs in memory at a time.
    """
    starts = np.cumsum([0, *(len(chunk) for chunk in urls.chunks)])
    number = np.empty(len(urls), np.int32)

    def number_group(group: int) -> tuple[npt.NDArray[np.intp], int]:
        mask = host % HOST_GROUPS == group
        parts = [
            chunk.filter(pa.array(mask[start : start + len(chunk)]))
            for chunk, start in zip(urls.chunks, starts, strict=False)
        ]
        encoded = pa.chunked_array(parts, pa.string()).combine_chunks().dictionary_encode()
        rows = np.flatnonzero(mask)
        number[rows] = encoded.indices.to_numpy()
        return rows, len(encoded.dictionary)

    offset = 0
    for rows, n_urls in in_order(number_group, range(HOST_GROUPS)):
        number[rows] += offset
        offset += n_urls
    return number


def first_of_equal(keys: npt.NDArray[np.int64]) -> IntArray:
    """For each entry, the place of the first entry that equals it."""
    order = np.argsort(keys, kind="stable")
    is_new = np.append(True, np.diff(keys[order]) != 0)[: len(keys)]
    first = np.empty(len(keys), np.int32)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first


def _codes(column: pa.ChunkedArray) -> tuple[tuple[str, ...], IntArray]:
    """A dictionary column as its texts, and for each row the number of its text."""
    whole = column.unify_dictionaries()
    if not whole.num_chunks:
        return (), np.empty(0, np.int32)
    numbers = np.concatenate([chunk.indices.to_numpy() for chunk in whole.chunks])
    return tuple(whole.chunk(0).dictionary.to_pylist()), numbers.astype(np.int32)


def _frozen(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Read-only: the index is shared by all sessions."""
    view = values.view()
    view.flags.writeable = False
    return view
