"""A cache that code and data share (fetch.h) is read in the order of execution, wherever code is cut into blocks."""

from __future__ import annotations

import ctypes
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcusim.engines.qemu.plugin import REPLAY
from mcusim.system.shared_object import build_shared

_INSTRUCTIONS, _TURNS = 60, 9  # of four bytes, from half a word on; ends in a loop
_FLASH, _SIZE = 0x08000000, 1 << 12
_START = _FLASH + 2

# Straight code that is run so often, in blocks that end behind the instructions `ends`; who `reads` what, 0: nothing.
_RUN = f"""
#include "replay.h"
static int32_t function_of(uint32_t address) {{ return address ? -1 : 0; }}
__attribute__((visibility("default")))
void run(const char *cache, const uint32_t *ends, const uint32_t *reads, uint32_t *code, uint32_t *data)
{{
    static access_t accesses[{_INSTRUCTIONS}];
    memory.replay = memory.unified = true;
    memory.flash = {_FLASH};
    memory.flash_end = memory.flash + {_SIZE};
    cache_set_up(&memory.instruction, cache);
    memory_set_up();
    samples_file = fopen("/dev/null", "w");
    plant_tree({_START});
    begin_sample();
    for (uint32_t turn = 0; turn < {_TURNS}; turn++) {{
        for (uint32_t i = 0, n = 0; i < {_INSTRUCTIONS}; n++) {{
            uint32_t end = {_START} + 4 * ends[n];
            block_t *block = block_for({_START} + 4 * i, end, end - 4, ends[n] - i);
            fetch(block, previous);
            block_executed(block);
            for (; i < ends[n]; i++) {{
                accesses[i].address = {_START} + 4 * i;
                if (reads[turn * {_INSTRUCTIONS} + i]) {{
                    memory_accessed(&accesses[i], reads[turn * {_INSTRUCTIONS} + i]);
                }}
            }}
        }}
    }}
    fetch_rest();
    for (uint32_t i = 1; i < block_count; i++) {{
        uint32_t first = (blocks[i]->start - memory.flash) / memory.instruction.granule;
        code[first] += blocks[i]->jump_misses;
        for (uint32_t g = 0; g < blocks[i]->granules; g++) {{
            code[first + g] += blocks[i]->next_misses[g];
        }}
    }}
    for (uint32_t i = 0; i < {_INSTRUCTIONS}; i++) {{
        data[i] = accesses[i].data_misses;
    }}
}}
"""


def _missed(cache: str, reads: Sequence[int]) -> tuple[Counter[int], Counter[int]]:
    """By granule and by instruction, one read after another."""
    sets, ways, line, granule, refresh = map(int, cache.split(":"))
    lines: list[dict[int, set[int]]] = [{} for _ in range(sets)]  # of each set, in the order in which they leave

    def look(address: int) -> bool:
        held, number = lines[address // line % sets], address // line
        if number not in held and len(held) == ways:
            del held[next(iter(held))]
        there = held.pop(number) if refresh and number in held else held.get(number, set())
        held[number] = there
        missed = address // granule not in there
        there.add(address // granule)
        return missed

    code, data = Counter[int](), Counter[int]()
    fetched = read = -1
    for number, at in enumerate(reads):
        address = _START + number % _INSTRUCTIONS * 4
        for half in (address, address + 2):  # the second may begin a granule: what is read comes before it
            if half // granule != fetched:
                fetched = half // granule
                code[fetched - _FLASH // granule] += look(half)
            if half == address and at and at // granule != read:
                read = at // granule
                data[number % _INSTRUCTIONS] += look(at)
    return code, data


@pytest.mark.parametrize("cache", ["8:1:16:16:0", "4:2:32:8:0", "2:3:32:16:1"])
def test_any_cut(cache: str, tmp_path: Path) -> None:
    chance = random.Random(cache)
    (tmp_path / "run.c").write_text(_RUN, encoding="utf-8")
    built = build_shared(tmp_path / "run.c", (REPLAY,), "run")
    near = [0, 0, *(_FLASH + chance.randrange(_SIZE) for _ in range(12))]
    reads = [chance.choice(near) for _ in range(_INSTRUCTIONS * _TURNS)]
    code, data = _missed(cache, reads)
    assert len(+code) > 5
    assert len(+data) > 5
    for number, blocks in enumerate((1, 2, 5, _INSTRUCTIONS)):
        own = shutil.copy(built, tmp_path / f"{number}.so")  # it keeps what it counts
        ends = [*sorted(chance.sample(range(1, _INSTRUCTIONS), blocks - 1)), _INSTRUCTIONS]
        found, read = (ctypes.c_uint32 * (_SIZE // 8))(), (ctypes.c_uint32 * _INSTRUCTIONS)()
        words = ((ctypes.c_uint32 * len(of))(*of) for of in (ends, reads))
        ctypes.CDLL(own).run(cache.encode(), *words, found, read)
        assert {at: times for at, times in enumerate(found) if times} == +code
        assert {at: times for at, times in enumerate(read) if times} == +data
