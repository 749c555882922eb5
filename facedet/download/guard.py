"""The door to the network: connections go to the very addresses that were judged, and nowhere else.

A name that is looked up twice may answer twice: harmless to whoever checks, harmful to whoever
connects (DNS rebinding). So the client library is not let near the name system. Its resolver hands
out what was judged for the request under way, and its sockets are made here.
"""

import asyncio
import socket
import ssl
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult

from facedet.download.addresses import Network, Resolve, judge, network_of
from facedet.download.endings import EndedError
from facedet.i18n import gettext as _

KEPT_S = 60.0  # a name is not looked up again for so long
MOST_NAMES = 20_000
IDLE_S = 10.0  # a connection that nobody uses

Addresses = tuple[tuple[str, int], ...]


@dataclass(slots=True, eq=False)
class Way:
    """Where one request may go: addresses that were all judged, of one kind of network.

    Args:
        addresses: pairs of IP address and port.
        network: the kind that they all belong to.
        opened: sockets made for it so far; 0 while it uses a connection of an earlier one.
    """

    addresses: Addresses
    network: Network
    opened: int = 0


# Of the request under way, per task: the library's hooks are called without knowing for whom.
way_now: ContextVar[Way] = ContextVar("way_now")


def judged(addresses: Sequence[tuple[str, int]], came_from: Network | None, private: bool) -> Way:
    """The way to these addresses, if each of them may be asked.

    Args:
        addresses: all that a host has.
        came_from: the kind of network that redirected here; None for the link itself.
        private: whether this computer and private networks are allowed.

    Raises:
        EndedError: one of them is forbidden; or a redirect leads from a public place inwards,
            or from one kind of private network to another.
    """
    for ip, _port in addresses:
        if reason := judge(ip, allow_private=private):
            raise EndedError("blocked_address", f"{ip}: {reason}")
        if came_from and network_of(ip) not in {"public", came_from}:
            raise EndedError(
                "blocked_address", _("a redirect that leads inwards, to {ip}").format(ip=ip)
            )
    networks = {network for ip, _port in addresses if (network := network_of(ip))}
    if len(networks) != 1:
        raise EndedError("blocked_address", _("the name leads to several kinds of network at once"))
    return Way(tuple(addresses), networks.pop())


class Names:
    """Looks names up in threads, each once for all who need it at the same time.

    Args:
        resolve: asks the name system; may take its time.
        threads: at most.
        wait_s: for one answer.
    """

    def __init__(self, resolve: Resolve, threads: int, wait_s: float) -> None:
        self._resolve = resolve
        self._wait_s = wait_s
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="names")
        self._kept: dict[tuple[str, int], tuple[float, Addresses]] = {}
        self._asked: dict[tuple[str, int], asyncio.Future[list[tuple[str, int]]]] = {}

    async def look_up(self, host: str, port: int) -> Addresses:
        """All addresses of a host.

        Raises:
            EndedError: it has none, or nobody says.
        """
        key = host, port
        now = asyncio.get_running_loop().time()
        if key in self._kept and now < self._kept[key][0] + KEPT_S:
            return self._kept[key][1]
        try:
            async with asyncio.timeout(self._wait_s):
                # Shielded: whoever gives up does not take the answer from the others.
                found = tuple(await asyncio.shield(self._ask(key)))
        except TimeoutError as error:
            says = _("the name system does not answer")
            raise EndedError("dns", says, doubtful=True) from error
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EndedError(
                "dns",
                _("no such name: {reason}").format(reason=reason),
                # Without a network, some systems say of every name that there is none.
                doubtful=isinstance(error, OSError),
            ) from error
        if not found:
            raise EndedError("dns", _("the name has no address"))
        self._keep(key, now, found)
        return found

    def close(self) -> None:
        """Ask nothing more; threads that still wait for an answer end with it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, key: tuple[str, int]) -> "asyncio.Future[list[tuple[str, int]]]":
        if key not in self._asked:
            answer = asyncio.get_running_loop().run_in_executor(self._pool, self._resolve, *key)
            self._asked[key] = answer
            answer.add_done_callback(lambda done: self._forget(key, done))
        return self._asked[key]

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[list[tuple[str, int]]]") -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, even if all who asked have left

    def _keep(self, key: tuple[str, int], now: float, found: Addresses) -> None:
        self._kept.pop(key, None)
        if len(self._kept) >= MOST_NAMES:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = now, found


class Doors:
    """One pool of connections for each kind of network, so that none is used for another's sake.

    Args:
        most_sockets: open at once, idle ones included; beyond, none is kept for later.
    """

    def __init__(self, most_sockets: int) -> None:
        self._most_sockets = most_sockets
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._tls = tls_context()
        self._connectors: dict[Network, aiohttp.TCPConnector] = {}

    @property
    def crowded(self) -> bool:
        """Whether so many connections are open that this one should not be kept."""
        return len(self._sockets) >= self._most_sockets

    def connector(self, network: Network) -> aiohttp.TCPConnector:
        """The pool of that kind of network; ends with the session that uses it."""
        if network not in self._connectors:
            self._connectors[network] = aiohttp.TCPConnector(
                limit=0,
                resolver=_JudgedOnly(),
                use_dns_cache=False,
                socket_factory=self._open,
                ssl=self._tls,
                keepalive_timeout=IDLE_S,
            )
        return self._connectors[network]

    def _open(self, target: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _name, where = target
        way = way_now.get()
        if (where[0], where[1]) not in way.addresses:
            raise PermissionError(f"{where[0]} was not judged for this request")
        way.opened += 1
        sock = socket.socket(family, kind, protocol)
        self._sockets.add(sock)
        return sock


class _JudgedOnly(AbstractResolver):
    """Knows only the addresses that were judged for the request under way."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=to_port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for ip, to_port in way_now.get().addresses
        ]

    async def close(self) -> None:
        """Nothing to end."""


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the system's list and certifi's; names always."""
    context = ssl.create_default_context()
    # Some systems have no list of their own that OpenSSL finds.
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
