"""Numbers and times said to people: three digits that count, units, thousands apart."""

from facedet.i18n import gettext as _


def duration(seconds: float) -> str:
    """``0.84 s`` -> "840 ms", ``200`` -> "3 min 20 s", ``7300`` -> "2 h 1 min"."""
    if seconds < 1:
        return _("{ms:.3g} ms").format(ms=seconds * 1000)
    if seconds < 60:
        return _("{s:.3g} s").format(s=seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("{m} min {s} s").format(m=minutes, s=rest)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def rate(per_second: float, unit: str) -> str:
    """``12.345, "photos"`` -> "12.3 photos a second"."""
    return _("{n:.3g} {unit} a second").format(n=per_second, unit=unit)
