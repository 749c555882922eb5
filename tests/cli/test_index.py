import json
from pathlib import Path

import pytest

from facedet import jobs
from facedet.cli import main
from facedet.labels import read_table
from facedet.vggface import Filters, Index, Sample, as_options, choose, write_labels
from facedet.vggface import fetch as fetch_module
from facedet.vggface.making import make_index
from tests.vggface.made import FILES, GOOD, LINES, write_archive, write_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "vgg.tar.gz")


def test_an_archive_becomes_a_label_table_with_every_line(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "set" / "labels.csv"
    assert main(["index", str(archive), "--out", str(out)]) == 0
    assert len(read_table(out).rows) == 6
    assert len(Index.open(tmp_path / "set" / "labels.index.parquet")) == 6
    said, err = capsys.readouterr()
    assert "6 lines in 3 files: 6 read, 0 lost; files refused: 0" in said
    assert err == ""


def test_a_sample_by_identities_and_photos_is_repeatable(archive: Path, tmp_path: Path) -> None:
    options = ["--identities", "2", "--per-identity", "1", "--seed", "5"]
    texts = []
    for name in ("a.csv", "b.csv"):
        assert main(["index", str(archive), "--out", str(tmp_path / name), *options]) == 0
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert len(read_table(tmp_path / "a.csv").rows) == 2


def test_an_index_is_sampled_again_without_the_archive(archive: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "i.parquet", tmp_path / "labels.csv"
    assert main(["index", str(archive), "--store", str(store)]) == 0
    archive.unlink()
    assert main(["index", str(store), "--out", str(out), "--curated", "--min-side", "40"]) == 0
    assert [row["photo_id"] for row in read_table(out).rows] == ["00000001", "00000003", "00000005"]


def test_bad_lines_are_named_and_the_rest_is_written(tmp_path: Path, capsys: Capture) -> None:
    bad = {"files/B.txt": GOOD + b"\nrubbish\n", "evil.exe": b"MZ"}
    folder = write_folder(tmp_path / "f", {**FILES, **bad})
    out = tmp_path / "labels.csv"
    assert main(["index", str(folder), "--out", str(out), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {k: result[k] for k in ("files", "lines", "parsed", "lost", "refused", "rows")} == {
        **{"files": 4, "lines": 8, "parsed": 7, "lost": 1, "refused": 1, "rows": 7}
    }
    assert "rubbish" not in Path(result["findings"]).read_text()
    assert main(["index", str(folder), "--out", str(out)]) == 0
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "facedet: evil.exe: not part of the dataset; expected files/<Name>.txt"
    assert err[1].startswith("facedet: files/B.txt line 2: 1 field, expected 9")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --out"),
        (["--out", "{out}", "--identities", "0"], "identities is 0"),
        (["--out", "{out}", "--course", "--survival", "0"], "survival rate is 0.0"),
        (["--out", "{out}", "--course", "--lines", "9"], "give one of them"),
        (["--out", "{out}", "--host", "nowhere"], "there is no host 'nowhere'"),
        (["--out", "{out}", "--min-score", "nan"], "score from nan"),
        (["--out", "{out}", "--min-side", "9", "--max-side", "8"], "the smaller first"),
        (["--out", "{out}", "--store", "{out}"], "one file; give two"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    archive: Path, tmp_path: Path, capsys: Capture, arguments: list[str], says: str
) -> None:
    filled = [a.format(out=tmp_path / "l.csv") for a in arguments]
    assert main(["index", str(archive), *filled]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "l.csv").exists()


def test_a_missing_archive_is_one_line_and_code_1(tmp_path: Path, capsys: Capture) -> None:
    assert main(["index", str(tmp_path / "no.tar.gz"), "--out", str(tmp_path / "l.csv")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_course_set_asks_for_what_survival_needs(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "l.csv"
    assert main(["index", str(archive), "--out", str(out), "--course", "--survival", "0.5"]) == 0
    assert len(read_table(out).rows) == 5  # all there is, each address of a file once


def test_as_a_job_it_leaves_its_account_in_the_events(archive: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    arguments = ["index", str(archive), "--store", str(tmp_path / "i.parquet")]
    assert main([*arguments, "--run-dir", str(run_dir)]) == 0
    look = jobs.look(run_dir)
    assert look.state == "done"
    [indexed] = [event for event in look.events if event["event"] == "indexed"]
    assert indexed["parsed"] == sum(len(lines) for lines in LINES.values())


def test_the_official_archive_is_fetched_once_and_compared(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, home: Path
) -> None:
    asked: list[str] = []

    def fetched(url: str, path: Path, _tick: object) -> Path:
        asked.append(url)
        path.parent.mkdir(parents=True)
        return archive.replace(path)

    monkeypatch.setattr("facedet.cli.index.fetch", fetched)
    assert main(["index", "official", "--out", str(tmp_path / "labels.csv")]) == 0
    assert asked == [fetch_module.OFFICIAL_URL]
    assert (home / "downloads" / "vgg_face_dataset.tar.gz").is_file()
    err = capsys.readouterr().err
    assert "3 files with 6 lines; 2,622 and 2,604,849 were expected" in err


def test_filters_that_nothing_passes_write_nothing(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "l.csv"
    assert main(["index", str(archive), "--out", str(out), "--min-score", "5.9"]) == 1
    assert "loosen them" in capsys.readouterr().err
    assert not out.exists()


def test_what_is_read_is_never_written_over(archive: Path, tmp_path: Path, capsys: Capture) -> None:
    store = tmp_path / "i.parquet"
    assert main(["index", str(archive), "--store", str(store)]) == 0
    before = store.read_bytes()
    assert main(["index", str(store), "--out", str(store)]) == 2
    assert main(["index", str(archive), "--out", str(tmp_path)]) == 2
    assert main(["index", str(archive), "--store", str(archive)]) == 2
    assert store.read_bytes() == before
    assert "is what shall be read" in capsys.readouterr().err


SAMPLES = {
    "everything once": Sample(),
    "another seed": Sample(seed=4),
    "people": Sample(identities=2, per_identity=1, seed=3),
    "lines": Sample(lines=3),
    "filters": Sample(
        filters=Filters(curated=True, frontal=True, inside=True, min_score=0.5, max_side=200)
    ),
    "a person and a site": Sample(filters=Filters(identity="Mira_Sol", host="a.example")),
}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_the_options_of_a_sample_ask_for_that_sample(
    sample: Sample, archive: Path, tmp_path: Path
) -> None:
    store = tmp_path / "i.parquet"
    make_index(archive, store)
    index = Index.open(store)
    write_labels(index, choose(index, sample), tmp_path / "expected.csv")
    out = ["--out", str(tmp_path / "found.csv")]
    assert main(["index", str(store), *out, *as_options(sample)]) == 0
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
