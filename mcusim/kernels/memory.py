"""What code waits for where it was made for: flash, the caches in front of it, and RAM that is not the fastest."""

from dataclasses import dataclass

EDGE_BYTES = 40  # lines that are cut at the ends of functions: where a cache begins to be too small, and where it is
WORD_BYTES = 4
HIDDEN = 2.2  # cycles that the code of a granule takes, while the next one is fetched


@dataclass(frozen=True)
class Memory:
    """Of a chip, at its clock; a chip's data say all of it (`line/destination.py`).

    `wait_states`: of the flash, which gives `granule_bytes` at a time. `prefetch`: it fetches what comes next while
    code runs. `data_cache_bytes`: 0 where the cache of code serves data, too. `miss`: cycles that the next granule of
    data takes which is in no cache, `hit` where it is. `fast_ram_bytes`: of RAM, from where the arena
    begins, that no load waits for; None for all of it. `ram_waits`: cycles that loads from the rest take more.
    """

    wait_states: int = 0
    granule_bytes: int = 8
    prefetch: bool = True
    code_cache_bytes: int = 1024
    data_cache_bytes: int = 256
    hit: float = 0
    miss: float = 0
    fast_ram_bytes: int | None = None
    ram_waits: int = 0

    def fetched(self, code_bytes: float) -> float:
        """Cycles that code takes besides which is in no cache."""
        waits = max(0.0, self.wait_states + 1 - HIDDEN) if self.prefetch else self.wait_states
        return code_bytes / self.granule_bytes * waits

    def crowding(self, code_bytes: float, edge_bytes: float = EDGE_BYTES) -> float:
        """What part of the code of a loop is fetched anew in each turn: nothing or all, but for cut lines.

        The cache forgets what was not used for longest, which is what comes next.
        """
        return min(1.0, max(0.0, (code_bytes + edge_bytes - self.code_cache_bytes) / edge_bytes))

    def streamed(self, data_bytes: float, since: float | None = None) -> float:
        """Cycles that data takes besides which comes from flash in its order. `since`: bytes read since it was
        read before; None: it never was.
        """
        kept = since is not None and since <= (self.data_cache_bytes or self.code_cache_bytes)
        return data_bytes / self.granule_bytes * (self.hit if kept else self.miss)

    def scattered(self, data_bytes: float) -> float:
        """Likewise of words from several places in turn: each lies in another granule than the one before it."""
        words = data_bytes / WORD_BYTES
        missed = data_bytes / self.granule_bytes
        return missed * self.miss + (words - missed) * self.hit


NO_WAITS = Memory()
USUAL = Memory(wait_states=2, hit=0, miss=2)  # of an STM32L4 at 48 MHz, for what is chosen once for all boards
