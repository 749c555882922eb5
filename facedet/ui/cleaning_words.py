"""What cleaners say, in the words of people: reasons, faults, verdicts, measured values."""

import math
from collections.abc import Collection, Mapping

from facedet.cleaning.catalogue import explain
from facedet.cleaning.cleaner import Cleaner, Threshold
from facedet.i18n import gettext as _
from facedet.practice.faults import all_faults
from facedet.ui import words

# Of no use to eyes; boxes are drawn instead.
_UNSHOWN = {
    *("verdict", "reason", "by", "mtime_ns", "version", "problem", "note", "found", "phash"),
    *("sha256", "seconds", "size_bytes"),
}


def reason(code: str) -> str:
    """A reason in two or three words; the code itself for one that is new."""
    return {
        "zero_bytes": _("empty file"),
        "not_an_image": _("not a picture"),
        "bomb": _("bomb"),
        "too_large": _("too large"),
        "truncated": _("cut off"),
        "unreadable": _("broken"),
        "hangs": _("hangs"),
        "crashed": _("crashes the reader"),
        "placeholder": _("placeholder"),
        "duplicate": _("duplicate"),
        "near_duplicate": _("near duplicate"),
        "wrong_suffix": _("wrong suffix"),
        "trailing_data": _("bytes after the end"),
        "tiny": _("tiny"),
        "blur": _("blurred"),
        "dark": _("dark"),
        "light": _("light"),
        "low_information": _("says little"),
        "odd_aspect": _("narrow strip"),
        "no_face": _("no face"),
        "does_not_fit": _("label does not fit"),
        "unlabelled_face": _("unlabelled face"),
    }.get(code, code.replace("_", " "))


def reasons(codes: str) -> str:
    """All of a picture's reasons."""
    return ", ".join(reason(code) for code in codes.split())


def explained(codes: str) -> str:
    """The sentences behind a picture's reasons."""
    return " ".join(sentence for code in codes.split() if (sentence := explain(code)))


def most_frequent(counts: Mapping[str, int], most: int) -> str:
    """The first reasons of a count and their numbers: "no face 12, cut off 3, …"."""
    shown = [f"{reason(code)} {n:,}" for code, n in list(counts.items())[:most]]
    return ", ".join([*shown, *(["…"] if len(counts) > most else [])])


def fault_meaning(name: str) -> str:
    """What a fault of a practice set is."""
    return next((fault.meaning for fault in all_faults() if fault.name == name), "")


def mistake(kind: str) -> str:
    """How a cleaner was wrong about a picture."""
    return {
        "missed": _("missed"),
        "false_alarm": _("false alarm"),
        "wrong_reason": _("for another reason"),
    }.get(kind, kind)


def values(row: Mapping[str, object], cleaner: Cleaner) -> list[tuple[str, str]]:
    """What was measured of one picture: name and value of each, for eyes."""
    names = {one.column: _plain(one.label) for one in cleaner.thresholds if one.column}
    shown = [(names.get(name, name.replace("_", " ")), _value(row[name])) for name in _shown(row)]
    return [(name, value) for name, value in shown if value]


def threshold_value(threshold: Threshold, value: float) -> str:
    """A number of a threshold's column, as short as its steps allow."""
    return f"{value:,.0f}" if threshold.step >= 1 else f"{value:.2f}"


def time_left(seconds: float) -> str:
    """A guess, and so to the second at most: "42 s left"."""
    return _("{time} left").format(time=words.duration(max(1, round(seconds))))


def file_size(n_bytes: float) -> str:
    """Of one file."""
    return words.size(n_bytes) if n_bytes >= 1000 else _("{n:,} bytes").format(n=int(n_bytes))


def _shown(row: Mapping[str, object]) -> Collection[str]:
    return [name for name in row if name not in _UNSHOWN]


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float) or math.isnan(value):  # not measured
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _plain(label: str) -> str:
    return label[:1].lower() + label[1:]
