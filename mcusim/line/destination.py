"""Board + [target] -> Destination: the core, its flash, and the memory that is left for a model."""

from dataclasses import dataclass

from mcusim.boards.board import Board
from mcusim.boards.chip import RamTiming
from mcusim.experiment.tables import Target
from mcusim.kernels.choice import FRAME_BYTES, Destination, Limit
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.line.measure import RamBytes
from mcusim.system.errors import ConfigurationError

HARNESS_STACK_BYTES = 24  # as it is built for QEMU
STATIC_BYTES = 8  # between the stack, at the bottom of RAM, and the arena


@dataclass(frozen=True)
class Besides:
    """What a firmware takes beside the layers of its model: harness, `cnn` and libraries, stack of the first two."""

    flash_bytes: int = 1100
    ram_bytes: int = 316 + HARNESS_STACK_BYTES + 40


ABOUT = Besides()


def destination_of(board: Board, target: Target, besides: Besides = ABOUT) -> Destination:
    """`besides`: as a firmware of the model had it."""
    memory = board.memory
    there = memory.ram.size_bytes - memory.stack_bytes + HARNESS_STACK_BYTES + FRAME_BYTES
    return Destination(
        core=board.chip.core,
        memory=memory_of(board),
        ram=_limit(there, target.ram_max, "[target] ram_max", besides.ram_bytes),
        flash=_limit(memory.flash.size_bytes, target.flash_max, "[target] flash_max", besides.flash_bytes),
        code_ram=_code_ram(board, target),
        always=target.code_in_ram is True,
    )


def memory_of(board: Board) -> Memory:
    """What code waits for there. Nothing, where nobody knows."""
    timing = board.chip.timing
    states = timing.wait_states_at(board.clock_hz) if timing else None
    if timing is None or states is None:
        return NO_WAITS
    code, data, slow = timing.instruction_cache, timing.data_cache, _slow_ram(board)
    arena_at = board.memory.ram.origin + board.memory.stack_bytes + STATIC_BYTES
    return Memory(
        wait_states=states,
        granule_bytes=code.granule_bytes,
        prefetch=timing.prefetch,
        code_cache_bytes=code.sets * code.ways * code.line_bytes,
        data_cache_bytes=data.sets * data.ways * data.line_bytes if data else 0,
        hit=min(timing.data_hit_cycles, states),
        miss=max(0, states + timing.data_miss_extra),
        fast_ram_bytes=max(0, slow.origin - arena_at) if slow else None,
        ram_waits=slow.wait_states if slow else 0,
    )


def _slow_ram(board: Board) -> RamTiming | None:
    """The first part of the board's RAM that loads wait for."""
    ram = board.memory.ram
    regions = board.chip.timing.ram if board.chip.timing else []
    slow = [one for one in regions if one.wait_states and ram.origin <= one.origin < ram.origin + ram.size_bytes]
    return min(slow, key=lambda one: one.origin, default=None)


def _code_ram(board: Board, target: Target) -> int:
    region = board.memory.code_ram
    if target.code_in_ram is True and region is None:
        what = f"board {board.name!r} names no RAM for code"
        hint = 'add code_ram to [memory] of its file, or write code_in_ram = "auto"'
        raise ConfigurationError(what, where="[target] code_in_ram", hint=hint)
    return region.size_bytes if region and target.code_in_ram else 0


def _limit(there: int, wanted: int | None, key: str, besides_bytes: int) -> Limit:
    named = wanted is not None and wanted <= there
    return Limit((wanted if named and wanted else there) - besides_bytes, key if named else None, besides_bytes)


def over_ram(ram: RamBytes | None, ram_max: int | None) -> tuple[str, ...]:
    """A note, when a run took more RAM than it was made for: how deep a stack is is known only when it was used."""
    if ram is None or ram.total is None or ram_max is None or ram.total <= ram_max:
        return ()
    more = ram.total - ram_max
    return (f"{ram.total:,} bytes of RAM were used, {more:,} more than ram_max: the stack is deeper than expected",)
