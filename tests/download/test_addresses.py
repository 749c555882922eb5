"""What may be asked, and what may not: every way to write an address that should not be reached."""

import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedet.download.addresses import (
    PLAIN,
    canonical,
    check_url,
    judge,
    literal_ip,
    network_of,
    system_resolve,
)
from facedet.download.links import host_of

PUBLIC = (
    *("8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.1"),
    *("192.0.3.1", "192.167.255.255", "198.17.255.255", "198.20.0.1", "223.255.255.255"),
    *("2606:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2003::1"),
)
INNER = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "100.127.255.255": "private",
    "fc00::1": "private",
    "fdff::1": "private",
}
NEVER = (
    # Metadata services.
    *("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16"),
    *("fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe"),
    # Link-local, unspecified, broadcast, multicast.
    *("169.254.0.1", "169.254.170.2", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1"),
    *("0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "224.0.0.1", "239.255.255.250", "ff02::1"),
    # Reserved, documentation, benchmarks, discard.
    *("240.0.0.1", "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1"),
    *("198.19.255.255", "2001:db8::1", "3fff::1", "100::1", "2001:2::1", "2001:10::1"),
    *("4000::1", "5f00::1", "1::1"),
    # IPv4 in the dress of IPv6: mapped, translated, compatible, NAT64, 6to4, Teredo; inner and
    # public ones, for the dress never makes it better.
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1", "::7f00:1", "::8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::a00:1"),
    *("2002:7f00:1::", "2002:808:808::1", "2002:a9fe:a9fe::", "2001:0:1::1", "192.88.99.1"),
    # No address at all.
    *("", "localhost", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "::1::", "١.١.١.١"),
)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_may_be_asked(ip: str) -> None:
    assert judge(ip) is None
    assert network_of(ip) == "public"


@pytest.mark.parametrize("ip", INNER)
def test_inner_addresses_are_refused(ip: str) -> None:
    assert judge(ip)


@pytest.mark.parametrize(("ip", "network"), INNER.items())
def test_inner_addresses_may_be_asked_where_that_is_said(ip: str, network: str) -> None:
    assert judge(ip, allow_private=True) is None
    assert network_of(ip) == network


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("ip", NEVER)
def test_some_addresses_are_never_asked(ip: str, allow_private: bool) -> None:
    assert judge(ip, allow_private=allow_private)
    assert network_of(ip) is None


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://example.com/a.jpg",
        "data:image/png;base64,iVBORw0KGgo=",
        "gopher://127.0.0.1:6379/_INFO",
        "javascript:alert(1)",
        "dict://127.0.0.1:11211/stat",
        "ws://example.com/",
        "jar:http://example.com/a.jpg",
        "//example.com/a.jpg",
        "example.com/a.jpg",
        "",
    ],
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="only http and https"):
        check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0", "4294967295", "99999999999"),  # decimal
        *("017700000001", "0177.0.0.1", "0177.0.0.01", "127.0.0.01"),  # octal
        *("0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "0X7F.1", "127.0.0.0x1", "1.0x"),  # hex
        *("127.1", "127.0.1", "10.1", "192.168.257"),  # short
        *("127.0.0.256", "1.2.3.4.5", "127.0.0.-1.1", "foo.1", "1..1"),
    ],
)
def test_numbers_in_other_notations_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="usual notation"):
        check_url(f"http://{host}/a.jpg")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1.", "127.0.0.1:80", "127.0.0.1.:8080"),
        *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "𝟏𝟐𝟕.𝟎.𝟎.𝟏"),
    ],
)
def test_however_written_an_ipv4_address_is_judged_as_itself(host: str) -> None:
    name = check_url(f"http://{host}/").hostname or ""
    assert literal_ip(name) == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "ip"),
    [
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::FFFF:127.0.0.1]", "::ffff:7f00:1"),
        ("[::ffff:7f00:1]:8080", "::ffff:7f00:1"),
        ("[FE80::1]", "fe80::1"),
        ("[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"),
    ],
)
def test_however_written_an_ipv6_address_is_judged_as_itself(host: str, ip: str) -> None:
    found = literal_ip(check_url(f"http://{host}/").hostname or "")
    assert found == ip
    assert judge(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:80@127.0.0.1/",
        "http://user:password@example.com/",
        "http://@example.com/",
        "http://a@b@example.com/",
    ],
)
def test_user_names_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="user name"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com\\@127.0.0.1/", "http:\\\\example.com/", "http://example.com/a\\b"),
        *("http://exa mple.com/", "http://example.com/a b.jpg", " http://example.com/"),
        *("http://example.com/\r\nX-Evil: 1", "http://exam\tple.com/", "http://example.com/\n"),
        *("http://example.com\0.evil.com/", "\0http://example.com/", "http://example.com/\x7f"),
        *("http://exam\u200bple.com/", "http://exam\u00adple.com/", "http://\u202eexample.com/"),
        *("http://example.com/\u00a0", "http://example.com/\u3000", "http://example.com/\udcff"),
    ],
)
def test_white_space_backslashes_and_control_characters_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://", "http:///a.jpg", "http:example.com", "http:/example.com", "http://:80/"),
        *("http://./", "http://../", "http://?", "http://#"),
    ],
)
def test_a_missing_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"no host|no name of a host"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com:0/", "http://example.com:65536/", "http://example.com:-1/"),
        *("http://example.com:http/", "http://example.com:+80/", "http://example.com:8_0/"),
        *("http://example.com:٨٠/", "http://example.com:80:80/", "http://[::1]:0/"),
    ],
)
def test_impossible_ports_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        *("a" * 64 + ".com", "a." * 127 + "com", "ü" * 70 + ".de", "ü" * 5000),
        *("example..com", ".example.com", "exa%6dple.com", "127.0.0.1%00.example.com"),
        *("exa*mple.com", "exa$mple.com", "a,b", "<b>", "example.com;evil", "xn--ü.com"),
        *("☃..com", "a\u0660.\u05d0.com"),
    ],
)
def test_what_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="no name of a host"):
        check_url(f"http://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        *("[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%1]", "[v1.fe80]", "[::1", "::1", "[]"),
        *("[127.0.0.1]", "[::1]x", "x[::1]", "[::1].example.com", "[example.com]", "[1::2::3]"),
    ],
)
def test_broken_brackets_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"IPv6|network card|malformed"):
        check_url(f"http://{host}/")


def test_a_slash_in_disguise_is_refused() -> None:
    with pytest.raises(ValueError, match="malformed"):
        check_url("http://example.com／@127.0.0.1/")


def test_an_endless_address_is_refused() -> None:
    with pytest.raises(ValueError, match="8,192"):
        check_url("http://example.com/" + "a" * 8192)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("HTTP://EXAMPLE.com:80", "http://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com./a.jpg", "http://example.com/a.jpg"),
        ("http://my_site.example.com:/a.jpg", "http://my_site.example.com/a.jpg"),
        ("http://-foo-.example.com/", "http://-foo-.example.com/"),
        ("http://münchen.example/ä.jpg?ö=ü", "http://xn--mnchen-3ya.example/%C3%A4.jpg?%C3%B6=%C3%BC"),
        ("http://example.com/a%20b.jpg?u=http://x/?y", "http://example.com/a%20b.jpg?u=http://x/?y"),
        ('http://example.com/a"<{}>', "http://example.com/a%22%3C%7B%7D%3E"),
        ("http://[2606:4700:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    ],
)  # fmt: skip
def test_a_good_address_is_written_in_one_way(url: str, written: str) -> None:
    assert check_url(url).geturl() == written
    assert check_url(written).geturl() == written


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.com/a.jpg", "http://example.com/a.jpg"),
        (" HTTP://Example.COM.:80/a.jpg#top\n", "http://example.com/a.jpg"),
        ("https://example.com:443", "https://example.com/"),
        ("http://example.com/a?", "http://example.com/a"),
        ("http://１２７.０.０.１/", "http://127.0.0.1/"),
        ("http://example.com/ä", "http://example.com/%C3%A4"),
        (" http://example.com/a b ", "http://example.com/a b"),
        ("FTP://Example.com/", "FTP://Example.com/"),
        ("http://[broken/", "http://[broken/"),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling(url: str, key: str) -> None:
    assert canonical(url) == key


# Hosts that are nearly numbers, ports that go without saying, queries that are empty, and so on.
_SCHEMES = st.sampled_from(["http://", "https://", "HTTP://", "http:/", "ftp://", " http://"])
_LABELS = st.sampled_from(
    [
        "a",
        "A",
        "-x_",
        "0x1",
        "1",
        "127",
        "0",
        "é",
        "",
        "a" * 63,
        "b" * 64,
        "xn--mnchen-3ya",
        "[::1]",
    ]
)
_HOSTS = st.lists(_LABELS, max_size=6).map(".".join)
_PORTS = st.sampled_from(["", ":", ":80", ":443", ":0", ":0080", ":8642", ":65536", "@b", ":1:2"])
_PATHS = st.lists(
    st.sampled_from(
        [*"/?#%&;=[]|^'\"<{}~\\ é", "//", "%2f", "a.jpg", "..", "\n", "\x7f", "\u200b"]
    ),
    max_size=8,
).map("".join)


_URLS = st.builds("{}{}{}{}".format, _SCHEMES, _HOSTS, _PORTS, _PATHS)
# Mostly plain: any character at all that ASCII can print, behind a good host.
_ASCII = st.text(st.sampled_from([chr(code) for code in range(32, 127)]), max_size=12)
_PLAIN = st.builds("http://a.example{}/{}".format, st.sampled_from(["", ":80", ":8642"]), _ASCII)


@settings(deadline=None)
@given(_URLS | _PLAIN)
def test_the_quick_way_to_the_one_spelling_ends_where_the_long_one_does(url: str) -> None:
    try:
        longhand = check_url(url.strip()).geturl()
    except ValueError:
        longhand = url.strip()
    assert canonical(url) == longhand
    assert canonical(longhand) == longhand


@settings(deadline=None)
@given(_PLAIN)
def test_the_quick_way_to_a_host_ends_where_the_long_one_does(url: str) -> None:
    assert host_of(url) == "a.example"


def test_the_ordinary_address_goes_the_quick_way() -> None:
    assert PLAIN.fullmatch("http://img3.starpix.localhost:8642/a/2013/07/Ann_Lee%20(2),1.jpg?w=3&h")


# Names


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "pix.localhost", "a.b.LocalHost."])
def test_names_under_localhost_are_this_computer_without_asking(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("somebody was asked"))
    assert system_resolve(name, 8642) == [("127.0.0.1", 8642)]


def test_all_addresses_of_a_name_are_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, **_kind: Any) -> list[Any]:
        assert host == "notlocalhost"
        v4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))
        v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", port, 0, 0))
        return [v6, v4, v4]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert system_resolve("notlocalhost", 80) == [("2606:4700::1111", 80), ("93.184.216.34", 80)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]"])
def test_an_ip_address_is_told_from_a_name(host: str) -> None:
    assert literal_ip(host) == host.strip("[]")


def test_a_name_is_told_from_an_ip_address() -> None:
    assert literal_ip("example.com") is None
