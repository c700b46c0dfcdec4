"""An instruction as a schedule writes it -> its cycles, by the model of the core that prices measured code, too.

`mcusim/timing/` has the rules and the numbers; what is here reads operands as `decode` reads bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from mcusim.timing.core_cycles import Core, Step
from mcusim.timing.decode import Instruction
from mcusim.timing.parameters import CORTEX_M4F, CoreParameters

REFILL = CORTEX_M4F.refill("direct")  # cycles behind a branch that is taken
RETURN = CORTEX_M4F.refill("load")  # behind a POP of the program counter
MOST_KNOWN = 8192  # instructions
FLASH_BUS = "code"  # as edge_cycles.py calls it
_MULTIPLE = ("ldrd", "strd", "ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")
_BITS = ("bfc", "bfi", "bic")  # that are no branches
_NO_RESULT = ("cmp", "cmn", "tst", "teq", "vcmp", "vmsr")
_TWO_RESULTS = ("smlald", "umull", "smull", "umlal", "smlal", "ldrd")
_SLOW = ("vdiv", "vsqrt")
_FP_MAC = ("vmla", "vmls", "vfma", "vfms", "vfnma", "vfnms")
_WORD = re.compile(r"[a-zA-Z_]\w*")
_RANGE = re.compile(r"\b([rs])(\d+)-[rs](\d+)")
_SHIFTS = frozenset({"lsl", "lsr", "asr", "ror", "rrx"})


class Clock:
    """Instructions in the order in which they are written, each once; branches are taken."""

    def __init__(self, registers: Mapping[str, str], parameters: CoreParameters = CORTEX_M4F) -> None:
        """`registers`: what names stand for; more may come."""
        self._registers, self._parameters = registers, parameters
        self._core = Core(parameters, now=3)  # its first word is there
        self._at, self._jumped = 0, False
        self._passed: set[object] = set()  # labels
        self.in_flash: set[str] = set()  # registers that point there
        self._known: dict[str, str] = {}  # operands, with registers instead of names

    def __call__(self, base: str, operands: Sequence[object], size: int) -> int:
        """Cycles of an instruction of `size` bytes. A branch to what comes later, and an end, take the refill, too.

        The branch that calls a function is its caller's.
        """
        found = self.read(base, map(str, operands), size)
        cycles = self._core.execute(Step(found, self._jumped, FLASH_BUS if found.address_reads & self.in_flash else ""))
        self._jumped = False
        self._at += size
        if found.branch and operands[-1] not in self._passed:
            cycles += self._parameters.refill(found.branch)
        return cycles

    def label(self, name: str) -> int:
        """What comes next is jumped to, from further on: the refill is its own. -> 0 cycles."""
        self._passed.add(name)
        self._core.execute(Step(Instruction(self._at, 4, "b", "b", "branch", branch="direct")))
        self._jumped = True
        return 0

    def forget(self) -> None:
        """A name stands for another register from here on."""
        self._known.clear()

    def read(self, base: str, operands: Iterable[str], size: int) -> Instruction:
        """As `decode` would of its bytes."""
        found = _read(base, tuple(map(self._named, operands)), size)
        return found.but(address=self._at, end=self._at + size)

    def _named(self, operand: str) -> str:
        """With registers instead of names."""
        if operand not in self._known:
            self._known[operand] = _WORD.sub(lambda word: self._registers.get(word[0], word[0]), operand)
        return self._known[operand]


@lru_cache(maxsize=MOST_KNOWN)
def _read(base: str, operands: tuple[str, ...], size: int) -> Instruction:
    """Most are written often, in all routines: what they are is read once. At address 0."""
    if base in ("push", "pop") and len(_words(operands[0])) == 1:  # of one register it is another instruction
        moved = ("[sp, #-4]!",) if base == "push" else ("[sp]", "#4")
        return _read("str" if base == "push" else "ldr", (operands[0].strip("{}"), *moved), size)
    text = ", ".join(operands)
    branch = _branch(base, text)
    if branch and base not in ("pop", "ldr"):
        reads = writes = address = frozenset[str]()
    else:
        address = frozenset(_words(text[text.find("[") : text.find("]") + 1]))
        reads, writes = _used(base, operands)
    kind, words = _kind(base, operands)
    moves = "!" in text or bool(re.search(r"\], *#", text))
    if kind.endswith("_multiple") and "[" not in text:
        address = frozenset(_words(operands[0]) if base[-3:] in ("ldm", "stm") else ["sp"])
    return Instruction(
        address=0,
        size=size,
        text=text,
        name="b" if branch == "direct" else "vmov" if base.startswith("vmov") else base,  # under any condition
        kind=kind,
        reads=reads | address,
        writes=writes | (address if moves else frozenset()),
        address_reads=address,
        addend=writes if base in _FP_MAC else frozenset(),
        base=next(iter(address), "") if moves else "",
        words=words,
        register_offset=len(address) > 1,
        branch=branch,
    )


def _used(base: str, operands: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Registers that are read and those that are written, but for a pointer that moves."""
    stack = frozenset({"sp"} if base.lstrip("v") in ("push", "pop") else ())
    if base in ("push", "vpush") or base.startswith(("str", "stm", "vst", "it", *_NO_RESULT)):
        return frozenset(_words(", ".join(operands))), stack
    if base in _MULTIPLE and base != "ldrd":
        return frozenset(), frozenset(_words(operands[-1])) | stack
    results = 2 if base in _TWO_RESULTS or (base == "vmov" and len(operands) > 2) else 1
    written = _words(", ".join(operands[:results]))
    also_read = written if base in (*_FP_MAC, "smlald", "umlal", "smlal", "movt", "bfi", "bfc") else ()
    return frozenset(_words(", ".join(operands[results:])) + also_read), frozenset(written)


def _kind(base: str, operands: Sequence[str]) -> tuple[str, int]:
    """As of `decode`, and how many words go through memory."""
    if base in _MULTIPLE or base.startswith(("ldm", "stm")):
        loads = base.lstrip("v").startswith(("ld", "pop"))
        words = 2 if base in ("ldrd", "strd") else len(_words(operands[-1]))
        return "load_multiple" if loads else "store_multiple", words
    if base.lstrip("v").startswith(("ldr", "str")):
        return ("load" if base.lstrip("v").startswith("ldr") else "store"), 1
    if base.startswith("it"):
        return "it", 0
    if base.startswith("vmov") and not base.startswith("vmovn"):
        core = sum(not _words(one) or not _words(one)[0].startswith("s") for one in operands[:3])
        return ("fp", "fp_move", "fp_move_2")[min(core, 2)] if "#" not in operands[-1] else "fp", 0
    if base.startswith("v"):
        return ("fp_mac" if base in _FP_MAC else "fp_slow" if base in _SLOW else "fp"), 0
    if base in ("udiv", "sdiv"):
        return "divide", 0
    return ("branch" if _branch(base, ", ".join(operands)) else "alu"), 0


def _words(text: str) -> tuple[str, ...]:
    """Registers that it names."""
    whole = _RANGE.sub(lambda found: ", ".join(_span(*found.groups())), text)
    return tuple(word for word in _WORD.findall(whole) if word not in _SHIFTS)


def _span(letter: str, first: str, last: str) -> list[str]:
    return [f"{letter}{number}" for number in range(int(first), int(last) + 1)]


def _branch(base: str, text: str) -> str:
    """How it leaves the straight line: '' not at all."""
    if base in ("pop", "ldm", "ldr") and re.search(r"\bpc\b", text.split("[", maxsplit=1)[0]):
        return "load"
    if base in ("bx", "blx"):
        return "indirect"
    return "direct" if base in ("cbz", "cbnz") or (base.startswith("b") and base not in _BITS) else ""
