from pathlib import Path

import pytest

from facedet import files
from facedet.files import safe_name, unique_paths, write_atomically


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../x", "x"),
        ("..\\..\\x.png", "x.png"),
        ("a\nb.jpg", "a_b.jpg"),
        ("<script>.jpg", "_script_.jpg"),
        ("..", "photo"),
        ("", "photo"),
        ("Zoë Özil.jpg", "Zoë Özil.jpg"),
        ("/etc/passwd", "passwd"),
    ],
)
def test_a_strangers_name_becomes_a_plain_file_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("letter", ["n", "字", "👩"])
def test_long_names_are_cut_and_keep_their_suffix(letter: str) -> None:
    name = safe_name(letter * 300 + ".jpeg")
    assert name.endswith(".jpeg")
    assert len(name.encode()) <= files.MAX_NAME_BYTES


def test_equal_paths_get_numbers() -> None:
    paths = [Path("a.jpg"), Path("A.jpg"), Path("b.jpg"), Path("a.jpg")]
    assert unique_paths(paths) == [
        Path("a.jpg"),
        Path("A-2.jpg"),
        Path("b.jpg"),
        Path("a-3.jpg"),
    ]


def test_paths_stay_apart_when_they_all_get_one_suffix() -> None:
    names = ["a.jpg", "a.jpeg", "a.webp", "a-2.png", "sub/a.jpg", "a"]
    unique = [path.with_suffix(".jpg") for path in unique_paths(map(Path, names))]
    assert len(set(unique)) == len(names)


def test_a_failed_write_leaves_the_old_content_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "value.txt"
    write_atomically(path, "old")

    def no_space(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
