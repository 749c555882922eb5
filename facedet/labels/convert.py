"""COCO, YOLO and Pascal VOC forms of the same boxes, both ways.

==========  =====================================  ==============================================
format      a box is                               rounding here
==========  =====================================  ==============================================
COCO        left, top, width, height in pixels     none beyond float32
YOLO        centre x, y, width, height, 0-1        6 decimals: half a millionth of the side
Pascal VOC  xmin, ymin, xmax, ymax, whole pixels,  half a pixel; 1-based and inclusive, so that
            counted from 1, xmax inside the box    xmin = x1 + 1 and xmax = x2
==========  =====================================  ==============================================

COCO: Lin et al. 2014, cocodataset.org/#format-data. YOLO: the Darknet text form. VOC: Everingham
et al., *The Pascal VOC Challenge*, 2010, development kit.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from facedet import boxes
from facedet.boxes import as_boxes
from facedet.errors import LabelError
from facedet.i18n import gettext as _
from facedet.types import Detections, FloatArray

FACE = "face"


def to_coco(photos: Iterable[tuple[str, Detections]]) -> dict[str, Any]:
    """A COCO dataset of one category; each annotation carries its ``score`` as well."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (path, found) in enumerate(photos, start=1):
        w, h = found.image_wh
        images.append({"id": image_id, "file_name": path, "width": w, "height": h})
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
            left, top, right, bottom = (float(v) for v in box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    categories = [{"id": 1, "name": FACE, "supercategory": "person"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def from_coco(dataset: Mapping[str, Any]) -> list[tuple[str, Detections]]:
    """Each image of a COCO dataset with its boxes; a missing score reads as 1.

    Raises:
        LabelError: where a needed key is missing or a value is no box.
    """
    try:
        rows: dict[int, list[Mapping[str, Any]]] = {i["id"]: [] for i in dataset["images"]}
        for annotation in dataset["annotations"]:
            rows[annotation["image_id"]].append(annotation)
        return [(i["file_name"], _from_coco_image(i, rows[i["id"]])) for i in dataset["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise LabelError(
            _("this is not a complete COCO dataset ({reason})").format(reason=repr(error))
        ) from error


def _from_coco_image(
    image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]
) -> Detections:
    boxes_xyxy = boxes.xywh_to_xyxy(as_boxes([a["bbox"] for a in annotations]))
    scores = np.array([a.get("score", 1.0) for a in annotations], np.float32)
    return Detections(boxes_xyxy, scores, (image["width"], image["height"]))


def to_yolo(found: Detections) -> str:
    """One line a face: ``0 cx cy w h``, parts of the photo's sides. Boxes are clipped to it.

    The form has no score: a sixth number would be read as a polygon by common tools.
    """
    w, h = found.image_wh
    lines = []
    for x1, y1, x2, y2 in boxes.clip(found.boxes_xyxy, found.image_wh).astype(np.float64):
        values = (x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h
        lines.append("0 " + " ".join(f"{v:.6f}" for v in values) + "\n")
    return "".join(lines)


def from_yolo(text: str, image_wh: tuple[int, int], name: str = "labels.txt") -> Detections:
    """The boxes of a YOLO label file; scores are 1.

    Raises:
        LabelError: with the line, where one is not five numbers.
    """
    w, h = image_wh
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            _class, cx, cy, bw, bh = (float(v) for v in line.split())
        except ValueError as error:
            raise LabelError(
                _("{name} line {line}: expected five numbers, found {text!r}").format(
                    name=name, line=number, text=line[:60]
                )
            ) from error
        rows.append(((cx - bw / 2) * w, (cy - bh / 2) * h, (cx + bw / 2) * w, (cy + bh / 2) * h))
    return _certain(as_boxes(rows), image_wh)


def to_voc(path: str, found: Detections) -> str:
    """One photo's Pascal VOC annotation. Boxes are clipped to the photo and rounded."""
    w, h = found.image_wh
    root = Element("annotation")
    SubElement(root, "filename").text = "".join(c for c in path if c.isprintable())
    size = SubElement(root, "size")
    for tag, value in (("width", w), ("height", h), ("depth", 3)):
        SubElement(size, tag).text = str(value)
    for box in np.rint(boxes.clip(found.boxes_xyxy, found.image_wh)).astype(int).tolist():
        root.append(_voc_object(box))
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _voc_object(box_xyxy: Sequence[int]) -> Element:
    x1, y1, x2, y2 = box_xyxy
    element = Element("object")
    fixed = (("name", FACE), ("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0"))
    for tag, text in fixed:
        SubElement(element, tag).text = text
    corners = SubElement(element, "bndbox")
    # Counted from 1 and inclusive: our exclusive x2 is the number of the last column inside.
    for tag, value in (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2)):
        SubElement(corners, tag).text = str(value)
    return element


def from_voc(xml: str) -> tuple[str, Detections]:
    """File name and boxes of a Pascal VOC annotation; scores are 1.

    Raises:
        LabelError: where it is no such annotation (entities and external references included).
    """
    try:
        root = fromstring(xml)
        image_wh = int(_text(root, "size/width")), int(_text(root, "size/height"))
        corners = [
            [float(_text(box, tag)) for tag in ("xmin", "ymin", "xmax", "ymax")]
            for box in root.findall("object/bndbox")
        ]
        boxes_xyxy = as_boxes(corners) - np.array([1, 1, 0, 0], np.float32)
        return _text(root, "filename"), _certain(boxes_xyxy, image_wh)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelError(
            _("this is not a Pascal VOC annotation ({reason})").format(reason=error)
        ) from error


def _text(element: Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(_("it has no {path}").format(path=path))
    return text


def _certain(boxes_xyxy: FloatArray, image_wh: tuple[int, int]) -> Detections:
    return Detections(boxes_xyxy, np.ones(len(boxes_xyxy), np.float32), image_wh)
