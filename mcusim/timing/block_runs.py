"""Core + blocks -> the cycles of each of their instructions, from states of the core that were seen before.

What an instruction takes depends on the core before it, in cycles from then, and on little of the instruction. There
are few of both: what followed once is looked up afterwards, for every block, clock and model of this process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mcusim.timing.core_cycles import Core, Step, begun
from mcusim.timing.decode import Instruction
from mcusim.timing.parameters import CoreParameters

_MOST = 1 << 17  # that are kept of steps from one state to another


@dataclass(frozen=True, eq=False)
class State:
    """Of a core between two instructions. `core` was in it, before that `word` of code. `after`: by keys of steps."""

    core: Core
    word: int
    after: "dict[int, tuple[int, State]]" = field(default_factory=dict)


class Behind(NamedTuple):
    """Where a run goes on: the core, and the instruction that it executed last."""

    state: State
    before: Instruction | None


class States:
    """Those that cores of the same parameters were seen in."""

    def __init__(self, parameters: CoreParameters) -> None:
        self._asked = begun(parameters)  # about instructions
        self._states: dict[tuple[object, ...], State] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._keys: dict[tuple[object, ...], int] = {}
        self._steps = 0
        self.begun = Behind(self._state(begun(parameters), 0), None)

    @property
    def full(self) -> bool:
        return max(self._steps, len(self._keys), len(self._numbers)) > _MOST

    def key(self, before: Instruction | None, step: Step) -> int:
        """The same number for all steps that do the same to the same state."""
        insn = step.instruction
        alike = before.alike if before else -1, insn.alike, insn.address & 2, step[1:]
        number = self._keys.get(alike)
        if number is None:
            facts = (self._asked.told(before, insn), *alike[2:])
            number = self._numbers.setdefault(facts, len(self._numbers))
            if alike[0] and alike[1]:
                self._keys[alike] = number
        return number

    def learn(self, state: State, before: Instruction | None, step: Step) -> tuple[int, State]:
        """Cycles of the step, and what the core is in then."""
        core = state.core.moved(0, (step.instruction.address >> 2) - state.word)
        core.stand_behind(before)
        cost = core.execute(step)
        self._steps += 1
        return cost, self._state(core, step.instruction.end)

    def _state(self, core: Core, address: int) -> State:
        facts = core.state(address)
        if facts not in self._states:
            self._states[facts] = State(core, address >> 2)
        return self._states[facts]

    def follows(self, before: Instruction | None, insn: Instruction) -> Instruction | None:
        """What the next instruction is behind, when `insn` was behind `before`."""
        return before if insn.kind == "it" and self._asked.folds(before, insn) else insn


_STATES: dict[CoreParameters, States] = {}


def states_of(parameters: CoreParameters) -> States:
    """Those that are known, of this process; anew when they became too many."""
    if parameters not in _STATES or _STATES[parameters].full:
        _STATES[parameters] = States(parameters)
    return _STATES[parameters]


@dataclass(frozen=True)
class BlockRuns:
    """The instructions of a block. The first of `steps` is told when it is run whether it was jumped to."""

    steps: Sequence[Step]
    states: States
    _runs: dict[tuple[State, int, bool], tuple[tuple[int, ...], Behind]] = field(default_factory=dict)

    def run(self, behind: Behind, jumped: bool) -> tuple[tuple[int, ...], Behind]:
        """Cycles of each step, and where the next block goes on."""
        entered = behind.state, behind.before.address if behind.before else -1, jumped
        if entered not in self._runs:
            self._runs[entered] = self._run(behind, jumped)
        return self._runs[entered]

    def _run(self, behind: Behind, jumped: bool) -> tuple[tuple[int, ...], Behind]:
        costs = []
        first = self._first
        for number, step in enumerate(self.steps[:first]):
            cost, behind = self._one(behind, step._replace(jumped=jumped) if number == 0 else step)
            costs.append(cost)
        state = behind.state
        for number, key in enumerate(self._keys, first):
            known = state.after.get(key)
            if known is None:
                known = state.after[key] = self.states.learn(state, self._befores[number - first], self.steps[number])
            costs.append(known[0])
            state = known[1]
        return tuple(costs), Behind(state, self._befores[-1] if self._keys else behind.before)

    def _one(self, behind: Behind, step: Step) -> tuple[int, Behind]:
        (state, before), states = behind, self.states
        key = states.key(before, step)
        if key not in state.after:
            state.after[key] = states.learn(state, before, step)
        cost, state = state.after[key]
        return cost, Behind(state, states.follows(before, step.instruction))

    @cached_property
    def _first(self) -> int:
        """Steps that depend on what ran before the block: an IT may take no part, so that the next one does."""
        its = next((n for n, step in enumerate(self.steps) if step.instruction.kind != "it"), len(self.steps))
        return min(its + 1, len(self.steps))

    @cached_property
    def _befores(self) -> Sequence[Instruction | None]:
        """Of each step from the first one on that does not depend on that; and of what comes behind the block."""
        found: list[Instruction | None] = [self.steps[self._first - 1].instruction]
        for step in self.steps[self._first :]:
            insn = step.instruction
            found.append(insn if insn.kind != "it" else self.states.follows(found[-1], insn))
        return found

    @cached_property
    def _keys(self) -> Sequence[int]:
        rest = self.steps[self._first :]
        return (
            [self.states.key(before, step) for before, step in zip(self._befores, rest, strict=False)] if rest else []
        )
