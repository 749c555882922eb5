import threading
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from facedet.cleaning import decisions
from facedet.errors import DatasetError, UsageError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return tmp_path


def choices(dataset: Path) -> dict[str, str]:
    return {path: one.choice for path, one in decisions.read(dataset).items()}


def test_nothing_is_decided_at_first(dataset: Path) -> None:
    assert decisions.read(dataset) == {}
    assert decisions.forget(dataset) == 0
    assert not (dataset / "cleaning").exists()


def test_the_last_decision_counts(dataset: Path) -> None:
    assert decisions.decide(dataset, ["a.jpg", "b.jpg"], "set_aside", note="not her") == 2
    assert decisions.decide(dataset, ["a.jpg"], "keep") == 1
    assert choices(dataset) == {"b.jpg": "set_aside", "a.jpg": "keep"}
    assert decisions.read(dataset)["b.jpg"].note == "not her"
    assert decisions.read(dataset)["a.jpg"].when.endswith("Z")


def test_of_two_rows_about_one_picture_the_lower_counts(dataset: Path) -> None:
    (dataset / "cleaning").mkdir()
    rows = ["image_path,decision,when,note", "a.jpg,keep,,", "a.jpg,set_aside,,"]
    (dataset / "cleaning/decisions.csv").write_text("\n".join(rows))
    assert choices(dataset) == {"a.jpg": "set_aside"}


def test_a_decision_can_be_forgotten(dataset: Path) -> None:
    decisions.decide(dataset, ["a.jpg", "b.jpg", "c.jpg"], "keep")
    assert decisions.forget(dataset, ["a.jpg", "never.jpg"]) == 1
    assert choices(dataset) == {"b.jpg": "keep", "c.jpg": "keep"}
    assert decisions.forget(dataset) == 2
    assert choices(dataset) == {}


def test_another_word_is_refused(dataset: Path) -> None:
    with pytest.raises(UsageError, match="keep or set_aside"):
        decisions.decide(dataset, ["a.jpg"], "delete")  # type: ignore[arg-type]
    assert not (dataset / "cleaning").exists()


def test_no_cell_is_a_formula(dataset: Path) -> None:
    decisions.decide(dataset, ["=1+1.jpg"], "keep", note="=cmd()")
    text = (dataset / "cleaning/decisions.csv").read_text()
    assert "./=1+1.jpg,keep," in text
    assert ",'=cmd()" in text
    assert decisions.read(dataset)["=1+1.jpg"].note == "=cmd()"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)


@given(name=NAMES | st.just("caf\udce9.jpg"), note=NAMES)
def test_every_name_and_note_comes_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, note: str
) -> None:
    dataset = tmp_path_factory.mktemp("d")
    decisions.decide(dataset, [f"images/{name}"], "keep", note)
    assert list(decisions.read(dataset)) == [f"images/{name}"]
    assert decisions.read(dataset)[f"images/{name}"].note == note


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "image_path,decision,when,note\nx.jpg,burn,,\n"])
def test_a_damaged_file_is_an_error_and_stays(dataset: Path, text: str) -> None:
    (dataset / "cleaning").mkdir()
    (dataset / "cleaning/decisions.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"decisions\.csv"):
        decisions.decide(dataset, ["a.jpg"], "keep")
    assert (dataset / "cleaning/decisions.csv").read_text() == text


def test_many_at_once_lose_none(dataset: Path) -> None:
    threads = [
        threading.Thread(target=decisions.decide, args=(dataset, [f"{n}.jpg"], "keep"))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions.read(dataset)) == 20


def test_a_lock_that_is_never_released_is_an_error(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "LOCK_WAIT_S", 0.01)
    decisions.decide(dataset, ["a.jpg"], "keep")
    with (
        FileLock(dataset / "cleaning/.decisions.lock"),
        pytest.raises(DatasetError, match="another process"),
    ):
        decisions.decide(dataset, ["b.jpg"], "keep")
    assert choices(dataset) == {"a.jpg": "keep"}
