"""Blocks run behind each other by what is known of them, against a core that runs every instruction."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from mcusim.timing.block_runs import BlockRuns, States
from mcusim.timing.core_cycles import Core, Step, begun
from mcusim.timing.decode import decode
from mcusim.timing.parameters import CORTEX_M4F

# Loads that pair or not, a store, a product, floats that wait for each other, a division, 32 bits at odd halfwords.
_PIECES = (
    *("0868", "4a68", "0260", "01fb02f0", "30ee200a", "20ee802a", "a0ee812a", "82ee230a", "91f8003f", "0130"),
    *("08bf", "00bf", "9268", "51f8042b", "d1e90023", "10ee101a", "b1fbf2f3", "c858", "fff7feff"),
)
_BRANCHES = ("fee7", "f8bd", "7047", "fed1")
_MEMORIES = (("", 0, 0), ("flash", 0, 0), ("ram 0", 1, 0), ("ram 1", 0, 1))


def _block(random_: random.Random, at: int) -> list[Step]:
    code = bytes.fromhex("".join(random_.choices(_PIECES, k=random_.randint(1, 40))) + random_.choice(_BRANCHES))
    return [Step(insn, False, *random_.choice(_MEMORIES)) for insn in decode(code, at)]


def test_runs_cost_what_every_instruction_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    executed = [0]
    whole = Core.execute

    def execute(core: Core, step: Step) -> int:
        executed[0] += 1
        return whole(core, step)

    monkeypatch.setattr(Core, "execute", execute)
    random_ = random.Random(15)
    states = States(CORTEX_M4F)
    blocks = [BlockRuns(_block(random_, random_.randrange(0x08000000, 0x08001000, 2)), states) for _ in range(12)]
    paths = [random_.choices(blocks, k=6) for _ in range(60)]
    for path in paths:
        behind, plain = states.begun, begun(CORTEX_M4F)
        for block in path:
            costs, behind = block.run(behind, True)
            assert list(costs) == [plain.execute(step._replace(jumped=n == 0)) for n, step in enumerate(block.steps)]
    every = sum(len(block.steps) for path in paths for block in path)
    assert executed[0] - every < 0.4 * every, "that is what it is there for"


def test_straight_on_behind_any_instruction() -> None:
    """Also behind an IT that takes no part, or that ends a block."""
    random_, states = random.Random(3), States(CORTEX_M4F)
    for _ in range(40):
        steps = _block(random_, random_.randrange(0x08000000, 0x08001000, 2))
        cuts = sorted({0, len(steps), *(random_.randrange(len(steps)) for _ in range(4))})
        behind, plain = states.begun, begun(CORTEX_M4F)
        for begin, end in pairwise(cuts):
            costs, behind = BlockRuns(steps[begin:end], states).run(behind, begin == 0)
            assert list(costs) == [plain.execute(step._replace(jumped=step is steps[0])) for step in steps[begin:end]]


def test_the_ram_that_was_accessed_last_is_not_forgotten() -> None:
    """A look-up waits behind another RAM, and is far behind the block that went there."""
    look_up = "0130" * 8 + "c858"  # adds r0, #1; ldr r0, [r1, r3]
    steps = [
        Step(insn, False, "ram 0" * (n == 8), 0, int(n == 8))
        for n, insn in enumerate(decode(bytes.fromhex(look_up), 0))
    ]
    states, before = States(CORTEX_M4F), decode(bytes.fromhex("0860"), 0x1000)[0]
    found = []
    for ram in ("ram 0", "ram 1"):
        _, behind = BlockRuns([Step(before, memory=ram)], states).run(states.begun, True)
        found.append(BlockRuns(steps, states).run(behind, True)[0][-1])
    assert found == [2, 3]
