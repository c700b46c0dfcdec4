"""Recording + chip + clock -> Profile: cycles of each sample, and where they went. Everything in it is modelled."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.boards.chip import Chip
from mcusim.timing.basic_blocks import in_basic_blocks
from mcusim.timing.call_cycles import NO_CALLS, CallCosts, call_costs
from mcusim.timing.edge_cycles import EdgeCycles, edge_cycles
from mcusim.timing.executions import summed, with_moved
from mcusim.timing.kind import Work, work
from mcusim.timing.memory import address_of, event_prices, skipped_savings
from mcusim.timing.parameters import CoreParameters
from mcusim.timing.recording import Recording

_DEEPEST = 200  # calls that are followed, where no engine kept them apart


@dataclass(frozen=True)
class Profile:
    """`cycles` of each sample. The others are means over the samples.

    `by_address` for each instruction, `executed` how often it ran, `by_function` its own cycles, `inclusive` with those
    of the functions it called, `calls` how often one called another. `problems` names what could not be priced and how
    often it ran, over all samples: it is never free, but its price is a guess. `work`: what kind of code it was.
    `costs` by call, where the engine kept them apart.
    """

    clock_hz: int
    cycles: npt.NDArray[np.float64]
    core_cycles: npt.NDArray[np.float64]
    by_address: Mapping[int, float]
    executed: Mapping[int, float]
    by_function: Mapping[str, float]
    inclusive: Mapping[str, float]
    calls: Mapping[tuple[str, str], float]
    by_line: Mapping[tuple[str, int], float]
    problems: Mapping[str, int]
    work: Work
    costs: CallCosts = NO_CALLS

    @property
    def mean(self) -> float:
        return float(self.cycles.mean())

    @property
    def latency_ms(self) -> float:
        """Of the mean sample."""
        return self.mean / self.clock_hz * 1e3


def energy_uwh(cycles: float, board: Board, clock_hz: int | None = None) -> float:
    """Microwatt hours: latency x current x voltage / 3600 (MicroAI, Sensors 2021, 21, 2984, section 6.2).

    The current is that at the board's own clock; at another it is taken to follow the clock.
    """
    clock = clock_hz or board.clock_hz
    current_a = board.current_a * clock / board.clock_hz
    return cycles / clock * current_a * board.supply_v / 3600 * 1e6


def price_recording(recording: Recording, chip: Chip, clock_hz: int, parameters: CoreParameters) -> Profile:
    """What the recorded execution takes on `chip`. Raises ConfigurationError when that does not run at `clock_hz`."""
    granule = chip.timing.instruction_cache.granule_bytes if chip.timing else 1
    if chip.timing and chip.timing.one_data_bus:
        parameters = replace(parameters, pair_same_memory=0)
    recording = in_basic_blocks(recording, granule)
    counts, code = recording.counts, recording.code
    core = edge_cycles(code, counts, parameters, chip.timing.ram if chip.timing else ())
    prices = event_prices(code, counts, core, chip, clock_hz)
    saved = skipped_savings(code, counts, core)
    of_core = counts.edge_counts.astype(np.float64) @ core.totals
    of_core = of_core - sum(saved.values(), np.zeros(counts.samples))
    cycles = of_core + counts.event_counts.astype(np.float64) @ prices
    by_address, executed = _by_address(recording, core)
    cycles_of_events = (prices * counts.event_counts.mean(axis=0)).tolist()
    for event, cost in zip(counts.events, cycles_of_events, strict=True):
        if cost:
            at = address_of(event, counts, granule)
            by_address[at] = by_address.get(at, 0.0) + cost
    for address, cycles_saved in saved.items():
        if address in executed:  # by the measured call, and not by an interrupt
            by_address[address] -= float(cycles_saved.mean())
    own, calls = _by_function(recording, by_address)
    costs = call_costs(recording, core, by_address)
    if costs.calls:
        calls = _calls_of(costs)
    return Profile(
        clock_hz=clock_hz,
        cycles=cycles,
        core_cycles=of_core,
        by_address=dict(sorted(by_address.items())),
        executed=executed,
        by_function=own,
        inclusive=_inclusive_of(costs, own) if costs.calls else _inclusive(own, calls),
        calls=calls,
        by_line=_by_line(recording, by_address),
        problems=_problems(recording, core),
        work=work(code, counts, prices, chip, cycles),
        costs=costs,
    )


def _problems(recording: Recording, core: EdgeCycles) -> dict[str, int]:
    found = dict(core.problems)
    tree = recording.counts.tree
    if tree is not None and tree.never_returned:
        found["calls that had not returned when the program ended, or was left: measured up to there"] = (
            tree.never_returned
        )
    if tree is not None and tree.jumped_out:
        found["calls left by a jump past their caller (longjmp, an exception of C++): measured up to it"] = (
            tree.jumped_out
        )
    return found


def _by_address(recording: Recording, core: EdgeCycles) -> tuple[dict[int, float], dict[int, float]]:
    """A branch takes the cycles of its refill, which the model charges to its target."""
    times = recording.counts.edge_counts.mean(axis=0)
    items = core.executions.of(times > 0)
    costs = items.costs.copy()
    moves = []
    for edge, _, branch, refill in core.branches(recording.code, recording.counts):
        if times[edge] > 0:
            costs[np.searchsorted(items.edges, edge)] -= refill
            moves.append((edge, branch, refill * float(times[edge])))
    of_items = times[items.edges]
    return summed(*with_moved(items, costs * of_items, moves)), summed(items.addresses, of_items)


def _by_function(
    recording: Recording, by_address: Mapping[int, float]
) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    own: dict[str, float] = defaultdict(float)
    for address, cycles in by_address.items():
        own[recording.function_at(address)] += cycles
    counts, code = recording.counts, recording.code
    starts = {function.start for function in recording.functions}
    calls: dict[tuple[str, str], float] = defaultdict(float)
    for edge, times in zip(counts.edges, counts.edge_counts.mean(axis=0).tolist(), strict=True):
        source, to = counts.blocks[edge.source], counts.blocks[edge.to]
        caller, callee = recording.function_at(source.start), recording.function_at(to.start)
        if not times or not (source.instructions and to.instructions) or caller == callee:
            continue
        last = code.instructions(source)[-1:]
        if to.start in starts or (last and last[0].branch in ("", "direct")):  # else it returns
            calls[caller, callee] += times
    return dict(sorted(own.items(), key=lambda item: -item[1])), dict(calls)


def _inclusive(own: Mapping[str, float], calls: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """A function that several call is divided among them by the number of calls, as gprof does."""
    called: dict[str, float] = defaultdict(float)
    for (_, callee), times in calls.items():
        called[callee] += times
    known: dict[str, float] = {}

    def total(name: str, above: frozenset[str]) -> float:
        if name not in known and len(above) > _DEEPEST:
            return own.get(name, 0.0)
        if name not in known:
            inner = [(callee, n) for (caller, callee), n in calls.items() if caller == name and callee not in above]
            shares = (total(callee, above | {callee}) * n / called[callee] for callee, n in inner)
            known[name] = own.get(name, 0.0) + sum(shares)
        return known[name]

    return {name: total(name, frozenset({name})) for name in own}


def _calls_of(costs: CallCosts) -> dict[tuple[str, str], float]:
    calls: dict[tuple[str, str], float] = defaultdict(float)
    for call in costs.calls:
        if len(call.stack) > 1:
            calls[call.stack[-2], call.stack[-1]] += call.called
    return dict(calls)


def _inclusive_of(costs: CallCosts, own: Mapping[str, float]) -> dict[str, float]:
    """Of each function that was called, however it was reached: none is below itself."""
    whole: dict[str, float] = defaultdict(float)
    for call in costs.calls:
        whole[call.stack[-1]] += call.with_calls
    return {name: whole.get(name, cycles) for name, cycles in own.items()}


def _by_line(recording: Recording, by_address: Mapping[int, float]) -> dict[tuple[str, int], float]:
    lines: dict[tuple[str, int], float] = defaultdict(float)
    for address, cycles in by_address.items():
        line = recording.line_at(address)
        if line is not None:
            lines[line] += cycles
    return dict(sorted(lines.items(), key=lambda item: -item[1]))
