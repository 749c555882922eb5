from pathlib import Path

import pytest

from facedet.vggface import Index
from facedet.vggface.making import make_index
from tests.vggface.made import write_archive


@pytest.fixture
def index(tmp_path: Path) -> Index:
    store = tmp_path / "index.parquet"
    make_index(write_archive(tmp_path / "three.tar.gz"), store)
    return Index.open(store)
