"""Board + memory map -> caches and slow memory as profilers take them: (name, value), at the engine's addresses."""

from mcusim.boards.board import Board, MemoryMap
from mcusim.boards.chip import Cache


def memory_options(board: Board, memory: MemoryMap) -> tuple[tuple[str, str], ...]:
    """`memory`: the engine's. Empty when the chip says nothing of caches."""
    timing = board.chip.timing
    if timing is None:
        return ()
    moved = memory.ram.origin - board.memory.ram.origin
    data = ("dcache", _cache(timing.data_cache)) if timing.data_cache else ("unified", "on")
    flash = ("flash", f"{memory.flash.origin:x}:{memory.flash.end:x}")
    slow = (("region", f"{ram.origin + moved:x}:{ram.end + moved:x}") for ram in timing.ram)
    return (("icache", _cache(timing.instruction_cache)), data, flash, *slow)


def _cache(cache: Cache) -> str:
    return f"{cache.sets}:{cache.ways}:{cache.line_bytes}:{cache.granule_bytes}:{int(cache.least_recently_used)}"
