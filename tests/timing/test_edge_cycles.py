"""What blocks cost behind the blocks before them, on programs whose cycles can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.boards.chip import RamTiming
from mcusim.engines.counts import ACCESS, FLASH, REGION, Counts
from mcusim.timing.code import Code
from mcusim.timing.edge_cycles import EdgeCycles, edge_cycles
from mcusim.timing.parameters import CORTEX_M4F
from tests.timing.programs import CALL, START, Program, core_cycles


def priced(program: Program, counts: Counts) -> EdgeCycles:
    return edge_cycles(program.code, counts, CORTEX_M4F)


def cost(program: Program, counts: Counts, source: str, to: str) -> tuple[int, ...]:
    """Of the instructions of `to` behind `source`."""
    names = [*program.places, "outside"]
    pairs = [(names[edge.source], names[edge.to]) for edge in counts.edges]
    return priced(program, counts).edges[pairs.index((source, to))]


def test_a_loop_in_a_function_by_hand() -> None:
    """PUSH 1 + 2, and one more to begin with; BL and BNE 1 + 1; BX 1 + 2; POP 1 + 2: refills count at the target."""
    counts = CALL.counts("enter loop loop loop return leave")
    assert cost(CALL, counts, "outside", "enter") == (4, 1)
    assert cost(CALL, counts, "enter", "loop") == (2, 1, 1)
    assert cost(CALL, counts, "loop", "loop") == (2, 1, 1)
    assert cost(CALL, counts, "loop", "return") == (1,)
    assert cost(CALL, counts, "return", "leave") == (3 + 2,)
    assert cost(CALL, counts, "leave", "outside") == ()


@pytest.mark.parametrize("turns", [1, 2, 20])
def test_edges_cost_what_the_execution_costs(turns: int) -> None:
    """The sum over edges is the price of all instructions in the order of their execution."""
    trace = " ".join(["enter", *["loop"] * turns, "return", "leave"])
    counts = CALL.counts(trace)
    assert int((counts.edge_counts @ priced(CALL, counts).totals)[0]) == sum(core_cycles(CALL.steps(trace), CORTEX_M4F))


def test_totals_are_the_sums_of_their_instructions() -> None:
    counts = CALL.counts("enter loop loop return leave", "enter loop return leave")
    found = priced(CALL, counts)
    assert found.totals.tolist() == [sum(costs) for costs in found.edges]
    assert [len(costs) for costs in found.edges] == [counts.blocks[edge.to].instructions for edge in counts.edges]


def test_a_block_is_priced_behind_the_one_before_it() -> None:
    """An address that a load brings is late, one that was there before is not."""
    use = "0268" + "7047"  # ldr r2, [r0]; bx lr
    places = {"before": (0, 2), "use": (2, 6)}
    behind_load, behind_addition = Program("0868" + use, places), Program("0133" + use, places)  # ldr r0, [r1]; adds r3
    assert cost(behind_load, behind_load.counts("before use"), "before", "use") == (3, 1)
    assert cost(behind_addition, behind_addition.counts("before use"), "before", "use") == (2, 1)


# divide: vdiv.f32 s1, s1, s2; b middle    add: adds r0, #1; adds r0, #1; nop     middle: adds r0, #1
# multiply: vmul.f32 s16, s2, s5; bx lr
HISTORY = Program(
    "c0ee810a" + "02e0" + "0130" + "0130" + "00bf" + "0130" + "21ee228a" + "7047",
    {"divide": (0, 6), "add": (6, 12), "middle": (12, 14), "multiply": (14, 20)},
)


def test_the_history_of_a_block_is_the_one_that_most_often_ran() -> None:
    """The multiplication waits for the division two blocks before it, when that mostly ran there: over all samples."""
    behind_division, behind_addition = "divide middle multiply", "add middle multiply"
    mostly = HISTORY.counts(behind_division, behind_division, behind_addition)
    rarely = HISTORY.counts(behind_division, behind_addition, behind_addition)
    assert cost(HISTORY, mostly, "middle", "multiply")[0] > 8
    assert cost(HISTORY, rarely, "middle", "multiply") == (1, 1)


def test_the_history_reaches_through_short_blocks() -> None:
    """Behind one instruction there may be a block of one instruction: sixteen of them are looked at."""
    places = {f"n{number}": (6 + 2 * number, 8 + 2 * number) for number in range(8)}
    end = 6 + 2 * len(places)
    code = "c0ee810a" + "ffe7" + "0130" * len(places) + "21ee228a" + "7047"  # the branch goes to the next instruction
    program = Program(code, {"divide": (0, 6), **places, "multiply": (end, end + 6)})
    counts = program.counts(" ".join(program.places))
    last = f"n{len(places) - 1}"
    whole = core_cycles(program.steps(" ".join(program.places)), CORTEX_M4F)
    assert cost(program, counts, last, "multiply") == tuple(whole[-2:])
    assert whole[-2] > 1


def test_code_outside_of_the_firmware_is_told_and_its_neighbours_are_priced() -> None:
    counts = CALL.counts("enter loop return leave", "enter loop loop return leave")
    without = Code([(start, data[:8]) for start, data in CALL.code.pieces])  # inner is in RAM
    found = edge_cycles(without, counts, CORTEX_M4F)
    (problem,) = found.problems
    assert "outside of the firmware's code" in problem
    assert found.problems[problem] == (1 + 2) * 3 + 2 * 1  # instructions of loop and return, over both samples
    names = [*CALL.places, "outside"]
    costs = {(names[e.source], names[e.to]): c for e, c in zip(counts.edges, found.edges, strict=True)}
    assert costs["enter", "loop"] == () and costs["outside", "enter"] == (4, 1) and len(costs["return", "leave"]) == 1


def test_divisions_are_told_with_their_bounds() -> None:
    program = Program("b0fbf1f0" + "b0fbf1f0" + "7047", {"all": (0, 10)})  # twice udiv r0, r0, r1; bx lr
    counts = program.counts("all", "all all")
    told = {"divisions, taken as 6 cycles each: 2 to 12, depending on their operands": 2 * 3}
    assert priced(program, counts).problems == told
    dearer = edge_cycles(program.code, counts, replace(CORTEX_M4F, divide=9, divide_high=20))
    assert dearer.problems == {"divisions, taken as 9 cycles each: 2 to 20, depending on their operands": 6}
    assert dearer.totals[-1] == priced(program, counts).totals[-1] + 2 * 3


def test_unknown_instructions_are_told_by_name() -> None:
    program = Program("00de" + "00be" + "7047", {"all": (0, 6)})  # udf #0; bkpt #0; bx lr
    found = priced(program, program.counts("all", "all"))
    assert found.problems == {"unknown instruction udf #0": 2, "unknown instruction bkpt #0": 2}
    (costs,) = [costs for costs in found.edges if costs]
    assert min(costs) >= 1  # never free


STRAIGHT = Program("0130" * 6 + "7047", {"one": (0, 4), "two": (4, 8), "three": (8, 14)})


def test_a_jump_that_no_branch_made_is_an_exception_or_interrupt() -> None:
    counts = STRAIGHT.counts("one two three", "one three", "one three")
    assert priced(STRAIGHT, counts).problems == {"exceptions and interrupts": 2}
    assert priced(STRAIGHT, STRAIGHT.counts("one two three")).problems == {}
    assert priced(CALL, CALL.counts("enter loop loop return leave")).problems == {}  # branches, calls and returns


def test_the_first_block_of_a_sample_is_no_exception() -> None:
    assert priced(STRAIGHT, STRAIGHT.counts("three", "two three")).problems == {}


LOADS = Program("0868" + "1a68" + "7047", {"all": (0, 6)})  # ldr r0, [r1]; ldr r2, [r3]; bx lr


@pytest.mark.parametrize(("in_flash", "second"), [(0, 1), (5, 1), (6, 2), (10, 2)])
def test_loads_pair_unless_one_mostly_reads_flash(in_flash: int, second: int) -> None:
    """Flash is on another bus than RAM."""
    events = ((ACCESS, 0, START + 2, (4, 6)), (FLASH, 0, START + 2, (0, in_flash)))
    counts = LOADS.counts("all", "all", events=events)
    assert cost(LOADS, counts, "outside", "all")[1] == second


@pytest.mark.parametrize(("there", "first"), [(0, 2), (2, 2), (3, 3), (4, 3)])
def test_a_single_load_waits_where_it_mostly_reads(there: int, first: int) -> None:
    """In the second of two memories, of which that one lets a load wait that is not behind another."""
    ram = [RamTiming(origin=at, size_bytes=64, wait_states=0, single_load=n) for n, at in enumerate((0, 64))]
    events = [(ACCESS, 0, at, (4,)) for at in (START, START + 2)]
    events += [(REGION, 1, at, (there,)) for at in (START, START + 2)]
    counts = LOADS.counts("all", events=events)
    plain, waits = (edge_cycles(LOADS.code, counts, CORTEX_M4F, known).totals.sum() for known in ((), ram))
    assert waits - plain == first - 2


@pytest.mark.parametrize(("first", "second", "more"), [(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)])
def test_loads_from_two_memories_do_not_pair(first: int, second: int, more: int) -> None:
    """As SRAM1 and SRAM3 of an STM32L4R5 are."""
    ram = [RamTiming(origin=at, size_bytes=64, wait_states=0) for at in (0, 64)]
    events = [(ACCESS, 0, at, (4,)) for at in (START, START + 2)]
    events += [(REGION, region, at, (4,)) for region, at in ((first, START), (second, START + 2))]
    counts = LOADS.counts("all", events=events)
    plain, apart = (edge_cycles(LOADS.code, counts, CORTEX_M4F, known).totals.sum() for known in ((), ram))
    assert apart - plain == more


def test_parameters_are_those_that_were_given() -> None:
    counts = CALL.counts("enter loop loop return leave")
    slow = edge_cycles(CALL.code, counts, replace(CORTEX_M4F, refill_direct=3))
    difference = np.array(slow.totals) - priced(CALL, counts).totals
    names = [*CALL.places, "outside"]
    told = {(names[e.source], names[e.to]): n for e, n in zip(counts.edges, difference.tolist(), strict=True) if n}
    assert told == {("enter", "loop"): 2, ("loop", "loop"): 2}


def test_a_loop_of_code_that_nobody_knows_comes_to_an_end() -> None:
    """In RAM, of an engine that does not tell what it executed: it is not priced, and told."""
    counts = CALL.counts("enter loop loop loop return leave")
    priced_without = edge_cycles(Code([]), counts, CORTEX_M4F)
    assert set(priced_without.edges) == {()}
    (told,) = priced_without.problems
    assert "outside of the firmware's code" in told and priced_without.problems[told] == counts.instructions()[0]
    half = edge_cycles(Code([(START, CALL.code.pieces[0][1][:8])]), counts, CORTEX_M4F)
    assert sum(map(sum, half.edges)) > 0
