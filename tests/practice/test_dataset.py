"""A small practice dataset on disk, looked at as the real one would be, and fetched over HTTP."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import requests
from filelock import FileLock

from facedet.boxes import as_boxes, match_one_to_one
from facedet.detectors import load_catalogue
from facedet.errors import ImageError, LabelError, PracticeError, UsageError
from facedet.images import decode
from facedet.labels.table import no_formula
from facedet.practice.dataset import Options, begun_options, is_complete, make, read_options
from facedet.practice.faults import all_faults
from facedet.practice.options import LOCK, VERSION
from facedet.practice.server import LittleInternet
from facedet.vggface import Index
from facedet.vggface.making import make_index

OPTIONS = Options(photos=120, faults=0.7, seed=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "set"
    make(folder, OPTIONS, workers=1)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truth(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO((folder / "truth.csv").read_text())))


def test_same_options_same_bytes_however_many_processes(made: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", OPTIONS, workers=2)
    assert files_of(tmp_path / "again") == files_of(made)


def test_the_index_has_exactly_the_truth_s_rows(made: Path, tmp_path: Path) -> None:
    account = make_index(made / "vgg_face_dataset", tmp_path / "i.parquet").account
    assert (account.lost, account.refused, account.notes) == (0, 0, 0)
    index = Index.open(tmp_path / "i.parquet")
    expected = [(row["identity"], int(row["photo_id"]), row["url"]) for row in truth(made)]
    names = [index.identities[i] for i in index.identity]
    found = list(
        zip(names, index.photo_id.tolist(), index.urls(np.arange(len(index))), strict=True)
    )
    assert found == expected


def test_names_of_all_kinds_come_through_the_index(tmp_path: Path, both_jpeg: bytes) -> None:
    (tmp_path / "two.jpg").write_bytes(both_jpeg)
    long = "Abigail " * 15
    names = ("José Núñez", "李小龙", "=cmd()", long, "jose nunez", "NUL.x", "Ada-Bo", "Ada", "A.")
    rows = [f"two.jpg,773,160,942,376,{name}" for name in names]
    header = "image_path,x1,y1,x2,y2,identity"
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    source = str(tmp_path / "labels.csv")
    make(tmp_path / "set", Options(photos=45, faults=0, source=source), workers=1)
    account = make_index(tmp_path / "set/vgg_face_dataset", tmp_path / "i.parquet").account
    assert (account.lost, account.refused, account.parsed) == (0, 0, 45)
    found = Index.open(tmp_path / "i.parquet")
    expected = [row["identity"] for row in truth(tmp_path / "set")]
    assert [found.identities[i] for i in found.identity] == expected
    assert len(set(expected)) == len(names)
    cells = [cell for row in truth(tmp_path / "set") for cell in row.values()]
    assert [no_formula(cell) for cell in cells] == cells


def test_no_address_has_two_answers(made: Path) -> None:
    lines = (made / "site/answers.jsonl").read_text().splitlines()
    places = [(json.loads(line)["host"], json.loads(line)["path"]) for line in lines]
    assert len(set(places)) == len(places)


def test_every_fault_is_there_and_told(made: Path) -> None:
    assert {row["fault"] for row in truth(made)} == {fault.name for fault in all_faults()}


def test_what_only_a_picture_has_is_told_where_there_is_one(made: Path) -> None:
    gives = {fault.name: fault.picture for fault in all_faults()}
    for row in truth(made):
        assert bool(row["faces"]) == bool(row["label_fits"]) == gives[row["fault"]]
        assert row["true_boxes"].count(";") == max(0, int(row["faces"] or 0) - 1)


def test_the_true_boxes_are_where_a_detector_finds_faces(made: Path) -> None:
    entry = load_catalogue().get("yunet")
    detector = entry.load(entry.default_score)
    n_true = n_found = 0
    for row, data in served(made):
        if not row["faces"]:
            continue
        photo = decode(data)
        assert photo.image_wh == (int(row["image_width"]), int(row["image_height"]))
        texts = row["true_boxes"].split(";") if row["true_boxes"] else []
        boxes = as_boxes([[float(value) for value in text.split()] for text in texts])
        n_true += len(boxes)
        n_found += len(match_one_to_one(boxes, detector.detect(photo.pixels).boxes_xyxy))
    assert n_true > 50
    assert n_found >= 0.95 * n_true


def served(folder: Path) -> list[tuple[dict[str, str], bytes]]:
    """The file behind each line that has one, as a patient client gets it."""
    lines = (folder / "site/answers.jsonl").read_text().splitlines()
    answers = [json.loads(line) for line in lines]
    by_place = {(answer["host"], answer["path"]): answer for answer in answers}
    found = []
    for row in truth(folder):
        answer = by_place.get(place(row["url"]))
        if answer and answer["answer"] == "redirect":
            answer = by_place.get(place(answer["location"]))
        if answer and "file" in answer:
            found.append((row, (folder / "site" / answer["file"]).read_bytes()))
    return found


def place(url: str) -> tuple[str, str]:
    host, _slash, path = url.split("//")[1].partition("/")
    return host.split(":")[0], f"/{path}"


def test_pictures_are_as_good_or_bad_as_the_truth_says(made: Path) -> None:
    bad = {"truncated_jpeg", "bomb", "zero_bytes"}
    seen = set()
    for row, data in served(made):
        if row["fault"] in bad:
            seen.add(row["fault"])
            with pytest.raises(ImageError):
                decode(data)
        elif row["fault"] != "placeholder":
            decode(data)
    assert seen == bad


def test_the_server_answers_each_line_as_the_truth_says(made: Path) -> None:
    statuses = {"http_404": 404, "http_403": 403, "http_410": 410, "http_500": 500}
    statuses |= {"html": 200, "placeholder": 200, "zero_bytes": 200, "ok": 200, "no_face": 200}
    statuses |= {"rate_limited": 429, "flaky": 500, "redirect_private": 302}
    with LittleInternet(made / "site", port=0) as internet, requests.Session() as client:
        client.trust_env = False
        proxies = {"http": f"http://127.0.0.1:{internet.ports.http}"}
        for row in truth(made):
            if row["fault"] not in statuses:
                continue
            answer = client.get(row["url"], proxies=proxies, allow_redirects=False, timeout=10)
            if row["fault"] == "redirect_private":
                assert 300 < answer.status_code < 309
            else:
                assert answer.status_code == statuses[row["fault"]], row
            if row["fault"] == "html":
                assert answer.headers["Content-Type"].startswith("text/html")


class Killed(BaseException):
    pass


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """The dataset, cut short after 20 pictures."""

    def kill(done: int, _total: int) -> None:
        if done >= 20:
            raise Killed

    with pytest.raises(Killed):
        make(tmp_path / "cut", OPTIONS, kill, workers=1)
    return tmp_path / "cut"


def painted_at_first(folder: Path, options: Options = OPTIONS) -> int:
    """How many pictures were there already when the dataset was finished."""
    painted: list[int] = []
    make(folder, options, lambda done, _total: painted.append(done), workers=1)
    return painted[0]


def test_a_dataset_that_was_cut_short_is_finished(made: Path, cut: Path) -> None:
    assert not is_complete(cut)
    assert painted_at_first(cut) == 20
    assert files_of(cut) == files_of(made)


def test_junk_over_a_painted_picture_is_painted_over(made: Path, cut: Path) -> None:
    picture = next(cut.rglob("0000*.jpg"))
    picture.write_bytes(bytes(picture.stat().st_size))
    assert painted_at_first(cut) == 19
    assert files_of(cut) == files_of(made)


def test_a_picture_that_is_not_on_record_is_painted_again(made: Path, cut: Path) -> None:
    record = cut / "painted.txt"
    record.write_bytes(record.read_bytes()[:-30] + b"\0\xff")
    assert painted_at_first(cut) < 20
    assert files_of(cut) == files_of(made)


def test_what_a_killed_run_wrote_by_half_goes(made: Path, cut: Path) -> None:
    for name in ("site/.0123456789abcdef.part", ".00112233445566aa.part"):
        (cut / name).write_bytes(b"half")
    make(cut, OPTIONS, workers=1)
    assert files_of(cut) == files_of(made)


def test_a_begun_dataset_keeps_the_port_of_its_links(made: Path, cut: Path) -> None:
    make(cut, replace(OPTIONS, port=9000), workers=1)
    assert files_of(cut) == files_of(made)


def test_a_begun_dataset_tells_its_options(cut: Path, tmp_path: Path) -> None:
    assert begun_options(cut) == OPTIONS
    assert begun_options(tmp_path / "nothing") is None


def test_what_another_version_began_is_left_alone(cut: Path) -> None:
    note = (cut / "practice.json").read_text()
    (cut / "practice.json").write_text(note.replace(f'"version": {VERSION}', '"version": 1'))
    before = files_of(cut)
    with pytest.raises(PracticeError, match="another version of the lab; delete it"):
        make(cut, OPTIONS)
    assert files_of(cut) == before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 2}', '{"options": {"photos": 0}}'])
def test_a_damaged_note_is_said_with_what_to_do(cut: Path, text: str) -> None:
    (cut / "practice.json").write_text(text)
    for tried in (lambda: make(cut, OPTIONS), lambda: read_options(cut)):
        with pytest.raises(PracticeError, match=r"practice.json is damaged.*delete the folder"):
            tried()


def test_two_do_not_make_one_dataset_at_once(cut: Path) -> None:
    with (
        FileLock(cut / LOCK),
        pytest.raises(PracticeError, match=r"another process is making .*wait"),
    ):
        make(cut, OPTIONS)


def test_a_whole_dataset_is_not_made_again(made: Path) -> None:
    def ages() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in made.rglob("*")}

    before = ages()
    make(made, OPTIONS, lambda _done, _total: pytest.fail("it painted"))
    assert ages() == before


def test_a_source_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image_path,x1,y1,x2,y2\n")
    with pytest.raises(LabelError):
        make(tmp_path / "set", replace(OPTIONS, source=str(tmp_path / "labels.csv")))
    assert not (tmp_path / "set").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(PracticeError, match="not empty"):
        make(tmp_path, OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_dataset_of_other_options_is_left_alone(made: Path) -> None:
    before = files_of(made)
    with pytest.raises(PracticeError, match="other options"):
        make(made, Options(photos=5))
    assert files_of(made) == before
    assert read_options(made) == OPTIONS


@pytest.mark.parametrize(
    "options", [{"photos": 0}, {"photos": 10**6}, {"faults": 1.5}, {"port": 80}, {"seed": -1}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="give"):
        Options(**options)  # type: ignore[arg-type]


def test_a_single_line_makes_a_dataset(tmp_path: Path) -> None:
    make(tmp_path / "one", Options(photos=1, faults=0))
    [row] = truth(tmp_path / "one")
    assert row["fault"] == "ok"
    assert is_complete(tmp_path / "one")
