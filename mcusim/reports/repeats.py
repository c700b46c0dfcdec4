"""Runs -> spread of their figures, where they differ in nothing but the seed of their training."""

import math
from collections.abc import Iterator, Sequence

from mcusim.reports.figures import COLUMNS, FIGURES
from mcusim.reports.report import Run
from mcusim.reports.spread import Repeated, Spread

_SPREAD = dict.fromkeys((*COLUMNS, FIGURES["accuracy_float"]))


def repeated(runs: Sequence[Run]) -> Iterator[Repeated]:
    """Where two trainings or more have ended well, in the order of the first of them."""
    if not any(run.repeat for run in runs):
        return
    groups: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in runs:
        if run.complete and not run.error:
            groups.setdefault((run.model, run.type_label, run.board, run.engine), []).append(run)
    for names, some in groups.items():
        if len({run.repeat for run in some}) == len(some) > 1:
            yield Repeated(*names, tuple(run.id for run in some), dict(_spreads(some)))


def _spreads(runs: Sequence[Run]) -> Iterator[tuple[str, Spread]]:
    for figure in _SPREAD:
        values = [figure.value(run) for run in runs]
        known = [value for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
        if len(known) == len(runs):
            yield figure.key, Spread.of(known)
