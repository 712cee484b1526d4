"""Numbers as text for a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

_MINUS: Final = "\N{MINUS SIGN}"

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.scoring.metrics import Difference


def percent(share: float | None) -> str:
    """Return a share in per cent (`94.0%`), or "" for None."""
    return "" if share is None else f"{share:.1%}"


def percent_interval(estimate: Difference) -> str:
    """Return the interval of a share in per cent: `[93.1, 95.0]`."""
    return f"[{estimate.low * 100:.1f}, {estimate.high * 100:.1f}]"


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign: `+1.4`."""
    return signed(difference * 100)


def points_interval(estimate: Difference) -> str:
    """Return the interval of a difference in percentage points: `[+0.2, +3.1]`."""
    return f"[{points(estimate.low)}, {points(estimate.high)}]"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, using the minus character; zero after rounding has no sign."""
    rounded = round(value, digits)
    return f"{abs(rounded):.{digits}f}" if rounded == 0 else f"{rounded:+.{digits}f}".replace("-", _MINUS)


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Return parts joined in a sentence: `a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def duration(seconds: float) -> str:
    """Return a duration: `48 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def ratio(value: float | None) -> str:
    """Return a PGR (`0.87`), or "" for None."""
    return "" if value is None else f"{value:.2f}".replace("-", _MINUS)
