"""From the base, step by step: of all axes the one value more or less that gives most for what it costs."""

from mcusim.explore.axes import Genes, Space
from mcusim.explore.front import losses
from mcusim.explore.point import Point
from mcusim.explore.searches.search import Asking, Wanted

NAME = "greedy"
SUMMARY = "from the base, always the neighbour that gives most for what it costs"
LEAST_HARM = 1e-3  # of an objective: a step that harms less is as good as one that does not


def missing() -> None:
    """Nothing."""


def ask(wanted: Wanted) -> Asking:
    """Ends where no neighbour gives anything, where all break a limit, or when enough was evaluated."""
    tried = {wanted.space.base}
    [base] = now = yield [wanted.space.base]
    [here] = now
    while here.figures and len(tried) < wanted.evaluations:
        around = [genes for genes in neighbours(wanted.space, here.genes) if genes not in tried]
        around = around[: wanted.evaluations - len(tried)]
        tried |= set(around)
        points: list[Point] = (yield around) if around else []
        possible = [point for point in points if point.figures and not wanted.limits.broken(point)]
        there = [(_worth(wanted, base, here, point), point) for point in possible]
        worth, best = max(there, key=lambda one: (one[0], [-gene for gene in one[1].genes]), default=(0.0, here))
        if worth <= 0:
            return
        here = best


def neighbours(space: Space, genes: Genes) -> list[Genes]:
    """One axis is a value on, or back."""
    found = []
    for place, (axis, gene) in enumerate(zip(space.axes, genes, strict=True)):
        for other in (gene + 1, gene - 1):
            if 0 <= other < len(axis.values):
                found.append((*genes[:place], other, *genes[place + 1 :]))
    return found


def _worth(wanted: Wanted, base: Point, here: Point, there: Point) -> float:
    """What is gained over what is lost, objectives as shares of the base's; 0 where nothing is gained."""
    scales = [abs(loss) or 1.0 for loss in losses(base, wanted.objectives)]
    before, after = losses(here, wanted.objectives), losses(there, wanted.objectives)
    changes = [(new - old) / scale for old, new, scale in zip(before, after, scales, strict=True)]
    gain, harm = -sum(min(change, 0.0) for change in changes), sum(max(change, 0.0) for change in changes)
    return gain / (harm + LEAST_HARM)
