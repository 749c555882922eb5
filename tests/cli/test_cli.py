import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facedet import images, jobs
from facedet.cli import detect as detect_command
from facedet.cli import main
from facedet.labels import parse_table
from tests.conftest import turned_png

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, both_jpeg: bytes) -> Path:
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    (root / "two.jpg").write_bytes(both_jpeg)
    (root / "sub" / "half.jpg").write_bytes(both_jpeg[: len(both_jpeg) // 2])
    Image.new("RGB", (64, 48), "grey").save(root / "sub" / "none.png")
    return root


def test_a_folder_as_json(folder: Path, capsys: Capture) -> None:
    assert main(["detect", str(folder), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert [Path(row["image"]).name for row in rows] == ["half.jpg", "none.png", "two.jpg"]
    assert set(rows[0]) >= {"image", "width", "height", "model", "seconds", "faces", "error"}
    assert "damaged" in rows[0]["error"]
    assert rows[0]["faces"] == []
    assert (rows[1]["faces"], rows[1]["error"]) == ([], None)
    assert len(rows[2]["faces"]) == 2
    assert set(rows[2]["faces"][0]) == {"x1", "y1", "x2", "y2", "score"}
    assert (rows[2]["width"], rows[2]["height"], rows[2]["model"]) == (1144, 680, "yunet")
    assert "half.jpg" in err
    assert "1 of 3" in err
    assert "Traceback" not in err


def test_lines_for_people(folder: Path, capsys: Capture) -> None:
    assert main(["detect", str(folder / "two.jpg"), str(folder / "sub" / "none.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("two.jpg: 2 faces (0.94, 0.94)")
    assert lines[1].endswith("none.png: 0 faces")


def test_a_list_on_stdin(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{folder / 'two.jpg'}\n\n"))
    assert main(["detect", "-", "--json", "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_copies_drawn_and_redacted(folder: Path, tmp_path: Path, both_pixels: np.ndarray) -> None:
    assert main(["detect", str(folder), "--out", str(tmp_path / "drawn")]) == 0
    assert main(["detect", str(folder), "--out", str(tmp_path / "red"), "--redact", "fill"]) == 0
    written = sorted(p.relative_to(tmp_path / "drawn") for p in (tmp_path / "drawn").rglob("*.*"))
    assert written == [Path("sub/none.png"), Path("two.jpg")]
    redacted = images.read(tmp_path / "red" / "two.jpg").pixels
    assert redacted.shape == both_pixels.shape
    assert redacted[260, 850].sum() < 60  # on a nose, black up to JPEG's rounding


def test_an_original_is_never_overwritten(folder: Path, capsys: Capture) -> None:
    before = (folder / "two.jpg").read_bytes()
    assert main(["detect", str(folder), "--out", str(folder)]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (folder / "two.jpg").read_bytes() == before


def test_copies_below_the_folder_are_not_taken_for_photos(folder: Path, capsys: Capture) -> None:
    command = ["detect", str(folder), "--out", str(folder / "boxes"), "--json", "-"]
    for _time in range(2):
        assert main(command) == 0
        assert len(json.loads(capsys.readouterr().out)) == 3


def test_photos_that_differ_in_their_suffix_alone_stay_apart(
    tmp_path: Path, both_jpeg: bytes
) -> None:
    folder, out, run_dir = tmp_path / "in", tmp_path / "out", tmp_path / "run"
    folder.mkdir()
    for name in ("a.jpg", "a.jpeg", "a.webp", "A.png"):
        (folder / name).write_bytes(both_jpeg)
    assert main(["detect", str(folder), "--out", str(out), "--run-dir", str(run_dir)]) == 0
    assert len(list(out.iterdir())) == 4
    assert main(["pack", str(run_dir), "--out", str(tmp_path / "all.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = archive.namelist()
        rows = parse_table(archive.read("labels.csv").decode()).rows
        coco = json.loads(archive.read("coco.json"))
    assert len(names) == len(set(names))
    assert len({row["image_path"] for row in rows}) == 4
    assert len({image["file_name"] for image in coco["images"]}) == 4


def test_two_files_of_one_name_get_two_copies(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "two.jpg").write_bytes((folder / "two.jpg").read_bytes())
    out = tmp_path / "out"
    assert main(["detect", str(folder / "two.jpg"), str(other / "two.jpg"), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["two-2.jpg", "two.jpg"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["detect"], 2, "no picture was named"),
        (
            ["detect", "x.jpg", "--model", "nothing"],
            2,
            "no detector 'nothing'; choose one of: yunet",
        ),
        (["detect", "x.jpg", "--min-score", "1.5"], 2, "0 to 1"),
        (["detect", "x.jpg", "--min-score", "nan"], 2, "0 to 1"),
        (["detect", "x.jpg", "--min-score", "high"], 2, "invalid float"),
        (["detect", "x.jpg", "--redact", "blur"], 2, "needs --out"),
        (["detect", "x.jpg", "--redact", "smear"], 2, "invalid choice"),
        (["detect", "x.jpg", "--workers", "0"], 2, "1 to 256"),
        (["detect", "x.jpg"], 1, "cannot be read"),
        (["detect", "no*thing.jpg"], 1, "no file matches"),
        (["detect", "--paths-from", "no-list.txt"], 1, "no-list.txt"),
        (["frobnicate"], 2, "invalid choice"),
        ([], 2, "required"),
        (["pack", "nowhere", "--out", "x.zip"], 1, "holds no detected photo"),
    ],
)
def test_wrong_use_is_one_clear_line(
    arguments: list[str],
    code: int,
    says: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert says in err
    assert err.startswith("facedet: ")
    assert err.count("\n") == 1
    assert out == ""


def test_a_folder_without_pictures(tmp_path: Path, capsys: Capture) -> None:
    assert main(["detect", str(tmp_path)]) == 1
    assert "no picture in" in capsys.readouterr().err


def test_json_into_a_file_that_cannot_be_written(folder: Path, capsys: Capture) -> None:
    assert main(["detect", str(folder / "two.jpg"), "--json", "/nowhere/x.json"]) == 1
    assert "/nowhere/x.json cannot be written" in capsys.readouterr().err


def test_models_as_json_and_as_lines(capsys: Capture) -> None:
    assert main(["models", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows][:4] == ["yunet", "yunet-640", "yunet-320", "haar"]
    assert all(row["usable"] and row["licence"] and row["source"] for row in rows[:4])
    assert main(["models"]) == 0
    assert "ready" in capsys.readouterr().out


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_give_the_same_boxes(
    orientation: int, tmp_path: Path, both_pixels: np.ndarray, capsys: Capture
) -> None:
    """Also in the exported copy: it is upright, and the boxes fit it."""
    path = tmp_path / "turned.png"
    path.write_bytes(turned_png(Image.fromarray(both_pixels), orientation))
    assert main(["detect", str(path), "--json", "-", "--out", str(tmp_path / "out")]) == 0
    [row] = json.loads(capsys.readouterr().out)
    boxes = [[face[key] for key in ("x1", "y1", "x2", "y2")] for face in row["faces"]]
    expected = [[772.5, 159.8, 941.2, 375.7], [219.3, 106.0, 309.9, 218.3]]
    np.testing.assert_allclose(boxes, expected, atol=1)
    with Image.open(tmp_path / "out" / "turned.png") as copy:
        assert not copy.getexif()
        drawn = np.asarray(copy)
    assert drawn.shape == both_pixels.shape
    for x1, y1, x2, y2 in boxes:  # the line lies where the box is, on the upright copy
        left = drawn[round((y1 + y2) / 2), round(x1) - 1 : round(x1) + 2]
        bottom = drawn[round(y2) - 3 : round(y2) + 1, round((x1 + x2) / 2)]
        assert [0x56, 0xB4, 0xE9] in left.tolist()
        assert [0x56, 0xB4, 0xE9] in bottom.tolist()


def test_a_job_is_resumed_where_it_ended(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    command = ["detect", str(folder), "--run-dir", str(run_dir), "--json", "-", "--workers", "1"]
    worker_event = jobs.Worker.event

    def stop_after_first(self: jobs.Worker, name: str, **fields: object) -> None:
        worker_event(self, name, **fields)
        if name == "photo":
            jobs.ask(run_dir, "stop")

    with monkeypatch.context() as patch:
        patch.setattr(jobs.Worker, "event", stop_after_first)
        assert main(command) == 0
    assert jobs.look(run_dir).state == "stopped"
    assert capsys.readouterr().out == ""
    assert main(command) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [Path(row["image"]).name for row in rows] == ["half.jpg", "none.png", "two.jpg"]
    events = jobs.look(run_dir).events
    assert [event["done"] for event in events if event["event"] == "plan"] == [0, 1]
    assert len([event for event in events if event["event"] == "photo"]) == 3


@pytest.mark.parametrize("other", [["--model", "haar"], ["--min-score", "0.9"]])
def test_a_job_is_not_resumed_with_other_settings(
    folder: Path, tmp_path: Path, capsys: Capture, other: list[str]
) -> None:
    command = ["detect", str(folder / "two.jpg"), "--run-dir", str(tmp_path / "run")]
    assert main(command) == 0
    assert main([*command, *other]) == 1
    assert "holds results of other settings (model yunet, min_score 0.6)" in capsys.readouterr().err


def test_a_job_packed_into_a_zip(folder: Path, tmp_path: Path) -> None:
    run_dir, archive = tmp_path / "run", tmp_path / "all.zip"
    assert main(["detect", str(folder), "--run-dir", str(run_dir)]) == 0
    assert main(["pack", str(run_dir), "--out", str(archive), "--redact", "blur"]) == 0
    with zipfile.ZipFile(archive) as content:
        names = set(content.namelist())
        table = parse_table(content.read("labels.csv").decode())
        assert b"half.jpg" in content.read("not-read.txt")
    assert {"photos/two.jpg", "photos/none.png", "coco.json", "voc/photos/two.xml"} <= names
    assert len(table.boxes_of("photos/two.jpg")) == 2
    assert len(table.boxes_of("photos/none.png")) == 0


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "facedet", "models"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert b"Traceback" not in done.stderr


def test_rows_of_a_job_are_the_contracts_rows() -> None:
    event = {"event": "photo", "time": 1.0, "image": "a", "faces": []}
    assert detect_command.photo_row(event) == {"image": "a", "faces": []}
