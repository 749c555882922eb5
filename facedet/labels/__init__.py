"""The lab's label table, and its converters to and from COCO, YOLO and Pascal VOC.

Converters stand at the border: inside, boxes are always float32 xyxy pixels of the upright photo.
"""

from facedet.labels.convert import (
    from_coco,
    from_voc,
    from_yolo,
    to_coco,
    to_voc,
    to_yolo,
)
from facedet.labels.table import LabelTable, Problem, parse_table, read_table, to_csv

__all__ = [
    "LabelTable",
    "Problem",
    "from_coco",
    "from_voc",
    "from_yolo",
    "parse_table",
    "read_table",
    "to_coco",
    "to_csv",
    "to_voc",
    "to_yolo",
]
