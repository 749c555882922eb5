"""A studio of one's own labelled pictures: who is in it, and that the boxes go along."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedet.boxes import match_one_to_one
from facedet.detectors import load_catalogue
from facedet.errors import LabelError, PracticeError
from facedet.images import encode
from facedet.practice.labelled import LabelledStudio, vgg_names
from facedet.practice.studio import CastStudio

HEADER = "image_path,x1,y1,x2,y2,identity,ignore"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a label table; pictures named in `pictures` become blank ones of 400 x 300."""

    def inner(*rows: str, pictures: tuple[str, ...] = (), header: str = HEADER) -> Path:
        for name in pictures:
            grey = np.full((300, 400, 3), 120, np.uint8)
            (tmp_path / name).write_bytes(encode(grey, "PNG"))
        table = tmp_path / "labels.csv"
        table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return table

    return inner


def test_identities_become_people_with_underscores(write: Write) -> None:
    rows = ("a.png,10,10,90,110,Ada Example,", "b.png,10,10,90,110,Bo,", "c.png,9,9,90,99,Bo,")
    studio = LabelledStudio(write(*rows, pictures=("a.png", "b.png", "c.png")))
    assert studio.people == ("Ada_Example", "Bo")


def test_pictures_without_names_are_numbered_people(write: Write) -> None:
    table = write(
        "a.png,10,10,90,110",
        "b.png,10,10,90,110",
        pictures=("a.png", "b.png"),
        header="image_path,x1,y1,x2,y2",
    )
    assert LabelledStudio(table).people == ("Person_1", "Person_2")


@pytest.mark.parametrize(
    ("names", "become"),
    [
        ((), []),
        (("José Núñez", "Ｆull Width"), ["Jose_Nunez", "Full_Width"]),
        (("李小龙", "", "...", "Person 1"), ["Person_2", "Person_3", "Person_4", "Person_1"]),
        (("=cmd()", "-x", "../../etc/passwd"), ["cmd", "x", "etc_passwd"]),
        (("Jose", "JOSE", "jose_2", "José"), ["Jose", "JOSE_3", "jose_2", "Jose_4"]),
        (("con", "LPT1.b", "Conny"), ["Person_con", "Person_LPT1.b", "Conny"]),
        (("O'Neill-Bär, St.",), ["O'Neill-Bar_St"]),
        (("x" * 120, "x" * 121), ["x" * 80, "x" * 80 + "_2"]),
    ],
)
def test_names_become_such_as_vgg_face_has(names: tuple[str, ...], become: list[str]) -> None:
    assert vgg_names(names) == become


def test_a_picture_with_an_ignored_row_is_left_out_as_a_whole(write: Write) -> None:
    rows = ("a.png,10,10,90,110,Ada,", "a.png,200,10,290,110,,1", "b.png,10,10,90,110,Bo,0")
    assert LabelledStudio(write(*rows, pictures=("a.png", "b.png"))).people == ("Bo",)


def test_who_has_no_readable_picture_is_left_out(write: Write, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    rows = ("gone.png,1,1,90,90,Ada,", "torn.png,1,1,90,90,Cy,", "b.png,10,10,90,110,Bo,")
    assert LabelledStudio(write(*rows, pictures=("b.png",))).people == ("Bo",)


def test_a_path_out_of_the_folder_is_left_out(write: Write, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.png"
    outside.write_bytes(encode(np.full((300, 400, 3), 9, np.uint8), "PNG"))
    rows = (f"../{outside.name},1,1,90,90,Ada,", f"{outside},1,1,90,90,Cy,", "b.png,9,9,90,99,Bo,")
    assert LabelledStudio(write(*rows, pictures=("b.png",))).people == ("Bo",)


@pytest.mark.parametrize("rows", [(), ("a.png,,,,,,",), ("gone.png,1,1,90,90,Ada,",)])
def test_nothing_to_use_is_said(write: Write, rows: tuple[str, ...]) -> None:
    with pytest.raises(LabelError, match=r"labels.csv: none of its pictures has a face"):
        LabelledStudio(write(*rows, pictures=("a.png",)))


def test_a_stranger_is_refused_by_name(write: Write) -> None:
    studio = LabelledStudio(write("a.png,10,10,90,110,Ada,", pictures=("a.png",)))
    with pytest.raises(PracticeError, match="Bo is not the one person of this studio"):
        studio.plan("Bo", np.random.default_rng(0))


def test_two_people_of_one_picture_are_each_its_subject(write: Write) -> None:
    rows = ("a.png,20,50,100,150,Ada,", "a.png,250,50,330,150,Bo,")
    studio = LabelledStudio(write(*rows, pictures=("a.png",)))
    rng = np.random.default_rng(1)
    assert studio.people == ("Ada", "Bo")
    assert len(studio.plan("Ada", rng, faces=2).boxes_xyxy) == 2
    assert len(studio.plan("Bo", rng, faces=1).boxes_xyxy) == 1


def test_no_face_comes_from_a_picture_without_or_from_the_built_in_ones(write: Write) -> None:
    row = "a.png,10,10,90,110,Ada,"
    rng = np.random.default_rng(0)
    for rows in ((row,), (row, "b.png,,,,,,")):
        studio = LabelledStudio(write(*rows, pictures=("a.png", "b.png")))
        shot = studio.plan("Ada", rng, faces=0)
        assert shot.boxes_xyxy.shape == (0, 4)
        assert shot.subject is None
        assert studio.render(shot).shape[1::-1] == shot.image_wh


def test_small_faces_are_enlarged_and_tiny_ones_left_out(write: Write) -> None:
    rows = ("a.png,10,10,30,32,Ada,", "b.png,10,10,20,22,Bo,")
    studio = LabelledStudio(write(*rows, pictures=("a.png", "b.png")))
    assert studio.people == ("Ada",)
    rng = np.random.default_rng(0)
    for _n in range(30):
        shot = studio.plan("Ada", rng)
        assert (shot.boxes_xyxy[0, 2:] - shot.boxes_xyxy[0, :2]).min() >= 28


def test_boxes_go_along_with_the_faces(write: Write, tmp_path: Path) -> None:
    cast = CastStudio(2, seed=0)
    made = [cast.plan(name, np.random.default_rng(n)) for n, name in enumerate(cast.people)]
    rows = []
    for name, shot in zip(cast.people, made, strict=True):
        (tmp_path / f"{name}.png").write_bytes(encode(cast.render(shot), "PNG"))
        rows.append(f"{name}.png,{','.join(str(v) for v in shot.boxes_xyxy[0])},{name},")
    studio = LabelledStudio(write(*rows))
    entry = load_catalogue().get("yunet")
    rng, hits = np.random.default_rng(4), 0
    for n in range(20):
        shot = studio.plan(cast.people[n % 2], rng)
        found = entry.load().detect(studio.render(shot)).at_least(entry.default_score)
        hits += len(match_one_to_one(shot.boxes_xyxy, found.boxes_xyxy))
    assert hits >= 19


def test_the_same_numbers_make_the_same_pixels(write: Write) -> None:
    studio = LabelledStudio(write("a.png,10,10,90,110,Ada,", pictures=("a.png",)))
    shots = [studio.plan("Ada", np.random.default_rng(2)) for _n in range(2)]
    np.testing.assert_array_equal(shots[0].boxes_xyxy, shots[1].boxes_xyxy)
    np.testing.assert_array_equal(studio.render(shots[0]), studio.render(shots[1]))
