"""What a visitor takes away: copies of photos, and the boxes in four label formats."""

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from facedet.draw import Redaction, draw_boxes, redact
from facedet.files import unique_paths
from facedet.images import Photo, encode
from facedet.labels import to_coco, to_csv, to_voc, to_yolo
from facedet.types import Detections

LabelFormat = Literal["csv", "coco", "yolo", "voc"]
LABEL_FORMATS: tuple[LabelFormat, ...] = ("csv", "coco", "yolo", "voc")
PictureFormat = Literal["JPEG", "PNG"]
PICTURE_SUFFIX: dict[PictureFormat, str] = {"JPEG": ".jpg", "PNG": ".png"}


@dataclass(frozen=True, slots=True)
class File:
    """A file to hand over: its path within a download, and its bytes."""

    path: str
    data: bytes


def copy_format(photo: Photo) -> PictureFormat:
    """Photos leave as JPEG; what came without loss as PNG, BMP or GIF leaves without loss."""
    return "PNG" if photo.format in ("PNG", "BMP", "DIB", "GIF") else "JPEG"


def copy_suffix(photo: Photo) -> str:
    """The suffix that a copy of this photo has."""
    return PICTURE_SUFFIX[copy_format(photo)]


def picture_copy(
    photo: Photo,
    found: Detections,
    how: Redaction | None = None,
    format: PictureFormat | None = None,
) -> bytes:
    """The photo at full size with its boxes drawn, or redacted where `how` is given.

    Args:
        format: default `copy_format`.
    """
    pixels = redact(photo.pixels, found, how) if how else draw_boxes(photo.pixels, found)
    return encode(pixels, format or copy_format(photo))


def label_files(
    photos: Sequence[tuple[str, Detections]], format: LabelFormat, model: str = ""
) -> list[File]:
    """The boxes of some photos in one format: one file, or one a photo for YOLO and VOC.

    Args:
        photos: each photo's path as the labels shall name it (``/`` between folders), its faces.
        format: ``csv`` (the lab's label table), ``coco``, ``yolo`` or ``voc``.
        model: the detector's name, kept where the format has a place for it.
    """
    if format == "csv":
        return [File("labels.csv", to_csv(photos, model).encode())]
    if format == "coco":
        return [File("coco.json", json.dumps(to_coco(photos), ensure_ascii=False).encode())]
    suffix = ".txt" if format == "yolo" else ".xml"
    paths = unique_paths(Path(p).with_suffix(suffix) for p, _found in photos)
    texts = [to_yolo(f) if format == "yolo" else to_voc(p, f) for p, f in photos]
    named = zip(paths, texts, strict=True)
    files = [File(f"{format}/{path.as_posix()}", text.encode()) for path, text in named]
    if format == "yolo":
        files.append(File("yolo/classes.txt", b"face\n"))
    return files


def write_zip(path: Path, files: Iterable[File]) -> None:
    """Write the files into one ZIP, one at a time; the ZIP appears under its name when it is whole.

    Pictures are stored as they are: they are compressed already.
    """
    temporary = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            packed = PurePosixPath(file.path).suffix in PICTURE_SUFFIX.values()
            method = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(file.path, file.data, compress_type=method)
    temporary.replace(path)
