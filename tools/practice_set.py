"""A practice set with its label table, and a port to serve it at: for tools and benchmarks."""

import socket
from pathlib import Path

from facedet.practice.dataset import Options, make
from facedet.vggface import Index, choose, write_labels
from facedet.vggface.making import make_index


def make_with_labels(folder: Path, options: Options) -> Path:
    """The set in `folder`; returns its ``labels.csv``."""
    make(folder, options)
    make_index(folder / "vgg_face_dataset", folder / "i.parquet")
    index = Index.open(folder / "i.parquet")
    write_labels(index, choose(index, None), folder / "labels.csv")
    return folder / "labels.csv"


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
