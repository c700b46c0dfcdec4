"""[regress], --max-rise, --max-drop -> Limits: how much worse a figure of HEAD may be than that of BASE."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mcusim.experiment.synonyms import BUDGET_SYNONYMS
from mcusim.reports.amounts import read_amount
from mcusim.reports.figures import BUDGETS, REGRESS
from mcusim.system.validation import Unusable, known
from mcusim.tasks.figure import Figure

POINTS = ("pt", "points", "pp")
SYNONYMS = {word: meant.rpartition("_")[0] for word, meant in BUDGET_SYNONYMS.items() if meant in BUDGETS}
SYNONYMS |= {figure.key: name for name, figure in REGRESS.items()}
_SAME = 1e-9  # of a difference: 0.95 - 0.948 is not quite 0.002


@dataclass(frozen=True)
class Limit:
    """`text` is as it was written; `amount`: a share of BASE's value where `relative`, else in the figure's unit.

    `file` and `line`: where [regress] has it, as far as a report tells; an option has neither.
    """

    name: str
    text: str
    amount: float
    relative: bool
    file: str | None = None
    line: int | None = None

    @property
    def figure(self) -> Figure:
        return REGRESS[self.name]

    def allows(self, base: float, head: float) -> bool:
        worse = worse_by(self.figure, base, head)
        most = self.amount * abs(base) if self.relative else self.amount
        return worse <= most or math.isclose(worse, most, rel_tol=_SAME)


def worse_by(figure: Figure, base: float, head: float) -> float:
    """Positive where HEAD is worse, in the unit of the figure, which has a direction."""
    return base - head if figure.better == "higher" else head - base


def read_limit(name: str, value: object) -> Limit:
    """Raises Unusable: no such figure, or no such limit of it."""
    figure, text = REGRESS[known(name, REGRESS, "figure", SYNONYMS)], str(value).strip()
    is_share = figure.unit == "share"
    number, points = text, next((word for word in POINTS if text.endswith(word)), "")
    if text.endswith("%"):
        if is_share:
            told = f"{name} = {text!r}: of a share, percent may be points or a part of it"
            raise Unusable(told, f"give points: {number.rstrip('%').strip()}pt")
        return Limit(name, text, read_amount(text.removesuffix("%"), "") / 100, relative=True)
    amount = _share(name, text, points) if is_share else read_amount(text, figure.unit)
    return Limit(name, text, amount, relative=False)


def _share(name: str, text: str, points: str) -> float:
    """`0.5pt`, or as a part of one: `0.005`."""
    try:
        amount = read_amount(text.removesuffix(points), "")
    except Unusable:
        raise Unusable(f"{name} = {text!r} is no limit of a share", "give points, for example 0.5pt") from None
    if amount > 1 and not points:
        raise Unusable(f"{name} = {text!r} is more than all", f"give points: {text}pt; or a share from 0 to 1")
    return amount / 100 if points else amount


def read_limits(limits: Mapping[str, str]) -> dict[str, Limit]:
    """Likewise, of several by name."""
    return {name: read_limit(name, text) for name, text in limits.items()}


def read_option(text: str, better: str) -> Limit:
    """`latency_ms=2%` of --max-rise, where `better` is "lower", or of --max-drop, where it is "higher"."""
    name, equals, limit = (part.strip() for part in text.partition("="))
    if not equals:
        raise Unusable(f"{text!r} is no limit of a figure", "give for example latency_ms=2%")
    found = read_limit(name, limit)
    if found.figure.better != better:
        option, word = ("--max-drop", "falls") if better == "lower" else ("--max-rise", "rises")
        raise Unusable(f"{name} is worse where it {word}", f"{option} {text}")
    return found
