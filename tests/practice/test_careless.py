import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from facedet.cli import main
from facedet.errors import ImageError, PracticeError
from facedet.images import read
from facedet.labels import read_table
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make
from facedet.practice.faults import all_faults
from facedet.practice.truth import picture_paths, read_truth

NO_BYTES = {"http_404", "http_403", "http_410", "http_500", "hangs", "reset", "redirect_loop"}
NO_BYTES |= {"redirect_private", "unresolvable", "refused", "tls", "too_large"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "set"
    make(folder, Options(photos=120, faults=0.7, seed=6), workers=1)
    return folder


@pytest.fixture(scope="module")
def dataset(made: Path) -> Path:
    lay_out(made, made.parent / "dataset")
    return made.parent / "dataset"


def truth(dataset: Path) -> list[dict[str, str]]:
    with (dataset / "truth.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored(dataset: Path, fault: str) -> Iterator[bytes]:
    for row in truth(dataset):
        if row["fault"] == fault and row["image_path"]:
            yield (dataset / row["image_path"]).read_bytes()


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_there_is_a_file_for_each_link_that_answers_with_bytes(dataset: Path) -> None:
    rows = truth(dataset)
    assert {row["fault"] for row in rows} == {fault.name for fault in all_faults()}
    for row in rows:
        assert bool(row["image_path"]) == (row["fault"] not in NO_BYTES), row
    there = {name for name in files_of(dataset) if name.startswith("images/")}
    assert there == {row["image_path"] for row in rows if row["image_path"]}


def test_whole_pictures_are_those_that_a_patient_client_gets(made: Path, dataset: Path) -> None:
    paths = picture_paths(made)
    n = 0
    for row in truth(dataset):
        if row["faces"]:
            assert (dataset / row["image_path"]).read_bytes() == paths[row["url"]].read_bytes()
            n += 1
    assert n > 40


@pytest.mark.parametrize("fault", ["html", "zero_bytes", "bomb", "truncated_jpeg"])
def test_what_is_no_picture_is_stored_all_the_same(dataset: Path, fault: str) -> None:
    bodies = list(stored(dataset, fault))
    assert bodies
    for row in truth(dataset):
        if row["fault"] == fault:
            with pytest.raises(ImageError):
                read(dataset / row["image_path"])


def test_a_body_that_breaks_off_is_stored_as_far_as_it_came(made: Path, dataset: Path) -> None:
    sizes = {len(body) for body in stored(dataset, "truncated_body")}
    whole = {path.stat().st_size // 2 for path in (made / "site").rglob("*") if path.is_file()}
    assert sizes
    assert sizes <= whole


def test_a_name_is_the_links_even_where_it_lies(dataset: Path) -> None:
    lying = [row for row in truth(dataset) if row["fault"] == "wrong_extension"]
    assert {Path(row["image_path"]).suffix.lower() for row in lying} == {".jpg"}
    assert {read(dataset / row["image_path"]).format for row in lying} <= {"PNG", "WEBP"}


def test_where_the_link_says_no_suffix_the_server_does(dataset: Path) -> None:
    good = [row for row in truth(dataset) if row["faces"] and row["fault"] != "wrong_extension"]
    kinds = {".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WEBP"}
    assert any(not Path(row["url"]).suffix for row in good)
    for row in good:
        suffix = Path(row["image_path"]).suffix.lower()
        assert read(dataset / row["image_path"]).format == kinds[suffix], row["url"]


def test_copies_name_the_first_of_their_kind(dataset: Path) -> None:
    copies = [row for row in truth(dataset) if row["same_as"]]
    assert {row["fault"] for row in copies} == {"ok", "duplicate"}
    for row in copies:
        same = (dataset / row["same_as"]).read_bytes()
        assert (dataset / row["image_path"]).read_bytes() == same
    firsts = {row["same_as"] for row in copies}
    assert not firsts & {row["image_path"] for row in copies}
    whole = [row for row in truth(dataset) if row["image_path"] and row["faces"]]
    sums = Counter(
        hashlib.sha256((dataset / row["image_path"]).read_bytes()).digest() for row in whole
    )
    assert sum(n - 1 for n in sums.values()) == len(copies)


def test_the_labels_are_those_of_what_lies_there(made: Path, dataset: Path) -> None:
    table = read_table(dataset / "labels.csv")
    assert not table.problems
    assert [row["image_path"] for row in table.rows] == [
        row["image_path"] for row in truth(dataset) if row["image_path"]
    ]
    first = table.rows[0]
    text = (made / "vgg_face_dataset/files" / f"{first['identity']}.txt").read_text()
    [line] = [line for line in text.splitlines() if line.startswith(first["photo_id"])]
    photo_id, url, *numbers, curated = line.split(" ")
    assert (first["photo_id"], first["url"], first["curated"]) == (photo_id, url, curated)
    assert [float(first[name]) for name in ("x1", "y1", "x2", "y2")] == list(
        map(float, numbers[:4])
    )


def test_the_truth_still_reads_as_that_of_a_set(made: Path, dataset: Path) -> None:
    assert [row.url for row in read_truth(dataset)] == [row.url for row in read_truth(made)]


def test_same_set_same_bytes(made: Path, dataset: Path, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    assert lay_out(made, tmp_path / "again", lambda *now: ticks.append(now)) > 80
    assert files_of(tmp_path / "again") == files_of(dataset)
    assert ticks[-1] == (120, 120)


def test_a_folder_that_holds_something_is_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PracticeError, match="not empty"):
        lay_out(made, tmp_path)
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_a_folder_without_a_set_says_so_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(PracticeError, match=r"truth\.csv"):
        lay_out(tmp_path, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def test_the_command_lays_it_out_and_says_what_it_left_out(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = tmp_path / "d"
    assert main(["practice", str(made), "--careless", str(dataset)]) == 0
    said = capsys.readouterr().out
    assert "files as a careless downloader leaves them" in said
    assert "to hundreds of megabytes" in said
    assert main(["practice", str(made), "--careless", str(dataset)]) == 1
    assert "not empty" in capsys.readouterr().err


def test_the_command_tells_the_files_as_json(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["practice", str(made), "--careless", str(tmp_path / "d"), "--json", "-"]
    assert main(arguments) == 0
    n = json.loads(capsys.readouterr().out)["careless_files"]
    assert n == len(list((tmp_path / "d/images").glob("*/*")))
