"""What a board and an experiment leave of memory for a model."""

from __future__ import annotations

from mcusim.boards.load import load_board
from mcusim.experiment.tables import Target
from mcusim.kernels.memory import USUAL
from mcusim.line.destination import Besides, destination_of, memory_of, over_ram
from mcusim.line.measure import RamBytes

BOARD = load_board("nucleo_l452re_p")


def test_a_boards_memory_is_a_limit_that_nobody_named() -> None:
    made = destination_of(BOARD, Target())
    assert made.core == "cortex-m4" and made.memory == USUAL
    assert made.ram and made.flash and made.ram.where is made.flash.where is None
    assert 120_000 < made.ram.size_bytes < BOARD.memory.ram.size_bytes


def test_what_code_waits_for_is_what_the_chip_says() -> None:
    edge = memory_of(load_board("sparkfun_edge"))
    assert (edge.wait_states, edge.prefetch, edge.granule_bytes, edge.hit, edge.miss) == (3, False, 16, 0, 3)
    assert (edge.code_cache_bytes, edge.data_cache_bytes) == (16_384, 0)


def test_limits_of_the_experiment_carry_their_key() -> None:
    made = destination_of(BOARD, Target(ram_max=20_000, flash_max=30_000))
    assert made.ram and made.ram.where == "[target] ram_max" and 19_000 < made.ram.size_bytes < 20_000
    assert made.flash and made.flash.where == "[target] flash_max" and 28_000 < made.flash.size_bytes < 30_000
    larger = destination_of(BOARD, Target(ram_max=10**9))
    assert larger.ram == destination_of(BOARD, Target()).ram


def test_what_a_firmware_takes_beside_its_model_is_taken_off() -> None:
    made = destination_of(BOARD, Target(ram_max=20_000, flash_max=30_000), Besides(2000, 700))
    assert made.ram and (made.ram.size_bytes, made.ram.besides_bytes) == (19_300, 700)
    assert made.flash and (made.flash.size_bytes, made.flash.besides_bytes) == (28_000, 2000)


def test_a_deeper_stack_is_noted() -> None:
    assert over_ram(RamBytes(100, 10, 20, 130), 129) == (
        "130 bytes of RAM were used, 1 more than ram_max: the stack is deeper than expected",
    )
    assert over_ram(RamBytes(100, 10, 20, 130), 130) == over_ram(None, 1) == over_ram(RamBytes(1, 1, 1, 3), None) == ()
