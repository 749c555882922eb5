import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedet.cleaning.cells import as_csv, path_cell, path_of, read_rows, text_cell, text_of

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
) | st.sampled_from(["caf\udce9", "\r", "a\r\nb", '"', ",", "'x", "=1"])


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_whatever_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("cells") / "t.csv"
    path.write_bytes(as_csv(("a", "b"), rows))
    assert [(row["a"], row["b"]) for row in read_rows(path, ("a", "b"))] == rows


@given(text=TEXTS)
def test_texts_come_back_and_none_is_a_formula(text: str) -> None:
    assert text_of(text_cell(text)) == text
    assert not text_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_path_that_looks_like_a_formula_is_the_same_file() -> None:
    assert path_cell("=1.jpg") == "./=1.jpg"
    assert path_of(path_cell("=1.jpg")) == "=1.jpg"
    assert path_of(path_cell("images/a.jpg")) == "images/a.jpg"


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "lacks a, b"), ("a,c\n", "lacks b"), ("a,b\n1\n", "line 2"), ("a,b\n1,2,3\n", "line 2")],
)
def test_what_is_no_such_table_says_why(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises((ValueError, csv.Error), match=says):
        list(read_rows(tmp_path / "t.csv", ("a", "b")))
