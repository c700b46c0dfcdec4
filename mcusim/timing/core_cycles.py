"""Instructions in the order of their execution -> cycles of each, on a Cortex-M4F without wait states.

The core is in-order and single-issue. A cycle count is the time that passes until the next instruction could begin,
so a stall belongs to the instruction that waits. A cost depends on what ran before and not on what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mcusim.timing.decode import Instruction
from mcusim.timing.parameters import CoreParameters

_FP_KINDS = frozenset({"fp", "fp_mac", "fp_slow", "fp_move", "fp_move_2"})
_HIDDEN = frozenset({"it", "nop"})
_SINGLE = frozenset({"load", "store"})
# No FPU writes them.
_OF_THE_CORE = frozenset({*(f"r{n}" for n in range(16)), "sb", "sl", "fp", "ip", "sp", "lr", "pc"})
IN_FLASH = "flash"  # as a memory of a `Step`
_LONG_AGO = 32  # cycles: whatever was asked for then is there
_AVAILABLE = 2  # cycles from the request of a word to its decoding: address phase, data phase


class Step(NamedTuple):
    """One executed instruction.

    `jumped`: it was reached by a taken branch, not by falling through. `memory`: where its data lies, `IN_FLASH` or
    some RAM. What a load takes more there when it is not behind another one: `single_load` always, `load_after_other`
    with a register offset when the access to RAM before it went to another one.
    """

    instruction: Instruction
    jumped: bool = False
    memory: str = ""
    single_load: int = 0
    load_after_other: int = 0


class FetchQueue:
    """Words of code on their way to the decoder (Arm KB ka8521: three words, aligned, decoupled from decoding).

    A word is asked for as soon as the bus and one of the three places are free, and leaves when the decoder has taken
    its last halfword. That alone gives the cycle that is lost for every three 32-bit instructions at odd halfwords
    (Arm KA006138).
    """

    def __init__(self, words: int) -> None:
        self._words = words
        self._ready: dict[int, int] = {}
        self._freed: dict[int, int] = {}
        self._last, self._asked = -2, 0
        self._taken: set[int] = set()

    def restart(self, word: int, time: int) -> None:
        """A branch to `word` was taken; its address is on the bus at `time`."""
        self._ready, self._freed, self._taken = {}, {}, set()
        self._last, self._asked = word - 1, time - 1

    def moved(self, cycles: int, words: int) -> FetchQueue:
        """The same one, so much later, in other code. What no longer decides over anything is left behind."""
        other, oldest = FetchQueue(self._words), self._last - self._words
        other._ready = {word + words: time + cycles for word, time in self._ready.items() if word > oldest}
        other._freed = {word + words: time + cycles for word, time in self._freed.items() if word > oldest}
        other._taken = {time + cycles for time in self._taken if time > self._asked}
        other._last, other._asked = self._last + words, self._asked + cycles
        return other

    def state(self, word: int, now: int) -> tuple[object, ...]:
        """All that decides when `word` and those behind it are there, in cycles from `now`."""
        last, asked, freed = self._last, self._asked, self._freed
        return (
            last - word,
            asked - now,
            *[self._ready[at] - now for at in range(word, last + 1)],
            *[max(freed.get(at, asked), asked) - now for at in range(last + 1 - self._words, last + 1)],
            *sorted([time - now for time in self._taken if time > asked]),
        )

    def lose(self, time: int) -> None:
        """The bus is taken in that cycle, by the target of a branch that was then not taken."""
        self._taken.add(time)

    def ready(self, word: int) -> int:
        """The cycle in which `word` can be decoded."""
        while self._last < word:
            following, asked = self._last + 1, self._asked
            asked = max(asked, self._freed.get(following - self._words, asked)) + 1
            while asked in self._taken:
                asked += 1
            self._ready[following] = asked + _AVAILABLE
            self._last, self._asked = following, asked
        return self._ready[word]

    def free(self, word: int, time: int) -> None:
        ready = self._ready[word]
        self._freed[word] = time if time > ready else ready


@dataclass
class Core:
    """State of the core between instructions. `execute` returns the cycles by which one moves the end forward."""

    parameters: CoreParameters
    now: int = 0

    def __post_init__(self) -> None:
        self._queue = FetchQueue(self.parameters.queue_words)
        self._before: Instruction | None = None
        self._decoded = 0  # when the instruction before entered the decoder
        self._began = 0  # when it began to execute
        self._target_at = 0  # when the address of a taken branch is on the bus
        self._fp_free = 0
        self._fp_ready: dict[str, int] = {}
        self._queue_started = False
        self._memory = ""
        self._ram: str | None = None  # that was accessed last
        p = self.parameters
        self._durations = {
            "alu": 1,
            "branch": 1,
            "divide": p.divide,
            "table": p.table_branch + 1,
            "system": p.system,
            "barrier": p.barrier,
            "sleep": p.sleep,
            "supervisor": p.exception,
            "unknown": p.unknown,
        }

    def moved(self, cycles: int, words: int) -> Core:
        """One that goes on from here by itself, so much later, in other code."""
        other = object.__new__(Core)
        other.__dict__.update(self.__dict__)
        other._queue = self._queue.moved(cycles, words)
        other._fp_ready = {name: time + cycles for name, time in self._fp_ready.items() if time > self.now}
        for name in ("now", "_decoded", "_began", "_target_at", "_fp_free"):
            other.__dict__[name] += cycles
        return other

    def state(self, address: int) -> tuple[object, ...]:
        """All that decides over the cycles of what follows, from the instruction at `address` on or by a jump.

        But for the instruction that it was behind: `told` has that.
        """
        now = self.now
        return (
            self._queue_started,
            max(self._target_at - now, -_LONG_AGO),
            self._memory,
            self._ram,
            self._decoded - now,
            self._began - now,
            max(self._fp_free - now, 0),
            self._queue.state(address >> 2, now),
            *sorted((name, time - now) for name, time in self._fp_ready.items() if time > now),
        )

    def told(self, before: Instruction | None, insn: Instruction) -> tuple[object, ...]:
        """All that decides over what `insn` does behind `before`, but its address and its memory."""
        fp = insn.kind in _FP_KINDS
        return (
            self._stands(before, insn),
            insn.kind,
            insn.size,
            insn.words,
            insn.register_offset,
            insn.literal,
            insn.branch,
            insn.name if fp or insn.branch else "",
            insn.reads - _OF_THE_CORE,
            (insn.addend, insn.writes) if fp else (),
        )

    def folds(self, before: Instruction | None, insn: Instruction) -> bool:
        """Does it vanish?"""
        return self._stands(before, insn)[0]

    def stand_behind(self, before: Instruction | None) -> None:
        """Says what it executed last."""
        self._before = before

    def execute(self, step: Step) -> int:
        insn, before, now = step.instruction, self._before, self.now
        kind = insn.kind
        decoded = self._decode(step)
        begin = now if now > decoded else decoded + 1
        other_memory, self._memory = step.memory != self._memory, step.memory
        hidden, behind, late = self._stands(before, insn)
        if hidden:
            self._decoded = decoded
            self._before = insn if kind != "it" else before
            self.now = max(now, decoded)
            return self.now - now
        if behind and not (other_memory and self.parameters.pair_same_memory):
            began = max(begin - 1, self._began + 1, self._decoded + 1)
        else:
            began = self._begin(insn, max(begin, now + late))
        duration = self._durations.get(kind)
        end = began + (self._duration(insn, began) if duration is None else duration)
        if kind == "load" and not behind:
            end += step.single_load
            if insn.register_offset and self._ram not in (None, step.memory):
                end += step.load_after_other
        if (insn.loads or insn.stores) and step.memory != IN_FLASH:
            self._ram = step.memory
        if insn.branch:
            self._leave(insn, began, end)
        else:
            self._target_at = now - _LONG_AGO
        self._decoded, self._began, self._before = decoded, began, insn
        if end <= now:
            return 0
        self.now = end
        return end - now

    # ---- fetch and decode

    def _decode(self, step: Step) -> int:
        """When the instruction enters the decoder: its last halfword is there, and the one before has left."""
        insn, queue = step.instruction, self._queue
        behind = insn.address + insn.size
        first, last = insn.address >> 2, (behind - 1) >> 2
        if step.jumped or not self._queue_started:
            queue.restart(first, self._target_at)
            self._queue_started = True
            decoded = queue.ready(last)
            free_first = queue.ready(first)
        else:
            decoded = queue.ready(last)
            if decoded < self._began:
                decoded = self._began
            free_first = self._decoded + 1
        if last != first:
            queue.free(first, free_first)
        if behind & 3 == 0:
            queue.free(last, decoded)
        return decoded

    def _leave(self, insn: Instruction, began: int, end: int) -> None:
        """The earliest address phase of the target: P cycles of refill after the branch (TRM table 3-1)."""
        self._target_at = end + self.parameters.refill(insn.branch) - _AVAILABLE - 1
        if insn.name in ("b", "cbz", "cbnz") and self.parameters.not_taken_fetch:
            self._queue.lose(began - 1)

    # ---- execute

    def _stands(self, before: Instruction | None, insn: Instruction) -> tuple[bool, bool, int]:
        """Does `insn` take no cycle of its own behind `before`? Does it pair with it? Else, how long does it wait?"""
        if before is None:
            return False, False, 0
        if insn.kind in _HIDDEN:
            return self._hidden(before, insn), False, 0
        if not (insn.loads or insn.stores):
            return False, False, 0
        behind = insn.kind in _SINGLE and before.kind == "load" and self._pairs(insn, before)
        return False, behind, self._late(before, insn)

    def _hidden(self, before: Instruction, insn: Instruction) -> bool:
        p = self.parameters
        if insn.kind == "it":
            return bool(p.fold_it and before.size == 2 and not before.branch)
        if not p.nop_hidden:
            return False
        return before.kind == "load" or (before.kind == "store" and before.register_offset)

    def _late(self, before: Instruction, insn: Instruction) -> int:
        p, late = self.parameters, 0
        if insn.address_reads & (before.writes if not before.loads else before.writes - {before.base}):
            late = p.address_after_load if before.loads else p.address_after_alu
        if before.kind == "store" and insn.loads:
            late = max(late, p.load_after_store)
        return late

    def _begin(self, insn: Instruction, earliest: int) -> int:
        """Of one that does not pair."""
        begin = earliest
        if insn.kind in _FP_KINDS:
            begin = max(begin, self._fp_free)
        if self._fp_ready:
            for name in insn.reads:
                begin = max(begin, self._fp_ready.get(name, 0) - (name in insn.addend))
        return begin

    def _pairs(self, insn: Instruction, load: Instruction) -> bool:
        """Its address phase overlaps the data phase of the load before it (TRM 3.3.2, rules 2 to 4)."""
        p = self.parameters
        if load.branch or (insn.stores and not p.store_hides_load):
            return False
        late = load.writes - {load.base} if p.pair_behind_write_back else load.writes
        return not insn.address_reads & late

    def _duration(self, insn: Instruction, began: int) -> int:
        """Where it depends on more than the kind."""
        p = self.parameters
        if insn.kind in ("load_multiple", "store_multiple"):
            return 1 + insn.words * p.transfer
        if insn.kind == "store":
            return p.store_register_offset if insn.register_offset else p.store
        if insn.kind == "load":
            return p.load + (p.literal_load if insn.literal else 0)
        return self._fp_duration(insn, began) if insn.kind in _FP_KINDS else 1

    def _fp_duration(self, insn: Instruction, began: int) -> int:
        p = self.parameters
        longer = {"fp_mac": p.fp_mac, "fp_slow": p.fp_slow, "fp_move": p.fp_move, "fp_move_2": p.fp_move_2}
        busy = longer.get(insn.kind, 1)
        issue = {"fp_mac": p.fp_mac - p.mac_overlap, "fp_slow": 1}.get(insn.kind, busy)
        self._fp_free = began + busy
        if insn.kind in ("fp", "fp_mac", "fp_slow") and insn.name not in ("vmov", "vcmp", "vcmpe", "vmrs", "vmsr"):
            for name in insn.writes:
                self._fp_ready[name] = began + busy + p.fp_result
        return issue


def begun(parameters: CoreParameters) -> Core:
    """A core whose first word of code is there."""
    return Core(parameters, now=_AVAILABLE)
