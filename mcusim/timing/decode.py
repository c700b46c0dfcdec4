"""Code bytes -> Instruction: the few facts about each that its timing depends on. Nothing is priced here."""

import itertools
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import capstone
from capstone import arm, arm_const


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_LOADS_1 = _set("ldr ldrb ldrh ldrsb ldrsh ldrt ldrbt ldrht ldrex ldrexb ldrexh vldr")
_STORES_1 = _set("str strb strh strt strbt strht strex strexb strexh vstr")
_LOADS_N = _set("ldrd ldm ldmdb ldmda ldmib pop vldmia vldmdb vpop")
_STORES_N = _set("strd stm stmdb stmda stmib push vstmia vstmdb vpush")
_FP_MAC = _set("vmla vmls vnmla vnmls vfma vfms vfnma vfnms")
_FP_SLOW = frozenset({"vdiv", "vsqrt"})
_FP_ARITHMETIC = _set("vadd vsub vmul vnmul vabs vneg vcvt vcvtr vcvtb vcvtt vcmp vcmpe vmrs vmsr")
# Everything of one cycle that touches neither memory nor the FPU.
_ALU = _set("""
    adc add adr and asr bfc bfi bic clz cmn cmp eor lsl lsr mov movs movt movw mvn orn orr pkhbt pkhtb rbit rev
    rev16 revsh ror rrx rsb rsc sbc sbfx sel ssat ssat16 sub sxtab sxtab16 sxtah sxtb sxtb16 sxth teq tst ubfx
    usad8 usada8 usat usat16 uxtab uxtab16 uxtah uxtb uxtb16 uxth addw subw mul mla mls umull smull umlal smlal
    umaal smulbb smulbt smultb smultt smulwb smulwt smlabb smlabt smlatb smlatt smlawb smlawt smuad smuadx smusd
    smusdx smlad smladx smlsd smlsdx smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx smmul smmulr
    smmla smmlar smmls smmlsr qadd qsub qdadd qdsub qadd8 qadd16 qsub8 qsub16 qasx qsax uqadd8 uqadd16 uqsub8
    uqsub16 uqasx uqsax sadd8 sadd16 ssub8 ssub16 sasx ssax uadd8 uadd16 usub8 usub16 uasx usax shadd8 shadd16
    shsub8 shsub16 shasx shsax uhadd8 uhadd16 uhsub8 uhsub16 uhasx uhsax clrex pld pli dbg
""")
# Names that capstone has from before the unified assembly language.
_UNIFIED = {"fmstat": "vmrs", "fconsts": "vmov", "fconstd": "vmov"}
_SLEEPS = ("wfi", "wfe")
_SYSTEM = frozenset({"mrs", "msr", "cps", "cpsie", "cpsid"})
_BARRIERS = frozenset({"dmb", "dsb", "isb"})
_SPLIT = {f"d{n}": (f"s{2 * n}", f"s{2 * n + 1}") for n in range(16)}


@dataclass(frozen=True)
class Instruction:
    """`kind` is what the price table knows; `branch` how it may leave the straight line; `words` how many it moves.

    `address_reads` are the registers of the memory address; `base` the one that is written back, if any. Those with the
    same number in `alike`, but 0, differ in no more than address and text.
    """

    address: int
    size: int
    text: str
    name: str
    kind: str
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    address_reads: frozenset[str] = frozenset()
    addend: frozenset[str] = frozenset()
    base: str = ""
    words: int = 0
    register_offset: bool = False
    literal: bool = False
    branch: str = ""
    conditional: bool = False
    alike: int = 0

    def but(self, **changed: Any) -> "Instruction":
        """The same one but for that. Who moves it says its `end`, too."""
        other = object.__new__(Instruction)
        object.__setattr__(other, "__dict__", self.__dict__ | changed)
        return other

    @cached_property
    def end(self) -> int:
        return self.address + self.size

    @cached_property
    def loads(self) -> bool:
        return self.kind in ("load", "load_multiple")

    @cached_property
    def stores(self) -> bool:
        return self.kind in ("store", "store_multiple")


_FAST, _CS = (capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS) for _ in range(2))
_CS.detail = True  # which takes ten times as long


def decode(code: bytes, address: int) -> list[Instruction]:
    """Every instruction of `code`, which begins at `address`. One that is not known has kind 'unknown', never no place.

    An IT block has to be inside, or `code` to begin before it: conditions are those of the IT instruction.
    """
    found: list[Instruction] = []
    offset = 0
    while offset < len(code):
        it = offset  # where the IT instruction is that the next ones may depend on
        for place, size, mnemonic, operands in _FAST.disasm_lite(code[offset:], address + offset):
            told = code[offset + 1] >> 3, size, mnemonic, operands
            known = _KNOWN.get(told)
            if known is None:
                known = _learn(code[it if offset - it <= _LAST_OF_IT else offset : offset + size], *told)
            found.append(known.but(address=place, end=place + size))
            it = offset if known.kind == "it" else it
            offset += size
        if offset < len(code):  # it stopped there: go on behind it
            size = min(width(code, offset), len(code) - offset)
            text = f".inst 0x{code[offset : offset + size][::-1].hex()}"
            found.append(Instruction(address + offset, size, text, "?", "unknown"))
            offset += size
    return found


# Facts depend neither on where an instruction is nor on the numbers in it. Which registers it names they only repeat:
# Capstone, which takes long to tell them, is asked once for all that differ in nothing else. By the first bits of an
# encoding, its size, name and operands: as they are, without numbers, and of any registers.
_Told = tuple[int, int, str, str]
_KNOWN: dict[_Told, Instruction] = {}
_ALIKE: dict[_Told, Instruction] = {}
_SHAPES: dict[tuple[int | str, ...], tuple[Instruction, list[str]]] = {}  # and the registers that it names
_NEXT_ALIKE = itertools.count(1)
_MOST_KNOWN = 1 << 16
_LAST_OF_IT = 2 + 3 * 4  # bytes from an IT instruction to the last one that depends on it
_NUMBER = re.compile(r"#[^,\]]*")
_REGISTER = re.compile(r"\b(r\d+|sb|sl|fp|ip|s\d+|d\d|d1[0-5])\b")  # not those that mean something: sp, lr, pc


def _learn(raw: bytes, encoding: int, size: int, mnemonic: str, operands: str) -> Instruction:
    """The last one of `raw`, somewhere. What is before it is its IT block."""
    if len(_KNOWN) >= _MOST_KNOWN:
        for known in (_KNOWN, _ALIKE, _SHAPES):
            known.clear()
    alike = encoding, size, mnemonic, _NUMBER.sub("#", operands)
    if alike not in _ALIKE:
        _ALIKE[alike] = _shaped(raw, *alike).but(alike=next(_NEXT_ALIKE))
    found = _ALIKE[alike].but(text=f"{mnemonic} {operands}".strip())
    _KNOWN[encoding, size, mnemonic, operands] = found
    return found


def _shaped(raw: bytes, encoding: int, size: int, mnemonic: str, operands: str) -> Instruction:
    """From one of the same registers by the order in which they are named first."""
    parts = _REGISTER.split(operands)
    texts, names = parts[::2], parts[1::2]
    singles = [single for name in names for single in _SPLIT.get(name, (name,))]
    order = list(dict.fromkeys(singles))
    kinds = (name[0] if name[1:].isdigit() else "r" for name in names)
    shape = encoding, size, mnemonic, *texts, *kinds, *map(order.index, singles)
    if shape not in _SHAPES:
        *_, last = _CS.disasm(raw, 0)
        _SHAPES[shape] = facts, _ = _facts(last), order
        _ = facts.loads, facts.stores  # `but` takes along what was asked once
    facts, named = _SHAPES[shape]
    own = dict(zip(named, order, strict=True)).get

    def renamed(registers: frozenset[str]) -> frozenset[str]:
        return frozenset(map(own, registers, registers))

    return facts.but(
        reads=renamed(facts.reads),
        writes=renamed(facts.writes),
        address_reads=renamed(facts.address_reads),
        addend=renamed(facts.addend),
        base=own(facts.base, facts.base),
    )


def width(code: bytes, offset: int) -> int:
    """Bytes of the instruction at `offset`: its first five bits tell (Armv7-M Architecture Reference Manual, A5.1).

    Of a single byte, which damaged code can end with, nothing is known: 2.
    """
    return 4 if offset + 1 < len(code) and code[offset + 1] >> 3 >= 0x1D else 2


def _facts(insn: capstone.CsInsn) -> Instruction:
    name = (_CS.insn_name(insn.id) or insn.mnemonic).split(".")[0]
    name = insn.mnemonic if insn.mnemonic.startswith(_SLEEPS) else _UNIFIED.get(name, name)
    reads, writes = (_names(*regs) for regs in insn.regs_access())
    memory = next((op for op in insn.operands if op.type == arm.ARM_OP_MEM), None)
    kind, words = _kind(insn, name)
    address_reads = _address_registers(insn, name, memory)
    addend = _names(insn.operands[0].reg) if name in _FP_MAC else frozenset()
    base = ""
    if insn.writeback and address_reads:
        base = insn.reg_name(memory.mem.base) if memory is not None else next(iter(address_reads))
    it = insn.id == arm_const.ARM_INS_IT
    return Instruction(
        address=insn.address,
        size=insn.size,
        text=f"{insn.mnemonic} {insn.op_str}".strip(),
        name=name,
        kind=kind,
        reads=reads,
        writes=writes,
        address_reads=address_reads,
        addend=addend,
        base=base,
        words=words,
        register_offset=memory is not None and memory.mem.index != 0,
        literal=memory is not None and memory.mem.base == arm_const.ARM_REG_PC,
        branch=_branch(insn, name, writes),
        conditional=not it and insn.cc not in (arm_const.ARM_CC_AL, arm_const.ARM_CC_INVALID),
    )


@cache
def _names(*registers: int) -> frozenset[str]:
    names = (_CS.reg_name(register) for register in registers)
    return frozenset(single for name in names if name for single in _SPLIT.get(name, (name,)))


def _kind(insn: capstone.CsInsn, name: str) -> tuple[str, int]:
    """The row of the price table, and the words that go through memory."""
    if insn.id == arm_const.ARM_INS_IT:
        return "it", 0
    if name in _LOADS_1 or name in _STORES_1:
        wide = name in ("vldr", "vstr") and (_CS.reg_name(insn.operands[0].reg) or "").startswith("d")
        multiple = "_multiple" if wide else ""
        return ("load" if name in _LOADS_1 else "store") + multiple, 2 if wide else 1
    if name in _LOADS_N or name in _STORES_N:
        return "load_multiple" if name in _LOADS_N else "store_multiple", _words(insn, name)
    if name.startswith("v"):
        return _fp_kind(insn, name), 0
    kinds = (
        ("divide", ("udiv", "sdiv")),
        ("table", ("tbb", "tbh")),
        ("nop", ("nop", "hint", "yield", "sev")),
        ("system", _SYSTEM),
        ("barrier", _BARRIERS),
        ("supervisor", ("svc",)),
    )
    for kind, names in kinds:
        if name in names:
            return kind, 0
    if name.startswith(_SLEEPS):
        return "sleep", 0
    if name in ("b", "bl", "bx", "blx", "cbz", "cbnz") or name in _ALU:
        return ("alu" if name in _ALU else "branch"), 0
    return "unknown", 0


def _fp_kind(insn: capstone.CsInsn, name: str) -> str:
    if name == "vmov":
        registers = [_CS.reg_name(op.reg) or "s" for op in insn.operands if op.type == arm.ARM_OP_REG]
        core = sum(one in ("sp", "sb", "sl") or not one.startswith(("s", "d")) for one in registers)
        return ("fp", "fp_move", "fp_move_2")[core]
    for kind, names in (("fp_mac", _FP_MAC), ("fp_slow", _FP_SLOW), ("fp", _FP_ARITHMETIC)):
        if name in names:
            return kind
    return "unknown"


def _words(insn: capstone.CsInsn, name: str) -> int:
    if name in ("ldrd", "strd"):
        return 2
    registers = [_CS.reg_name(op.reg) or "" for op in insn.operands if op.type == arm.ARM_OP_REG]
    if name not in ("push", "pop", "vpush", "vpop"):
        registers = registers[1:]
    return sum(2 if register.startswith("d") else 1 for register in registers)


def _address_registers(insn: capstone.CsInsn, name: str, memory: Any) -> frozenset[str]:
    if memory is not None:
        return _names(*(r for r in (memory.mem.base, memory.mem.index) if r not in (0, arm_const.ARM_REG_PC)))
    if name in ("push", "pop", "vpush", "vpop"):
        return frozenset({"sp"})
    if name in _LOADS_N or name in _STORES_N:
        return _names(insn.operands[0].reg)
    return frozenset()


def _branch(insn: capstone.CsInsn, name: str, writes: frozenset[str]) -> str:
    """How this can leave the straight line: '' not at all."""
    if name in ("tbb", "tbh"):
        return "table"
    if name in ("b", "bl", "cbz", "cbnz", "bx", "blx"):
        return "indirect" if name in ("bx", "blx") and insn.operands[0].type == arm.ARM_OP_REG else "direct"
    if "pc" in writes:
        return "load" if name in _LOADS_1 or name in _LOADS_N else "indirect"
    return ""
