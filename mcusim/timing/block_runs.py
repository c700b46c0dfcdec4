"""Core + Block -> the cycles of each of its instructions, and the core behind them.

A block is run behind many others. After a few instructions the core mostly is in a state that it was in before, only
later: what follows then takes the same cycles, and is not worked out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcusim.timing.core_cycles import Core, Step

_EVERY = 4  # instructions from one look at the state to the next: a look takes as long as an instruction


@dataclass(frozen=True)
class _Rest:
    """What is left of a run: its `costs`, and the core at its end; `now` was it when the rest began.

    `branches`: it ends with a branch, whose target the core then knows.
    """

    costs: Sequence[int]
    end: Core
    now: int
    branches: bool


@dataclass(frozen=True)
class BlockRuns:
    """The instructions of a block, entered in one way, and what is known of runs through it."""

    steps: Sequence[Step]
    _known: dict[tuple[object, ...], _Rest] = field(default_factory=dict)

    def run(self, core: Core) -> tuple[list[int], Core]:
        """`core` is not to be used again: the one behind the block goes on, and may be used once."""
        costs: list[int] = []
        looked: list[tuple[tuple[object, ...], int, int]] = []
        for number, step in enumerate(self.steps):
            if number and number % _EVERY == 0:
                state = number, *core.state(step.instruction.address)
                if state in self._known:
                    rest = self._known[state]
                    costs += rest.costs
                    end = rest.end.moved(core.now - rest.now)
                    core = end if rest.branches else end.came_from(core)
                    break
                looked.append((state, number, core.now))
            costs.append(core.execute(step))
        if looked:
            end, branches = core.copy(), bool(self.steps[-1].instruction.branch)
            for state, number, now in looked:
                self._known[state] = _Rest(costs[number:], end, now, branches)
        return costs, core
