"""A lab server of one's own, and a Chromium to look at it: for tests, benchmarks, screenshots."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@dataclass(frozen=True)
class Lab:
    """A running server."""

    url: str
    pid: int
    home: Path
    seconds_to_start: float


def find_browser() -> str | None:
    """An installed Chromium or Chrome."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def running_lab(home: Path, environ: Mapping[str, str] | None = None) -> Iterator[Lab]:
    """Start the lab on a free port with its workspace at `home`; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.headless", "true"]
    environ = {**os.environ, **(environ or {}), "FACEDET_HOME": str(home)}
    began = time.perf_counter()
    log = home.with_suffix(".log").open("ab")
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log) as server:
        try:
            url = f"http://localhost:{port}"
            _wait_until_up(url, server)
            yield Lab(url, server.pid, home, time.perf_counter() - began)
        finally:
            server.terminate()
            log.close()


def _wait_until_up(url: str, server: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with code {server.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"no answer from {url} in {timeout_s} s")
