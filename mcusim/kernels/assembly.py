"""A schedule in Python -> the text of a function in assembly: register map, blocks with their comments, instructions.

Every instruction has 32 bits (but IT and BX). So loops lie on whole words, which the core fetches without a lost cycle,
and the bytes of a function are known before any assembler saw it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mcusim.kernels.instructions import Clock
from mcusim.program import ASSEMBLY, KernelCall, Routine

WORD_BYTES, HALFWORD_BYTES = 4, 2
PART = -1  # in place of the size of an instruction, where a part of a function begins
ALIGNMENT = 5  # of a function, as a power of two: a line of the instruction cache
LONGEST_OFFSET = 4095  # of a load or store of one word
SAVED = tuple(f"r{number}" for number in range(4, 12))  # of the caller, to whom they come back as they were
LONGEST_STEP = 255  # of a pointer that moves with a load
# What has a form of 16 bits, which `.w` rules out; all others have 32 anyway.
_MNEMONICS = """
    adc add and asr b bic cmn cmp eor ldm ldr ldrb ldrh ldrsb ldrsh lsl lsr mov mvn neg orr pop push ror rsb sbc stm str
    strb strh sub sxtb sxth tst uxtb uxth nop bne beq blt bge bgt ble bhi bls bcs bcc bmi bpl
    adds ands subs lsls lsrs asrs movs movlt movgt
"""
_NARROW = frozenset(_MNEMONICS.split())


class Assembly:
    """One function. `summary` says what it computes; blocks follow as they run."""

    def __init__(self, name: str, summary: Iterable[str]) -> None:
        self.name = name
        self._head = list(summary)
        self._map: list[str] = []
        self._body: list[str] = []
        self._bytes = 0
        self._cycles = 0.0
        self._pushed = self._deepest = 0
        self._registers: dict[str, str] = {}
        self._clock, self._unpriced = Clock(self._registers), list[tuple[str, tuple[object, ...], int]]()
        self._labels = 0
        self._open = self._part = ""
        self._parts: defaultdict[str, float] = defaultdict(float)
        self._part_bytes: defaultdict[str, int] = defaultdict(int)

    def register(self, name: str, register: str, meaning: str = "", *, in_flash: bool = False) -> str:
        """`name` stands for `register` from here on. `in_flash`: what it points to."""
        if self._registers.get(name, register) != register:
            self._price()
            self._clock.forget()
        self._registers[name] = register
        if in_flash:
            self._clock.in_flash.add(register)
        comment = f"/* {meaning} */" if meaning else ""
        self._map.append(f"    {name:<12} .req    {register:<4}{comment}".rstrip())
        return name

    def block(self, comment: str) -> None:
        """What the next instructions are for."""
        self._body += ["", f"    /* {comment} */"]

    def __call__(self, mnemonic: str, *operands: object, comment: str = "") -> None:
        """One instruction. Shifts of the last operand are a string: `"asr #3"`."""
        base = mnemonic.partition(".")[0]
        wide = f"{mnemonic}.w" if mnemonic in _NARROW and not _is_wide(base, operands) else mnemonic
        line = f"    {wide:<8} {', '.join(map(str, operands))}".rstrip()
        self._body.append(f"{line:<44}/* {comment} */" if comment else line)
        size = HALFWORD_BYTES if base.startswith(("it", "bx")) else WORD_BYTES
        self._bytes += size
        self.pushed(_pushed_bytes(base, operands))
        self._unpriced.append((base, operands, size))

    def label(self, meaning: str) -> str:
        """A place to jump to, on a whole word; -> its name."""
        self._labels += 1
        name = f".L{self.name}_{meaning}_{self._labels}"
        self._body.append(f"{name}:")
        self._unpriced.append((name, (), 0))
        return name

    def place(self, meaning: str) -> None:
        """A label that is jumped to from before: `.L<function>_<meaning>`."""
        self._body.append(f".L{self.name}_{meaning}:")

    @contextmanager
    def loop(self, meaning: str, comment: str) -> Iterator[str]:
        """Around what is repeated; the body ends with its own branch to the label that it is given."""
        self.block(comment)
        yield self.label(meaning)

    @contextmanager
    def counted(self, meaning: str, comment: str, counter: str, times: int | None = None) -> Iterator[None]:
        """A loop of so many turns, which `cycles` know of, one alone is none; None for as many as `counter` holds."""
        if times and times > 1:
            self("movw", counter, imm(times))
        since = self.cycles if times else 0.0
        with self.loop(meaning, comment) as again:
            yield
            if times != 1:
                self("subs", counter, counter, imm(1))
                self("bne", again)
        if times:
            self.repeated(since, times)

    @property
    def code_bytes(self) -> int:
        return self._bytes

    @property
    def stack_bytes(self) -> int:
        """The deepest that it goes, of PUSH, VPUSH and SUB from the stack pointer, as they are written."""
        return self._deepest

    def pushed(self, more_bytes: int) -> None:
        """By what a loop pushes in its other turns; negative for what is taken off."""
        self._pushed += more_bytes
        self._deepest = max(self._deepest, self._pushed)

    @property
    def cycles(self) -> float:
        """Of all instructions so far, each once, on a Cortex-M4 that waits for no memory; see `repeated`."""
        self._price()
        return self._cycles

    def _price(self) -> None:
        """Only where somebody asks: it takes longer than to write them."""
        for base, operands, size in self._unpriced:
            if size == PART:
                self._part = base
                continue
            cycles = self._clock(base, operands, size) if size else self._clock.label(base)
            self._cycles += cycles
            self._parts[self._part] += cycles
            self._part_bytes[self._part] += size
        self._unpriced.clear()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Instructions whose cycles `parts` tells apart, but for those in a part inside of it."""
        outer, self._open = self._open, name
        self._unpriced.append((name, (), PART))
        yield
        self._open = outer
        self._unpriced.append((outer, (), PART))

    @property
    def parts(self) -> Mapping[str, float]:
        """Cycles of each part, each instruction once; "" is what is in none."""
        self._price()
        return self._parts

    @property
    def part_bytes(self) -> Mapping[str, int]:
        """Likewise of code."""
        self._price()
        return self._part_bytes

    def waits(self, cycles: float) -> None:
        """What the last instructions take besides, for reasons that their prices do not know."""
        self._cycles += cycles

    def repeated(self, since: float, times: float) -> None:
        """What came since `cycles` had that value runs so often altogether: the end of a loop."""
        once = self.cycles
        self._cycles = once + (times - 1) * (once - since)

    def routine(self, signature: str, twin: KernelCall, guard: str = ASSEMBLY) -> Routine:
        """The function as it was written; the rest as in Routine."""
        return Routine(self.name, self.text, self.code_bytes, signature, twin, guard, self.stack_bytes)

    @property
    def text(self) -> str:
        """As a file ends up, but for what the compiler's preprocessor has to know first."""
        return "\n".join(
            [
                *_comment(self._head),
                "    .syntax unified",
                "    .thumb",
                "",
                *self._map,
                "",
                f'    .section .text.{self.name}, "ax", %progbits',
                f"    .p2align {ALIGNMENT}",
                f"    .global {self.name}",
                f"    .type   {self.name}, %function",
                f"{self.name}:",
                *self._body,
                "",
                f"    .size   {self.name}, . - {self.name}",
            ]
        )


class Timed(NamedTuple):
    """A routine; cycles of a call of it but for what it repeats, and of each of these: tiles, channels, words, rows."""

    routine: Routine
    call: float
    each: float = 0.0

    def cycles(self, times: float) -> float:
        return self.call + times * self.each


def _is_wide(base: str, operands: Sequence[object]) -> bool:
    """Loads and stores below an address, or that move it, have no other form: clang takes no `.w` there."""
    moves = (len(operands) > 2 and str(operands[-2]).endswith("]")) or str(operands[-1]).endswith("!")
    return base[:3] in ("ldr", "str") and (moves or "#-" in str(operands[-1]))


def at(base: str, offset: int = 0) -> str:
    """`[base, #offset]`"""
    return f"[{base}, #{offset}]" if offset else f"[{base}]"


def several(names: Iterable[str]) -> str:
    """A list of registers for LDM, STM, PUSH and POP."""
    return f"{{{', '.join(names)}}}"


def imm(value: int) -> str:
    return f"#{value}"


def constant(a: Assembly, register: str, value: int) -> None:
    """Any 32 bits into a register, in one or two instructions."""
    value &= 0xFFFFFFFF
    a("movw", register, imm(value & 0xFFFF))
    if value >> 16:
        a("movt", register, imm(value >> 16))


def add_constant(a: Assembly, register: str, value: int, spare: str) -> None:
    """register += value, which may be negative. `spare` is lost where 12 bits do not hold it."""
    if value == 0:
        return
    if abs(value) <= LONGEST_OFFSET:
        a("addw" if value > 0 else "subw", register, register, imm(abs(value)))
        return
    constant(a, spare, abs(value))
    a("add" if value > 0 else "sub", register, register, spare)


def _pushed_bytes(base: str, operands: tuple[object, ...]) -> int:
    """0 of what returns, since an end in the middle of a function does not end it."""
    names = str(operands[-1]) if operands else ""
    if base in ("push", "vpush", "pop", "vpop"):
        return 0 if "pc" in names else _listed(names) * WORD_BYTES * (1 if base.endswith("push") else -1)
    if base in ("sub", "add") and operands[0] == "sp" and names.startswith("#"):
        return int(names[1:]) * (1 if base == "sub" else -1)
    return 0


def _listed(names: str) -> int:
    """Registers of a list, which may be a range of the FPU's."""
    first, dash, last = names.strip("{}").partition("-")
    return int(last[1:]) - int(first[1:]) + 1 if dash else names.count(",") + 1


def _comment(lines: list[str]) -> list[str]:
    first, *rest = lines
    return [f"/* {first}", *(f" * {line}".rstrip() for line in rest), " */"]
