"""Where cycles go: whatever they are divided among, it is all of them, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.counts import ACCESS, DATA_MISS, FETCH_MISS_NEXT, FLASH
from mcusim.system.errors import ConfigurationError
from mcusim.timing.parameters import CORTEX_M4F, CoreParameters
from mcusim.timing.profile import Profile, energy_uwh, price_recording
from mcusim.timing.recording import Function, Recording
from tests.timing.programs import CALL, START, Program

BOARD = load_board("nucleo_l452re_p")
SLOW_HZ, FAST_HZ = 16_000_000, 80_000_000  # no wait states, and four
FUNCTIONS = {"cnn": (0, 8), "inner": (8, 16)}  # of CALL
LINES = ((START, "model.c", 3), (START + 8, "inner.h", 7), (START + 14, "inner.h", 9))


def recording(
    program: Program,
    functions: dict[str, tuple[int, int]],
    *traces: str,
    events: Sequence[tuple[int, int, int, Sequence[int]]] = (),
    lines: tuple[tuple[int, str, int], ...] = (),
) -> Recording:
    named = tuple(Function(name, START + first, START + end) for name, (first, end) in functions.items())
    return Recording(BOARD.name, program.counts(*traces, events=events), program.code, named, lines)


def priced(made: Recording, clock_hz: int = SLOW_HZ, parameters: CoreParameters = CORTEX_M4F) -> Profile:
    return price_recording(made, BOARD.chip, clock_hz, parameters)


ONE, TWO = "enter loop loop loop return leave", "enter loop return leave"


def test_a_loop_in_a_function_by_hand() -> None:
    """As test_edge_cycles.py counts them, but each refill belongs to the branch and not to its target."""
    profile = priced(recording(CALL, FUNCTIONS, ONE))
    cycles = {address - START: cycles for address, cycles in profile.by_address.items()}
    assert cycles == {0: 4, 2: 1 + 1, 6: 3, 8: 3 * 1, 10: 3 * 1, 12: 3 * 1 + 2 * 1, 14: 1 + 2}
    executed = {address - START: times for address, times in profile.executed.items()}
    assert executed == {0: 1, 2: 1, 6: 1, 8: 3, 10: 3, 12: 3, 14: 1}
    assert profile.mean == sum(cycles.values()) == 4 + 1 + 3 * 4 + 1 + 5


@pytest.mark.parametrize("clock_hz", [SLOW_HZ, FAST_HZ])
def test_every_division_of_the_cycles_is_complete(clock_hz: int) -> None:
    events = ((DATA_MISS, 0, START, (5, 1)), (FETCH_MISS_NEXT, 2, 0, (1, 2)))
    profile = priced(recording(CALL, FUNCTIONS, ONE, TWO, events=events, lines=LINES), clock_hz)
    for divided in (profile.by_address, profile.by_function, profile.by_line):
        assert sum(divided.values()) == pytest.approx(profile.mean)
    for dearest_first in (profile.by_function, profile.by_line):
        assert list(dearest_first.values()) == sorted(dearest_first.values(), reverse=True)
    assert profile.inclusive["cnn"] == pytest.approx(profile.mean)
    assert profile.inclusive["inner"] == profile.by_function["inner"]
    assert set(profile.by_line) == {("model.c", 3), ("inner.h", 7), ("inner.h", 9)}


def test_each_sample_has_its_own_cycles() -> None:
    profile = priced(recording(CALL, FUNCTIONS, ONE, TWO))
    assert profile.cycles.tolist() == [23, 23 - 2 * 4] and profile.mean == 19
    assert profile.executed[START + 8] == 2  # the mean of three and one
    assert profile.calls == {("cnn", "inner"): 1}


def test_memory_is_priced_for_the_clock_and_the_core_is_not() -> None:
    made = recording(CALL, FUNCTIONS, ONE, TWO, events=((DATA_MISS, 0, START + 2, (5, 1)),))
    slow, fast = priced(made), priced(made, FAST_HZ)
    assert slow.cycles.tolist() == slow.core_cycles.tolist() == fast.core_cycles.tolist()
    assert (fast.cycles - slow.cycles).tolist() == [5 * 4, 1 * 4]
    assert fast.by_address[START + 2] - slow.by_address[START + 2] == 12  # the mean
    assert fast.latency_ms == pytest.approx(fast.mean / FAST_HZ * 1e3) and fast.clock_hz == FAST_HZ


def test_a_clock_that_the_chip_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="does not run at 81 MHz"):
        priced(recording(CALL, FUNCTIONS, ONE), 81_000_000)


def test_a_dearer_refill_is_the_branchs() -> None:
    made = recording(CALL, FUNCTIONS, ONE)
    one, three = priced(made), priced(made, SLOW_HZ, replace(CORTEX_M4F, refill_direct=3))
    more = {at - START: three.by_address[at] - cycles for at, cycles in one.by_address.items()}
    assert {at: cycles for at, cycles in more.items() if cycles} == {2: 2, 12: 2 * 2}  # BL once, BNE twice


def test_only_the_refill_is_the_branchs() -> None:
    """LDR, to which it leads, takes 2 of its own."""
    program = Program("0268" + "0438" + "fcd1" + "7047", {"loop": (0, 6), "return": (6, 8)})  # ldr; subs r0, #4; bne
    cycles = priced(recording(program, {"cnn": (0, 8)}, "loop loop loop return")).by_address
    assert cycles[START] == 3 * 2 + 1 and cycles[START + 4] == 3 * 1 + 2 * CORTEX_M4F.refill_direct


def test_a_skipped_load_is_saved_where_it_stands() -> None:
    skipping = Program("08bf" + "0868" + "7047", {"all": (0, 6)})  # it eq; ldreq r0, [r1]; bx lr
    profile = priced(recording(skipping, {"cnn": (0, 6)}, "all", "all"))
    assert profile.by_address[START + 2] == 1
    assert sum(profile.by_address.values()) == profile.mean == profile.core_cycles.mean()


# ---- Functions that call each other ---------------------------------------------------------------------------------

# a: bl c; bl c; bx lr    b: bl c; bx lr    c: adds r0, #1; bx lr
SHARED = Program(
    "00f007f8" + "00f005f8" + "7047" + "00f002f8" + "7047" + "00bf" + "0130" + "7047",
    {"a1": (0, 4), "a2": (4, 8), "a3": (8, 10), "b1": (10, 14), "b2": (14, 16), "c": (18, 22)},
)
OF_SHARED = {"a": (0, 10), "b": (10, 16), "c": (18, 22)}


def test_a_function_that_several_call_is_divided_by_the_calls() -> None:
    """As gprof does."""
    profile = priced(recording(SHARED, OF_SHARED, "a1 c a2 c a3", "b1 c b2", "a1 c a2 c a3"))
    assert profile.calls == {("a", "c"): pytest.approx(4 / 3), ("b", "c"): pytest.approx(1 / 3)}
    own, whole = profile.by_function, profile.inclusive
    assert whole["a"] == pytest.approx(own["a"] + own["c"] * 4 / 5)
    assert whole["b"] == pytest.approx(own["b"] + own["c"] / 5)
    assert whole["a"] + whole["b"] == pytest.approx(profile.mean)
    assert whole["c"] == own["c"]


def test_a_return_is_no_call() -> None:
    """C returns into the middle of A, and POP {PC} or BX into the beginning of nothing."""
    assert ("c", "a") not in priced(recording(SHARED, OF_SHARED, "a1 c a2 c a3")).calls
    assert ("inner", "cnn") not in priced(recording(CALL, FUNCTIONS, ONE)).calls


def test_a_branch_to_a_function_is_a_call() -> None:
    """A tail call: B c. And code that falls from one function into the next."""
    tail = Program("0130" + "00e0" + "00bf" + "0130" + "7047", {"a": (0, 4), "c": (6, 10)})
    assert priced(recording(tail, {"a": (0, 4), "c": (6, 10)}, "a c")).calls == {("a", "c"): 1}
    falls = Program("0130" + "0130" + "7047", {"a": (0, 2), "c": (2, 6)})
    assert priced(recording(falls, {"a": (0, 2), "c": (2, 6)}, "a c")).calls == {("a", "c"): 1}


def test_functions_that_call_each_other_come_to_an_end() -> None:
    """A calls B, which calls A: each keeps what is its own, and none is told to take more than there is."""
    back = Program("0130" + "ffe7" + "0130" + "fbe7", {"a": (0, 4), "b": (4, 8)})  # adds; b .+2; adds; b a
    profile = priced(recording(back, {"a": (0, 4), "b": (4, 8)}, "a b a b"))
    assert profile.calls == {("a", "b"): 2, ("b", "a"): 1}
    assert sum(profile.by_function.values()) == profile.mean
    assert all(profile.by_function[name] <= profile.inclusive[name] <= profile.mean for name in "ab")


def test_a_long_chain_of_calls_comes_to_an_end() -> None:
    """2,000 functions, each of which falls into the next one."""
    functions = {f"f{number}": (2 * number, 2 * number + 2) for number in range(2000)}
    chain = Program("0130" * 2000, {f"b{number}": places for number, places in enumerate(functions.values())})
    profile = priced(recording(chain, functions, " ".join(chain.places)))
    assert sum(profile.by_function.values()) == profile.mean
    assert profile.by_function["f0"] < profile.inclusive["f0"] <= profile.mean


def test_code_without_a_symbol_has_a_name() -> None:
    profile = priced(recording(CALL, {"cnn": (0, 8)}, ONE))
    assert set(profile.by_function) == {"cnn", "?"} and sum(profile.by_function.values()) == profile.mean


def test_lines_without_a_source_are_left_out() -> None:
    profile = priced(recording(CALL, FUNCTIONS, ONE, lines=(*LINES[:2], (START + 14, "inner.h", 0))))
    assert set(profile.by_line) == {("model.c", 3), ("inner.h", 7)}
    assert sum(profile.by_line.values()) == profile.mean - profile.by_address[START + 14]


def test_problems_are_those_of_the_core() -> None:
    unknown = Program("00de" + "7047", {"all": (0, 4)})
    assert priced(recording(unknown, {"cnn": (0, 4)}, "all", "all")).problems == {"unknown instruction udf #0": 2}


# ---- Energy ----------------------------------------------------------------------------------------------------------


def test_energy_is_that_of_the_paper() -> None:
    """MicroAI, section 6.2: 4.80 mA at 3.3 V for one second. Table A5: 4.581 uWh on the Nucleo, 0.754 on the Edge."""
    assert energy_uwh(48e6, BOARD) == pytest.approx(4.80e-3 * 3.3 / 3600 * 1e6)
    assert energy_uwh(1034.033e-3 * 48e6, BOARD) == pytest.approx(4.581, rel=1e-2)
    assert energy_uwh(1003.365e-3 * 48e6, load_board("sparkfun_edge")) == pytest.approx(0.754, rel=1e-2)


def test_current_follows_the_clock() -> None:
    """Half as fast, half the current, so the same energy for the same cycles."""
    assert energy_uwh(1e6, BOARD, 24_000_000) == pytest.approx(energy_uwh(1e6, BOARD))
    assert energy_uwh(2e6, BOARD) == pytest.approx(2 * energy_uwh(1e6, BOARD))


def test_loads_from_flash_and_ram_pair_on_one_bus() -> None:
    """As a PSoC 62 has both."""
    two = Program("0868" + "1a68" + "7047", {"all": (0, 6)})  # ldr r0, [r1]; ldr r2, [r3]; bx lr
    events = ((ACCESS, 0, START + 2, (4,)), (FLASH, 0, START + 2, (4,)))
    counts = two.counts("all", events=events)
    assert BOARD.chip.timing is not None
    timing = BOARD.chip.timing.model_copy(update={"one_data_bus": True})
    found = [
        price_recording(Recording("a board", counts, two.code, (), ()), chip, SLOW_HZ, CORTEX_M4F).mean
        for chip in (BOARD.chip, BOARD.chip.model_copy(update={"timing": timing}))
    ]
    assert found[0] - found[1] == 1
