"""Code + Counts -> EdgeCycles of the core alone: what every block costs behind the block that ran before it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcusim.boards.chip import RamTiming
from mcusim.engines.counts import ACCESS, FLASH, REGION, Counts, Edge
from mcusim.timing.block_runs import Behind, BlockRuns, states_of
from mcusim.timing.code import Code
from mcusim.timing.core_cycles import IN_FLASH, Step
from mcusim.timing.decode import Instruction
from mcusim.timing.executions import Executions, executions
from mcusim.timing.parameters import CoreParameters

_DIVISION = "divisions, taken as {p.divide} cycles each: {p.divide_low} to {p.divide_high}, depending on their operands"
_OUTSIDE = "instructions outside of the firmware's code (in RAM, or written while running)"
_SLEEP = "WFI and WFE, taken as {p.sleep} cycle each: how long they sleep is not known"
_SUPERVISOR = "supervisor calls, taken as {p.exception} cycles each: leaving the handler takes up to as many more"
_IN_RAM = "instructions in RAM: their fetches may wait for data on the same bus, which is not priced"
_CHANGED = "instructions of code that changed while it ran, priced as it was in the end"
_GUESSED = {"divide": _DIVISION, "sleep": _SLEEP, "supervisor": _SUPERVISOR}
SYSTEM_BUS = 0x20000000  # from here on code is fetched where data goes, and nothing is flash (TRM 2.3.1)
_CONTEXT = 16  # instructions before a block that its price is worked out behind


@dataclass(frozen=True)
class EdgeCycles:
    """`edges`: for each edge the cycles of each instruction of the block it leads to, `totals` their sums.

    `problems`: what could not be priced, and how often it ran. `refills`: of each edge the cycles of its first
    instruction that are the branch's, which the block before ends with. `executions`: the same costs in one line.
    """

    edges: tuple[tuple[int, ...], ...]
    totals: npt.NDArray[np.int64]
    problems: Mapping[str, int]
    refills: tuple[int, ...]
    executions: Executions

    def branches(self, code: Code, counts: Counts) -> list[tuple[int, int, int, int]]:
        """Of each edge with a refill: its number, the addresses it leads to and branched at, its refill."""
        found = []
        for number, (edge, refill) in enumerate(zip(counts.edges, self.refills, strict=True)):
            if refill:
                last = code.instructions(counts.blocks[edge.source])[-1]
                found.append((number, counts.blocks[edge.to].start, last.address, refill))
        return found


def edge_cycles(code: Code, counts: Counts, parameters: CoreParameters, ram: Sequence[RamTiming] = ()) -> EdgeCycles:
    """Prices every edge of `counts` behind the blocks that most often led to it. `ram`: of the chip's [timing]."""
    context = _Contexts(code, counts, parameters, ram)
    priced = []
    problems, ran = Counter[str](), Counter[int]()  # blocks by the measured call: an interrupt or another task is not
    for edge, executed in zip(counts.edges, counts.edge_counts.sum(axis=0).tolist(), strict=True):
        before = context.last(edge.source)
        block, jumped = context.block(edge.to), context.jumped(edge.source, edge.to)
        costs, _ = block.run(context.behind(edge.source), jumped)
        priced.append(costs)
        ran[edge.to] += int(executed)
        if executed and block.steps and jumped and before and not before.instruction.branch:
            problems["exceptions and interrupts"] += int(executed)
    for to, executed in ran.items():
        problems.update(_problems(counts, to, context.block(to).steps, executed, parameters) if executed else {})
    totals = np.array([sum(costs) for costs in priced], np.int64)
    refills = tuple(
        _refill(code, counts, edge, costs, parameters) for edge, costs in zip(counts.edges, priced, strict=True)
    )
    return EdgeCycles(tuple(priced), totals, dict(problems), refills, executions(code, counts, priced))


def _refill(code: Code, counts: Counts, edge: Edge, costs: Sequence[int], parameters: CoreParameters) -> int:
    before, after = (code.instructions(counts.blocks[at]) for at in (edge.source, edge.to))
    jumped = before and after and before[-1].branch and before[-1].end != after[0].address
    return max(0, min(costs[0] - 1, parameters.refill(before[-1].branch))) if jumped else 0


def _problems(
    counts: Counts, to: int, steps: Sequence[Step], executed: int, parameters: CoreParameters
) -> Counter[str]:
    found: Counter[str] = Counter()
    block = counts.blocks[to]
    if block.start in counts.changed:
        found[_CHANGED] += executed * block.instructions
    elif steps and block.start >= SYSTEM_BUS:
        found[_IN_RAM] += executed * block.instructions
    if not steps and block.instructions:
        found[_OUTSIDE] += executed * block.instructions
    for step in steps:
        if step.instruction.kind == "unknown":
            found[f"unknown instruction {step.instruction.text}"] += executed
        elif step.instruction.kind in _GUESSED:
            found[_GUESSED[step.instruction.kind].format(p=parameters)] += executed
    return found


class _Contexts:
    """For each block the instructions that mostly ran before its end, the block included."""

    def __init__(self, code: Code, counts: Counts, parameters: CoreParameters, ram: Sequence[RamTiming]) -> None:
        self._code, self._counts, self._states = code, counts, states_of(parameters)
        self._likely: dict[int, int] = {}
        self._outside = next(i for i, block in enumerate(counts.blocks) if not block.instructions)
        most: dict[int, int] = {}
        for edge, executed in zip(counts.edges, _all_executions(counts), strict=True):
            if executed > most.get(edge.to, 0):
                most[edge.to], self._likely[edge.to] = executed, edge.source
        self._paths: dict[int, list[tuple[BlockRuns, bool]]] = {}
        self._regions: dict[int, RamTiming] = {}
        self._memory: dict[int, str] = {}
        for number, region in enumerate(ram):
            for at in _mostly_in(counts, REGION, number):
                self._memory[at], self._regions[at] = f"ram {number}", region
        self._memory.update(dict.fromkeys(_mostly_in(counts, FLASH), IN_FLASH))
        self._blocks: dict[int, BlockRuns] = {}
        self._behind: dict[int, Behind] = {}

    def block(self, index: int) -> BlockRuns:
        if index not in self._blocks:
            steps = [self._step(insn) for insn in self._code.instructions(self._counts.blocks[index])]
            self._blocks[index] = BlockRuns(steps, self._states)
        return self._blocks[index]

    def jumped(self, source: int, to: int) -> bool:
        return self._counts.blocks[source].end != self._counts.blocks[to].start

    def _step(self, insn: Instruction) -> Step:
        if insn.literal:
            return Step(insn, memory=IN_FLASH)
        address = insn.address
        if address not in self._memory:
            return Step(insn)
        region = self._regions.get(address)
        waits = (region.single_load, region.load_after_other) if region else (0, 0)
        return Step(insn, False, self._memory[address], *waits)

    def behind(self, index: int) -> Behind:
        """A core that has just run block `index`, behind those that mostly ran before it."""
        if index not in self._behind:
            behind = self._states.begun
            for block, jumped in self._path(index):
                _, behind = block.run(behind, jumped)
            self._behind[index] = behind
        return self._behind[index]

    def last(self, index: int) -> Step | None:
        """What ran last, up to and including block `index`."""
        return next((block.steps[-1] for block, _ in reversed(self._path(index)) if block.steps), None)

    def _path(self, index: int) -> list[tuple[BlockRuns, bool]]:
        """The blocks that mostly ran, up to and including `index`, and whether each was jumped to."""
        if index in self._paths:
            return self._paths[index]
        path, at, count = list[tuple[BlockRuns, bool]](), index, 0
        seen = set[int]()  # a loop of code that nobody knows adds no step
        while count < _CONTEXT and self._counts.blocks[at].instructions and at not in seen:
            source = self._likely.get(at, self._outside)
            block = self.block(at)
            path.append((block, self.jumped(source, at)))
            seen = seen if block.steps else seen | {at}
            count += len(block.steps)
            at = source
        self._paths[index] = path[::-1]
        return self._paths[index]


def _all_executions(counts: Counts) -> list[int]:
    """Of each edge, over all samples, those of interrupts and other tasks included."""
    found: list[int] = [int(times) for times in counts.edge_counts.sum(axis=0).tolist()]
    if counts.tree is not None:
        apart = Counter[int]()
        for (_, edge), times in counts.tree.tallies.items():
            apart[edge] += times
        found = [max(times, apart[edge]) for edge, times in enumerate(found)]
    return found


def _mostly_in(counts: Counts, kind: int, block: int = 0) -> frozenset[int]:
    """Addresses of the instructions whose data mostly lies in flash, or in the RAM of that number."""
    totals = list(zip(counts.events, counts.event_counts.sum(axis=0).tolist(), strict=True))
    accesses = {event.address: n for event, n in totals if event.kind == ACCESS}
    there = {event.address: n for event, n in totals if (event.kind, event.block) == (kind, block)}
    return frozenset(address for address, n in there.items() if 2 * n > accesses.get(address, 0))
