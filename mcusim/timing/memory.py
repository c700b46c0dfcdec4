"""Counts + EdgeCycles + chip + clock -> what each event costs: flash not in a buffer, slow RAM, unaligned loads.

Events do not depend on the clock, only their prices do: a profile is priced again for another clock without a run.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mcusim.boards.chip import Chip, RamTiming
from mcusim.engines import counts as kinds
from mcusim.engines.counts import Counts, Event
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.timing.code import Code
from mcusim.timing.decode import Instruction
from mcusim.timing.edge_cycles import EdgeCycles

_SHORTEST_GRANULE = 2  # cycles that the code before a granule takes at least, where that is not known

Prices = npt.NDArray[np.float64]


def wait_states(chip: Chip, clock_hz: int) -> int:
    """Of the chip's flash at that clock. Raises ConfigurationError when it does not run so fast, or nobody knows."""
    if chip.timing is None:
        hint = "add [timing] to its file, as platforms/chips/stm32l452re.toml has it"
        raise ConfigurationError(f"chip {chip.name!r} has no [timing]: nothing is known of its memory", hint=hint)
    states = chip.timing.wait_states_at(clock_hz)
    if states is None:
        fastest = chip.timing.wait_states_up_to_hz[-1]
        what = f"chip {chip.name!r} does not run at {clock_hz / 1e6:g} MHz"
        raise ConfigurationError(what, hint=f"at most {fastest / 1e6:g} MHz")
    return states


def event_prices(code: Code, counts: Counts, core: EdgeCycles, chip: Chip, clock_hz: int) -> Prices:
    """Cycles of one occurrence of each of `counts.events`."""
    states = wait_states(chip, clock_hz)
    assert chip.timing is not None
    timing = chip.timing
    instructions = {insn.address: insn for block in counts.blocks for insn in code.instructions(block)}
    execution = _BlockTimes(counts, core, timing.instruction_cache.granule_bytes)

    def price(event: Event) -> float:
        insn = instructions.get(event.address)
        if event.kind == kinds.DATA_HIT:
            return min(timing.data_hit_cycles, states)
        if event.kind == kinds.DATA_MISS:
            return max(0, states + timing.data_miss_extra) if states else 0
        if event.kind == kinds.FETCH_MISS_JUMP:
            return states
        if event.kind == kinds.FETCH_MISS_NEXT:
            hidden = execution.before_granule(event.block, event.address) if timing.prefetch else 1.0
            return max(0.0, states + 1 - hidden)
        if insn is None or not insn.loads:  # the write buffer hides what a store would wait for
            return 0
        if event.kind == kinds.REGION:
            return _ram_wait_states(chip, timing.ram, event.block)
        return _unaligned(event.kind, insn) if event.kind in (kinds.ODD, kinds.HALF) else 0

    return np.array([price(event) for event in counts.events], np.float64)


def _ram_wait_states(chip: Chip, ram: Sequence[RamTiming], number: int) -> int:
    if not 0 <= number < len(ram):
        what = f"the profile counts region {number} of slow RAM, chip {chip.name!r} has {len(ram)} in [timing]"
        raise DataError(what, hint="the chip's file was changed since: make the profile again")
    return ram[number].wait_states


def _unaligned(kind: int, insn: Instruction) -> int:
    """TRM 3.3.2: halfword at an odd address +1, word at a halfword +1, word at an odd address +2."""
    if insn.name in ("ldrh", "ldrsh"):
        return 1 if kind == kinds.ODD else 0
    return (2 if kind == kinds.ODD else 1) if insn.name == "ldr" else 0


class _BlockTimes:
    """Mean cycles of the core in each granule of each block."""

    def __init__(self, counts: Counts, core: EdgeCycles, granule_bytes: int) -> None:
        starts = np.array([block.start // granule_bytes for block in counts.blocks], np.int64)
        ends = np.array([block.end // granule_bytes + 1 for block in counts.blocks], np.int64)
        self._first = np.concatenate([[0], np.cumsum(ends - starts)])  # of the granules of each block
        to, times = np.array([edge.to for edge in counts.edges], np.int64), counts.edge_counts.sum(axis=0).astype(float)
        self._executed = np.bincount(to, times, len(starts))
        items = core.executions
        of = to[items.edges]
        granules = self._first[of] + items.addresses // granule_bytes - starts[of]
        self._sums = np.bincount(granules, items.costs * times[items.edges], self._first[-1])

    def before_granule(self, block: int, index: int) -> float:
        if index == 0:
            return _SHORTEST_GRANULE
        first, granules = int(self._first[block]), int(self._first[block + 1] - self._first[block])
        if not 0 < index < granules:
            what = f"the profile counts granule {index} of a block that has {granules}"
            raise DataError(what, hint="the chip's file was changed since, or the profile: make it again")
        return float(self._sums[first + index - 1]) / max(1.0, float(self._executed[block]))


def address_of(event: Event, counts: Counts, granule_bytes: int) -> int:
    """The instruction that an event's cycles belong to."""
    if event.kind != kinds.FETCH_MISS_NEXT:
        return event.address
    start = counts.blocks[event.block].start
    return (start // granule_bytes + event.address) * granule_bytes if event.address else start


def skipped_savings(code: Code, counts: Counts, core: EdgeCycles) -> dict[int, npt.NDArray[np.float64]]:
    """Cycles (samples,) by address that conditional loads and stores did not take.

    Where the condition is false they take 1 (TRM table 3-1).
    """
    columns = zip(counts.events, counts.event_counts.T.astype(np.float64), strict=True)
    accesses = {event.address: times for event, times in columns if event.kind == kinds.ACCESS}
    none = np.zeros(counts.samples)
    words: dict[int, int] = {}
    at_most: dict[int, npt.NDArray[np.float64]] = defaultdict(none.copy)
    executed: dict[int, npt.NDArray[np.float64]] = defaultdict(none.copy)
    of_edges = counts.edge_counts.T.astype(np.float64)
    for edge, costs, times in zip(counts.edges, core.edges, of_edges, strict=True):
        for insn, cost in zip(code.instructions(counts.blocks[edge.to]), costs, strict=True):
            if insn.conditional and insn.words:
                words[insn.address] = insn.words
                at_most[insn.address] += times * max(0, cost - 1)
                executed[insn.address] += times
    saved = {}
    for address, moved in words.items():
        reached = np.maximum(executed[address], 1)
        done = np.minimum(accesses.get(address, none) / moved, reached)
        saved[address] = at_most[address] * (1 - done / reached)
    return saved
