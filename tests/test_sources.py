from pathlib import Path

import pytest

from facedet.sources import find_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", ".hidden/d.jpg", "notes.txt", "old.psd"):
        (root / name).write_bytes(b"x")
    (root / "no suffix").write_bytes(b"\xff\xd8\xff\xe0 a jpeg by content")
    return root


def names(folder: Path, *given: str) -> list[str]:
    return [source.path.relative_to(folder).as_posix() for source in find_pictures(given)[0]]


def test_a_folder_is_walked_for_pictures_and_nothing_hidden(folder: Path) -> None:
    found = names(folder, str(folder))
    assert found == ["a.PNG", "b.jpg", "deep/er/c.webp", "no suffix", "old.psd"]


def test_each_file_comes_once_however_often_it_is_named(folder: Path) -> None:
    assert names(folder, str(folder / "b.jpg"), str(folder), str(folder / "b.jpg"))[0] == "b.jpg"
    assert names(folder, str(folder / "b.jpg"), str(folder / "*.jpg")) == ["b.jpg"]


def test_globs_are_expanded_and_recursive(folder: Path) -> None:
    assert names(folder, str(folder / "**" / "*.webp")) == ["deep/er/c.webp"]


def test_a_file_that_is_really_called_like_a_glob_is_taken_as_it_is(folder: Path) -> None:
    (folder / "a[1].jpg").write_bytes(b"x")
    assert names(folder, str(folder / "a[1].jpg")) == ["a[1].jpg"]


def test_any_named_file_is_taken_even_a_missing_one(folder: Path) -> None:
    assert names(folder, str(folder / "notes.txt"), str(folder / "gone.jpg")) == [
        "notes.txt",
        "gone.jpg",
    ]
    assert len(find_pictures(["n" * 5000, "a\0b"])[0]) == 2


def test_copies_know_their_place_below_the_named_folder(folder: Path) -> None:
    places = [source.relative.as_posix() for source in find_pictures([str(folder)])[0]]
    assert "deep/er/c.webp" in places


def test_a_folder_or_glob_without_pictures_says_so_and_the_others_go_on(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty"), str(folder / "b.jpg"), str(tmp_path / "*.bmp")]
    sources, empty = find_pictures(given)
    assert [source.path.name for source in sources] == ["b.jpg"]
    assert "no picture in" in empty[0]
    assert "no file matches" in empty[1]
    assert len(find_pictures([str(tmp_path / "*")])[0]) == 5
