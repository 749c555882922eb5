"""What one attempt at one link ends in: a body, or a failure of a closed list of classes."""

from dataclasses import dataclass
from typing import Literal, get_args

ErrorClass = Literal[
    "dns",
    "connect",
    "tls",
    "timeout",
    "http_4xx",
    "http_5xx",
    "redirect_loop",
    "blocked_address",
    "too_large",
    "not_an_image",
    "placeholder",
    "truncated",
    "bomb",
    "disk",
    "cancelled",
]
ERROR_CLASSES: tuple[ErrorClass, ...] = get_args(ErrorClass)
# A full disk or a stop ends the run, and its links wait: no row keeps these two.
RECORDED = tuple(name for name in ERROR_CLASSES if name not in ("disk", "cancelled"))


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body that a link gave, whole by its server's own account.

    Args:
        body: all bytes, decompressed.
        http_status: of the last hop.
        final_url: where the redirects ended.
    """

    body: bytes
    http_status: int
    final_url: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a link gave none.

    Args:
        error_class: one of `ERROR_CLASSES`.
        note: what happened, in a few words, for a person.
        http_status: of the last answer; None where there was none.
        final_url: the last address that was asked, or refused.
        retry_after_s: how long the server asked to be left alone; None where it did not.
        doubtful: whether our own line may be what failed, so that nothing is known of the link.
    """

    error_class: ErrorClass
    note: str
    http_status: int | None = None
    final_url: str = ""
    retry_after_s: float | None = None
    doubtful: bool = False
