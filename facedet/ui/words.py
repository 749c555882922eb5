"""Numbers and times said to people: three digits that count, units, thousands apart."""

from facedet.i18n import gettext as _


def duration(seconds: float) -> str:
    """``0.84 s`` -> "840 ms", ``200`` -> "3 min 20 s", ``7300`` -> "2 h 1 min"."""
    if seconds < 0.9995:
        return _("{ms} ms").format(ms=three_digits(seconds * 1000))
    if seconds < 59.95:
        return _("{s} s").format(s=three_digits(seconds))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("{m} min {s} s").format(m=minutes, s=rest)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def rate(per_second: float, unit: str) -> str:
    """``12.345, "photos"`` -> "12.3 photos a second"."""
    return _("{n} {unit} a second").format(n=three_digits(per_second), unit=unit)


def three_digits(value: float) -> str:
    """``0.4213`` -> "0.421", ``12.34`` -> "12.3", ``1234.5`` -> "1,234"."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def size(n_bytes: float) -> str:
    """``1_234_567`` -> "1.23 MB", ``2.5e9`` -> "2.5 GB"."""
    if n_bytes < 1e6:
        return _("{n} kB").format(n=three_digits(n_bytes / 1e3))
    if n_bytes < 1e9:
        return _("{n} MB").format(n=three_digits(n_bytes / 1e6))
    return _("{n} GB").format(n=three_digits(n_bytes / 1e9))
