"""The measure that the code keeps to: short functions, nothing printed in the core."""

import ast
from pathlib import Path

import numpy as np

CORE = sorted((Path(__file__).parent.parent / "facedet").rglob("*.py"))


def functions() -> list[tuple[int, str]]:
    found = []
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((lines, f"{path.name}:{node.name}"))
    return found


def test_functions_are_short() -> None:
    lengths = [lines for lines, _name in functions()]
    assert np.median(lengths) <= 13
    assert np.percentile(lengths, 90) <= 45


def test_the_core_prints_nothing() -> None:
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_print = isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            assert not is_print, f"{path}:{node.lineno}"
