"""Facts about instructions. Each stands with its bytes in Armv7-M, and the assembler is asked about them."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mcusim.system.toolchain import find_arm_tool
from mcusim.timing import decode as decoding
from mcusim.timing.decode import Instruction, decode, width

KINDS = (
    ("adds r0, r0, r1", "4018", "alu"),
    ("add.w r0, r0, r1", "00eb0100", "alu"),
    ("movw r5, #1234", "40f2d245", "alu"),
    ("ubfx r0, r1, #0, #8", "c1f30700", "alu"),
    ("smlad r0, r1, r2, r3", "21fb0230", "alu"),
    ("umaal r0, r1, r2, r3", "e2fb6301", "alu"),
    ("qadd r0, r1, r2", "82fa81f0", "alu"),
    ("uhadd8 r0, r1, r2", "81fa62f0", "alu"),
    ("sxtb16 r0, r1", "2ffa81f0", "alu"),
    ("clz r0, r1", "b1fa81f0", "alu"),
    ("cmp r0, #0", "0028", "alu"),
    ("udiv r0, r1, r2", "b1fbf2f0", "divide"),
    ("sdiv r0, r1, r2", "91fbf2f0", "divide"),
    ("nop", "00bf", "nop"),
    ("nop.w", "aff30080", "nop"),
    ("sev", "40bf", "nop"),
    ("mrs r0, primask", "eff31080", "system"),
    ("msr primask, r0", "80f31088", "system"),
    ("cpsid i", "72b6", "system"),
    ("dmb", "bff35f8f", "barrier"),
    ("dsb", "bff34f8f", "barrier"),
    ("isb", "bff36f8f", "barrier"),
    ("vadd.f32 s0, s1, s2", "30ee810a", "fp"),
    ("vcvt.s32.f32 s0, s1", "bdeee00a", "fp"),
    ("vcmp.f32 s0, s1", "b4ee600a", "fp"),
    ("vmrs r0, fpscr", "f1ee100a", "fp"),
    ("vmov.f32 s0, s1", "b0ee600a", "fp"),
    ("vmla.f32 s0, s1, s2", "00ee810a", "fp_mac"),
    ("vnmla.f32 s0, s1, s2", "10eec10a", "fp_mac"),
    ("vfma.f32 s0, s1, s2", "a0ee810a", "fp_mac"),
    ("vdiv.f32 s0, s1, s2", "80ee810a", "fp_slow"),
    ("vsqrt.f32 s0, s1", "b1eee00a", "fp_slow"),
    ("vmov r0, s0", "10ee100a", "fp_move"),
    ("vmov s0, r0", "00ee100a", "fp_move"),
    ("vmov r9, s0", "10ee109a", "fp_move"),  # Capstone calls it sb, which is no single
    ("vmov sp, s0", "10ee10da", "fp_move"),
    ("vmov s0, r10", "00ee10aa", "fp_move"),
    ("vmov r0, r1, s0, s1", "51ec100a", "fp_move_2"),
    ("vmov s0, s1, r0, r1", "41ec100a", "fp_move_2"),
    ("vmov r9, r10, s0, s1", "5aec109a", "fp_move_2"),
    ("vmrs APSR_nzcv, fpscr", "f1ee10fa", "fp"),
    ("vmov.f32 s0, #1.0", "b7ee000a", "fp"),
    ("wfi", "30bf", "sleep"),
    ("wfe", "20bf", "sleep"),
    ("clrex", "bff32f8f", "alu"),
    ("svc #0", "00df", "supervisor"),
    ("bkpt #0", "00be", "unknown"),
    ("udf #0", "00de", "unknown"),
)
# assembly, bytes, kind, words, registers of the address, the one that is written back
TRANSFERS = (
    ("ldr r0, [r1, #4]", "4868", "load", 1, "r1", ""),
    ("ldrb r0, [r1, r2]", "885c", "load", 1, "r1 r2", ""),
    ("ldr.w r0, [r1, r2, lsl #2]", "51f82200", "load", 1, "r1 r2", ""),
    ("ldrsh r0, [r1, r2]", "885e", "load", 1, "r1 r2", ""),
    ("ldr r0, [pc, #8]", "0248", "load", 1, "", ""),
    ("ldr r0, [r1], #4", "51f8040b", "load", 1, "r1", "r1"),
    ("ldr r0, [r1, #4]!", "51f8040f", "load", 1, "r1", "r1"),
    ("ldrex r0, [r1]", "51e8000f", "load", 1, "r1", ""),
    ("str r0, [r1]", "0860", "store", 1, "r1", ""),
    ("strb r0, [r1, r2]", "8854", "store", 1, "r1 r2", ""),
    ("strh r0, [r1, #2]", "4880", "store", 1, "r1", ""),
    ("str r0, [r1, #-4]!", "41f8040d", "store", 1, "r1", "r1"),
    ("ldrd r0, r1, [r2, #8]", "d2e90201", "load_multiple", 2, "r2", ""),
    ("ldrd r0, r1, [r2], #8", "f2e80201", "load_multiple", 2, "r2", "r2"),
    ("strd r0, r1, [r2, #8]", "c2e90201", "store_multiple", 2, "r2", ""),
    ("ldmia r0!, {r1, r2, r3}", "0ec8", "load_multiple", 3, "r0", "r0"),
    ("ldmia.w r0, {r1, r2, r3}", "90e80e00", "load_multiple", 3, "r0", ""),
    ("ldmdb r0!, {r1, r2, r3}", "30e90e00", "load_multiple", 3, "r0", "r0"),
    ("stmia r0!, {r1, r2}", "06c0", "store_multiple", 2, "r0", "r0"),
    ("stmdb r0!, {r1, r2}", "20e90600", "store_multiple", 2, "r0", "r0"),
    ("push {r4, lr}", "10b5", "store_multiple", 2, "sp", ""),
    ("push.w {r4-r11, lr}", "2de9f04f", "store_multiple", 9, "sp", ""),
    ("pop {r4}", "10bc", "load_multiple", 1, "sp", ""),
    ("pop.w {r4-r11, pc}", "bde8f08f", "load_multiple", 9, "sp", ""),
    ("vldr s0, [r0]", "90ed000a", "load", 1, "r0", ""),
    ("vldr d1, [r0, #8]", "90ed021b", "load_multiple", 2, "r0", ""),
    ("vstr s1, [sp, #4]", "cded010a", "store", 1, "sp", ""),
    ("vstr d1, [sp]", "8ded001b", "store_multiple", 2, "sp", ""),
    ("vldmia r0!, {s0-s3}", "b0ec040a", "load_multiple", 4, "r0", "r0"),
    ("vldmia r0, {d0-d3}", "90ec080b", "load_multiple", 8, "r0", ""),
    ("vldmdb r0!, {s0-s1}", "30ed020a", "load_multiple", 2, "r0", "r0"),
    ("vstmia r0!, {s0-s3}", "a0ec040a", "store_multiple", 4, "r0", "r0"),
    ("vstmdb r0!, {d0-d1}", "20ed040b", "store_multiple", 4, "r0", "r0"),
    ("vpush {d8-d9}", "2ded048b", "store_multiple", 4, "sp", ""),
    ("vpop {d8-d9}", "bdec048b", "load_multiple", 4, "sp", ""),
    ("vpush {s16}", "2ded018a", "store_multiple", 1, "sp", ""),
)
# assembly, bytes, kind, how it leaves the straight line, only when a condition holds
BRANCHES = (
    ("b .", "fee7", "branch", "direct", False),
    ("b.w .", "fff7febf", "branch", "direct", False),
    ("beq .", "fed0", "branch", "direct", True),
    ("beq.w .", "3ff4feaf", "branch", "direct", True),
    ("bl .", "fff7feff", "branch", "direct", False),
    ("cbz r0, .+4", "00b1", "branch", "direct", False),
    ("cbnz r0, .+4", "00b9", "branch", "direct", False),
    ("bx lr", "7047", "branch", "indirect", False),
    ("blx r3", "9847", "branch", "indirect", False),
    ("mov pc, r0", "8746", "alu", "indirect", False),
    ("add pc, r0", "8744", "alu", "indirect", False),
    ("pop {r4, pc}", "10bd", "load_multiple", "load", False),
    ("ldmia.w r0!, {r1, pc}", "b0e80280", "load_multiple", "load", False),
    ("ldr.w pc, [r0]", "d0f800f0", "load", "load", False),
    ("ldr.w pc, [pc, #4]", "dff804f0", "load", "load", False),
    ("tbb [pc, r0]", "dfe800f0", "table", "table", False),
    ("tbh [pc, r0, lsl #1]", "dfe810f0", "table", "table", False),
    ("adds r0, r0, r1", "4018", "alu", "", False),
    ("ldr r0, [pc, #8]", "0248", "load", "", False),
    ("pop {r4}", "10bc", "load_multiple", "", False),
)


def one(code: str, address: int = 0x1000) -> Instruction:
    (instruction,) = decode(bytes.fromhex(code), address)
    return instruction


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


@pytest.mark.arm
def test_the_bytes_are_those_of_the_assembler(tmp_path: Path) -> None:
    rows = [(row[0], row[1]) for table in (KINDS, TRANSFERS, BRANCHES) for row in table]
    source = [".syntax unified", ".cpu cortex-m4", ".fpu fpv4-sp-d16", ".thumb"]
    source += [f".balign 4\n{text}" for text, _ in rows]
    (tmp_path / "all.s").write_text("\n".join([*source, ".balign 4", ""]))
    subprocess.run([find_arm_tool("as"), "all.s", "-o", "all.o"], cwd=tmp_path, check=True)
    with (tmp_path / "all.o").open("rb") as file:
        text = ELFFile(file).get_section_by_name(".text").data()
    made = [text[at : at + 4].hex() for at in range(0, len(text), 4)]
    padded = [code if len(code) == 8 else code + "00bf" for _, code in rows]  # NOP fills what .balign skips
    assert [pair for pair in zip(rows, made, padded, strict=True) if pair[1] != pair[2]] == []


@pytest.mark.parametrize(("code", "kind"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS])
def test_kinds(code: str, kind: str) -> None:
    instruction = one(code)
    assert (instruction.kind, instruction.branch, instruction.words) == (kind, "", 0)
    assert not (instruction.loads or instruction.stores or instruction.conditional or instruction.address_reads)


@pytest.mark.parametrize(
    ("code", "kind", "words", "address", "base"), [row[1:] for row in TRANSFERS], ids=[row[0] for row in TRANSFERS]
)
def test_transfers(code: str, kind: str, words: int, address: str, base: str) -> None:
    instruction = one(code)
    assert (instruction.kind, instruction.words) == (kind, words)
    assert instruction.loads == kind.startswith("load") and instruction.stores == kind.startswith("store")
    assert (instruction.address_reads, instruction.base) == (names(address), base)
    assert instruction.register_offset == (len(names(address)) == 2)
    assert instruction.literal == (not address)


@pytest.mark.parametrize(
    ("code", "kind", "branch", "conditional"), [row[1:] for row in BRANCHES], ids=[row[0] for row in BRANCHES]
)
def test_branches(code: str, kind: str, branch: str, conditional: bool) -> None:
    instruction = one(code)
    assert (instruction.kind, instruction.branch, instruction.conditional) == (kind, branch, conditional)


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("00eb0100", "r0 r1", "r0"),  # add.w r0, r0, r1
        ("82fb0301", "r2 r3", "r0 r1"),  # smull r0, r1, r2, r3
        ("51f8040f", "r1", "r0 r1"),  # ldr r0, [r1, #4]!
        ("0860", "r0 r1", ""),  # str r0, [r1]
        ("d2e90201", "r2", "r0 r1"),  # ldrd r0, r1, [r2, #8]
        ("10bd", "sp", "pc r4 sp"),  # pop {r4, pc}
        ("90ed021b", "r0", "s2 s3"),  # vldr d1, [r0, #8]: a double is two singles
        ("8ded001b", "sp s2 s3", ""),  # vstr d1, [sp]
        ("51ec100b", "s0 s1", "r0 r1"),  # vmov r0, r1, d0
        ("30ee810a", "s1 s2", "s0"),  # vadd.f32 s0, s1, s2
    ],
)
def test_registers(code: str, reads: str, writes: str) -> None:
    assert (one(code).reads, one(code).writes) == (names(reads), names(writes))


def test_the_addend_of_an_accumulation_is_also_read() -> None:
    mac = one("00ee810a")  # vmla.f32 s0, s1, s2
    assert (mac.reads, mac.writes, mac.addend) == (names("s0 s1 s2"), names("s0"), names("s0"))
    assert one("30ee810a").addend == frozenset()  # vadd.f32 s0, s1, s2


def test_an_it_block() -> None:
    """ITE NE; ADDNE r0, r1; SUBEQ r0, r0, r1; ADD r0, r1: conditions are those of the IT, and end with it."""
    found = decode(bytes.fromhex("14bf" + "0844" + "401a" + "0844"), 0x1000)
    assert [instruction.kind for instruction in found] == ["it", "alu", "alu", "alu"]
    assert [instruction.conditional for instruction in found] == [False, True, True, False]
    assert [instruction.text for instruction in found[1:3]] == ["addne r0, r1", "subeq r0, r0, r1"]


def test_an_it_block_does_not_reach_into_other_code() -> None:
    assert one("08bf").kind == "it"  # it eq, and nothing behind it
    assert not one("0844").conditional


def test_a_conditional_load_still_moves_its_words() -> None:
    it, load = decode(bytes.fromhex("08bf" + "0868"), 0x1000)  # it eq; ldreq r0, [r1]
    assert it.words == 0 and (load.kind, load.words, load.conditional) == ("load", 1, True)


def test_addresses_and_ends() -> None:
    found = decode(bytes.fromhex("0844" + "00eb0100" + "0844"), 0x8000102)
    assert [(instruction.address, instruction.end) for instruction in found] == [
        (0x8000102, 0x8000104),
        (0x8000104, 0x8000108),
        (0x8000108, 0x800010A),
    ]


@pytest.mark.parametrize(
    ("code", "sizes"),
    [
        ("0844" + "ffffffff" + "0844", [2, 4, 2]),  # no instruction in Armv7-M, 32 bits wide
        ("0844" + "00b6" + "0844", [2, 2, 2]),  # nor this, 16 bits
        ("0844" + "00eb", [2, 2]),  # the first half of a wide one
        ("0844" + "00eb01", [2, 3]),
        ("0844" + "08", [2, 1]),
    ],
)
def test_what_is_no_instruction_is_unknown_and_keeps_its_place(code: str, sizes: list[int]) -> None:
    found = decode(bytes.fromhex(code), 0x1000)
    assert [instruction.size for instruction in found] == sizes
    assert found[1].kind == "unknown" and found[1].text.startswith(".inst 0x")
    assert {instruction.kind for instruction in found if instruction.address != 0x1002} == {"alu"}


@pytest.mark.parametrize(("first", "size"), [(0xE7, 2), (0xE8, 4), (0xEF, 4), (0xF0, 4), (0xFF, 4), (0x00, 2)])
def test_five_bits_tell_the_width(first: int, size: int) -> None:
    """Armv7-M Architecture Reference Manual, A5.1: 0b11101, 0b11110 and 0b11111 begin a 32-bit instruction."""
    assert width(bytes([0, first, 0, 0]), 0) == size
    assert width(bytes([0, 0, 0, first]), 2) == size


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=64), st.integers(0, 2**24).map(lambda half: 2 * half))
@example(b"\x00\xf8\x00", 0)
@example(b"\xff" * 7, 2)
def test_no_byte_is_lost_or_invented(code: bytes, address: int) -> None:
    """Each instruction begins where the one before it ends; only the last may be cut."""
    found = decode(code, address)
    ends = [address, *(instruction.end for instruction in found)]
    assert [instruction.address for instruction in found] == ends[:-1] and ends[-1] == address + len(code)
    for instruction in found[:-1]:
        assert instruction.size == width(code, instruction.address - address)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([row[1] for table in (KINDS, TRANSFERS, BRANCHES) for row in table]), max_size=20))
def test_an_instruction_is_the_same_among_others(codes: list[str]) -> None:
    """None of these is an IT, so nothing depends on what stands before it."""
    found = decode(bytes.fromhex("".join(codes)), 0x1000)
    alone = [one(code, instruction.address) for code, instruction in zip(codes, found, strict=True)]
    assert found == alone


def _some_of_all(every: int) -> list[bytes]:
    """Of the halfwords, of wide ones (by their first bits, and at random), and of both behind an IT."""
    random = np.random.default_rng(every)
    halves = [half.to_bytes(2, "little") for half in range(0, 0xE800, every)]
    firsts = [(first << 8 | low).to_bytes(2, "little") for first in range(0xE8, 0x100) for low in range(0, 256, every)]
    wide = [first + random.integers(0, 256, 2, np.uint8).tobytes() for first in firsts]
    return [*halves, *wide, *(bytes.fromhex("08bf") + code for code in (*halves[::3], *wide[::3]))]


def test_instructions_of_one_shape_differ_in_registers_only() -> None:
    """What Capstone tells of one is taken for others: by its own word each has to be the same, inside of IT, too."""
    for code in _some_of_all(every=23):
        alone = list(decoding._CS.disasm(code, 0x1000))
        *_, found = decode(code, 0x1000)
        if sum(insn.size for insn in alone) < len(code):
            assert found.kind == "unknown"
            continue
        expected = decoding._facts(alone[-1])
        assert dataclasses.replace(found, alike=0) == expected
        assert (found.end, found.loads, found.stores) == (expected.end, expected.loads, expected.stores)


def test_those_are_alike_that_differ_in_numbers_and_place_only() -> None:
    assert one("4868").alike == one("8868", 0x2000).alike != 0  # ldr r0, [r1, #4]; ldr r0, [r1, #8]
    others = ("4968", "5068", "4860", "d1f80400")  # another register each, a store, ldr.w r0, [r1, #4]
    assert len({one(code).alike for code in ("4868", *others)}) == 5


def test_what_was_forgotten_is_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST_KNOWN", 1)
    decoding._KNOWN.clear()
    first, other, again = one("4868"), one("8846"), one("4868")
    assert dataclasses.replace(again, alike=first.alike) == first
    assert len({first.alike, other.alike, again.alike}) == 3 and len(decoding._KNOWN) == 1
