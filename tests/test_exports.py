import zipfile
from pathlib import Path

import numpy as np
import pytest

from facedet.draw import Redaction
from facedet.exports import File, label_files, picture_copy, write_zip
from facedet.images import Photo, decode
from facedet.labels import from_voc, from_yolo, parse_table
from facedet.types import Detections


@pytest.fixture
def photo() -> Photo:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    return Photo(pixels, "PNG")


def test_what_came_without_loss_leaves_without_loss(photo: Photo) -> None:
    nothing = Detections.empty(photo.image_wh)
    copy = decode(picture_copy(photo, nothing))
    assert copy.format == "PNG"
    np.testing.assert_array_equal(copy.pixels, photo.pixels)
    assert decode(picture_copy(Photo(photo.pixels, "HEIF"), nothing)).format == "JPEG"


def test_copies_have_the_full_size_drawn_or_redacted(photo: Photo, two_faces: Detections) -> None:
    drawn = decode(picture_copy(photo, two_faces)).pixels
    hidden = decode(picture_copy(photo, two_faces, Redaction(style="fill"))).pixels
    assert drawn.shape == hidden.shape == photo.pixels.shape
    assert (hidden[30:70, 20:50] == 0).all()


def test_one_file_for_tables_and_one_a_photo_for_yolo_and_voc(two_faces: Detections) -> None:
    photos = [("photos/a.jpg", two_faces), ("photos/a.png", Detections.empty((5, 4)))]
    csv = label_files(photos, "csv", "yunet")[0]
    assert parse_table(csv.data.decode()).rows[0]["source"] == "yunet"
    assert [f.path for f in label_files(photos, "coco")] == ["coco.json"]
    yolo = label_files(photos, "yolo")
    assert [f.path for f in yolo] == [
        "yolo/photos/a.txt",
        "yolo/photos/a-2.txt",
        "yolo/classes.txt",
    ]
    assert len(from_yolo(yolo[0].data.decode(), (200, 120))) == 2
    voc = label_files(photos, "voc")
    assert from_voc(voc[0].data.decode())[0] == "photos/a.jpg"


def test_a_zip_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"

    def files() -> object:
        yield File("a.jpg", b"1")
        assert not path.exists()
        yield File("b.txt", b"2" * 100)

    write_zip(path, files())  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.jpg", "b.txt"]
    assert list(tmp_path.iterdir()) == [path]
