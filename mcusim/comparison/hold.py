"""Two runs + Limits -> Held: was a figure of HEAD allowed to be what it is?"""

from collections.abc import Iterator, Mapping

from mcusim.comparison.comparison import Change, Held
from mcusim.comparison.limits import Limit
from mcusim.reports.report import Run, known, why_unknown


def hold(base: Run, head: Run | None, limits: Mapping[str, Limit]) -> tuple[Held, ...]:
    """Each limit whose figure one of both knows. `head` is None where HEAD ended before that run.

    What HEAD does not know, or of a part of its samples, never passes; what BASE does not tell is not held.
    """
    return tuple(_holds(base, head, limits))


def _holds(base: Run, head: Run | None, limits: Mapping[str, Limit]) -> Iterator[Held]:
    for limit in limits.values():
        figure = limit.figure
        change = Change(figure.key, known(base, figure), known(head, figure) if head else None)
        if change.base is None and change.head is None:
            continue
        if change.base is None or not base.complete:
            told = "not known before" if change.base is None else "the run before was interrupted"
            yield Held(limit, change, True, told)
        elif change.head is None:
            yield Held(limit, change, False, f"nobody knows it any more ({_why_none(head)})")
        elif head and not head.complete:
            yield Held(limit, change, False, f"only {head.samples:,} samples were run")
        else:
            yield Held(limit, change, limit.allows(change.base, change.head))


def _why_none(head: Run | None) -> str:
    if head is None:
        return "HEAD ended before this run"
    return f"the run failed: {head.error.message}" if head.error else why_unknown(head)
