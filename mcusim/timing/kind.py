"""Counts + prices -> Work: what kind of code ran, judged by what it did and not by what a model calls its numbers.

The timing model is held against silicon for each kind by itself, since each rests on other rules: docs/timing.md.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcusim.boards.chip import Chip
from mcusim.engines import counts as events
from mcusim.engines.counts import Counts
from mcusim.timing.code import Code
from mcusim.timing.decode import Instruction
from mcusim.timing.memory import Prices

INTEGER, FLOAT, FLASH, SLOW_RAM, RAM_CODE = "integer", "float", "flash-bound", "slow-ram", "ram-code"
OF_CORE, OF_MEMORY = (INTEGER, FLOAT), (FLASH, SLOW_RAM, RAM_CODE)
KINDS = (*OF_CORE, *OF_MEMORY)
SHARE = 0.1  # from which on something makes a kind: what is less can hardly move the whole by more than its error
_ARITHMETIC = ("fp", "fp_mac", "fp_slow")  # loads and stores of floats are none
_FLASH_EVENTS = (events.DATA_HIT, events.DATA_MISS, events.FETCH_MISS_JUMP, events.FETCH_MISS_NEXT)

PerSample = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Work:
    """Of each sample (samples,): how often what ran, and `flash_cycles`, those of `cycles` that flash was waited for.

    `floats`: instructions that compute with floats. `in_ram`: instructions fetched from RAM. `loads`: words loaded,
    `slow_loads`: those from RAM that is slower than the fastest.
    """

    instructions: PerSample
    floats: PerSample
    in_ram: PerSample
    loads: PerSample
    slow_loads: PerSample
    cycles: PerSample
    flash_cycles: PerSample

    def kinds(self, samples: slice = slice(None)) -> tuple[str, ...]:
        """One of OF_CORE, then those of OF_MEMORY that more than SHARE of the work of `samples` belongs to."""

        def is_much(part: PerSample, whole: PerSample) -> bool:
            return float(part[samples].sum()) > SHARE * float(whole[samples].sum())

        told = {
            FLASH: is_much(self.flash_cycles, self.cycles),
            SLOW_RAM: is_much(self.slow_loads, self.loads),
            RAM_CODE: is_much(self.in_ram, self.instructions),
        }
        core = FLOAT if is_much(self.floats, self.instructions) else INTEGER
        return (core, *(kind for kind in OF_MEMORY if told[kind]))


def work(code: Code, counts: Counts, prices: Prices, chip: Chip, cycles: PerSample) -> Work:
    """`prices` of the events of `counts`, and the `cycles` of each sample, both for one clock of `chip`."""
    blocks = [code.instructions(block) for block in counts.blocks]
    executed = counts.edge_counts.astype(np.float64)
    leads_to = np.array([edge.to for edge in counts.edges], np.intp)

    def ran(of_block: list[int]) -> PerSample:
        total: PerSample = executed @ np.array(of_block, np.float64)[leads_to]
        return total

    ram = [not _is_read_only(chip, block.start) for block in counts.blocks]
    sizes = [block.instructions for block in counts.blocks]
    regions = chip.timing.ram if chip.timing else []
    slow = {number for number, region in enumerate(regions) if region.wait_states or region.single_load}
    loading = {insn.address for block in blocks for insn in block if insn.loads}
    seen = counts.event_counts.astype(np.float64)
    of_flash = np.array([event.kind in _FLASH_EVENTS for event in counts.events], np.float64)
    of_slow = [e.kind == events.REGION and e.block in slow and e.address in loading for e in counts.events]
    return Work(
        instructions=ran(sizes),
        floats=ran([sum(map(_computes, block)) for block in blocks]),
        in_ram=ran([size if in_ram else 0 for size, in_ram in zip(sizes, ram, strict=True)]),
        loads=ran([sum(insn.words for insn in block if insn.loads) for block in blocks]),
        slow_loads=seen @ np.array(of_slow, np.float64),
        cycles=cycles,
        flash_cycles=seen @ (of_flash * prices),
    )


def _computes(insn: Instruction) -> bool:
    """With floats: to move them between registers is none of it."""
    return insn.kind in _ARITHMETIC and insn.name != "vmov"


def _is_read_only(chip: Chip, address: int) -> bool:
    """An emulator that lacks the RAM for code has it where the chip has nothing."""
    return any(one.kind in ("flash", "rom") and one.origin <= address < one.end for one in chip.memory.values())
