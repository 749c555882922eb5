"""The values that the ledger takes and gives."""

import time
from dataclasses import dataclass, field, fields
from typing import Literal, Self

from facedet.download.content import Picture
from facedet.download.outcome import ErrorClass, Failed, Fetched

State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a URL came to, after all attempts of this run.

    Args:
        url: as it stands in the links.
        state: ``done``, or ``failed`` with an `error_class`.
        http_status: of the last answer; None where there was none.
        bytes: of the body; None where there was none.
        sha256: of a picture; "" for all else.
        attempts: requests made, redirects not counted.
        began: when the first attempt began, seconds since 1970; None: then `at` counts.
        at: when the last one ended.
        final_url: where it ended.
        image_path: of the picture's file, relative to the dataset; see `store_picture`.
        note: what happened, for a person.
        image_wh: of the picture, upright.
    """

    url: str
    state: Literal["done", "failed"]
    error_class: ErrorClass | None = None
    http_status: int | None = None
    bytes: int | None = None
    sha256: str = ""
    attempts: int = 1
    began: float | None = None
    at: float = field(default_factory=time.time)
    final_url: str = ""
    image_path: str = ""
    note: str = ""
    image_wh: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if (self.state == "failed") != (self.error_class is not None):
            raise ValueError(f"{self.state} does not go with the class {self.error_class}")

    @classmethod
    def of_picture(
        cls, url: str, fetched: Fetched, picture: Picture, image_path: str, attempts: int = 1
    ) -> Self:
        """A picture that lies on disk."""
        return cls(
            url=url,
            state="done",
            http_status=fetched.http_status,
            bytes=len(fetched.body),
            sha256=picture.sha256,
            attempts=attempts,
            final_url=fetched.final_url,
            image_path=image_path,
            image_wh=(picture.width, picture.height),
        )

    @classmethod
    def of_failure(
        cls, url: str, failed: Failed, attempts: int = 1, fetched: Fetched | None = None
    ) -> Self:
        """A failure; `fetched` is the body where the failure lies in it."""
        return cls(
            url=url,
            state="failed",
            error_class=failed.error_class,
            http_status=fetched.http_status if fetched else failed.http_status,
            bytes=len(fetched.body) if fetched else None,
            attempts=attempts,
            final_url=fetched.final_url if fetched else failed.final_url,
            note=failed.note,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many links of one host, one identity or all have come to what.

    Args:
        name: of the host or identity; "" for all.
        failed: by error class, the most frequent first.
    """

    name: str
    waiting: int
    done: int
    failed: dict[ErrorClass, int]

    @property
    def total(self) -> int:
        """All links."""
        return self.waiting + self.done + sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Funnel:
    """From the lines of the table to labels that fit; no step is larger than the one before.

    Args:
        lines: rows of the table; several faces of one photo are several. Where nobody noted them,
            links.
        usable: of these, the rows with a link that can be used.
        urls: different addresses, however they are spelled; from here on these are counted.
        tried: that have come to something.
        answered: by any HTTP answer.
        pictures: that are on disk.
        fitting: of these, those whose label fits, or that have none; the first of several counts.
    """

    lines: int
    usable: int
    urls: int
    tried: int
    answered: int
    pictures: int
    fitting: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger as it stands there; `label_fits` is None where nothing was judged."""

    identity: str
    photo_id: str
    url: str
    state: State
    error_class: ErrorClass | Literal[""]
    http_status: int | None
    bytes: int | None
    sha256: str
    attempts: int
    first_at: float | None
    last_at: float | None
    final_url: str
    image_path: str
    note: str
    image_width: int | None
    image_height: int | None
    label_fits: int | None
    host: str


COLUMNS = tuple(each.name for each in fields(Row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which rows: those that equal all that is said here.

    Args:
        text: somewhere in the URL or the note, in any case.
    """

    state: State | None = None
    error_class: ErrorClass | None = None
    host: str | None = None
    identity: str | None = None
    sha256: str | None = None
    label_fits: bool | None = None
    text: str = ""
