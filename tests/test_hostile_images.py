"""Every file of Pillow's collection ends in detections or a typed error, soon, within 1 GiB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import pillow_test_images

MAX_S = 5.0
MAX_BYTES = 1 << 30

# One process for all files, for a start costs more than most of them. Its peak memory is set back
# before each file; the last line it wrote tells which file killed it.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from facedet.detectors import load_catalogue
from facedet.errors import ImageError
from facedet.images import read

detector = load_catalogue().get("yunet").load()

def peak_kib():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])

for path in map(Path, sys.stdin.read().split("\\0")):
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    try:
        outcome = len(detector.detect(read(path).pixels))
    except ImageError as error:
        outcome = str(error)
    row = [path.name, time.perf_counter() - began, peak_kib() * 1024, outcome]
    print(json.dumps(row), flush=True)
"""


@pytest.mark.network
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
def test_every_hostile_picture_ends_well() -> None:
    folder = pillow_test_images()
    if folder is None:
        pytest.skip("Pillow's source package cannot be fetched here")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(files) > 1000
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input="\0".join(map(str, files)),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    last = rows[-1][0] if rows else None
    assert done.returncode == 0, f"died after {last}: {done.stderr[-2000:]}"
    assert len(rows) == len(files)
    assert [row for row in rows if row[1] > MAX_S] == []
    assert [row for row in rows if row[2] > MAX_BYTES] == []
    assert all("\n" not in str(row[3]) for row in rows)
    # The collection holds both kinds in hundreds: neither outcome may swallow the other.
    assert sum(isinstance(row[3], int) for row in rows) > 500
    assert sum(isinstance(row[3], str) for row in rows) > 200
