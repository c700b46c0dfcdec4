"""What code waits for the flash, by the timing model of the L452: what runs first, and loops larger than its cache."""

from __future__ import annotations

INSTRUCTION_CACHE_BYTES = 1024
EDGE_BYTES = 40  # lines that are cut at the ends of functions: where the cache begins to be too small, and where it is
FETCH_CYCLES = 0.1  # of a byte for each wait state but one: eight at a time, and the next eight while these run


def fetched(code_bytes: float, wait_states: int) -> float:
    """Cycles that code which is in no cache takes besides."""
    return code_bytes * FETCH_CYCLES * max(0, wait_states - 1)


def crowding(code_bytes: float, edge_bytes: float = EDGE_BYTES) -> float:
    """What part of the code of a loop is fetched anew in each turn: nothing or all, but for cut lines.

    The cache forgets what was not used for longest, which is what comes next.
    """
    return min(1.0, max(0.0, (code_bytes + edge_bytes - INSTRUCTION_CACHE_BYTES) / edge_bytes))
