"""ReadyModel -> Timing: a few samples of each way through it are timed, as most samples of a cascade leave early."""

from collections.abc import Callable

from mcusim.datasets.sampling import choose
from mcusim.line.ready import ReadyModel
from mcusim.system.arrays import Array
from mcusim.timing.timing import Timing, mixed


def timed(model: ReadyModel, count: int, seed: int, time: Callable[[Array], Timing | None]) -> Timing | None:
    """`count`: samples that `time` is given the positions of, in all; of each way as many, and at least one."""
    targets, found = model.origin.targets, []
    for way in model.ways:
        labels = None if targets is None else targets[way]
        samples = way[choose(len(way), -(-count // len(model.ways)), labels, seed)]
        if (one := time(samples)) is None:
            return None
        found.append((len(way) / len(model.inputs), one))
    return found[0][1] if model.gone_on is None else mixed(found)
