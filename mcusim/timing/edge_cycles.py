"""Code + Counts -> EdgeCycles of the core alone: what every block costs behind the block that ran before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcusim.engines.counts import ACCESS, FLASH, Block, Counts
from mcusim.timing.code import Code
from mcusim.timing.core_cycles import Step, core_cycles
from mcusim.timing.parameters import CoreParameters

_DIVISION = "divisions, taken as {p.divide} cycles each: {p.divide_low} to {p.divide_high}, depending on their operands"
_OUTSIDE = "instructions outside of the firmware's code (in RAM, or written while running)"
_CONTEXT = 16  # instructions before a block that its price is worked out behind


@dataclass(frozen=True)
class EdgeCycles:
    """`edges`: for each edge the cycles of each instruction of the block it leads to, `totals` their sums.

    `problems`: what could not be priced, and how often it ran.
    """

    edges: tuple[tuple[int, ...], ...]
    totals: npt.NDArray[np.int64]
    problems: Mapping[str, int]


def edge_cycles(code: Code, counts: Counts, parameters: CoreParameters) -> EdgeCycles:
    """Prices every edge of `counts` behind the blocks that most often led to it."""
    context = _Contexts(code, counts)
    priced = []
    problems: Counter[str] = Counter()
    for edge, executed in zip(counts.edges, counts.edge_counts.sum(axis=0).tolist(), strict=True):
        before = context.steps(edge.source)
        steps = context.block_steps(edge.source, edge.to)
        costs = core_cycles([*before, *steps], parameters)[len(before) :]
        priced.append(tuple(costs))
        problems.update(_problems(counts.blocks[edge.to], steps, int(executed), parameters))
        if steps and steps[0].jumped and before and not before[-1].instruction.branch:
            problems["exceptions and interrupts"] += int(executed)
    totals = np.array([sum(costs) for costs in priced], np.int64)
    return EdgeCycles(tuple(priced), totals, dict(problems))


def _problems(block: Block, steps: Sequence[Step], executed: int, parameters: CoreParameters) -> Counter[str]:
    found: Counter[str] = Counter()
    if not steps and block.instructions:
        found[_OUTSIDE] += executed * block.instructions
    for step in steps:
        if step.instruction.kind == "unknown":
            found[f"unknown instruction {step.instruction.text}"] += executed
        elif step.instruction.kind == "divide":
            found[_DIVISION.format(p=parameters)] += executed
    return found


class _Contexts:
    """For each block the instructions that mostly ran before its end, the block included."""

    def __init__(self, code: Code, counts: Counts) -> None:
        self._code, self._counts = code, counts
        self._likely: dict[int, int] = {}
        self._outside = next(i for i, block in enumerate(counts.blocks) if not block.instructions)
        most: dict[int, int] = {}
        for edge, executed in zip(counts.edges, counts.edge_counts.sum(axis=0).tolist(), strict=True):
            if executed > most.get(edge.to, 0):
                most[edge.to], self._likely[edge.to] = executed, edge.source
        self._steps: dict[int, list[Step]] = {}
        self._code_bus = _mostly_in_flash(counts)

    def block_steps(self, source: int, to: int) -> list[Step]:
        blocks = self._counts.blocks
        jumped = blocks[source].end != blocks[to].start
        return [
            Step(insn, jumped and n == 0, "code" if insn.literal or insn.address in self._code_bus else "")
            for n, insn in enumerate(self._code.instructions(blocks[to]))
        ]

    def steps(self, index: int) -> list[Step]:
        """Up to and including block `index`."""
        if index not in self._steps:
            found, at = list[Step](), index
            while len(found) < _CONTEXT and self._counts.blocks[at].instructions:
                source = self._likely.get(at, self._outside)
                found = self.block_steps(source, at) + found
                at = source
            self._steps[index] = found
        return self._steps[index]


def _mostly_in_flash(counts: Counts) -> frozenset[int]:
    """Addresses of the instructions whose data mostly lies in flash."""
    totals = counts.event_counts.sum(axis=0).tolist()
    accesses = {event.address: n for event, n in zip(counts.events, totals, strict=True) if event.kind == ACCESS}
    in_flash = {event.address: n for event, n in zip(counts.events, totals, strict=True) if event.kind == FLASH}
    return frozenset(address for address, n in in_flash.items() if 2 * n > accesses.get(address, 0))
