"""How an attempt ends early: one exception, and every error of the network put into words."""

import asyncio
import errno
import os
import ssl
from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from facedet.download.outcome import ErrorClass
from facedet.i18n import gettext as _


class EndedError(Exception):
    """Ends an attempt, and says why.

    Args:
        error_class: as the ledger will have it.
        note: a few words for a person.
        retry_after_s: how long the server asked to be left alone.
        doubtful: whether our own line may be what failed.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        note: str,
        retry_after_s: float | None = None,
        *,
        doubtful: bool = False,
    ) -> None:
        super().__init__(note)
        self.error_class = error_class
        self.note = note
        self.retry_after_s = retry_after_s
        self.doubtful = doubtful


class LostConnectionError(aiohttp.ClientError):
    """The connection broke before the head of an answer was whole."""


# Errors of connecting that are this computer's, or its line's.
_OURS = frozenset(
    (
        *(errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    )
)

# All that asking for a page, or reading it, may raise because of the other side.
NETWORK_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, asyncio.TimeoutError)


def before_answer(error: Exception) -> EndedError:
    """What an error means that came before the head of the answer was whole."""
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return EndedError("tls", _("the encryption failed: {reason}").format(reason=_short(error)))
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return EndedError("timeout", _("no connection in time"), doubtful=True)
    if isinstance(error, TimeoutError):
        return EndedError("timeout", _("connected, but no answer in time"))
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return _unreadable(error)
    if isinstance(error, LostConnectionError) and _has_begun(error):
        return EndedError("truncated", _("the connection broke within the head of the answer"))
    return EndedError(
        "connect",
        _("no connection: {reason}").format(reason=_short(error)),
        doubtful=any(getattr(cause, "errno", None) in _OURS for cause in _causes(error)),
    )


def within_body(error: Exception) -> EndedError:
    """What an error means that came after the head of the answer."""
    if isinstance(error, TimeoutError):
        return EndedError("timeout", _("the answer stopped in the middle"))
    return EndedError("truncated", _("the connection broke in the middle of the answer"))


def _unreadable(error: Exception) -> EndedError:
    endless = any(isinstance(cause, LineTooLong) for cause in _causes(error))
    if endless or "Too many" in str(error):
        return EndedError("too_large", _("the head of the answer does not end"))
    if "chunk" in str(error):  # came together with the head, which the library then drops
        return EndedError("truncated", _("the pieces of the answer do not fit together"))
    return EndedError("not_an_image", _("the answer is not HTTP"))


def _has_begun(error: Exception) -> bool:
    # aiohttp hands over what it had of a head, instead of a sentence.
    return any(
        isinstance(cause, aiohttp.ServerDisconnectedError) and not isinstance(cause.message, str)
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, aiohttp.ClientConnectorError):
            yield error.os_error
        error = error.__cause__


def _short(error: Exception) -> str:
    """The innermost reason, on one line."""
    cause = list(_causes(error))[-1]
    if isinstance(cause, ssl.SSLError):
        text = getattr(cause, "verify_message", "") or cause.reason or str(cause)
    elif isinstance(cause, OSError) and cause.errno:
        text = os.strerror(cause.errno)  # asyncio's own text repeats the address
    else:
        text = str(cause) or type(cause).__name__
    return " ".join(text.split())[:200]
