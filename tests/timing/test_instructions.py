"""Every instruction that a compiler emits for a Cortex-M4F has a price, or is named: never free in silence."""

from __future__ import annotations

import io
import itertools
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import capstone
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcusim.system.toolchain import find_arm_tool
from mcusim.timing.core_cycles import Step
from mcusim.timing.decode import Instruction, decode
from mcusim.timing.parameters import CORTEX_M4F
from tests.timing.programs import core_cycles

pytestmark = pytest.mark.arm
MACHINE = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")

# Kind (and words moved), instructions. In this order: what an IT block holds follows it.
FORMS = """
fp                vmrs r0, fpscr; vmrs APSR_nzcv, fpscr; vmsr fpscr, r1; vmov.f32 s0, #1.0; vmov.f32 s0, s1
fp_move           vmov s0, r1; vmov r1, s0
fp_move_2         vmov r0, r1, s2, s3; vmov s2, s3, r0, r1; vmov r0, r1, d1; vmov d1, r0, r1
fp                vcvt.s32.f32 s0, s1; vcvt.u32.f32 s0, s1; vcvtr.s32.f32 s0, s1; vcvt.f32.s32 s0, s1
fp                vcvt.f32.u32 s0, s1; vcvt.f32.s32 s0, s0, #8; vcvt.s32.f32 s0, s0, #8; vcvt.f32.s16 s0, s0, #8
fp                vcvt.u16.f32 s0, s0, #8; vcvtb.f16.f32 s0, s1; vcvtb.f32.f16 s0, s1; vcvtt.f16.f32 s0, s1
fp                vcvtt.f32.f16 s0, s1; vadd.f32 s0, s1, s2; vsub.f32 s0, s1, s2; vmul.f32 s0, s1, s2
fp                vnmul.f32 s0, s1, s2
fp_slow           vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1
fp                vabs.f32 s0, s1; vneg.f32 s0, s1; vcmp.f32 s0, s1; vcmp.f32 s0, #0.0; vcmpe.f32 s0, s1
fp                vcmpe.f32 s0, #0.0
fp_mac            vmla.f32 s0, s1, s2; vmls.f32 s0, s1, s2; vnmla.f32 s0, s1, s2; vnmls.f32 s0, s1, s2
fp_mac            vfma.f32 s0, s1, s2; vfms.f32 s0, s1, s2; vfnma.f32 s0, s1, s2; vfnms.f32 s0, s1, s2
load              vldr s0, [r0, #4]
load_multiple:2   vldr d0, [r0, #8]
store             vstr s0, [r0]
store_multiple:2  vstr d0, [r0]
load              vldr s0, [pc, #8]
load_multiple:4   vldmia r0, {s0-s3}; vldmia r0!, {s0-s3}; vldmdb r0!, {s0-s3}
load_multiple:8   vldmia r0!, {d0-d3}
store_multiple:4  vstmia r0, {s0-s3}
store_multiple:8  vstmia r0!, {d0-d3}
store_multiple:4  vstmdb r0!, {s0-s3}; vpush {s16-s19}
store_multiple:16 vpush {d8-d15}
load_multiple:16  vpop {d8-d15}
load_multiple:1   vpop {s16}
load_multiple:2   ldrd r0, r1, [r2, #8]; ldrd r0, r1, [r2], #8; ldrd r0, r1, [r2, #8]!
store_multiple:2  strd r0, r1, [r2]; strd r0, r1, [sp, #-8]!
alu               umaal r0, r1, r2, r3; smlald r0, r1, r2, r3; smlaldx r0, r1, r2, r3; smlsld r0, r1, r2, r3
alu               smlad r0, r1, r2, r3; ssat r0, #8, r1; ssat r0, #8, r1, asr #3; usat r0, #8, r1, lsl #2
alu               ssat16 r0, #8, r1; usat16 r0, #8, r1; pkhbt r0, r1, r2, lsl #16; pkhtb r0, r1, r2, asr #16
alu               rev r0, r1; rev16 r0, r1; revsh r0, r1; rbit r0, r1; clz r0, r1; bfi r0, r1, #4, #4
alu               bfc r0, #4, #4; sbfx r0, r1, #4, #4; ubfx r0, r1, #4, #4
barrier           dmb; dsb; isb; dmb ish
system            cpsid i; cpsie f; mrs r0, primask; mrs r0, psp; mrs r0, basepri; mrs r0, control; msr psp, r0
system            msr basepri, r0; msr basepri_max, r0; msr control, r0; msr apsr_nzcvq, r0; msr apsr_nzcvqg, r0
sleep             wfi; wfe
nop               sev; yield; nop; nop.w
supervisor        svc #0
unknown           bkpt #0; udf #0; udf.w #1
load              ldrex r0, [r1, #4]; ldrexb r0, [r1]; ldrexh r0, [r1]
store             strex r0, r1, [r2]; strexb r0, r1, [r2]; strexh r0, r1, [r2]
alu               clrex; adr r0, .+8; adr.w r0, .+8; adr.w r0, .-8
load              ldr r0, [pc, #8]; ldr.w r0, [pc, #8]; ldrb r0, [r1, r2]; ldrb.w r0, [r1, r2, lsl #2]
load              ldrh r0, [r1], #2; ldrsb r0, [r1, #-4]; ldrt r0, [r1, #4]
store             strt r0, [r1, #4]
load              ldrbt r0, [r1]
store             str r0, [r1], #4; str r0, [r1, #4]!; str r0, [r1, r2, lsl #2]
load_multiple:3   ldm r0, {r1-r3}; ldm r0!, {r1-r3}; ldmdb r0!, {r1-r3}
store_multiple:3  stmia r0!, {r1-r3}
store_multiple:4  stmdb r0!, {r1-r3, lr}
store_multiple:6  push {r4-r8, lr}
load_multiple:5   pop {r4-r8}
store_multiple:1  push {r4}
store             push.w {r8}
load              pop.w {r8}
alu               pld [r0]; pld [r0, #16]; pli [r0]; pld [pc, #4]
divide            sdiv r0, r1, r2; udiv r0, r1, r2
alu               mul r0, r1, r2; muls r0, r1, r0; mla r0, r1, r2, r3; mls r0, r1, r2, r3; umull r0, r1, r2, r3
alu               smull r0, r1, r2, r3; umlal r0, r1, r2, r3; smlal r0, r1, r2, r3; smmul r0, r1, r2
alu               smmulr r0, r1, r2; smmla r0, r1, r2, r3; smmlar r0, r1, r2, r3; smmls r0, r1, r2, r3
alu               smmlsr r0, r1, r2, r3; smulbb r0, r1, r2; smultb r0, r1, r2; smulwb r0, r1, r2; smulwt r0, r1, r2
alu               smlabb r0, r1, r2, r3; smlatt r0, r1, r2, r3; smlawb r0, r1, r2, r3; smlalbb r0, r1, r2, r3
alu               smlaltt r0, r1, r2, r3; smuad r0, r1, r2; smuadx r0, r1, r2; smusd r0, r1, r2; smusdx r0, r1, r2
alu               smladx r0, r1, r2, r3; smlsd r0, r1, r2, r3; smlsdx r0, r1, r2, r3; smlsldx r0, r1, r2, r3
alu               usad8 r0, r1, r2; usada8 r0, r1, r2, r3; sel r0, r1, r2; qadd r0, r1, r2; qsub r0, r1, r2
alu               qdadd r0, r1, r2; qdsub r0, r1, r2; qadd8 r0, r1, r2; qadd16 r0, r1, r2; qsub8 r0, r1, r2
alu               qsub16 r0, r1, r2; qasx r0, r1, r2; qsax r0, r1, r2; uqadd8 r0, r1, r2; uqadd16 r0, r1, r2
alu               uqsub8 r0, r1, r2; uqsub16 r0, r1, r2; uqasx r0, r1, r2; uqsax r0, r1, r2; sadd8 r0, r1, r2
alu               sadd16 r0, r1, r2; ssub8 r0, r1, r2; ssub16 r0, r1, r2; sasx r0, r1, r2; ssax r0, r1, r2
alu               uadd8 r0, r1, r2; uadd16 r0, r1, r2; usub8 r0, r1, r2; usub16 r0, r1, r2; uasx r0, r1, r2
alu               usax r0, r1, r2; shadd8 r0, r1, r2; shadd16 r0, r1, r2; shsub8 r0, r1, r2; shsub16 r0, r1, r2
alu               shasx r0, r1, r2; shsax r0, r1, r2; uhadd8 r0, r1, r2; uhadd16 r0, r1, r2; uhsub8 r0, r1, r2
alu               uhsub16 r0, r1, r2; uhasx r0, r1, r2; uhsax r0, r1, r2; sxtb r0, r1; sxth.w r0, r1, ror #8
alu               sxtb16 r0, r1; sxtab r0, r1, r2; sxtah r0, r1, r2; sxtab16 r0, r1, r2; uxtb r0, r1
alu               uxtb16 r0, r1, ror #8; uxtab r0, r1, r2; uxtah r0, r1, r2; uxtab16 r0, r1, r2; adc r0, r1, r2
alu               adcs r0, r1; add r0, r1, r2, lsl #3; addw r0, r1, #4095; add r0, sp, #16; add sp, #16
alu               add sp, sp, r0; and r0, r1, #255; asr r0, r1, #3; asrs r0, r1; bic r0, r1, r2; cmn r0, r1
alu               cmp r0, #5; eor r0, r1, r2; lsl r0, r1, r2; lsr r0, r1, #1; mov r0, r1; movs r0, #1
alu               mov.w r0, #0x01010101; movw r0, #1234; movt r0, #1234; mvn r0, r1; orn r0, r1, r2; orr r0, r1, r2
alu               ror r0, r1, #2; rrx r0, r1; rsb r0, r1, #0; rsbs r0, r0, #0; sbc r0, r1, r2; sub r0, r1, #3
alu               subw r0, r1, #4095; teq r0, r1; tst r0, r1; tst.w r0, r1, lsl #3
table             tbb [pc, r0]; tbh [pc, r0, lsl #1]
load              ldr pc, [r0, #4]; ldr pc, [sp], #4; ldr pc, [pc, #4]
alu               mov pc, r3; add pc, r3
branch            bx lr; blx r3; b .+10; b.w .+100; bl .+1000; beq .+10; bne.w .+1000; cbz r0, .+10; cbnz r0, .+10
load_multiple:2   pop {r4, pc}
load_multiple:6   pop.w {r4-r8, pc}
load_multiple:2   ldmia.w sp!, {r4, pc}; ldmdb r7, {r4, pc}
it                ite eq
alu               moveq r0, #1; movne r0, #0
it                itt mi
fp                vmovmi.f32 s0, s1; vaddmi.f32 s0, s1, s2
it                it lt
branch            bxlt lr
alu               dbg #1
unknown           mcr p15, 0, r0, c1, c0, 0; mrc p15, 0, r0, c1, c0, 0; cdp p1, 0, c0, c1, c2, 0; ldc p1, c0, [r0]
"""
# What a Cortex-M4 does not have, and what stops it: `mcusim profile` names these when they run.
NOT_OF_THE_CORE = {"bkpt", "udf", "mcr", "mrc", "cdp", "ldc", "ldc2", "ldcl", "stc2", "stcl", "fldmiax", "fstmiax"}

IDIOMS = """
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <arm_acle.h>
float dot(const float *a, const float *b, int n) { float s = 0; while (n--) s += *a++ * *b++; return s; }
float clip(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }
float mixed(float x) {
    return fabsf(x) * 0.5f - sqrtf(x) / 3.0f + (float)(int)x + (float)(unsigned)x; }
float fused(float a, float b, float c) { return fmaf(a, b, c) - fmaf(-a, b, -c) + fmaf(a, -b, c); }
double slow(double x, double y) { return x * y / (x + 1.0) - sin(y) + (double)(long long)x; }
long long wide(long long a, long long b) { return a * b / (b | 1) + (a >> 7) - (b << 3); }
uint64_t muladd(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return (uint64_t)a * b + c + d; }
int pick(int x) { switch (x) { case 0: return 3; case 1: return 9; case 2: return -4; case 3: return 77;
    case 4: return 5; case 5: return 0; case 6: return 123; case 7: return 8; default: return 1; } }
int jump(int x) { static void *const to[] = { &&a, &&b, &&c }; goto *to[x];
    a: return 1; b: return x + 2; c: return x * 5; }
int32_t dot_q15(const int32_t *a, const int32_t *b, int n) { int32_t s = 0;
    while (n--) s = __smlad(*a++, *b++, s); return s; }
int32_t simd(int32_t a, int32_t b) { return __qadd16(a, b) ^ __sadd8(a, b) ^ __sxtb16(a) ^ __usad8(a, b) ^ __ssat(a, 8)
    ^ __usat(b, 7) ^ __smulbb(a, b) ^ __uhadd8(a, b) ^ __sel(a, b) ^ __qsub(a, b); }
uint32_t bits(uint32_t x) { return __builtin_bswap32(x) ^ __builtin_clz(x) ^ __rbit(x) ^ (x << 5 | x >> 27); }
struct fields { unsigned a : 3, b : 7, c : 12; };
void pack(struct fields *f, unsigned x) { f->a = x; f->b = x >> 4; f->c = f->b * 3; }
int count(atomic_int *n) { return atomic_fetch_add(n, 1); }
_Bool swap(atomic_uchar *n, unsigned char x) { unsigned char was = 0;
    return atomic_compare_exchange_strong(n, &was, x); }
void copy(char *to, const char *from, int n) { memcpy(to, from, 13); memset(to + n, 7, 24); strcpy(to, from); }
short half(__fp16 *x) { *x = (__fp16)((float)*x * 2.0f); return (short)*x; }
int many(int a, float b, int c, float d, int e, int f, int g) { volatile float k[9] = { b, d };
    return a + c * e - f % (g | 1) + (int)k[3]; }
int main(void) { return 0; }
void _exit(int code) { __asm__ volatile("cpsid i; dsb; wfi; mrs r0, primask; msr basepri, r0; isb" ::: "r0");
    for (;;) { } }
"""


def code_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(address, Thumb code) of an object file, without the constants between it."""
    elf = ELFFile(io.BytesIO(data))
    symbols = elf.get_section_by_name(".symtab")
    assert isinstance(symbols, SymbolTableSection)
    marks = [(s["st_shndx"], s["st_value"], s.name[1]) for s in symbols.iter_symbols() if s.name[:2] in ("$t", "$d")]
    for number, section in enumerate(elf.iter_sections()):
        if section["sh_flags"] & 4 and section["sh_type"] == "SHT_PROGBITS":
            inside = sorted((at - section["sh_addr"], kind) for index, at, kind in marks if index == number)
            ends = [at for at, _ in [*inside, (section["sh_size"], "")][1:]]
            for (at, kind), end in zip(inside, ends, strict=True):
                if kind == "t":
                    yield at, section.data()[at:end]


def forms_of(pieces: Iterable[tuple[int, bytes]]) -> dict[str, Instruction]:
    """One instruction of each form: mnemonic and operands without their numbers. All of them would take long."""
    quick = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    found: dict[str, Instruction] = {}
    for start, code in pieces:
        at = 0
        for _, size, mnemonic, operands in quick.disasm_lite(code, start):
            form = f"{mnemonic} {re.sub('[0-9a-fx]+', '', operands)}"
            if form not in found:
                found[form] = decode(code[at : at + size], start + at)[0]
            at += size
        for insn in decode(code[at:], start + at) if at < len(code) else ():
            found[insn.text] = insn
    return found


def members(archive: bytes) -> Iterator[bytes]:
    """The object files of an archive of `ar`."""
    at = 8
    while at < len(archive):
        size = int(archive[at + 48 : at + 58])
        if archive[at + 60 :][:4] == b"\x7fELF":
            yield archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def unpriced(instructions: Iterable[Instruction]) -> set[str]:
    return {insn.text for insn in instructions if insn.kind == "unknown" and insn.name not in NOT_OF_THE_CORE}


def test_each_form(tmp_path: Path) -> None:
    rows = [(row[:17].strip(), form) for row in FORMS.strip().splitlines() for form in row[17:].strip().split("; ")]
    lines = [".syntax unified", ".cpu cortex-m4", ".fpu fpv4-sp-d16", ".thumb", ".align 3", *(form for _, form in rows)]
    (tmp_path / "forms.s").write_text("\n".join(lines) + "\n")
    subprocess.run([find_arm_tool("as"), "forms.s", "-o", "forms.o"], cwd=tmp_path, check=True, capture_output=True)
    elf = ELFFile(io.BytesIO((tmp_path / "forms.o").read_bytes()))
    found = decode(elf.get_section_by_name(".text").data(), 0x08000000)
    for (kind, form), insn in zip(rows, found, strict=False):
        words = f":{insn.words}" if "multiple" in insn.kind else ""
        assert f"{insn.kind}{words}" == kind, form
        assert core_cycles([Step(insn)], CORTEX_M4F)[0] >= (0 if kind in ("it", "nop") else 1), form
        assert insn.kind != "unknown" or insn.name in NOT_OF_THE_CORE, form


LEVELS = [("hard", level) for level in ("-O0", "-Og", "-O1", "-O2", "-O3", "-Os", "-Ofast", "-O2 -flto")]


@pytest.mark.parametrize(("abi", "level"), [*LEVELS, ("soft", "-O0"), ("soft", "-O3")])
def test_what_the_compiler_makes_of_c(tmp_path: Path, abi: str, level: str) -> None:
    (tmp_path / "idioms.c").write_text(IDIOMS)
    machine = [f"-mfloat-abi={abi}" if word.startswith("-mfloat-abi") else word for word in MACHINE]
    command = [find_arm_tool("gcc"), *machine, *level.split(), "-mfp16-format=ieee", "-Wl,--whole-archive", "idioms.c"]
    command += ["-Wl,--no-whole-archive", "-lm", "--specs=nosys.specs", "-Wl,--unresolved-symbols=ignore-all"]
    if "-flto" in level:
        command.append("-fuse-linker-plugin")
    subprocess.run([*command, "-o", "idioms.elf"], cwd=tmp_path, check=True, capture_output=True)
    found = forms_of(code_of((tmp_path / "idioms.elf").read_bytes()))
    assert len(found) > 200
    assert unpriced(found.values()) == set()


@pytest.mark.parametrize("library", ["libgcc.a", "libm.a"])
def test_the_compilers_own_libraries(library: str) -> None:
    asked = [find_arm_tool("gcc"), *MACHINE, f"-print-file-name={library}"]
    path = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    some = itertools.islice(members(path.read_bytes()), 0, None, 4)  # thousands are of one template each
    found = forms_of(piece for member in some for piece in code_of(member))
    assert len(found) > 150
    assert unpriced(found.values()) == set()
