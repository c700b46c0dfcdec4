"""Small programs in machine code and traces of their blocks: what an engine would count, countable by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mcusim.engines.counts import Block, Counts, Edge, Event
from mcusim.timing.code import Code
from mcusim.timing.core_cycles import Step, begun
from mcusim.timing.decode import decode
from mcusim.timing.kind import Work
from mcusim.timing.parameters import CoreParameters

START = 0x08000100
OUTSIDE = Block(0xFFFFFFFF, 0xFFFFFFFF, 0)


def core_cycles(steps: Iterable[Step], parameters: CoreParameters) -> list[int]:
    """Cycles of each of `steps`, which run one after another. The first one's word is there when they begin."""
    core = begun(parameters)
    return [core.execute(step) for step in steps]


@dataclass(frozen=True)
class Program:
    """`machine_code` in hexadecimal, at START. `places` of blocks: first byte and end, from START on."""

    machine_code: str
    places: Mapping[str, tuple[int, int]]

    @property
    def code(self) -> Code:
        return Code([(START, bytes.fromhex(self.machine_code))])

    def block(self, name: str) -> Block:
        first, end = self.places[name]
        data = bytes.fromhex(self.machine_code)[first:end]
        return Block(START + first, START + end, len(decode(data, START + first)))

    def counts(self, *traces: str, events: Sequence[tuple[int, int, int, Sequence[int]]] = ()) -> Counts:
        """One sample a trace: names of blocks in order. `events`: kind, block, address, count in each sample."""
        blocks = (*(self.block(name) for name in self.places), OUTSIDE)
        numbers = {name: number for number, name in enumerate([*self.places, "outside"])}
        ran = [Counter(pairwise(["outside", *trace.split(), "outside"])) for trace in traces]
        pairs = sorted({pair for counter in ran for pair in counter})
        return Counts(
            blocks=blocks,
            edges=tuple(Edge(numbers[source], numbers[to]) for source, to in pairs),
            edge_counts=np.array([[counter[pair] for pair in pairs] for counter in ran], np.uint64),
            events=tuple(Event(kind, block, address) for kind, block, address, _ in events),
            event_counts=np.array([times for *_, times in events], np.uint64).reshape(len(events), len(traces)).T,
        )

    def steps(self, trace: str) -> list[Step]:
        """Every instruction that a trace executes, in order."""
        steps: list[Step] = []
        for before, name in pairwise(["outside", *trace.split()]):
            jumped = before == "outside" or self.places[before][1] != self.places[name][0]
            instructions = self.code.instructions(self.block(name))
            steps += [Step(insn, jumped and n == 0) for n, insn in enumerate(instructions)]
        return steps


# cnn:   push {r4, lr}; bl inner; pop {r4, pc}
# inner: adds r0, #1; subs r1, #1; bne inner; bx lr
CALL = Program(
    "10b5" + "00f001f8" + "10bd" + "0130" + "0139" + "fcd1" + "7047",
    {"enter": (0, 6), "leave": (6, 8), "loop": (8, 14), "return": (14, 16)},
)


def made_work(cycles: npt.NDArray[np.float64], **told: float) -> Work:
    """Of integers that wait for nothing, but for what is `told`."""
    parts = {**dict.fromkeys(Work.__dataclass_fields__, 0.0), "instructions": 1.0, "loads": 1.0, **told}
    return Work(**{**{name: np.full(len(cycles), value) for name, value in parts.items()}, "cycles": cycles})
