"""What is in a checkpoint file, found out without running anything in it and without torch.

Two kinds are read. Ours: safetensors, with a `Config` as JSON in its header under ``facedet``. And
a plain torchvision state dict as `torch.save` writes it: its pickle is read by an unpickler that
knows three harmless names and refuses the rest, so that no code of the file ever runs.
"""

import json
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from facedet.errors import CheckpointError
from facedet.i18n import gettext as _

SUFFIXES = (".safetensors", ".pth", ".pt")
CONFIG_KEY = "facedet"
MAX_PICKLE_BYTES = 5_000_000  # of the structure alone; the numbers lie outside it
MAX_PICKLE_MEMO = 100_000  # objects it may refer back to; a ResNet has some thousand
MAX_SIDE_PX = 4096

Shapes = Mapping[str, tuple[int, ...]]

# How each architecture scales photos when nothing else is said: shorter side, longest side.
ARCHITECTURES: dict[str, tuple[int, int]] = {
    "fasterrcnn_resnet50_fpn": (800, 1333),
    "fasterrcnn_resnet50_fpn_v2": (800, 1333),
    "fasterrcnn_mobilenet_v3_large_fpn": (800, 1333),
    "fasterrcnn_mobilenet_v3_large_320_fpn": (320, 640),
}
# Their tensors, written by `python -m tools.architectures`: so that no torch is needed to compare.
SHAPES_FILE = Path(__file__).with_name("architectures.json")
_CLASS_SCORES = "roi_heads.box_predictor.cls_score.weight"
# The lines that depend on the number of classes; they are spoken of in one sentence of their own.
_HEAD = "roi_heads.box_predictor."


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How to build the network and how to use it; travels inside our checkpoints.

    Args:
        architecture: a key of `ARCHITECTURES`.
        min_size, max_size: photos are scaled so that the shorter side is `min_size` pixels, the
            longer at most `max_size`.
        default_score: threshold to start from, 0-1.
        note: one line for people: what it was trained on.
    """

    architecture: str
    min_size: int
    max_size: int
    default_score: float = 0.5
    note: str = ""

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise CheckpointError(
                _("its architecture {name!r} is unknown here; known: {known}").format(
                    name=self.architecture, known=", ".join(ARCHITECTURES)
                )
            )
        sizes_fit = 32 <= self.min_size <= self.max_size <= MAX_SIDE_PX
        if not sizes_fit or not 0 <= self.default_score <= 1:
            raise CheckpointError(
                _("its sizes {low}-{high} px or score {score} are out of range").format(
                    low=self.min_size, high=self.max_size, score=self.default_score
                )
            )

    def to_json(self) -> str:
        """As it stands in the header of a checkpoint."""
        return json.dumps(asdict(self))


def inspect(path: Path) -> Config:
    """The checked configuration of a checkpoint.

    Raises:
        CheckpointError: broken, foreign, of unknown architecture, or without a face class; the
            message says which.
    """
    config, shapes = _read_header(path)
    if config is None:
        config = _recognise(path, shapes)
    _check_tensors(config, shapes)
    return config


def _read_header(path: Path) -> tuple[Config | None, Shapes]:
    try:
        if path.suffix.lower() == ".safetensors":
            return _read_safetensors(path)
        return None, _read_state_dict(path)
    except CheckpointError:
        raise
    except (SafetensorError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            _("the file is broken or no checkpoint ({reason})").format(reason=_one_line(error))
        ) from error
    except Exception as error:  # Hostile bytes make pickle and zipfile raise nearly anything.
        raise CheckpointError(
            _("the file cannot be read ({reason})").format(reason=_one_line(error))
        ) from error


def _read_safetensors(path: Path) -> tuple[Config | None, Shapes]:
    with safe_open(path, framework="numpy") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        text = (file.metadata() or {}).get(CONFIG_KEY)
    if text is None:
        return None, shapes
    try:
        return Config(**json.loads(text)), shapes
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            _("its configuration cannot be read ({reason})").format(reason=_one_line(error))
        ) from error


def _read_state_dict(path: Path) -> Shapes:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl"]
        if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_PICKLE_BYTES:
            raise CheckpointError(_("it is no state dict saved by torch.save"))
        data = archive.read(names[0])
    _check_pickle(data)
    content = _ShapesOnly(BytesIO(data)).load()
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]  # torchvision's own training script wraps it so.
    if not isinstance(content, Mapping):
        raise CheckpointError(_("it holds no state dict; save model.state_dict() instead"))
    if not all(isinstance(k, str) and isinstance(s, tuple) for k, s in content.items()):
        raise CheckpointError(_("it holds more than named tensors; save model.state_dict() alone"))
    return dict(content)


def _check_pickle(data: bytes) -> None:
    """Refuse a pickle that numbers its memory so high that a few bytes would fill ours."""
    for opcode, argument, _at in pickletools.genops(data):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > MAX_PICKLE_MEMO:
            raise CheckpointError(_("it is no state dict saved by torch.save"))


class _ShapesOnly(pickle.Unpickler):
    """Turns each tensor of a `torch.save` pickle into its shape; refuses all other code."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda _store, _at, size, *_rest: tuple(size),
            ("torch._utils", "_rebuild_parameter"): lambda shape, *_rest: shape,
        }
        if module == "torch" and name.endswith("Storage"):
            return name
        if (module, name) not in known:
            raise CheckpointError(
                _("it asks to run code ({name}), which is refused; save a plain state dict").format(
                    name=f"{module}.{name}"
                )
            )
        return known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Where the numbers would be read: they are not needed."""
        return None


@cache
def expected_shapes() -> dict[str, Shapes]:
    """Name and shape of each tensor of each architecture, batch counters left out."""
    stored = json.loads(SHAPES_FILE.read_text(encoding="utf-8"))
    return {
        name: {key: tuple(shape) for key, shape in shapes.items()}
        for name, shapes in stored.items()
    }


def _recognise(path: Path, shapes: Shapes) -> Config:
    """The architecture that shares the most tensors with the file."""
    shared = {
        name: sum(shapes.get(key) == shape for key, shape in expected.items()) / len(expected)
        for name, expected in expected_shapes().items()
    }
    best = max(shared.values())
    if best < 0.5:
        raise CheckpointError(
            _("it is no network that the lab knows; known: {known}").format(
                known=", ".join(ARCHITECTURES)
            )
        )
    fits = [name for name, share in shared.items() if share == best]
    # The two MobileNets have the same tensors; only the name can tell which was meant.
    name = next((n for n in fits if ("320" in n) == ("320" in path.stem)), fits[0])
    min_size, max_size = ARCHITECTURES[name]
    return Config(architecture=name, min_size=min_size, max_size=max_size)


def _check_tensors(config: Config, shapes: Shapes) -> None:
    expected = expected_shapes()[config.architecture]
    found = {k: s for k, s in shapes.items() if not k.endswith("num_batches_tracked")}
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    if not wrong:
        return
    classes = found.get(_CLASS_SCORES, (0,))[0]
    if all(key.startswith(_HEAD) for key in wrong) and classes != 2:
        raise CheckpointError(
            _(
                "it tells {n} classes apart, not background and face; train it on faces first"
            ).format(n=classes)
        )
    key = min(wrong)
    raise CheckpointError(
        _("{n} of its tensors are not those of {name}; {key} is {found}, not {expected}").format(
            n=len(wrong),
            name=config.architecture,
            key=key,
            found=found.get(key, _("missing")),
            expected=expected.get(key, _("expected at all")),
        )
    )


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
