"""The invented sites of the little internet, and the addresses that they give their pictures."""

import re
from dataclasses import dataclass

import numpy as np

from facedet.practice.internet.heads import normal_path

DOMAIN = "localhost"  # names below it are loopback by definition (RFC 6761, 6.3)
GONE_DOMAIN = "invalid"  # and these never resolve (RFC 6761, 6.4)

# How each site names its pictures. {who}: the person; {n}: a number; {hex}: a long one.
_SITES = {
    "img1.starpix": "/gallery/{year}/{month:02d}/{who}_{n}{suffix}",
    "img2.starpix": "/gallery/{year}/{month:02d}/{who}_{n}{suffix}",
    "img3.starpix": "/gallery/{year}/{month:02d}/{who}_{n}{suffix}",
    "www.redcarpetdaily": "/wp-content/uploads/{year}/{month:02d}/{who}-{n}{suffix}",
    "www.thematinee": "/photos/{who}/{who}{n}{suffix}",
    "media.lumen-agency": "/{hex}/w480{suffix}",
    "cdn.fanwall": "/posters/{n}/{who}_poster{suffix}",
    "1.blog.penandpopcorn": "/-{hex}/s640/{who}{suffix}",
    "2.blog.penandpopcorn": "/-{hex}/s640/{who}{suffix}",
    "3.blog.penandpopcorn": "/-{hex}/s1600/{who}%20({n}){suffix}",
    "i.pinwall": "/736x/{hex}{suffix}",
    "upload.openportraits": "/commons/thumb/{who}_{year}{suffix}",
    "static.nordfilm": "/personer/{n}/{who}{suffix}",
    "www.kinoteka": "/actor/album/{n}/{n}{suffix}",
    "images.vivant-magazin": "/{year},{n}/{who},cover{suffix}",
    "pics.gossipcorner": "/{year}/{month:02d}/{who}_premiere_{n}{suffix}",
    "img.walldesk": "/download.php?id={n}&name={who}{suffix}",
    "www.imagebarn": "/image/{hex}",
    "photos.tvfriends": "/cast/{who}/{n}_full{suffix}",
    "thumbs.dreamframe": "/t/{who}-{n}{suffix}",
    "www.stageandscreen": "/content/{year}/{hex}{suffix}",
    "files.actorsguide": "/headshots/{who}{n}{suffix}",
    "gallery.oldhollywood": "/bw/{who}_{n}{suffix}",
    "www.bigpictureshow": "/shows/{n}/{who}{suffix}",
}
# Hosts that keep a picture saying "image removed" in place of what was deleted.
PLACEHOLDER_HOSTS = ("i.pinwall", "www.imagebarn", "thumbs.dreamframe", "img1.starpix")
# What RFC 3986 does not allow and careless sites write all the same. No braces: curl takes them for
# a pattern. Every client either sends them as they are or writes %7C and so on.
UNUSUAL = ("|", "^", '"')
UNUSUAL_SHARE = 0.005  # a few per mille of the real ones have some


@dataclass(frozen=True, slots=True)
class Address:
    """Where a picture is: the server's key for it, and the URL as the label files have it."""

    host: str
    path: str
    url: str


class AddressBook:
    """Gives out addresses that no other picture has.

    Args:
        rng: decides sites and numbers.
        port: of the little internet; stands in every URL, for it is no port 80.
    """

    def __init__(self, rng: np.random.Generator, port: int) -> None:
        self._rng = rng
        self._port = port
        self._taken: set[tuple[str, str]] = set()
        # Few sites have most of the pictures, as in the real files.
        shares = 1 / np.arange(1, len(_SITES) + 1) ** 0.7
        self._shares = shares / shares.sum()

    def new(
        self, person: str, suffix: str, *, site: str = "", gone: bool = False, scheme: str = "http"
    ) -> Address:
        """An address of its own.

        Args:
            person: an identity.
            suffix: of the picture, as a careless site writes it.
            site: one of the sites; "" for any.
            gone: under a name that never resolves.
            scheme: ``https`` goes to the port beside.
        """
        while True:
            name = site or str(self._rng.choice(list(_SITES), p=self._shares))
            host = f"{name}.{GONE_DOMAIN if gone else DOMAIN}"
            path = self._path(_SITES[name], person, suffix)
            place = host, normal_path(path)
            if place not in self._taken:
                self._taken.add(place)
                port = self._port + (scheme == "https")
                return Address(host, path, f"{scheme}://{host}:{port}{path}")

    def refused(self, person: str, suffix: str) -> Address:
        """An address at which no server listens."""
        address = self.new(person, suffix)
        url = f"http://{address.host}:{self._port + 2}{address.path}"
        return Address(address.host, address.path, url)

    def _path(self, template: str, person: str, suffix: str) -> str:
        rng = self._rng
        if rng.random() < UNUSUAL_SHARE:
            suffix = f"{rng.choice(UNUSUAL)}{rng.integers(1, 9)}{suffix}"
        return template.format(
            who=re.sub(r"[^a-z0-9]+", "_", person.lower()),
            year=int(rng.integers(2008, 2016)),
            month=int(rng.integers(1, 13)),
            n=int(rng.integers(10, 100_000)),
            hex=rng.bytes(6).hex(),
            suffix=suffix,
        )
