"""Prices of what memory does: a miss, slow RAM, a load that is not aligned, and one that did not take place."""

from __future__ import annotations

import pytest

from mcusim.boards.load import load_board
from mcusim.engines import counts as kinds
from mcusim.engines.counts import Event
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.timing.edge_cycles import edge_cycles
from mcusim.timing.memory import address_of, event_prices, skipped_savings, wait_states
from mcusim.timing.parameters import CORTEX_M4F
from tests.timing.programs import CALL, START, Program

# ldr r0, [r1]; four times add r0, r1; ldrh r2, [r3]; nop; nop (16 bytes: two 64-bit words of flash)
LOADS = Program("0868" + "0844" * 4 + "1a88" + "00bf" * 2, {"all": (0, 16)})


def prices(board: str, clock_hz: int, *events: tuple[int, int, int], program: Program = LOADS) -> list[float]:
    """Of one occurrence of each of `events`: kind, block, address."""
    counts = program.counts(" ".join(program.places), events=[(*event, (1,)) for event in events])
    core = edge_cycles(program.code, counts, CORTEX_M4F)
    found: list[float] = event_prices(program.code, counts, core, load_board(board).chip, clock_hz).tolist()
    return found


@pytest.mark.parametrize(("clock_mhz", "states"), [(4, 0), (16, 0), (17, 1), (48, 2), (64, 3), (80, 4)])
def test_wait_states_follow_the_clock(clock_mhz: int, states: int) -> None:
    """STM32L4 HAL, voltage range 1."""
    assert wait_states(load_board("nucleo_l452re_p").chip, clock_mhz * 1_000_000) == states


def test_no_clock_that_the_chip_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="does not run at 81 MHz") as caught:
        wait_states(load_board("nucleo_l452re_p").chip, 81_000_000)
    assert caught.value.hint == "at most 80 MHz"


def test_flash_data() -> None:
    """RM0440 4.3.4: what is in the cache does not wait. Nothing does at zero wait states."""
    events = ((kinds.DATA_HIT, 0, START), (kinds.DATA_MISS, 0, START))
    assert prices("nucleo_l452re_p", 80_000_000, *events) == [0, 4]
    assert prices("nucleo_l452re_p", 16_000_000, *events) == [0, 0]


def test_code_in_sequence_was_read_ahead() -> None:
    """RM0440: prefetch reads the next 64 bits while these run; the first ones here take 5 cycles."""
    events = ((kinds.FETCH_MISS_NEXT, 0, 1), (kinds.FETCH_MISS_JUMP, 0, START))
    late, jump = prices("nucleo_l452re_p", 80_000_000, *events)
    assert jump == 4 and late == 0
    assert prices("sparkfun_edge", 48_000_000, *events) == [3, 3]  # no prefetch


# one: adds r0, #1    two: seven of them; a granule is four
SEQUENCE = Program("0130" * 8, {"one": (0, 2), "two": (2, 16)})


def test_prefetch_hides_the_cycles_of_the_granule_before() -> None:
    """Five cycles for a read at four wait states, less the three that the rest of the first granule took."""
    events = ((kinds.FETCH_MISS_NEXT, 1, 1), (kinds.FETCH_MISS_NEXT, 1, 0))
    assert prices("nucleo_l452re_p", 80_000_000, *events, program=SEQUENCE) == [5 - 3, 5 - 2]
    assert prices("nucleo_l452re_p", 16_000_000, *events, program=SEQUENCE) == [0, 0]


@pytest.mark.parametrize("granule", [3, -1, 2**63, -(2**63)])
@pytest.mark.parametrize("block", [0, 1])
def test_a_granule_that_no_block_has(block: int, granule: int) -> None:
    """A recording is a file, and a chip's file may say other granules than when it was made."""
    with pytest.raises(DataError, match=f"granule {granule} of a block"):
        prices("nucleo_l452re_p", 80_000_000, (kinds.FETCH_MISS_NEXT, block, granule), program=SEQUENCE)


def test_cycles_of_an_event_belong_to_an_instruction() -> None:
    counts = SEQUENCE.counts("one two")
    assert address_of(Event(kinds.DATA_MISS, 0, START + 6), counts, 8) == START + 6
    assert address_of(Event(kinds.FETCH_MISS_JUMP, 0, START), counts, 8) == START
    assert address_of(Event(kinds.FETCH_MISS_NEXT, 1, 0), counts, 8) == START + 2  # the block's first
    assert address_of(Event(kinds.FETCH_MISS_NEXT, 1, 1), counts, 8) == START + 8  # the granule's first


def test_unaligned_loads() -> None:
    """TRM 3.3.2: word at a halfword +1, at an odd address +2, halfword at an odd address +1."""
    events = (
        (kinds.HALF, 0, START),
        (kinds.ODD, 0, START),
        (kinds.HALF, 0, START + 10),
        (kinds.ODD, 0, START + 10),
    )
    assert prices("nucleo_l452re_p", 16_000_000, *events) == [1, 2, 0, 1]


def test_slow_ram_is_waited_for_by_loads_only() -> None:
    assert prices("sparkfun_edge", 48_000_000, (kinds.REGION, 0, START)) == [1]
    assert prices("sparkfun_edge", 48_000_000, (kinds.REGION, 0, START + 2)) == [0]


# itt eq; ldreq r0, [r1]; ldmeq r1, {r2, r3}; bx lr: the second moves two words
SKIPPING = Program("04bf" + "0868" + "91e80c00" + "7047", {"all": (0, 10)})


def test_a_load_that_its_condition_skipped_takes_one_cycle() -> None:
    """TRM table 3-1. How often it was executed are its accesses, by its words; for each sample on its own."""
    load, multiple = START + 2, START + 4
    events = ((kinds.ACCESS, 0, load, (4, 0, 1)), (kinds.ACCESS, 0, multiple, (4, 2, 2)))
    counts = SKIPPING.counts("all all all all", "all", "all", events=events)
    core = edge_cycles(SKIPPING.code, counts, CORTEX_M4F)
    saved = skipped_savings(SKIPPING.code, counts, core)
    assert set(saved) == {load, multiple}
    assert saved[load].tolist() == [0, 2 - 1, 0] and saved[multiple].tolist() == [2 * (3 - 1), 0, 0]


def test_what_was_always_skipped_is_saved_wholly() -> None:
    counts = SKIPPING.counts("all all", "all")
    core = edge_cycles(SKIPPING.code, counts, CORTEX_M4F)
    saved = skipped_savings(SKIPPING.code, counts, core)
    assert saved[START + 2].tolist() == [2 * (2 - 1), 1] and saved[START + 4].tolist() == [2 * (3 - 1), 3 - 1]


def test_nothing_is_saved_where_no_load_is_conditional() -> None:
    counts = CALL.counts("enter loop loop return leave")  # BNE is conditional, and moves nothing
    assert skipped_savings(CALL.code, counts, edge_cycles(CALL.code, counts, CORTEX_M4F)) == {}
