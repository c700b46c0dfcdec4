"""A rule a test. TRM is Arm DDI 0439D. Instructions stand as the bytes the assembler makes of them."""

from __future__ import annotations

import dataclasses

import pytest

from mcusim.timing.core_cycles import IN_FLASH, Step
from mcusim.timing.decode import decode
from mcusim.timing.parameters import CORTEX_M4F, FREE, CoreParameters
from tests.timing.programs import core_cycles

NOP, ADD, ADD_W = "00bf", "0844", "00eb0100"  # nop; add r0, r1; add.w r0, r0, r1
MOV_W = "4ff00105"  # mov.w r5, #1
LDR_0_1, LDR_2_3, LDR_2_0 = "0868", "1a68", "0268"  # ldr r0, [r1]; ldr r2, [r3]; ldr r2, [r0]
LDR_OFFSET = "c858"  # ldr r0, [r1, r3]
STR_0_1, STR_4_5, STR_OFFSET = "0860", "2c60", "c850"  # str r0, [r1]; str r4, [r5]; str r0, [r1, r3]
MOV_1_2 = "1146"  # mov r1, r2
VMUL, VADD, VMUL_OTHER = "20ee810a", "70ee010a", "21ee228a"  # s0 = s1*s2; s1 = s0+s2; s16 = s2*s5
VDIV, VMLA = "c0ee810a", "00ee810a"  # s1 = s1/s2; s0 += s1*s2
VMOV_CORE = "10ee100a"  # vmov r0, s0


def cycles(*codes: str, address: int = 0x1000, parameters: CoreParameters = CORTEX_M4F) -> list[int]:
    """Of each instruction, the fetch queue full before the first."""
    lead = "00bf" * 8
    steps = [Step(insn, n == 0) for n, insn in enumerate(decode(bytes.fromhex(lead + "".join(codes)), address))]
    return core_cycles(steps, parameters)[8:]


def test_ordinary_instructions_take_one() -> None:
    """TRM table 3-1."""
    assert cycles(ADD, ADD, ADD) == [1, 1, 1]


def test_loads_pair() -> None:
    """TRM 3.3.2: LDR followed by an independent LDR takes 3 together, N loads N + 1."""
    assert cycles(LDR_0_1, ADD) == [2, 1]
    assert cycles(LDR_0_1, LDR_2_3, ADD) == [2, 1, 1]
    assert sum(cycles(LDR_0_1, LDR_2_3, "6d68")) == 4  # ldr r5, [r5, #4]


def test_a_load_of_a_loaded_address_waits() -> None:
    """TRM 3.3.2: no pairing when the address is the result of the load before; jnk0le: it is needed one cycle early."""
    assert cycles(LDR_0_1, LDR_2_0) == [2, 3]


def test_an_address_from_the_instruction_before_waits() -> None:
    """TRM 3.3.2: the address register is not forwarded."""
    assert cycles(MOV_1_2, LDR_0_1) == [1, 3]
    assert cycles(MOV_1_2, ADD, LDR_0_1) == [1, 1, 2]


@pytest.mark.parametrize("single_load", [0, 1])
def test_loads_from_different_memories_do_not_pair(single_load: int) -> None:
    """jnk0le, STM32F407: loads pair only while all go to the same memory block. A single load would wait."""
    loads = decode(bytes.fromhex(NOP * 8 + LDR_0_1 + LDR_2_3), 0x1000)
    steps = [Step(insn, n == 0, "ram 2" if n == 9 else "", single_load * (n == 9)) for n, insn in enumerate(loads)]
    assert core_cycles(steps, CORTEX_M4F)[8:] == [2, 2]


def test_stores() -> None:
    """TRM 3.3.2: immediate offset is one, register offset two. jnk0le: LDR, STR take 2. Measured: no wait behind it."""
    assert cycles(STR_0_1, ADD) == [1, 1]
    assert cycles(STR_OFFSET, ADD) == [2, 1]
    assert cycles(STR_0_1, STR_4_5, ADD) == [1, 1, 1]
    assert cycles(LDR_0_1, STR_4_5, ADD) == [2, 0, 1]
    assert cycles(STR_0_1, LDR_2_3, ADD) == [1, 2, 1]


def test_multiple_transfers() -> None:
    """TRM table 3-1: 1 + N, and LDRD as two."""
    assert cycles("0fb4", ADD) == [5, 1]  # push {r0-r3}
    assert cycles("d1e90023", ADD) == [3, 1]  # ldrd r2, r3, [r1]


def test_it_is_folded_behind_a_short_instruction() -> None:
    """TRM table 3-1: IT is 0 or 1."""
    assert cycles(ADD, "08bf", "0844") == [1, 0, 1]  # it eq; addeq r0, r1
    assert cycles(ADD, ADD_W, "08bf", "0844")[2] == 1


def test_a_load_hides_a_nop() -> None:
    """jnk0le: a load absorbs a NOP behind it."""
    assert cycles(LDR_0_1, NOP, ADD) == [2, 0, 1]


def test_three_wide_instructions_at_odd_halfwords_lose_a_cycle() -> None:
    """Arm KA006138: one cycle for every three of them; none when they are aligned."""
    assert sum(cycles(*[MOV_W] * 12)) == 12
    assert sum(cycles(NOP, *[MOV_W] * 12)) in (16, 17)


def test_a_branch_that_is_not_taken_loses_a_fetch() -> None:
    """jnk0le: it can take 2, where the code behind it needs every fetch."""
    wide = [MOV_W] * 8
    assert sum(cycles("00b1", *wide)) == sum(cycles(NOP, *wide)) + 1  # cbz r0, aligned; what follows is not
    assert sum(cycles(NOP, "00b1", *wide)) == sum(cycles(NOP, NOP, *wide))


def _loop(codes: str, turns: int, address: int = 0x1000) -> int:
    """Cycles of one turn of a loop whose last instruction branches to its first."""
    instructions = decode(bytes.fromhex(codes), address)
    steps = [Step(insn, n == 0) for _ in range(turns) for n, insn in enumerate(instructions)]
    return sum(core_cycles(steps, CORTEX_M4F)[-len(instructions) :])


def test_a_taken_branch_refills() -> None:
    """TRM: 1 + P. SUBS, BNE take 3 a turn (AmbiqSuite, boot ROM); one more for an unaligned wide target."""
    assert _loop("0138fdd1", 4) == 3  # subs r0, #1; bne
    assert _loop("0138fdd1", 4, 0x1002) == 3
    assert _loop("a0f10100fcd1", 4) == 3  # sub.w r0, r0, #1; bne
    assert _loop("a0f10100fcd1", 4, 0x1002) == 4


def _after_branch(code: str) -> int:
    """Cycles that a one-cycle instruction takes at the target of `code`."""
    source = decode(bytes.fromhex(NOP * 8 + code), 0x1000)
    target = decode(bytes.fromhex(ADD), 0x2000)
    steps = [*(Step(insn, n == 0) for n, insn in enumerate(source)), Step(target[0], True)]
    return core_cycles(steps, CORTEX_M4F)[-1]


def test_refill_by_kind_of_branch() -> None:
    """TRM: P is 1 to 3; 3.3.2: LDR PC takes at least 5, TBB at least 6: P is 3 where the target is read."""
    assert _after_branch("00f000b8") == 1 + CORTEX_M4F.refill_direct  # b.w
    assert _after_branch("7047") == 1 + CORTEX_M4F.refill_indirect  # bx lr
    assert _after_branch("10bd") == 1 + CORTEX_M4F.refill_load  # pop {r4, pc}
    assert _after_branch("dff800f0") == 1 + 3  # ldr pc, [pc]
    assert cycles("dfe800f0") == [3]  # tbb: 3 and P make the 6


def test_fp_result_is_late_by_one() -> None:
    """TRM 7.2.3: the next instruction waits one cycle for an arithmetic result."""
    assert cycles(VMUL, VADD)[1] == 2
    assert cycles(VMUL, VMUL_OTHER, VADD)[1:] == [1, 1]


def test_multiply_accumulate_overlaps_integers() -> None:
    """TRM table 7-1: 3; GCC's description of the core: integer instructions overlap two of them."""
    assert sum(cycles(VMLA, VMUL_OTHER)) == 4
    assert sum(cycles(VMLA, ADD, ADD, VMUL_OTHER)) == 4


def test_division_runs_on_beside_integers() -> None:
    """TRM table 7-1: 14, and it completes out of order."""
    assert sum(cycles(VDIV, *[ADD] * 13, VMUL_OTHER)) == 15
    assert sum(cycles(VDIV, VMUL_OTHER)) == 15


def test_move_between_core_and_fp_register() -> None:
    """TRM table 7-1: 1 or 2. Measured: 1 (docs/timing.md)."""
    assert cycles(VMOV_CORE) == [1]


def test_unknown_is_named_and_not_free() -> None:
    (insn,) = decode(bytes.fromhex("fede"), 0)  # udf, which nobody priced
    assert insn.kind == "unknown"
    assert cycles("fede")[0] >= 1


def test_division_is_within_the_manuals_bounds() -> None:
    """TRM table 3-1: 2 to 12 by the operands."""
    assert CORTEX_M4F.divide_low <= cycles("b0fbf1f0")[0] <= CORTEX_M4F.divide_high  # udiv r0, r0, r1


LDR_POST_0, LDR_POST_2 = "51f8040b", "51f8042b"  # ldr r0, [r1], #4; ldr r2, [r1], #4
APART = dataclasses.replace(CORTEX_M4F, pair_behind_write_back=0)


def test_loads_behind_a_written_back_base() -> None:
    """TRM 3.3.2 only lets an address wait for what was loaded. jnk0le saw no chain on one base, ST's firmware does."""
    chain = [LDR_POST_0, LDR_POST_2] * 2
    assert cycles(*chain) == [2, 1, 1, 1]
    assert cycles(*chain, parameters=APART) == [2, 2, 2, 2]
    assert cycles(LDR_0_1, LDR_2_0) == [2, 3]  # a loaded address is not there early


def test_a_single_load_from_a_memory_of_its_own() -> None:
    """SRAM2 and SRAM3 of an STM32L4R5: only a load that is not behind another one takes longer there."""
    steps = [Step(insn, n == 0, "", 1) for n, insn in enumerate(decode(bytes.fromhex(LDR_0_1 + LDR_2_3 + ADD), 0x1000))]
    without = [step._replace(single_load=0) for step in steps]
    assert sum(core_cycles(steps, CORTEX_M4F)) == sum(core_cycles(without, CORTEX_M4F)) + 1


LOOK_UPS = [("ram 2", LDR_OFFSET, 1), ("ram 2", LDR_0_1, 0), ("ram 0", LDR_OFFSET, 0), (IN_FLASH, LDR_OFFSET, 0)]


@pytest.mark.parametrize(("there", "load", "more"), LOOK_UPS)
def test_a_load_behind_an_access_to_another_ram(there: str, load: str, more: int) -> None:
    """Tables in SRAM1 of an STM32L4R5: the first look-up behind an access to SRAM3 waits, the next does not."""
    code = decode(bytes.fromhex(STR_4_5 + ADD + load + ADD + load), 0x1000)
    memories = [there, "", "ram 0", "", "ram 0"]
    steps = [Step(insn, n == 0, memories[n], load_after_other=int(n > 1)) for n, insn in enumerate(code)]
    assert core_cycles(steps, CORTEX_M4F)[2:] == [2 + more, 1, 2]


# What each free parameter has a say in; the code behind a branch is at its target.
BEFORE = ADD + LDR_0_1 + LDR_2_0 + STR_0_1 + LDR_2_3 + STR_4_5 + ADD + LDR_0_1 + NOP + MOV_1_2 + LDR_0_1
BEFORE += "0048" + ADD + "08bf0844" + VMLA + ADD + ADD + VMUL_OTHER  # ldr =; it eq; addeq
BEFORE += LDR_POST_0 + LDR_POST_2 + ADD * 4 + VMOV_CORE + ADD * 4 + ("00b1" + MOV_W) * 8  # cbz, not taken
BRANCHES = ("00f000b8", "7047", "10bd")  # b.w; bx lr; pop {r4, pc}


def _everything(parameters: CoreParameters) -> int:
    codes = [NOP * 8 + BEFORE + BRANCHES[0], BRANCHES[1], BRANCHES[2], ADD]
    steps = [
        Step(insn, n == 0, "code" if insn.literal else "")
        for number, code in enumerate(codes)
        for n, insn in enumerate(decode(bytes.fromhex(code), 0x1000 * (number + 1)))
    ]
    return sum(core_cycles(steps, parameters))


@pytest.mark.parametrize("name", sorted(FREE))
def test_free_parameters_are_within_their_bounds_and_matter(name: str) -> None:
    bound, value = FREE[name], getattr(CORTEX_M4F, name)
    assert bound.low <= value <= bound.high and bound.source
    low, high = (
        _everything(dataclasses.replace(CORTEX_M4F, **{name: type(value)(end)})) for end in (bound.low, bound.high)
    )
    assert low != high
