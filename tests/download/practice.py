"""A practice set and its little internet, for tests of the whole download."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facedet.download.client import Limits
from facedet.download.run import Network
from facedet.practice.dataset import Options, make
from facedet.practice.server import LittleInternet
from facedet.vggface import Index, choose, write_labels
from facedet.vggface.making import make_index

# A hang costs what a client is ready to wait: in tests, not long.
LIMITS = Limits(connect_s=2.0, first_byte_s=2.5, between_bytes_s=2.5, total_s=10.0)


def make_set(folder: Path, photos: int = 140, faults: float = 0.7, seed: int = 4) -> Path:
    """A practice set with its ``labels.csv``."""
    make(folder, Options(photos=photos, faults=faults, seed=seed), workers=1)
    make_index(folder / "vgg_face_dataset", folder / "i.parquet")
    index = Index.open(folder / "i.parquet")
    write_labels(index, choose(index, None), folder / "labels.csv")
    return folder


@contextmanager
def served(folder: Path) -> Iterator[tuple[LittleInternet, Network]]:
    """The set's servers, and a network that leads to them."""
    with LittleInternet(folder / "site", port=0) as internet:
        yield (
            internet,
            Network(
                limits=LIMITS,
                allow_private=True,
                resolve=lambda host, port: [internet.resolve(host, port)],
            ),
        )
