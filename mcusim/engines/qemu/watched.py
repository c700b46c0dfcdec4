"""Image -> what the profiler has to know of it to follow calls: functions, handlers of exceptions, the first stack."""

from dataclasses import dataclass

from mcusim.boards.board import Board
from mcusim.engines.foreign import functions_of
from mcusim.engines.qemu.facts import memory_map
from mcusim.system.elf_code import Vectors, read_vectors
from mcusim.system.image import Image

PROFILER = "profile"  # its plugin
_OF_THE_CORE = 16  # vectors before those of the chip's interrupts


@dataclass(frozen=True)
class Watched:
    """`options` of the plugin, and the contents of FUNCTIONS."""

    options: tuple[str, ...] = ()
    functions: bytes = b""


def watch_calls(image: Image, board: Board) -> Watched:
    """Raises BuildError when the image is no readable ELF file."""
    vectors = vectors_of(image, board)
    return Watched((f"stack={vectors.stack:#x}",), functions_of(image.elf, vectors))


def vectors_of(image: Image, board: Board) -> Vectors:
    """What the core of QEMU's machine finds when it begins. Raises BuildError when the image is no ELF file."""
    memory = memory_map(board)
    reset_at = memory.flash.origin if memory.reset_at is None else memory.reset_at
    return read_vectors(image.elf, reset_at, _OF_THE_CORE + board.chip.interrupts)
