"""The archive from its address, over a real connection that fails as real ones do."""

import gzip
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from facedet.errors import DatasetError
from facedet.vggface import fetch as fetch_module
from facedet.vggface.fetch import fetch

CONTENT = gzip.compress(random.Random(1).randbytes(1_024_000))
OTHER = gzip.compress(random.Random(2).randbytes(1_024_000))
PORTAL = b"\n<html><title>Welcome to our hotel</title></html>"


class Site(ThreadingHTTPServer):
    """Serves `content`; the first answers end after `cuts[i]` bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.cuts: list[int] = []
        self.status = 200
        self.shift = 0  # how far the answers to Range begin beside what was asked for
        self.says_length = True
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/vgg.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site = self.server
        site.asked.append(self.headers.get("Range", ""))
        if site.status != 200:
            self.send_error(site.status)
            return
        start = 0
        if self.headers.get("If-Range") == site.etag and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(site.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start += site.shift if start else 0
        self.send_response(206 if start else 200)
        body = site.content[start:]
        if start:
            last = len(site.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if site.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", site.etag)
        for name, value in site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: site.cuts.pop(0)] if site.cuts else body)
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def no_wait(_seconds: float) -> None:
    pass


def test_the_file_comes_whole(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(site.url, tmp_path / "a" / "v.tar.gz", lambda d, t: seen.append((d, t)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(p.name for p in path.parent.iterdir()) == ["v.tar.gz", "v.tar.gz.part.lock"]


def test_what_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "v.tar.gz").write_bytes(b"mine")
    assert fetch(site.url, tmp_path / "v.tar.gz").read_bytes() == b"mine"
    assert site.asked == []


def test_a_broken_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.cuts = [300_000, 500_000]
    path = fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert path.read_bytes() == CONTENT
    assert len(site.asked) == 3
    assert site.asked[0] == ""
    assert all(asked.startswith("bytes=") for asked in site.asked[1:])


def test_a_later_call_goes_on(site: Site, tmp_path: Path) -> None:
    site.cuts = [200_000] + [0] * (fetch_module.TRIES - 1)
    with pytest.raises(DatasetError, match=r"0\.2 MB are kept: try again"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    site.asked.clear()
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == CONTENT
    [asked] = site.asked
    assert 180_000 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 200_000


def test_a_file_that_changed_meanwhile_is_begun_anew(site: Site, tmp_path: Path) -> None:
    site.cuts = [200_000] + [0] * (fetch_module.TRIES - 1)
    with pytest.raises(DatasetError):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    site.content, site.etag = OTHER, '"two"'
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == OTHER


def test_a_page_that_is_gone_says_so_at_once(site: Site, tmp_path: Path) -> None:
    site.status = 404
    with pytest.raises(DatasetError, match=r"404.*make the practice dataset"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert len(site.asked) == 1


def test_a_host_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be had now"):
        fetch("http://nowhere.invalid/v.tar.gz", tmp_path / "v.tar.gz", wait=no_wait)


def test_a_file_without_end_is_left(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "MAX_BYTES", 500_000)
    with pytest.raises(DatasetError, match="more than"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert not (tmp_path / "v.tar.gz").exists()


def test_a_login_page_is_not_kept_as_the_archive(site: Site, tmp_path: Path) -> None:
    site.content = PORTAL
    with pytest.raises(DatasetError, match=r"a web page.*nothing is kept of what came"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert [p.name for p in tmp_path.iterdir()] == ["v.tar.gz.part.lock"]
    assert len(site.asked) == 1


def test_a_login_page_costs_nothing_of_what_came_before(site: Site, tmp_path: Path) -> None:
    site.cuts = [200_000] + [0] * (fetch_module.TRIES - 1)
    with pytest.raises(DatasetError):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    site.content, site.etag = PORTAL, '"portal"'
    with pytest.raises(DatasetError, match="a web page"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    site.content, site.etag = CONTENT, '"one"'
    site.asked.clear()
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == CONTENT
    assert site.asked[0].startswith("bytes=")


def test_an_end_too_early_is_noticed_where_no_length_was_said(site: Site, tmp_path: Path) -> None:
    site.says_length, site.cuts = False, [300_000]
    path = fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert path.read_bytes() == CONTENT
    assert site.asked == ["", "bytes=300000-"]


def test_another_part_than_asked_for_is_not_joined_on(site: Site, tmp_path: Path) -> None:
    site.cuts, site.shift = [300_000], 7
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == CONTENT
    assert site.asked[1].startswith("bytes=")
    assert site.asked[2:] == [""]


DAMAGED = {
    "a wrong checksum": CONTENT[:-8] + b"\0\0\0\0" + CONTENT[-4:],
    "a file cut off on the server": CONTENT[:-100],
    "something behind it": CONTENT + PORTAL,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_removed(site: Site, tmp_path: Path, content: bytes) -> None:
    site.content = content
    with pytest.raises(DatasetError, match=r"damaged: .*nothing is kept of what came$"):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert [p.name for p in tmp_path.iterdir()] == ["v.tar.gz.part.lock"]


def test_a_part_that_is_whole_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "v.tar.gz.part").write_bytes(CONTENT)
    (tmp_path / "v.tar.gz.part.mark").write_text(site.etag)
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == CONTENT
    assert site.asked == [f"bytes={len(CONTENT)}-"]


def test_a_server_that_calls_gzip_an_encoding_is_not_obeyed(site: Site, tmp_path: Path) -> None:
    site.headers = {"Content-Encoding": "x-gzip"}
    site.cuts = [300_000]
    assert fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait).read_bytes() == CONTENT


def test_two_do_not_fetch_one_file_at_once(site: Site, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "v.tar.gz.part.lock"),
        pytest.raises(DatasetError, match="is being fetched already"),
    ):
        fetch(site.url, tmp_path / "v.tar.gz", wait=no_wait)
    assert site.asked == []
