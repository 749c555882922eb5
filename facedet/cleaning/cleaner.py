"""What a cleaner is: a function that measures one picture, and one that judges all of them.

Measuring reads a file once and writes down numbers; judging looks at the numbers of all files and
can be done again with other thresholds, in a moment.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from facedet.cleaning.pictures import Entry, Labels
from facedet.errors import FacedetError, ImageError, UsageError, shown_name
from facedet.i18n import gettext as _
from facedet.images import Limits, open_image
from facedet.wholeness import PADDING, end_of

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float
Values = Mapping[str, Value]
Bools = npt.NDArray[np.bool_]
Reasons = Mapping[str, Any]  # for each reason (N,) bools, an array or a column
NO_ACCESS = "no_access"
_DECODERS = ("PIL.", "pillow_heif.")
# What a person sets: a number; True and False switch a rule on, at its number, and off.
Setting = float | bool | None


class UnreadableError(Exception):
    """A file is no picture that can be used: one of `problems`, and a few words."""

    def __init__(self, problem: str, note: str = "") -> None:
        super().__init__(problem, note)
        self.problem, self.note = problem, note


def problems() -> dict[str, str]:
    """Why a picture cannot be measured at all, whatever the cleaner: each with its meaning."""
    return {
        "zero_bytes": _("The file is empty."),
        "not_an_image": _("It is no picture in a format that the lab reads, often a web page."),
        "bomb": _("A small file that would become a giant picture in memory."),
        "too_large": _("The file is larger than the lab reads."),
        "truncated": _("The file ends before its picture does."),
        "unreadable": _("It is a picture, but broken inside."),
        NO_ACCESS: _("The disk does not give the file out; it is tried again at the next run."),
        "hangs": _("Reading it takes longer than any picture may."),
        "crashed": _("Reading it ends the program that tries, or needs too much memory."),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A number that a person may move, and mostly the rule that depends on it.

    Args:
        name: of the rule, which is also the reason that it gives; or of the number alone.
        label, help: for people: what it is, and what the rule sets aside.
        low, high, step, default: of the number. A rule without a number has `low` equal to `high`.
        on: whether the rule counts at first.
        rule: False for a number that rules share, and that cannot be switched off.
        column: of the judged table, in which pictures near the threshold are near the number.
        needs_all: whether the rule compares pictures, and says nothing before all are measured.
    """

    name: str
    label: str
    help: str
    low: float = 1.0
    high: float = 1.0
    step: float = 1.0
    default: float = 1.0
    on: bool = True
    rule: bool = True
    column: str = ""
    needs_all: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether there is no number to move."""
        return self.low == self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """One way to clean a dataset.

    Args:
        name: what ``--cleaner`` takes; unique; also of its table ``cleaning/<name>.csv``.
        title, summary: a short name and a sentence for people.
        version: another one measures every picture anew.
        columns: what `measure` returns, all of it each time: names, and `str` or `float`; a
            number is finite, and a ``width`` or ``height`` 1 at least.
        thresholds: all numbers and rules, in the order in which they are shown.
        measure: looks at one picture; raises whatever Pillow raises at one that is broken.
        verdict: says of all pictures that could be measured what is wrong with them: for each
            reason, the most telling first, (N,) bools. Gets their table, to which it may add
            columns, the labels, and a number for each threshold; NaN where a rule is off. Its
            column ``available`` is False where a picture is set aside already: no other picture
            may go because that one stays.
        needs: arguments of `measure` beside the picture, each made once a worker.
        patterns: for columns of text, a regular expression for all that `measure` may write
            there: whatever else a table has was edited, and the picture is measured anew.
    """

    name: str
    title: str
    summary: str
    version: str
    columns: Mapping[str, type[str] | type[float]]
    thresholds: Sequence[Threshold]
    measure: Callable[..., Values]
    verdict: Callable[["pd.DataFrame", Labels, Mapping[str, float]], Reasons]
    needs: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)

    def ready(self) -> Callable[["Picture"], Values]:
        """`measure` with all that it needs.

        Raises:
            ModelError: a detector cannot run here.
        """
        return partial(self.measure, **{name: make() for name, make in self.needs.items()})

    def levels(self, settings: Mapping[str, Setting] | None = None) -> dict[str, float]:
        """The number for each threshold: as set, or its default; NaN where the rule is off.

        Raises:
            UsageError: no such threshold, or a number out of its range.
        """
        settings = settings or {}
        known = {threshold.name for threshold in self.thresholds}
        if unknown := set(settings) - known:
            raise UsageError(
                _("{cleaner} has no threshold {name}; it has: {known}").format(
                    cleaner=self.name,
                    name=shown_name(min(unknown)),
                    known=", ".join(t.name for t in self.thresholds),
                )
            )
        return {t.name: _level(t, settings.get(t.name, t.on)) for t in self.thresholds}


def _level(threshold: Threshold, setting: Setting) -> float:
    if setting is None or setting is False:
        if threshold.rule:
            return float("nan")
        setting = True
    value = threshold.default if setting is True else float(setting)
    if not threshold.low <= value <= threshold.high:
        raise UsageError(
            _("{name} is {value}: give {low:g} to {high:g}, or on or off").format(
                name=threshold.name, value=setting, low=threshold.low, high=threshold.high
            )
        )
    return value


class Picture:
    """One file, read once: its bytes, and where it lies in the dataset."""

    def __init__(self, image_path: str, data: bytes, limits: Limits) -> None:
        self.image_path, self.data, self.limits = image_path, data, limits

    def open(self) -> Image.Image:
        """Pillow's image, its head read and nothing decoded yet; may be opened again and again.

        Raises:
            UnreadableError: empty, no format that the lab reads, declared too large, or cut off.
        """
        if not self.data:
            raise UnreadableError("zero_bytes")
        try:
            image = open_image(self.data)
        except Exception as error:  # some decoders notice what is missing before we ask
            if self._is_cut_off:
                raise UnreadableError("truncated", _("the file ends too soon")) from error
            if isinstance(error, UnidentifiedImageError):
                raise UnreadableError("not_an_image") from error
            raise
        w, h = image.size
        if w * h > self.limits.max_pixels:
            raise UnreadableError("bomb", _("{w:,} x {h:,} pixels").format(w=w, h=h))
        if self._is_cut_off:
            raise UnreadableError("truncated", _("the file ends too soon"))
        return image

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes, as hexadecimal text."""
        return sha256(self.data).hexdigest()

    @cached_property
    def spare_bytes(self) -> int:
        """How many bytes follow the picture's own end; zeros and blanks are padding."""
        return 0 if self._end is None else len(self.data[self._end :].strip(PADDING))

    @property
    def _is_cut_off(self) -> bool:
        return self._end is not None and self._end > len(self.data)

    @cached_property
    def _end(self) -> int | None:
        return end_of(self.data)


def look_at(entry: Entry, measure: Callable[[Picture], Values], limits: Limits) -> dict[str, Value]:
    """Read and measure one file; what is wrong with it is returned, not raised.

    Returns:
        The measured values, or ``problem`` (one of `problems`) and ``note``.

    Raises:
        FacedetError: `measure` itself is wrong. A mistake of ours must never pass for a broken
            picture, or it would set all of them aside.
    """
    try:
        return dict(measure(_read(entry, limits)))
    except UnreadableError as error:
        problem, note = error.problem, error.note
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        if not _is_fault_of_the_picture(error):
            raise FacedetError(
                _("the cleaner fails at {name} ({kind}: {error}); mend its code").format(
                    name=shown_name(entry.image_path), kind=type(error).__name__, error=error
                )
            ) from error
        problem, note = _problem_of(error), str(error) or type(error).__name__
    return {"problem": problem, "note": shown_name(note)}


def _read(entry: Entry, limits: Limits) -> Picture:
    if entry.size_bytes > limits.max_bytes:
        raise UnreadableError("too_large", _("{n:,} bytes").format(n=entry.size_bytes))
    try:
        with entry.path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)  # it may have grown since it was listed
    except OSError as error:
        raise UnreadableError(NO_ACCESS, error.strerror or str(error)) from error
    if len(data) > limits.max_bytes:
        raise UnreadableError("too_large", _("it grows while it is read"))
    return Picture(entry.image_path, data, limits)


def _is_fault_of_the_picture(error: Exception) -> bool:
    """Whether a decoder failed, or the memory: something that other pictures do not meet."""
    if isinstance(error, MemoryError | cv2.error | ImageError):
        return True
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith(_DECODERS) for frame, _line in frames)


def _problem_of(error: Exception) -> str:
    if isinstance(error, MemoryError | cv2.error):
        return "crashed"
    return "truncated" if "truncated" in str(error).lower() else "unreadable"
