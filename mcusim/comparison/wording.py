"""Change -> words: exact numbers with their units, signed differences, shares of what was."""

from mcusim.comparison.comparison import Change, Held
from mcusim.tasks.figure import Figure


def exact(figure: Figure, value: int | float) -> str:
    """With its unit. One sample, cycle or byte more is another text."""
    if figure.unit == "share":
        return f"{100 * value:.6g} %"
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.10g}" if abs(value) < 1e10 else f"{value:.12g}"
    return f"{number} {figure.unit}" if figure.unit else number


def signed(by: int | float) -> str:
    """`+1,234`, `-0.02`: three decimals, or three digits of what is less than 1."""
    if isinstance(by, int):
        return f"{by:+,}"
    if not 1 <= abs(by) < 1e15:
        return f"{by:+.3g}"
    return f"{by:+,.3f}".rstrip("0").rstrip(".")


def relative(change: Change) -> str:
    """`+3.1 %`; nothing of shares, whose difference is in points, and where BASE has 0 or nothing."""
    if change.relative is None or change.figure.unit == "share":
        return ""
    return f"{100 * change.relative:+,.3g} %" if abs(change.relative) < 10 else f"{100 * change.relative:+,.0f} %"


def difference(change: Change) -> str:
    """`+62,000`, `-0.1 points`; what is new or gone says so."""
    if change.difference is None:
        return "new" if change.base is None else "gone" if change.head is None else "beyond measure"
    if change.figure.unit == "share":
        return f"{signed(round(100 * change.difference, 9))} points"
    return signed(change.difference)


def change_of(change: Change) -> str:
    """`+3.1 % (+62,000 cycles)`, `-0.1 points`."""
    by, share = difference(change), relative(change)
    if change.figure.unit not in ("", "share") and change.difference is not None:
        by += f" {change.figure.unit}"
    return f"{share} ({by})" if share else by


def told(held: Held) -> str:
    """`latency +3.1 % (+1.3 ms), from 41.7 ms to 43 ms: more than is allowed (latency_ms 2%)`"""
    figure, change, limit = held.change.figure, held.change, held.limit
    what, allowed = figure.name, f"({limit.name} {limit.text})"
    if change.base is None or change.head is None:
        value = change.head if change.base is None else change.base
        seen = "is" if change.base is None else "was"
        return f"{what} {seen} {exact(figure, value or 0)}: {held.reason} {allowed}"
    moved = f"{what} {change_of(change)}, from {exact(figure, change.base)} to {exact(figure, change.head)}"
    if change.is_equal:
        moved = f"{what} {exact(figure, change.head)}, as before"
    return f"{moved}: {held.reason or ('allowed' if held.passed else 'more than is allowed')} {allowed}"
