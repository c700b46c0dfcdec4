"""Graph whose kernels do not fit in RAM -> the graph with pairs of layers that run band by band, where that helps.

A pair saves memory, and never cycles. Where no limit of RAM is in the way `thrift.py` makes those that cost little;
where one is, they are made one after the other, each of the tensors that are alive at the largest step, and as many are
kept as give the fastest network.
"""

from dataclasses import replace

from mcusim.graph import Graph
from mcusim.kernels.bands import band_options
from mcusim.kernels.bands.cuts import axis_of, rows_of, rows_shared
from mcusim.kernels.choice import ANYWHERE, Destination, KernelChoice, Limit
from mcusim.layers.fused import Fused
from mcusim.line import arena
from mcusim.line.code_ram import with_code_in_ram
from mcusim.line.knapsack import Options, cycles, flash_bytes
from mcusim.line.select import Choice, meets, ram_bytes, select
from mcusim.line.thrift import fusions, thrifty, with_options

MOST_PAIRS = 12
MUCH = 1 / 2  # of the board's RAM
WORTH_CYCLES, STEP = 0.25, 0.05  # a share of it that may cost cycles, and how much more is tried then
PRICE = 0.25  # share of the cycles that all of it may cost
WORTH_IT = 0.999  # of the cycles: what less than this saves is left alone

Score = tuple[int, float]  # bytes over the limits, cycles


def choose_kernels(
    graph: Graph, options: Options, destination: Destination = ANYWHERE, kernels: KernelChoice | None = None
) -> Choice:
    """`select`, with pairs where they cost little or are needed, and code in RAM.

    Raises ConfigurationError as that does.
    """
    free = thrifty(graph, options, destination, kernels)
    if meets(free.graph, free.selected, destination):
        return with_code_in_ram(leaner(free, kernels))
    made, own = fused_where_needed(graph, options, destination, kernels)
    return with_code_in_ram(Choice(made, select(made, own, destination), own, destination, free.fastest))


def leaner(free: Choice, kernels: KernelChoice | None = None) -> Choice:
    """The choice; or, of a network that takes much of the board's RAM, the one of least that is worth its cycles.

    Where RAM is plenty, or somebody named the limit that is kept, the fastest is what is wanted.
    """
    limit, taken = free.destination.ram, ram_bytes(free.graph, free.selected)
    found, share = free, WORTH_CYCLES
    if limit is None or limit.where or taken < MUCH * limit.size_bytes:
        return found
    while share < 1:
        small = replace(free.destination, ram=replace(limit, size_bytes=int((1 - share) * taken)))
        made, own = fused_where_needed(free.graph, free.options, small, kernels)
        selected = select(made, own, small)
        saved = 1 - ram_bytes(made, selected) / taken
        if saved < share or cycles(selected) > (1 + PRICE * saved) * cycles(free.selected):
            return found
        found, share = replace(free, graph=made, selected=selected, options=own), share + STEP
    return found


def note_of_pairs(graph: Graph) -> tuple[str, ...]:
    pairs = [f"{layer.first.name!r} and {layer.second.name!r}" for layer in graph if isinstance(layer, Fused)]
    if not pairs:
        return ()
    told = "run together, a few rows at a time: their figures are those of both (docs/kernels.md)"
    return (f"for less RAM {'; '.join(pairs)} {told}",)


def fused_where_needed(
    graph: Graph, options: Options, destination: Destination, kernels: KernelChoice | None = None
) -> tuple[Graph, Options]:
    """Both as they were where RAM is no limit, or costs nothing. Pairs that `graph` has already stay."""
    if destination.ram is None:
        return graph, options
    best, least = (graph, options), _score(graph, options, destination)
    if not _is_better((0, _score(graph, options, replace(destination, ram=None))[1]), least):
        return best
    tried: tuple[Graph, Options] = best
    for _ in range(MOST_PAIRS):
        further = _one_pair_more(*tried, destination, kernels)
        if further is None:
            break
        tried = further
        score = _score(*tried, destination)
        if _is_better(score, least):
            best, least = tried, score
    return best


def _is_better(score: Score, than: Score) -> bool:
    return score[0] < than[0] or (score[0] == than[0] and score[1] < WORTH_IT * than[1])


def _score(graph: Graph, options: Options, destination: Destination) -> Score:
    """Of the best choice that there is, if it meets the limits or not."""
    selected = select(graph, options, destination.unnamed)
    over = _over(ram_bytes(graph, selected), destination.ram) + _over(flash_bytes(selected), destination.flash)
    return over, cycles(selected)


def _over(size_bytes: int, limit: Limit | None) -> int:
    return 0 if limit is None else max(0, size_bytes - limit.size_bytes)


def _one_pair_more(
    graph: Graph, options: Options, destination: Destination, kernels: KernelChoice | None
) -> tuple[Graph, Options] | None:
    """With the pair that leaves least alive in the largest steps; None where none leaves less."""
    for pair, made in _best_first(graph):
        several = band_options(pair, made.inputs_of(pair), destination, kernels)
        if several:
            return made, with_options(options, made, pair, several)
    return None


def _best_first(graph: Graph) -> list[tuple[Fused, Graph]]:
    """Pairs with which less is alive in the largest steps: by what one more can make of it, whether they are no such
    step themselves, what two bands both compute, and all other steps.
    """
    now = _peak(_steps(graph))
    ranked: list[tuple[tuple[object, ...], Fused, Graph]] = []
    for pair, made in fusions(graph):
        steps = _steps(made)
        if _peak(steps) < now:
            further = min([_peak(steps), *(_peak(_steps(one)) for _, one in fusions(made))])
            is_largest = arena.live_bytes(made)[pair.name] == steps[0]
            ranked.append(((further, is_largest, _computed_twice(pair), steps, pair.name), pair, made))
    return [(pair, made) for _, pair, made in sorted(ranked, key=lambda one: one[0])]


def _steps(graph: Graph) -> list[int]:
    """Bytes that are alive at each, the largest first."""
    return sorted(arena.live_bytes(graph).values(), reverse=True)


def _peak(steps: list[int]) -> tuple[int, int]:
    """The largest, and how many are as large."""
    return steps[0], steps.count(steps[0])


def _computed_twice(pair: Fused) -> float:
    """Multiply-accumulates of the rows that a band shares with the next."""
    axis = axis_of(pair.first, pair.second)
    return pair.first.macs * rows_shared(pair.second, axis) / rows_of(pair.first.shape, axis)
