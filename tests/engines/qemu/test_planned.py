"""Accesses that the profiler knows from the code (planned.h) are counted as if each had been watched."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.engines import shares
from mcusim.engines.counts import ACCESS, FLASH, HALF, ODD, Counts, read_counts
from mcusim.engines.engine import Job, records
from mcusim.engines.qemu.plugin import REPLAY
from mcusim.engines.qemu.process import prepare, replay_options
from mcusim.line.build import Firmware
from mcusim.system.shared_object import build_shared
from tests.tiny_library import build_library, library, samples

pytestmark = pytest.mark.arm

# r0: words in RAM, r1: a table in flash; both begin in the middle.
_INSTRUCTIONS = """
    ldr r3, [r0] | ldr r3, [r0, #4] | str r3, [r0, #8] | strh r3, [r0, #10] | strb r3, [r0, #13] | ldrb r3, [r0, #3]
    ldrh r3, [r0, #6] | ldrsb r4, [r0, r2] | ldrsh r4, [r1, r2] | ldr r4, [r1, r2] | ldrh r4, [r1, r2]
    ldrb r4, [r1, r2] | str r4, [r0, r2] | strh r4, [r0, r2] | strb r4, [r0, r2] | ldr.w r3, [r1, #40]
    ldr r3, [r1, #-8] | ldr r3, [r1], #8 | ldr r3, [r1, #4]! | str r3, [r0, #-4]! | adds r0, #4 | strh r3, [r0], #2
    sub.w r0, r0, #2 | subs r1, #12 | ldrsh.w r3, [r1, #10] | ldrsb.w r3, [r1, #-3] | ldrb.w r3, [r1, r2, lsl #1]
    ldr.w r3, [r1, r2, lsl #2] | lsls r5, r2, #1 | ldr r3, [r1, r5] | lsl.w r5, r2, #2 | ldrh.w r3, [r1, r5]
    add.w r6, r1, r2, lsl #3 | ldrd r3, r4, [r6] | ldrd r3, r4, [r6], #8 | ldrd r3, r4, [r6, #-16]!
    strd r3, r4, [r0, #16] | add r6, r0, r2 | ldr r3, [r6, #4] | add r6, r1 | ldm r1!, {r3, r4, r5}
    ldmdb r1!, {r3, r4, r5} | ldmia.w r1, {r3, r4, r6, r8} | stmia r0!, {r3, r4} | stmdb r0!, {r3, r4}
    push {r3, r4, r5} | ldr r3, [sp, #4] | str r3, [sp, #8] | add r7, sp, #4 | ldr r3, [r7] | pop {r5, r6, r7}
    push.w {r8, r9} | ldr.w r3, [sp], #4 | str r3, [sp, #-4]! | sub sp, #8 | strd r3, r4, [sp] | add sp, #8
    pop.w {r8, r9} | mov r9, r1 | ldr.w r3, [r9, #4] | addw r9, r9, #20 | ldr.w r3, [r9] | subw r9, r9, #24
    ldr.w r3, [r9] | movs r6, r0 | ldr r3, [r6, #12] | vldr s0, [r1, #4] | vldr d1, [r1, #8] | vldr d1, [r1, #12]
    vldmia r1!, {s2-s5} | vldmdb r1!, {s2-s5} | vldmia r1, {d1-d3} | vstr s0, [r0] | vstr d1, [r0, #8] | vpush {d8-d9}
    vpop {d8-d9} | vmov r6, s0 | vmov r6, r7, s0, s1 | vmul.f32 s0, s0, s1 | vmov s0, r6 | vmrs r6, fpscr
    ldr r3, =0x12345678 | ldr.w r3, =0x87654321 | adr r6, 8f | ldr r3, [r6] | vldr s1, 8f | movw r6, #:lower16:walk
    movt r6, #:upper16:walk | bic r6, r6, #3 | ldr r3, [r6] | ldr r3, [r0, #1] | ldr r3, [r0, #2] | ldr r3, [r0, #3]
    ldrh r3, [r0, #1] | ldrsh r3, [r0, #3] | cmp r2, #8 | ite eq | ldreq r3, [r1] | ldrne r3, [r0] | itt ne
    addne r0, #4 | ldrne r3, [r0] | ldr r3, [r0] | mov r0, r10 | itte eq | addeq r6, r0, #4 | moveq r6, r0
    ldrne r3, [r6] | mov r6, r0 | it eq | addeq r6, #8 | ldr r3, [r6] | cmp r3, r3 | ittt eq | ldrdeq r3, r4, [r1]
    ldmeq r1, {r3, r4} | pusheq {r3, r4} | pop {r3, r4} | ldr r3, [r1] | and r3, r3, #0x1c | ldr r3, [r1, r3]
    mla r6, r2, r2, r2 | ldrb r3, [r1, r6] | umull r6, r7, r2, r2 | ldrb r3, [r1, r6] | ldrex r3, [r0]
    strex r4, r3, [r0] | clrex | pld [r1] | ldrt r3, [r0] | strbt r3, [r0] | ldrb r3, [r1], #1 | ldrb r3, [r1], #1
    ldrb r3, [r1], #-2 | mrs r4, apsr | ldr r3, [r1] | uxtb r6, r2 | ldr r3, [r1, r6] | sxth.w r6, r2
    ldr r3, [r1, r6] | rev r6, r2 | ldr r3, [r0] | udiv r6, r2, r2 | ldrb r3, [r1, r6]
"""
_WALK = f"""
const unsigned planned_table[128] = {{{", ".join(str(n * 2654435761 % 2**32) for n in range(128))}}};
static unsigned planned_words[128];
void walk(unsigned *words, const unsigned *table);
__asm__(".syntax unified\\n.section .text.walk, \\"ax\\"\\n.balign 4\\n.global walk\\n"
".thumb_func\\n.type walk, %function\\n"
"walk: push {{r4-r11, lr}}\\n mov r10, r0\\n mov r11, r1\\n mov r12, #30\\n"
"1: mov r0, r10\\n mov r1, r11\\n movs r2, #8\\n"
"{{}}"
"subs r12, #1\\n bne.w 1b\\n pop {{r4-r11, pc}}\\n.balign 4\\n8: .word 1, 2\\n.ltorg\\n.size walk, . - walk\\n.text");
"""

# A plan of words at fixed addresses, and how many of them it holds to be in flash when it is done.
_IN_FLASH = """
#include "replay.h"
#include "progress.h"
#include "planned.h"
static int32_t function_of(uint32_t address) { return address ? -1 : 0; }
__attribute__((visibility("default"))) int in_flash(const uint32_t *addresses, uint32_t count)
{
    static access_t accesses[8];
    const uint32_t registers[16] = {0};
    block_t block = {0};
    memset(accesses, 0, sizeof accesses);
    memory.replay = true;
    memory.flash = 0x08000000;
    memory.flash_end = 0x08080000;
    cache_set_up(&memory.instruction, "4:4:32:32:0");
    cache_set_up(&memory.data, "4:4:32:32:0");
    memory_set_up();
    plan_t *plan = new_plan(&block);
    for (uint32_t i = 0; i < count; i++) {
        accesses[i].address = 2 * i;
        plan_accesses(plan, &accesses[i], &(reach_t){number(addresses[i]), 1, 3});
    }
    do_plan(keep_plan(plan), registers);
    if (waiting.plan) {
        do_waiting(UINT32_MAX);
    }
    int found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += accesses[i].data_hits + accesses[i].data_misses != 0;
    }
    return found;
}
"""


def firmware_of(board: Board, folder: Path) -> Firmware:
    instructions = [one.strip() for one in _INSTRUCTIONS.replace("\n", "|").split("|") if one.strip()]
    declarations = _WALK.replace("{}", "".join(f"{one}\\n" for one in instructions))
    return build_library(library("walk(planned_words + 40, planned_table + 40);", declarations), board, folder, "qemu")


def counts_with(option: str, firmware: Firmware, board: Board, folder: Path) -> tuple[Counts, int]:
    """And how many accesses the profiler was told of one by one."""
    job = Job(firmware.image, records(samples(2)), folder, board)
    process = prepare(job, "profile", (option, *replay_options(board)))
    laid_out = shares.lay_out(job.samples, firmware.image.output_bytes, folder, 1)
    assert shares.run_shares(laid_out, process, stall_s=60, progress=None)
    progress = (laid_out[0].folder / "progress.bin").read_bytes()
    return read_counts([laid_out[0].folder]), struct.unpack_from("<2Q3I", progress)[4]


def _events(counts: Counts) -> dict[tuple[int, int, int], list[int]]:
    columns = zip(counts.events, counts.event_counts.T.tolist(), strict=True)
    return {(event.kind, event.block, event.address): times for event, times in columns}


def test_planned_as_watched(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = firmware_of(board, build_folder)
    watched, told_watched = counts_with("watch=on", firmware, board, tmp_path)
    planned, told_planned = counts_with("watch=off", firmware, board, tmp_path)
    assert _events(planned) == _events(watched)
    assert np.array_equal(planned.edge_counts, watched.edge_counts)
    assert {ACCESS, FLASH, ODD, HALF} <= {event.kind for event in planned.events}
    assert told_planned < told_watched / 2


@pytest.mark.parametrize("addresses", [(0x08000000, 0x70000000, 0xE0000000), (0x08000000, 0x20000000), (0xE0000000,)])
def test_words_far_from_each_other(addresses: tuple[int, ...], tmp_path: Path) -> None:
    """Constants of one block may lie anywhere: what is between them says nothing of them."""
    (tmp_path / "in_flash.c").write_text(_IN_FLASH, encoding="utf-8")
    plans = ctypes.CDLL(str(build_shared(tmp_path / "in_flash.c", (REPLAY,), "in_flash")))
    found = plans.in_flash((ctypes.c_uint32 * len(addresses))(*addresses), len(addresses))
    assert found == sum(0x08000000 <= address < 0x08080000 for address in addresses)
