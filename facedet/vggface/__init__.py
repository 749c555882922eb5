"""VGG Face: the archive's label files, an index that answers questions, and samples of it."""

from facedet.vggface.archive import Finding, LabelFile, label_files
from facedet.vggface.columns import Block, read_blocks
from facedet.vggface.labels_csv import write_labels
from facedet.vggface.lines import FIELDS, Line, format_line, parse_line
from facedet.vggface.query import Bars, Filters, Histogram, Statistics, matching, statistics
from facedet.vggface.sampling import (
    COURSE_PHOTOS,
    Forecast,
    Sample,
    as_options,
    choose,
    course_lines,
    forecast,
    size_of,
)
from facedet.vggface.store import Account, Index, build

__all__ = [
    "COURSE_PHOTOS",
    "FIELDS",
    "Account",
    "Bars",
    "Block",
    "Filters",
    "Finding",
    "Forecast",
    "Histogram",
    "Index",
    "LabelFile",
    "Line",
    "Sample",
    "Statistics",
    "as_options",
    "build",
    "choose",
    "course_lines",
    "forecast",
    "format_line",
    "label_files",
    "matching",
    "parse_line",
    "read_blocks",
    "size_of",
    "statistics",
    "write_labels",
]
