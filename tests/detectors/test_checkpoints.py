"""Checkpoints come from strangers: what fits appears, what does not says why, no code runs."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import detection

from facedet.detectors import load_catalogue
from facedet.detectors.checkpoints import (
    ARCHITECTURES,
    CONFIG_KEY,
    Config,
    expected_shapes,
    inspect,
)
from facedet.errors import CheckpointError, ModelError
from facedet.types import Pixels
from tools.architectures import tensor_shapes

NAME = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=2
    )
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    return path


def problem_of(name: str) -> str:
    entry = load_catalogue().get(name)
    assert not entry.usable
    with pytest.raises(ModelError, match=name):
        entry.load()
    return str(entry.problem)


def test_a_checkpoint_of_ours_appears_and_detects(
    state: dict[str, torch.Tensor], models: Path, both_pixels: Pixels
) -> None:
    config = Config(architecture=NAME, min_size=96, max_size=160, note="for a test")
    half = {key: v.half() if v.is_floating_point() else v for key, v in state.items()}
    save_file(half, models / "ours.safetensors", {CONFIG_KEY: config.to_json()})
    entry = load_catalogue().get("ours")
    assert entry.usable
    assert entry.good_at == "for a test"
    found = entry.load(0.0).detect_many([both_pixels, both_pixels[:50, :50]])
    assert [f.image_wh for f in found] == [(1144, 680), (50, 50)]


def test_the_large_resnet_runs_too(models: Path, both_pixels: Pixels) -> None:
    name = "fasterrcnn_resnet50_fpn"
    model = detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2)
    config = Config(architecture=name, min_size=64, max_size=96)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    save_file(state, models / "large.safetensors", {CONFIG_KEY: config.to_json()})
    found = load_catalogue().get("large").load(0.0).detect(both_pixels)
    assert found.image_wh == (1144, 680)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_plain_state_dict_is_recognised_by_its_tensors(
    state: dict[str, torch.Tensor], models: Path, both_pixels: Pixels, wrapped: bool
) -> None:
    content = {"model": state, "epoch": 3} if wrapped else state
    torch.save(content, models / "mobilenet-320.pth")
    config = inspect(models / "mobilenet-320.pth")
    assert (config.architecture, config.min_size) == (NAME, 320)
    detector = load_catalogue().get("mobilenet-320").load(0.01)
    assert detector.detect(np.ascontiguousarray(both_pixels[:80, :80])).image_wh == (80, 80)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_written_tensors_are_those_of_the_installed_torchvision(name: str) -> None:
    written = {key: list(shape) for key, shape in expected_shapes()[name].items()}
    assert written == tensor_shapes(name), "run: python -m tools.architectures"


@pytest.mark.parametrize(
    "name", ["fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn"]
)
def test_the_other_architectures_are_told_apart(name: str, models: Path) -> None:
    # Zeros without strides: the file holds the shapes, and next to no numbers.
    tensors = {k: torch.zeros(1).expand(shape) for k, shape in expected_shapes()[name].items()}
    torch.save(tensors, models / "some.pth")
    assert inspect(models / "some.pth").architecture == name


def test_a_network_that_knows_no_face_is_refused(models: Path) -> None:
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=91
    )
    torch.save(model.state_dict(), models / "coco.pth")
    assert "91 classes" in problem_of("coco")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch was-run",)


def test_code_in_a_checkpoint_is_never_run(
    models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(models / "evil.pth", "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps({"a": Evil()}))
    assert "asks to run code" in problem_of("evil")
    assert not (tmp_path / "was-run").exists()


def test_broken_and_foreign_files_say_why_and_break_nothing(
    state: dict[str, torch.Tensor], models: Path
) -> None:
    (models / "empty.safetensors").write_bytes(b"")
    (models / "text.pth").write_text("hello")
    save_file(state, models / "cut.safetensors")
    whole = (models / "cut.safetensors").read_bytes()
    (models / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    torch.save({"a": torch.zeros(2)}, models / "foreign.pth")
    torch.save(torch.zeros(2), models / "tensor.pt")
    torch.save(torch.nn.Linear(1, 1), models / "module.pt")
    save_file(state, models / "config.safetensors", {CONFIG_KEY: '{"architecture": "gpt"}'})
    bad = Config(architecture="fasterrcnn_resnet50_fpn", min_size=320, max_size=640).to_json()
    save_file(state, models / "other.safetensors", {CONFIG_KEY: bad})
    (models / "notes.txt").write_text("not a checkpoint, and not listed")
    expected = {
        "empty": "broken",
        "text": "broken",
        "cut": "broken",
        "foreign": "no network that the lab knows",
        "tensor": "no state dict",
        "module": "run code",
        "config": "configuration",
        "other": "are not those of fasterrcnn_resnet50_fpn",
    }
    for name, reason in expected.items():
        assert reason in problem_of(name), name
    assert "notes" not in [entry.name for entry in load_catalogue()]
    assert load_catalogue().get("yunet").usable


def test_a_tensor_that_does_not_fit_is_named_before_anything_is_run(
    state: dict[str, torch.Tensor], models: Path
) -> None:
    wrong = {**state, "rpn.head.cls_logits.weight": torch.zeros(3, 3, 1, 1)}
    save_file(wrong, models / "wrong-320.safetensors")
    assert "rpn.head.cls_logits.weight is (3, 3, 1, 1), not (15, 256, 1, 1)" in problem_of(
        "wrong-320"
    )
    without = {key: value for key, value in state.items() if "fpn" not in key}
    save_file(without, models / "without-320.safetensors")
    assert "is missing" in problem_of("without-320")
    save_file({**state, "extra": torch.zeros(1)}, models / "more-320.safetensors")
    assert "extra is (1,)" in problem_of("more-320")


def test_a_checkpoint_that_is_replaced_is_another_version(
    state: dict[str, torch.Tensor], models: Path
) -> None:
    path = models / "mine-320.safetensors"
    save_file(state, path)
    before = load_catalogue().get("mine-320").version
    os.utime(path, ns=(1, 1))  # retrained: the same size, another time
    assert load_catalogue().get("mine-320").version != before


def test_names_that_are_no_text_and_memory_bombs_are_refused(models: Path) -> None:
    torch.save({1: torch.zeros(2)}, models / "number.pth")
    assert "more than named tensors" in problem_of("number")
    bomb = b"\x80\x02}r" + (2**27).to_bytes(4, "little") + b"."  # LONG_BINPUT far beyond
    with zipfile.ZipFile(models / "bomb.pth", "w") as archive:
        archive.writestr("bomb/data.pkl", bomb)
    assert "no state dict" in problem_of("bomb")


@pytest.mark.parametrize(
    "change", [{"min_size": 0}, {"min_size": 900}, {"max_size": 99999}, {"default_score": 2}]
)
def test_a_config_out_of_range_is_refused(change: dict[str, float]) -> None:
    good = {"architecture": NAME, "min_size": 320, "max_size": 640}
    with pytest.raises(CheckpointError, match="out of range"):
        Config(**{**good, **change})  # type: ignore[arg-type]


def test_two_files_of_one_name_are_both_listed(
    state: dict[str, torch.Tensor], models: Path
) -> None:
    save_file(state, models / "yunet.safetensors")
    torch.save(state, models / "twin.pth")
    save_file(state, models / "twin.safetensors")
    names = [entry.name for entry in load_catalogue()]
    assert {"yunet", "yunet-2", "twin", "twin-2"} <= set(names)
    assert len(names) == len(set(names))


def test_the_catalogue_loads_no_torch(models: Path, state: dict[str, torch.Tensor]) -> None:
    import subprocess
    import sys

    torch.save(state, models / "plain.pth")
    code = (
        "import sys; from facedet.detectors import load_catalogue;"
        "assert load_catalogue().get('plain').usable; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
