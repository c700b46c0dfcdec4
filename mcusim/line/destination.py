"""Board + [target] -> Destination: the core, its flash, and the memory that is left for a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mcusim.boards.board import Board
from mcusim.experiment.tables import Target
from mcusim.kernels.choice import Destination, Limit
from mcusim.line.measure import RamBytes
from mcusim.system.errors import ConfigurationError

# What the harness takes beside the model, as it is linked for QEMU: read from ELF files and from the stack's paint.
HARNESS_FLASH_BYTES = 1100
HARNESS_RAM_BYTES = 320
STACK_BYTES = 120  # of the harness and of plain C
TRIES = 4  # of a firmware that turns out larger than its limit

Made = TypeVar("Made")


def destination_of(board: Board, target: Target, flash_excess_bytes: int = 0) -> Destination:
    """`flash_excess_bytes`: by how much a firmware was larger than the limit that it was made for."""
    timing, memory = board.chip.timing, board.memory
    states = timing.wait_states_at(board.clock_hz) if timing else None
    ram = _limit(memory.ram.size_bytes - memory.stack_bytes + STACK_BYTES, target.ram_max, "[target] ram_max")
    flash = _limit(memory.flash.size_bytes, target.flash_max, "[target] flash_max")
    return Destination(
        core=board.chip.core,
        wait_states=states or 0,
        ram=Limit(ram.size_bytes - HARNESS_RAM_BYTES - STACK_BYTES, ram.where),
        flash=Limit(flash.size_bytes - HARNESS_FLASH_BYTES - flash_excess_bytes, flash.where),
    )


def _limit(there: int, wanted: int | None, key: str) -> Limit:
    return Limit(there) if wanted is None or wanted > there else Limit(wanted, key)


def within(flash_max: int | None, make: Callable[[int], Made], rom_bytes: Callable[[Made], int]) -> Made:
    """What `make` makes under a limit that is lower by its argument, until `rom_bytes` of it meets `flash_max`.

    Raises ConfigurationError when it does not, after a few tries.
    """
    made, excess = make(0), 0
    for _ in range(TRIES):
        over = rom_bytes(made) - flash_max if flash_max is not None else 0
        if over <= 0:
            return made
        excess += over
        made = make(excess)
    what = f"the firmware takes {over:,} bytes of flash more than there may be"
    raise ConfigurationError(what, where="[target] flash_max", hint=f"raise it by {over:,} bytes, or leave it out")


def over_ram(ram: RamBytes | None, ram_max: int | None) -> tuple[str, ...]:
    """A note, when a run took more RAM than it was made for: how deep a stack is is known only when it was used."""
    if ram is None or ram.total is None or ram_max is None or ram.total <= ram_max:
        return ()
    more = ram.total - ram_max
    return (f"{ram.total:,} bytes of RAM were used, {more:,} more than ram_max: the stack is deeper than expected",)
