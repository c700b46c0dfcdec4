"""Regions of memory, and how long a chip waits for them."""

from __future__ import annotations

from mcusim.boards.chip import Cache, MemoryTiming, Region


def test_regions() -> None:
    region = Region(origin=0x1000, size_bytes=0x1000)
    assert str(region) == "0x00001000..0x00001FFF"
    assert region.overlaps(Region(origin=0x1FFF, size_bytes=1)) and not region.overlaps(
        Region(origin=0x2000, size_bytes=1)
    )
    assert region.contains(region) and not region.contains(Region(origin=0x1000, size_bytes=0x1001))


CACHE = Cache(sets=1, ways=1, line_bytes=16, granule_bytes=16)


def test_wait_states_follow_the_clock() -> None:
    timing = MemoryTiming(wait_states_up_to_hz=[16, 32], prefetch=True, instruction_cache=CACHE)
    assert [timing.wait_states_at(hertz) for hertz in (16, 17, 32, 33)] == [0, 1, 1, None]
    assert MemoryTiming(wait_states=3, prefetch=True, instruction_cache=CACHE).wait_states_at(10**9) == 3
