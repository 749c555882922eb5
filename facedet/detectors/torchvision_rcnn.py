"""Two-stage detectors of torchvision, from checkpoints: Faster R-CNN (Ren et al., NeurIPS 2015) on
a feature pyramid. torch is imported when the first of them runs, not before.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facedet.detectors.base import Detector, Entry
from facedet.detectors.checkpoints import SUFFIXES, Config, inspect
from facedet.errors import CheckpointError, shown_name
from facedet.i18n import gettext as _
from facedet.i18n import language
from facedet.types import Detections, Pixels

if TYPE_CHECKING:
    import torch

FACE = 1  # label 0 is the background
BATCH = 4


class FasterRCNN:
    """A checkpoint ready to run, on the GPU where there is one.

    Raises:
        CheckpointError: where the tensors do not fit the architecture.
    """

    def __init__(self, path: Path, config: Config, min_score: float) -> None:
        import torch

        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = _build(path, config, min_score).to(self._device)
        # One photo at a time: a forward pass fills all cores, and two would double the memory.
        self._lock = threading.Lock()

    def detect(self, pixels: Pixels) -> Detections:
        """See `Detector`."""
        return self.detect_many([pixels])[0]

    def detect_many(self, photos: Sequence[Pixels]) -> list[Detections]:
        """See `Detector`."""
        found: list[Detections] = []
        for start in range(0, len(photos), BATCH):
            found += self._detect_batch(photos[start : start + BATCH])
        return found

    def _detect_batch(self, photos: Sequence[Pixels]) -> list[Detections]:
        import torch

        with self._lock, torch.inference_mode():
            # .copy(): decoded photos are read-only, and torch warns of that.
            inputs = [
                torch.from_numpy(p.copy()).to(self._device).permute(2, 0, 1).float() / 255
                for p in photos
            ]  # each (3, H, W), 0-1
            outputs = self._model(inputs)
        return [_detections(o, p) for o, p in zip(outputs, photos, strict=True)]


def _detections(output: "dict[str, torch.Tensor]", pixels: Pixels) -> Detections:
    faces = (output["labels"] == FACE).cpu().numpy()
    h, w = pixels.shape[:2]
    boxes_xyxy = output["boxes"].cpu().numpy()[faces]
    return Detections(boxes_xyxy, output["scores"].cpu().numpy()[faces], (w, h)).best_first()


def _build(path: Path, config: Config, min_score: float) -> "torch.nn.Module":
    from torchvision.models import detection

    create = getattr(detection, config.architecture)
    model: torch.nn.Module = create(
        weights=None,
        weights_backbone=None,
        num_classes=2,
        min_size=config.min_size,
        max_size=config.max_size,
        box_score_thresh=min_score,
    )
    try:
        model.load_state_dict(_load_tensors(path))
    except Exception as error:  # A border: the file comes from a stranger.
        first = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise CheckpointError(
            _("{name}: its tensors do not fit {architecture} ({reason})").format(
                name=path.name, architecture=config.architecture, reason=first[:200]
            )
        ) from error
    return model.eval()


def _load_tensors(path: Path) -> "dict[str, torch.Tensor]":
    if path.suffix.lower() == ".safetensors":
        from safetensors.torch import load_file

        return {key: value.float() for key, value in load_file(path).items()}
    import torch

    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model: dict[str, torch.Tensor] = content.get("model", content)
    return model


def entries(models_dirs: Sequence[Path]) -> list[Entry]:
    """One entry a checkpoint file in these folders, usable or with the reason why not."""
    files = [p for d in models_dirs if d.is_dir() for p in sorted(d.iterdir())]
    return [entry_of(p) for p in files if p.suffix.lower() in SUFFIXES and p.is_file()]


def entry_of(path: Path) -> Entry:
    """The entry of one checkpoint file."""
    stat = path.stat()
    config, problem = _inspected(path, stat.st_size, stat.st_mtime_ns, language())
    architecture = config.architecture if config else _("unknown architecture")
    return Entry(
        name=path.stem,
        title=path.stem,
        family="torchvision",
        good_at=shown_name(config.note if config else "") or architecture,
        bad_at=_("slower than YuNet without a GPU"),
        source=str(path),
        licence=_("see its model card"),
        size_bytes=stat.st_size,
        version=f"{stat.st_size}-{stat.st_mtime_ns}",
        default_score=config.default_score if config else 0.5,
        problem=problem,
        build=partial(_load, path, config),
    )


def _load(path: Path, config: Config | None, min_score: float) -> Detector:
    assert config is not None  # `Entry.load` has refused it otherwise.
    return FasterRCNN(path, config, min_score)


@lru_cache(maxsize=256)
def _inspected(
    path: Path, _size: int, _mtime_ns: int, _language: str
) -> tuple[Config | None, str | None]:
    """Size and time are part of the key: a file that was replaced is looked at again."""
    try:
        return inspect(path), None
    except CheckpointError as error:
        return None, str(error)
