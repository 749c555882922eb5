"""Where a download may go: what a URL has to look like, and which IP addresses may be asked.

A link comes from strangers, and so does each redirect. Without this, a label file could make the
lab's computer ask its own services, its neighbours, or the service that hands out a cloud
machine's passwords (server-side request forgery).
"""

import re
import socket
from collections.abc import Callable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

import idna

from facedet.errors import shown_name
from facedet.i18n import gettext as _

# Host and port to the pairs of IP address and port to connect to; raises `socket.gaierror`.
Resolve = Callable[[str, int], list[tuple[str, int]]]
Network = Literal["public", "loopback", "private"]
_Group = Literal[
    "public",
    "loopback",
    "private",
    "shared",
    "unspecified",
    "link_local",
    "metadata",
    "multicast",
    "documentation",
    "tunnel",
    "reserved",
]

MAX_URL_CHARACTERS = 8192
MAX_HOST_CHARACTERS = 253  # RFC 1035, 2.3.4, without the last dot
DEFAULT_PORTS = {"http": 80, "https": 443}

# The ordinary address, which `check_url` would give back as it is. Of millions nearly all are
# ordinary; whatever this does not know goes the long way.
_IN_PATH = r"A-Za-z0-9!$%&'()*+,\-./:;=@\[\]^_|~"
PLAIN = re.compile(
    r"https?://(?=[^/:]{1,253}[/:])(?P<host>(?:[a-z0-9_-]{1,63}\.)*[a-z][a-z0-9_-]{0,62})"
    rf"(?::[1-9][0-9]{{3}})?/[{_IN_PATH}]*(?:\?[?{_IN_PATH}]+)?"
)

# The IANA special-purpose registries (RFC 6890 and later); the first that fits decides. Python's
# own `is_global` is not used: its answers changed between versions.
_GROUPS_V4: tuple[tuple[_Group, tuple[str, ...]], ...] = (
    # AWS and most others, Oracle, Alibaba, Azure: who reaches these may become the machine.
    ("metadata", ("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16")),
    ("link_local", ("169.254.0.0/16",)),
    ("loopback", ("127.0.0.0/8",)),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ("shared", ("100.64.0.0/10",)),
    ("unspecified", ("0.0.0.0/8",)),
    ("multicast", ("224.0.0.0/4",)),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")),
    ("tunnel", ("192.88.99.0/24",)),
    ("reserved", ("192.0.0.0/24", "240.0.0.0/4")),
)
_GROUPS_V6: tuple[tuple[_Group, tuple[str, ...]], ...] = (
    # AWS, Google, Oracle.
    ("metadata", ("fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe")),
    ("loopback", ("::1",)),
    ("unspecified", ("::",)),
    ("link_local", ("fe80::/10", "fec0::/10")),
    ("private", ("fc00::/7",)),
    ("multicast", ("ff00::/8",)),
    ("documentation", ("2001:db8::/32", "3fff::/20")),
    # Each carries an IPv4 address: mapped, translated, compatible, NAT64, 6to4, Teredo. None is
    # needed to reach a public site, and all have been used to get past checks like this one.
    ("tunnel", ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96")),
    ("tunnel", ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")),
    ("reserved", ("2001::/23",)),
    ("public", ("2000::/3",)),
    ("reserved", ("::/0",)),  # nothing else is given out yet; discard (100::/64) among it
)
_NETS_V4 = tuple((group, ip_network(net)) for group, nets in _GROUPS_V4 for net in nets)
_NETS_V6 = tuple((group, ip_network(net)) for group, nets in _GROUPS_V6 for net in nets)
_NETWORKS: dict[_Group, Network] = {
    "public": "public",
    "loopback": "loopback",
    "private": "private",
    "shared": "private",
}


def network_of(ip: str) -> Network | None:
    """The kind of network that an address belongs to; None where it may never be asked."""
    return _NETWORKS.get(_group(ip))


def judge(ip: str, *, allow_private: bool = False) -> str | None:
    """Why an IP address may not be connected to, in words; None where it may.

    Args:
        ip: IPv4 or IPv6, as a resolver gives it.
        allow_private: also this computer (127/8, ::1) and private networks (RFC 1918, RFC 4193,
            RFC 6598), for practice and classrooms. Nothing else changes: a private address
            inside a tunnel, or a metadata service, stays forbidden.
    """
    network = network_of(ip)
    if network == "public" or (network and allow_private):
        return None
    return _reason(_group(ip))


def check_url(url: str) -> SplitResult:
    """The URL split and written in one way: ASCII, lower-case host, no default port, no fragment.

    A host that is a number in any notation is a dotted IPv4 address or refused, so that no
    resolver can read another address into it (the WHATWG rule: its last part is a number).

    Raises:
        ValueError: it cannot, or must not, be asked; the reason in words.
    """
    check_characters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(_("the address is malformed ({reason})").format(reason=error)) from error
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(_("only http and https are followed"))
    if "@" in parts.netloc:
        raise ValueError(_("the address carries a user name"))
    if port == 0:
        raise ValueError(_("there is no port 0"))
    host = _checked_host(parts)
    netloc = host if port in {None, DEFAULT_PORTS[parts.scheme]} else f"{host}:{port}"
    return SplitResult(parts.scheme, netloc, _quoted(parts.path) or "/", _quoted(parts.query), "")


def canonical(url: str) -> str:
    """The one spelling of all that lead to the same place, by which links are told apart.

    That of `check_url`, so neither case of the host nor its last dot, a port that goes without
    saying or a fragment make another address. What cannot be asked stays as it is, without white
    space around it.
    """
    if PLAIN.fullmatch(url):
        return url
    text = url.strip()
    try:
        return check_url(text).geturl()
    except ValueError:
        return text


def check_characters(url: str) -> None:
    """Refuse what makes two programs read two addresses out of one text.

    Raises:
        ValueError: a control character, white space or backslash; or it is too long.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise ValueError(
            _("the address has more than {n:,} characters").format(n=MAX_URL_CHARACTERS)
        )
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(_("the address holds a space, a backslash or a control character"))


def literal_ip(host: str) -> str | None:
    """The IP address that a checked host is, without brackets; None where it is a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None


def system_resolve(host: str, port: int) -> list[tuple[str, int]]:
    """All addresses of a name, as the system's resolver gives them.

    Names under ``.localhost`` are this computer by definition (RFC 6761, 6.3). Nobody is asked for
    them, for many resolvers do not know it.

    Raises:
        socket.gaierror: there is no such name, or nobody can be asked.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return [("127.0.0.1", port)]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(where[0]), port) for *_kind, where in found))


@lru_cache(maxsize=4096)  # the same few hosts have most of the pictures
def _group(ip: str) -> _Group:
    try:
        address = ip_address(ip)
    except ValueError:
        return "reserved"
    nets = _NETS_V4 if isinstance(address, IPv4Address) else _NETS_V6
    return next((group for group, net in nets if address in net), "public")


def _reason(group: _Group) -> str:
    """One clause that follows an address and a colon."""
    reasons: dict[_Group, str] = {
        "loopback": _("this computer itself"),
        "private": _("inside a private network"),
        "shared": _("inside a provider's network"),
        "unspecified": _("no address of a computer"),
        "link_local": _("a neighbour on the same cable"),
        "metadata": _("a cloud's metadata service"),
        "multicast": _("a group of computers"),
        "documentation": _("reserved for examples and tests"),
        "tunnel": _("one address hidden in another"),
        "reserved": _("reserved"),
    }
    return reasons[group]


def _checked_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        if not re.fullmatch(r"\[[^]]*\](:[0-9]*)?", parts.netloc):  # urlsplit drops what is beside
            raise ValueError(_("{host} is no IPv6 address").format(host=shown_name(parts.netloc)))
        return f"[{_checked_v6(host)}]"
    host = _ascii(host).removesuffix(".")
    if not host:
        raise ValueError(_("the address names no host"))
    last = host.rsplit(".", 1)[-1]
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return _checked_v4(host)
    if len(host) > MAX_HOST_CHARACTERS or not re.fullmatch(
        r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", host
    ):
        raise ValueError(_("{host} is no name of a host").format(host=shown_name(host)))
    return host


def _ascii(host: str) -> str:
    """The host as the name system knows it: full-width digits and dots become plain ones, too."""
    if host.isascii() or len(host) > MAX_HOST_CHARACTERS:
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise ValueError(_("{host} is no name of a host").format(host=shown_name(host))) from error


def _checked_v4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError as error:
        raise ValueError(
            _("{host} is a number, and no IPv4 address in the usual notation").format(
                host=shown_name(host)
            )
        ) from error


def _checked_v6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except AddressValueError as error:
        raise ValueError(_("{host} is no IPv6 address").format(host=shown_name(host))) from error
    if address.scope_id:
        raise ValueError(_("{host} names a network card").format(host=shown_name(host)))
    return str(address)


def _quoted(text: str) -> str:
    # What is quoted already, and all that may stand in a path or query, stays as it is.
    return quote(text, safe="!$%&'()*+,-./:;=?@[]^_|~")
