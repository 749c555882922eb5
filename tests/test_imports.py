"""Imports point one way, and what need not be loaded is not loaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "facedet").rglob("*.py"))

# Each layer may import from those before it and from itself, never from a later one.
LAYERS = (
    ("i18n",),
    ("errors", "packages"),
    ("types", "settings", "files", "parallel", "wholeness"),
    ("boxes",),
    ("images", "labels"),
    ("detectors", "draw", "sources", "examples"),
    ("exports", "jobs", "vggface", "download"),
    ("batches", "practice", "figures", "linklists", "cleaning"),
    ("downloads", "cleanings"),
    ("ui", "cli"),
    ("__main__",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
LIGHT = {"errors", "types", "settings", "i18n", "files", "packages", "parallel"}


def imported(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


def layer_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "facedet").with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    here = layer_of(path)
    if here == "__init__":
        assert not imported(path)
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "facedet" and len(parts) > 1:
            there = parts[1]
            assert there == here or RANK[there] < RANK[here], f"{path} imports {name}"


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_only_ui_knows_streamlit(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    if layer_of(path) != "ui":
        assert "streamlit" not in roots
    if layer_of(path) in LIGHT:
        assert not roots & {"torch", "torchvision", "pandas", "cv2"}


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda p: p.name)
def test_pages_never_import_pages(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] == "pages"]


def loaded_by(code: str) -> set[str]:
    program = f"{code}\nimport sys; sys.stderr.write('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {name.split(".")[0] for name in done.stderr.split()}


def test_importing_the_package_loads_next_to_nothing() -> None:
    assert not loaded_by("import facedet") & {"torch", "numpy", "cv2", "PIL", "pandas"}


def test_detecting_with_yunet_loads_no_torch_no_pandas_no_streamlit() -> None:
    code = (
        "from facedet.cli import main\n"
        "from facedet.packages import package_file\n"
        "photo = package_file('skimage', 'data', 'astronaut.png')\n"
        "assert main(['detect', '--model', 'yunet', str(photo)]) == 0"
    )
    assert not loaded_by(code) & {"torch", "torchvision", "pandas", "streamlit"}
