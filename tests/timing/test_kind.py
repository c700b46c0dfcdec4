"""The kind of code is what it did: floats, waits for flash, slow RAM, code in RAM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcusim.boards.chip import Chip, RamTiming
from mcusim.boards.load import load_chip
from mcusim.engines import counts as kinds
from mcusim.timing.code import Code
from mcusim.timing.edge_cycles import edge_cycles
from mcusim.timing.kind import SHARE, Work, work
from mcusim.timing.memory import event_prices
from mcusim.timing.parameters import CORTEX_M4F
from tests.timing.programs import CALL, START, Program, made_work

L452 = load_chip("stm32l452re")
FAST_HZ, SLOW_HZ = 80_000_000, 16_000_000
# vadd.f32 s0, s0, s1    vmov s0, r0; vmov.f32 s0, s1; vldr s0, [r0]    ldr r0, [r1]; nine of adds r0, #1
ADD = Program("30ee200a", {"all": (0, 4)})
MOVE = Program("00ee100a" + "b0ee600a" + "90ed000a", {"all": (0, 12)})
LOAD = Program("0868" + "0130" * 9, {"load": (0, 2), "rest": (2, 20)})

Events = Sequence[tuple[int, int, int, Sequence[int]]]


def done(program: Program, *traces: str, events: Events = (), chip: Chip = L452, clock_hz: int = FAST_HZ) -> Work:
    counts = program.counts(*traces, events=events)
    core = edge_cycles(program.code, counts, CORTEX_M4F)
    prices = event_prices(program.code, counts, core, chip, clock_hz)
    cycles = counts.edge_counts.astype(np.float64) @ core.totals + counts.event_counts.astype(np.float64) @ prices
    return work(program.code, counts, prices, chip, cycles)


def test_floats_are_computed_with_and_not_moved() -> None:
    assert done(CALL, "enter loop return leave").kinds() == ("integer",)
    assert done(ADD, "all").kinds() == ("float",)
    assert done(MOVE, "all").kinds() == ("integer",)


def test_flash_that_is_waited_for() -> None:
    """At a clock without wait states nothing is."""
    events = ((kinds.FETCH_MISS_JUMP, 2, START + 8, (1, 20)),)
    traces = ("enter " + "loop " * 30 + "return leave",) * 2
    waiting = done(CALL, *traces, events=events)
    assert waiting.flash_cycles.tolist() == [4, 80]
    assert waiting.kinds(slice(0, 1)) == ("integer",) and waiting.kinds(slice(1, 2)) == ("integer", "flash-bound")
    assert waiting.kinds() == ("integer", "flash-bound"), "of both together"
    assert done(CALL, *traces, events=events, clock_hz=SLOW_HZ).kinds() == ("integer",)


@pytest.mark.parametrize(("region", "slow"), [((0, 0), False), ((1, 0), True), ((0, 1), True)])
def test_loads_from_ram_that_is_slower(region: tuple[int, int], slow: bool) -> None:
    assert L452.timing
    fast = RamTiming(origin=0x20000000, size_bytes=64, wait_states=0)
    other = RamTiming(origin=0x20000040, size_bytes=64, wait_states=region[0], single_load=region[1])
    chip = L452.model_copy(update={"timing": L452.timing.model_copy(update={"ram": [fast, other]})})

    def told(*events: tuple[int, int, int, Sequence[int]]) -> tuple[str, ...]:
        return done(LOAD, "load " * 10 + "rest", events=events, chip=chip).kinds()

    assert told((kinds.REGION, 1, START, (9,))) == (("integer", "slow-ram") if slow else ("integer",))
    assert told((kinds.REGION, 0, START, (10,)), (kinds.REGION, 1, START, (1,))) == ("integer",), "a tenth is not more"
    assert told((kinds.REGION, 1, START + 2, (9,))) == ("integer",), "not loaded: a store"


def test_code_in_ram() -> None:
    """STM32L452: SRAM2 on the bus of code, where QEMU has it, and SRAM1 behind the other bus."""
    for start in (0x10000000, 0x00080000, 0x20000000):
        counts = CALL.counts("enter loop return leave")
        moved = [
            kinds.Block(one.start - START + start, one.end - START + start, one.instructions)
            for one in counts.blocks[:4]
        ]
        there = kinds.Counts((*moved, *counts.blocks[4:]), counts.edges, counts.edge_counts, (), counts.event_counts)
        code = Code([(start, bytes.fromhex(CALL.machine_code))])
        assert work(code, there, np.zeros(0), L452, np.ones(1)).kinds() == ("integer", "ram-code")


def test_a_share_is_one_of_the_work() -> None:
    whole = np.array([1000.0])
    assert made_work(whole, floats=SHARE).kinds() == ("integer",) and made_work(whole, floats=0.11).kinds() == (
        "float",
    )
    everything = made_work(whole, floats=1.0, flash_cycles=500.0, slow_loads=1.0, in_ram=1.0)
    assert everything.kinds() == ("float", "flash-bound", "slow-ram", "ram-code")
