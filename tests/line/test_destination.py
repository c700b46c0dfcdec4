"""What a board and an experiment leave of memory for a model."""

from __future__ import annotations

import pytest

from mcusim.boards.load import load_board
from mcusim.experiment.tables import Target
from mcusim.line.destination import destination_of, over_ram, within
from mcusim.line.measure import RamBytes
from mcusim.system.errors import ConfigurationError

BOARD = load_board("nucleo_l452re_p")


def test_a_boards_memory_is_a_limit_that_nobody_named() -> None:
    made = destination_of(BOARD, Target())
    assert made.core == "cortex-m4" and made.wait_states == 2
    assert made.ram and made.flash and made.ram.where is made.flash.where is None
    assert 120_000 < made.ram.size_bytes < BOARD.memory.ram.size_bytes


def test_limits_of_the_experiment_carry_their_key() -> None:
    made = destination_of(BOARD, Target(ram_max=20_000, flash_max=30_000))
    assert made.ram and made.ram.where == "[target] ram_max" and 19_000 < made.ram.size_bytes < 20_000
    assert made.flash and made.flash.where == "[target] flash_max" and 28_000 < made.flash.size_bytes < 30_000
    larger = destination_of(BOARD, Target(ram_max=10**9))
    assert larger.ram == destination_of(BOARD, Target()).ram


def test_a_firmware_that_is_too_large_is_made_again_with_less() -> None:
    asked: list[int] = []

    def make(excess: int) -> int:
        asked.append(excess)
        return 1100 - excess

    assert within(1000, make, lambda made: made) == 1000
    assert asked == [0, 100]
    assert within(None, make, lambda made: made) == 1100


def test_a_firmware_that_stays_too_large_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="100 bytes of flash more"):
        within(1000, lambda _: 1100, lambda made: made)


def test_a_deeper_stack_is_noted() -> None:
    assert over_ram(RamBytes(100, 10, 20, 130), 129) == (
        "130 bytes of RAM were used, 1 more than ram_max: the stack is deeper than expected",
    )
    assert over_ram(RamBytes(100, 10, 20, 130), 130) == over_ram(None, 1) == over_ram(RamBytes(1, 1, 1, 3), None) == ()
