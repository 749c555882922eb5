"""The practice internet: many pretend sites and their faults, served from this computer.

Addresses under ``.localhost`` (RFC 6761) name the sites. A browser and curl find them by
themselves, our own downloader by `LittleInternet.resolve`, anything else by using the server as
its HTTP proxy.
"""

import asyncio
import concurrent.futures
import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from facedet.errors import PracticeError
from facedet.i18n import gettext as _
from facedet.practice.internet.answers import Answers
from facedet.practice.internet.connection import Connection
from facedet.practice.internet.hub import Hub, Network
from facedet.practice.internet.records import Journal, Request, early_requests, most_at_once
from facedet.practice.internet.site import DEFAULT_PORT, Doors, Ports, load_site

__all__ = [
    "DEFAULT_PORT",
    "LittleInternet",
    "Network",
    "Ports",
    "Request",
    "early_requests",
    "most_at_once",
]

TICK_S = 0.25
ROWS_AT_ONCE = 100  # of the log, written between two turns of the loop: a millisecond
BACKLOG = 1024
_TLS = Path(__file__).parent / "tls"
T = TypeVar("T")


class LittleInternet:
    """The server, in a thread of its own between entering and leaving.

    Args:
        site_dir: the folder with ``answers.jsonl``, or the dataset's, which holds it in ``site/``.
        port: of plain HTTP; the next is TLS, and on the one after nobody listens. 0: three that
            are free.
        network: how far away it all seems.
        log_path: a file that follows the log, one JSON object a line; within a second.
        host: the address to listen on; another than loopback shows the pretend sites to others.

    Raises:
        PracticeError: at once, where the table cannot be served; on entering, where a port is in
            use or the log cannot be written.
    """

    def __init__(
        self,
        site_dir: Path,
        *,
        port: int = DEFAULT_PORT,
        network: Network | None = None,
        log_path: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.ports = Ports.from_base(port)
        self._site = load_site(site_dir)
        self._network = network or Network()
        self._log_path = log_path
        self._host = host
        self._switch = threading.Lock()  # nobody asks while the server stops
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        sockets = _bind(self._host, self.ports.http)
        self.ports = Ports(*(sock.getsockname()[1] for sock in sockets))
        try:
            self._hub = Hub(
                answers=Answers(self._site, Doors(self._site.written, self.ports)),
                network=self._network,
                journal=Journal(self._log_path),
                address=self._reachable_host,
            )
        except PracticeError:
            _close(sockets)
            raise
        self._over.clear()
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._run, args=(sockets, started), name="practice internet", daemon=True
        )
        self._thread.start()
        started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all connections, write the last of the log, free the ports; twice does no harm.

        Raises:
            PracticeError: where the log could not be written to its end.
        """
        with self._switch:
            thread, self._thread = self._thread, None
            if not thread:
                return
            with contextlib.suppress(RuntimeError):  # It has ended by itself.
                self._loop.call_soon_threadsafe(self._closing.set)
            thread.join()
        self._hub.journal.close()

    def wait(self) -> None:
        """Return when somebody calls `stop` or presses Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            # In steps: on Windows, a wait without an end does not notice Ctrl-C.
            while not self._over.wait(0.5):
                pass

    @property
    def log(self) -> list[Request]:
        """A row for each request that has ended, in the order of ending; empty before the start.

        A client that has its whole answer finds its row here.
        """
        return self._in_thread(lambda: [*self._hub.journal.rows]) if hasattr(self, "_hub") else []

    def reset(self) -> None:
        """Forget how often each address was asked, and the log; the log's file stays."""

        def forget() -> None:
            self._hub.answers.forget()
            self._hub.journal.rows.clear()

        if hasattr(self, "_hub"):
            self._in_thread(forget)

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """Where a downloader has to connect for an address of the practice dataset.

        Raises:
            socket.gaierror: for any name that is not under ``.localhost``, as a name that nobody
                has registered gives; also for numbers, so that nothing real is ever reached.
        """
        if not host.lower().rstrip(".").endswith(".localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        doors = Doors(self._site.written, self.ports)
        return self._reachable_host, doors.bound_port(port)

    @property
    def _reachable_host(self) -> str:
        return "127.0.0.1" if self._host in {"", "0.0.0.0"} else self._host

    def _in_thread(self, ask: Callable[[], T]) -> T:
        """The answer of the server's own thread, or of this one after the server has stopped."""
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        def twice() -> None:
            # One turn later: what the socket just sent is entered by a task that wakes in between.
            self._loop.call_soon(lambda: answer.set_result(ask()))

        with self._switch:
            if not (self._thread and self._thread.is_alive()):
                return ask()
            self._loop.call_soon_threadsafe(twice)
            return answer.result()

    def _run(
        self, sockets: list[socket.socket], started: "concurrent.futures.Future[None]"
    ) -> None:
        try:
            asyncio.run(self._serve(sockets, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            _close(sockets)
            self._over.set()

    async def _serve(
        self, sockets: list[socket.socket], started: "concurrent.futures.Future[None]"
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        plain, secure, _refused = sockets
        servers = [
            await self._listen(plain, None),
            await self._listen(secure, _tls()),
        ]
        started.set_result(None)
        while not self._closing.is_set():
            await self._look_after()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TICK_S)
        for server in servers:
            server.close()
        await self._hub.close()

    async def _listen(self, sock: socket.socket, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await self._loop.create_server(
            lambda: Connection(self._hub), sock=sock, ssl=tls, backlog=BACKLOG
        )

    async def _look_after(self) -> None:
        for line in [*self._hub.lines]:
            line.look_after()
        with contextlib.suppress(OSError):  # The rows are kept; `stop` says if they never fit.
            while self._hub.journal.write(ROWS_AT_ONCE):
                await asyncio.sleep(0)


def _bind(host: str, port: int) -> list[socket.socket]:
    """Three bound sockets; nobody will listen on the last, so connecting is refused at once."""
    if not 0 <= port <= 65533:
        raise PracticeError(
            _("the port is {port}: give one from 0 to 65533, for three in a row are used").format(
                port=port
            )
        )
    sockets: list[socket.socket] = []
    try:
        for offset in range(3):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            # The protocol by name: asyncio sends small packets without delay on no other socket.
            sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            sockets.append(sock)
            _claim(sock, host, port + offset if port else 0, listens=offset < 2)
    except OSError as error:
        _close(sockets)
        raise _not_bound(host, port + len(sockets) - 1, error) from error
    return sockets


def _claim(sock: socket.socket, host: str, port: int, *, listens: bool) -> None:
    if os.name == "nt":
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", 0), 1)
    elif listens:
        # A port is free again at once after its server ended. Not where nobody listens: there,
        # two servers could share it unnoticed.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    if listens:
        sock.listen(BACKLOG)


def _not_bound(host: str, port: int, error: OSError) -> PracticeError:
    if error.errno == errno.EADDRINUSE:
        return PracticeError(
            _(
                "port {port} is in use, perhaps by another practice server; stop that one, or "
                "choose three other ports with --port (0: any that are free)"
            ).format(port=port)
        )
    return PracticeError(
        _("cannot listen on {host}, port {port} ({reason}); choose another with --port").format(
            host=host, port=port, reason=error.strerror
        )
    )


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_TLS / "practice-only-cert.pem", _TLS / "practice-only-key.pem")
    return context
