"""Prices of events, and what a recording says about another clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.system.errors import ConfigurationError, DataError, EngineError
from mcusim.timing import counts as kinds
from mcusim.timing.counts import Block, Counts, Edge, Event, read_counts
from mcusim.timing.edge_cycles import Code, core_cycles
from mcusim.timing.memory import event_prices, wait_states
from mcusim.timing.profile import energy_uwh, price_recording
from mcusim.timing.recording import Function, Recording, load, save

START = 0x08000100
# ldr r0, [r1]; four times add r0, r1; ldrh r2, [r3]; nop; nop (16 bytes: two 64-bit words of flash)
CODE = Code([(START, bytes.fromhex("0868" + "0844" * 4 + "1a88" + "00bf" * 2))])
OUTSIDE = Block(0xFFFFFFFF, 0xFFFFFFFF, 0)


def counts(*events: tuple[int, int, int, int], blocks: tuple[Block, ...] = ()) -> Counts:
    """One sample in which the code ran ten times; `events` are kind, block, address, count."""
    all_blocks = blocks or (Block(START, START + 16, 8), OUTSIDE)
    return Counts(
        blocks=all_blocks,
        edges=(Edge(1, 0),),
        edge_counts=np.array([[10]], np.uint64),
        events=tuple(Event(*event[:3]) for event in events),
        event_counts=np.array([[event[3] for event in events]], np.uint64).reshape(1, len(events)),
    )


def prices(board: str, clock_hz: int, *events: tuple[int, int, int, int]) -> list[float]:
    found = counts(*events)
    prices: list[float] = event_prices(CODE, found, core_cycles(CODE, found), load_board(board).chip, clock_hz).tolist()
    return prices


@pytest.mark.parametrize(("clock_mhz", "states"), [(4, 0), (16, 0), (17, 1), (48, 2), (64, 3), (80, 4)])
def test_wait_states_follow_the_clock(clock_mhz: int, states: int) -> None:
    """STM32L4 HAL, voltage range 1."""
    assert wait_states(load_board("nucleo_l452re_p").chip, clock_mhz * 1_000_000) == states


def test_no_clock_that_the_chip_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="does not run at 81 MHz"):
        wait_states(load_board("nucleo_l452re_p").chip, 81_000_000)


def test_flash_data() -> None:
    """Fitted: docs/timing.md. Nothing waits at zero wait states."""
    events = ((kinds.DATA_HIT, 0, START, 1), (kinds.DATA_MISS, 0, START, 1))
    assert prices("nucleo_l452re_p", 80_000_000, *events) == [1, 3]
    assert prices("nucleo_l452re_p", 16_000_000, *events) == [0, 0]


def test_code_in_sequence_was_read_ahead() -> None:
    """RM0440: prefetch reads the next 64 bits while these run; the first ones here take 5 cycles."""
    events = ((kinds.FETCH_MISS_NEXT, 0, 1, 1), (kinds.FETCH_MISS_JUMP, 0, START, 1))
    late, jump = prices("nucleo_l452re_p", 80_000_000, *events)
    assert jump == 4 and late == 0
    assert prices("sparkfun_edge", 48_000_000, *events) == [3, 3]  # no prefetch


def test_unaligned_loads() -> None:
    """TRM 3.3.2: word at a halfword +1, at an odd address +2, halfword at an odd address +1."""
    events = (
        (kinds.HALF, 0, START, 1),
        (kinds.ODD, 0, START, 1),
        (kinds.HALF, 0, START + 10, 1),
        (kinds.ODD, 0, START + 10, 1),
    )
    assert prices("nucleo_l452re_p", 16_000_000, *events) == [1, 2, 0, 1]


def test_slow_ram_is_waited_for_by_loads_only() -> None:
    assert prices("sparkfun_edge", 48_000_000, (kinds.REGION, 0, START, 1)) == [1]
    assert prices("sparkfun_edge", 48_000_000, (kinds.REGION, 0, START + 2, 1)) == [0]


def recording() -> Recording:
    found = counts((kinds.DATA_MISS, 0, START, 5))
    return Recording("nucleo_l452re_p", found, CODE, (Function("cnn", START, START + 16),), ((START, "model.c", 7),))


def test_a_recording_is_priced_for_any_clock(tmp_path: Path) -> None:
    chip = load_board("nucleo_l452re_p").chip
    slow, fast = (price_recording(recording(), chip, clock) for clock in (16_000_000, 80_000_000))
    assert fast.mean == slow.mean + 5 * 3
    assert fast.latency_ms == pytest.approx(fast.mean / 80e6 * 1e3)
    assert fast.by_function == {"cnn": fast.mean} and fast.by_line == {("model.c", 7): fast.mean}
    save(recording(), tmp_path / "profile.json")
    assert price_recording(load(tmp_path / "profile.json"), chip, 80_000_000).mean == fast.mean


def test_energy_is_that_of_the_paper() -> None:
    """MicroAI, section 6.2: 4.80 mA at 3.3 V for one second are 4.4 uWh."""
    board = load_board("nucleo_l452re_p")
    assert energy_uwh(48e6, board) == pytest.approx(4.80e-3 * 3.3 / 3600 * 1e6)


def test_what_cannot_be_priced_is_named() -> None:
    unknown = Code([(START, bytes.fromhex("fede" + "b0fbf1f0" + "00bf" * 5))])  # udf; udiv r0, r0, r1
    problems = core_cycles(unknown, counts()).problems
    assert any("unknown instruction" in name and times == 10 for name, times in problems.items())
    assert any("divisions" in name and times == 10 for name, times in problems.items())
    assert any("outside" in name and times == 80 for name, times in core_cycles(Code([]), counts()).problems.items())


def test_a_jump_that_no_branch_made_is_an_exception_or_interrupt() -> None:
    blocks = (Block(START, START + 8, 4), Block(START + 12, START + 16, 2), OUTSIDE)
    jumped = Counts(blocks, (Edge(2, 0), Edge(0, 1)), np.array([[10, 3]], np.uint64), (), np.zeros((1, 0), np.uint64))
    assert core_cycles(CODE, jumped).problems == {"exceptions and interrupts": 3}
    straight = Counts(
        (blocks[0], Block(START + 8, START + 16, 4), OUTSIDE), jumped.edges, jumped.edge_counts, (), jumped.event_counts
    )
    assert core_cycles(CODE, straight).problems == {}


def test_broken_files_are_said_to_be_so(tmp_path: Path) -> None:
    np.array([3, 0, 1], np.uint64).tofile(tmp_path / "samples.bin")
    np.zeros(4, np.uint32).tofile(tmp_path / "blocks.bin")
    with pytest.raises(EngineError, match="middle of a sample"):
        read_counts([tmp_path])
    (tmp_path / "profile.json").write_text("{}")
    with pytest.raises(DataError, match="is not a profile"):
        load(tmp_path / "profile.json")
