"""Write down the tensors of each architecture that the lab reads checkpoints of.

`python -m tools.architectures` after adding one to `ARCHITECTURES`. The networks are made without
memory for their numbers ("meta"), so this takes a second.
"""

import json

import torch
from torchvision.models import detection

from facedet.detectors.checkpoints import ARCHITECTURES, SHAPES_FILE


def tensor_shapes(name: str) -> dict[str, list[int]]:
    """Name and shape of each tensor of the network with two classes: background and face."""
    with torch.device("meta"):
        model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=2)
    return {
        key: list(value.shape)
        for key, value in model.state_dict().items()
        # Only batch norms that are not frozen count batches; a checkpoint may have either kind.
        if not key.endswith("num_batches_tracked")
    }


def main() -> None:
    shapes = {name: tensor_shapes(name) for name in ARCHITECTURES}
    SHAPES_FILE.write_text(json.dumps(shapes, separators=(",", ":")) + "\n")
    print(f"{SHAPES_FILE.name}: {', '.join(f'{n}: {len(s)}' for n, s in shapes.items())}")


if __name__ == "__main__":
    main()
