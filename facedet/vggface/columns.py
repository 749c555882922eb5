"""Label files to columns, at the speed of Arrow's parser; `lines` is its readable twin.

The fast way takes whole blocks of files and accepts only what is right beyond doubt. A file with
anything strange in it is read again line by line, by the letter, and each lost line is named.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from facedet.i18n import gettext as _
from facedet.i18n import ngettext
from facedet.parallel import in_order
from facedet.vggface.archive import Finding, LabelFile
from facedet.vggface.lines import FIELDS, MAX_ID, MAX_PIXEL, URL, Line, parse_line

BLOCK_BYTES = 8_000_000  # large enough to be fast, small enough to keep two cores and memory happy
BOX = ("x1", "y1", "x2", "y2")
NUMBERS = (*BOX, "pose", "detection_score")
SCHEMA = pa.schema(
    [
        ("photo_id", pa.int32()),
        ("url", pa.string()),
        *((name, pa.float32()) for name in NUMBERS),
        ("curated", pa.bool_()),
    ]
)
# FIELDS are the file's names; ours are those of the label table.
_READ_AS = dict(zip((*SCHEMA.names[:-1], "curation"), FIELDS, strict=True))
_TYPES = {
    **{_READ_AS[name]: SCHEMA.field(name).type for name in SCHEMA.names if name != "curated"},
    "id": pa.uint32(),  # no sign: "-0" is no id
    "curation": pa.string(),  # by the letter: "01" is no flag
}
_FLAGS = pa.array(["0", "1"])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The lines of some label files.

    Args:
        identities: whose files, in order.
        counts: good lines of each.
        table: all good lines, file after file, in the columns of `SCHEMA`.
        findings: lost lines, refused files, and notes.
    """

    identities: tuple[str, ...]
    counts: tuple[int, ...]
    table: pa.Table
    findings: tuple[Finding, ...]


def read_blocks(
    files: Iterable[LabelFile | Finding], workers: int = 2, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Parse label files in blocks, some at once, in the order in which they came.

    Args:
        files: from `archive.label_files`; its findings are passed on.
        workers: threads; Arrow lets go of the interpreter while it parses.
    """
    yield from in_order(parse_block, _batched(files, block_bytes), workers)


def _batched(
    items: Iterable[LabelFile | Finding], block_bytes: int
) -> Iterator[list[LabelFile | Finding]]:
    batch: list[LabelFile | Finding] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.data) if isinstance(item, LabelFile) else 1
        if size >= block_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def parse_block(items: Sequence[LabelFile | Finding]) -> Block:
    """Parse the files together where all is well, one by one where it is not."""
    files = [item for item in items if isinstance(item, LabelFile)]
    findings = [item for item in items if isinstance(item, Finding)]
    findings += [note for file in files for note in _notes(file)]
    together = _parse_fast(files)
    if together is not None:
        table, counts = together
    else:
        parts = [_parse_file(file) for file in files]
        table = pa.concat_tables([SCHEMA.empty_table(), *(part for part, _found in parts)])
        counts = [part.num_rows for part, _found in parts]
        findings += [finding for _part, found in parts for finding in found]
    return Block(tuple(file.identity for file in files), tuple(counts), table, tuple(findings))


def _text(file: LabelFile) -> bytes:
    """What stands in the file. Windows' editors put a mark of UTF-8 before it, which is no text."""
    return file.data.removeprefix(codecs.BOM_UTF8)


def _notes(file: LabelFile) -> Iterator[Finding]:
    text = _text(file)
    if file.data.startswith(codecs.BOM_UTF8):
        reason = _("a mark of UTF-8 (BOM) before the first line; read all the same")
        yield Finding(file.name, 0, "note", reason)
    if not text:
        yield Finding(file.name, 0, "note", _("the file is empty"))
    elif not text.endswith(b"\n"):
        last = text.count(b"\n") + 1
        yield Finding(file.name, last, "note", _("no line end after the last line"))


def _parse_file(file: LabelFile) -> tuple[pa.Table, list[Finding]]:
    fast = _parse_fast([file])
    return (fast[0], []) if fast is not None else parse_careful(file)


def _parse_fast(files: Sequence[LabelFile]) -> tuple[pa.Table, list[int]] | None:
    """The table and each file's number of lines, or None where a single byte is in doubt."""
    texts = [_text(file) for file in files]
    data = b"".join(text if text.endswith(b"\n") else text + b"\n" for text in texts if text)
    counts = [text.count(b"\n") + (text[-1:] not in (b"\n", b"")) for text in texts]
    # Arrow takes the one for a line end, trims the others from numbers, and skips a second BOM.
    if data.startswith(codecs.BOM_UTF8) or any(
        byte in data for byte in (b"\r", b"\t", b"\v", b"\f")
    ):
        return None
    try:
        raw = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(
                column_names=FIELDS, use_threads=False, block_size=len(data) + 1
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=_TYPES, null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if raw.num_rows != sum(counts) or not _all_good(raw, counts):
        return None
    columns = [raw.column(name) for name in FIELDS]
    columns[0] = columns[0].cast(pa.int32())
    columns[-1] = pc.equal(columns[-1], "1")
    return pa.table(columns, schema=SCHEMA), counts


def _all_good(raw: pa.Table, counts: Sequence[int]) -> bool:
    column = {name: raw.column(name).to_numpy() for name in (FIELDS[0], *FIELDS[2:8])}
    numbers = all(bool((np.abs(column[name]) <= MAX_PIXEL).all()) for name in FIELDS[2:8])
    return (
        numbers  # NaN and infinity fail that comparison too
        and bool((column["left"] < column["right"]).all())
        and bool((column["top"] < column["bottom"]).all())
        and _all(pc.is_in(raw.column("curation"), _FLAGS))
        and _ids_rise(column["id"], counts)
        and _all(pc.match_substring_regex(raw.column("url"), URL))
    )


def _all(flags: pa.ChunkedArray) -> bool:
    return bool(pc.all(flags, min_count=0).as_py())


def _ids_rise(ids: npt.NDArray[np.uint32], counts: Sequence[int]) -> bool:
    """Whether no id can occur twice in a file: within each, every id is above the one before."""
    if not len(ids):
        return True
    rises = ids[1:] > ids[:-1]
    borders = np.cumsum(counts)[:-1]
    rises[borders[(borders > 0) & (borders < len(ids))] - 1] = True
    return bool(rises.all() and ids.max() <= MAX_ID)


def parse_careful(file: LabelFile) -> tuple[pa.Table, list[Finding]]:
    """Read one file line by line: the good lines, and each lost one by number and reason."""
    good: list[Line] = []
    findings: list[Finding] = []
    line_of_id: dict[int, int] = {}
    windows = 0
    lines = _text(file).split(b"\n")
    for number, raw in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        windows += raw.endswith(b"\r")
        try:
            line = parse_line(raw.removesuffix(b"\r"))
            _check_new(line, line_of_id)
        except ValueError as error:
            findings.append(Finding(file.name, number, "lost", str(error)))
        else:
            line_of_id[line.photo_id] = number
            good.append(line)
    if windows:
        note = ngettext(
            "a Windows line end in {n:,} line; read all the same",
            "Windows line ends in {n:,} lines; read all the same",
            windows,
        )
        findings.append(Finding(file.name, 0, "note", note.format(n=windows)))
    return _as_table(good), findings


def _check_new(line: Line, line_of_id: dict[int, int]) -> None:
    if line.photo_id in line_of_id:
        # Both photos would be saved under one name.
        raise ValueError(
            _("the id {id:08d} stands in line {n} already").format(
                id=line.photo_id, n=line_of_id[line.photo_id]
            )
        )


def _as_table(lines: Sequence[Line]) -> pa.Table:
    boxes = [[line.box_xyxy[k] for line in lines] for k in range(4)]
    columns = [
        [line.photo_id for line in lines],
        [line.url for line in lines],
        *boxes,
        [line.pose for line in lines],
        [line.detection_score for line in lines],
        [line.curated for line in lines],
    ]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )
