"""Some seeds -> a model each, side by side in one firmware, in QEMU on both boards: the bits of `Graph.run`.

Of reals the bits of plain C on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines.engine import numbers
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import Destination, Limit
from mcusim.line.destination import destination_of
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.errors import MissingToolError
from mcusim.system.toolchain import find_arm_tool
from mcusim.workloads.generated import make_firmware
from tests.jobs import run as run_job
from tools.fuzz.choices import FORCED, Choice
from tools.fuzz.fronts import FRONTS, WIDE, Front
from tools.fuzz.graphs import Setting, Tried, judge, made, setting_of
from tools.fuzz.kind import Kind, NotHere, Outcome

BOARDS = ("nucleo_l452re_p", "sparkfun_edge")
TOGETHER, LONGEST_S = 8, 1800.0
WIDE_TOGETHER = 2  # that every board's flash has room for
SAMPLES = 4
SLOW = ("keras", "pt2")  # to import, too
USUAL = tuple(front for front in FRONTS if front is not WIDE and front.name not in SLOW)


def run(name: str, fronts: Sequence[Front], seeds: Sequence[int], folder: Path) -> Outcome:
    """`name`: of the kind."""
    outcome, group = Outcome(), seeds[0] // TOGETHER
    _demand_tools()
    random = np.random.default_rng([group, 11])
    front = fronts[int(random.integers(len(fronts)))]
    for number, board in enumerate(map(load_board, BOARDS)):
        setting = setting_of(name, seeds[0], _choices(board))
        tried = [one for seed in seeds if (one := _made(front, seed, setting, folder, outcome, number)) is not None]
        if tried:
            judge(tried, setting.choice, outcome, partial(_answers, board, folder))
            outcome.counts[f"boards: {board.name}"] += len(tried)
    return outcome


def _made(front: Front, seed: int, setting: Setting, folder: Path, outcome: Outcome, number: int) -> Tried | None:
    """Counted once, whatever boards it runs on."""
    mine = outcome if number == 0 else Outcome()
    found = made(front, seed, setting, folder, mine)
    return found and replace(found, x=found.x[:SAMPLES])


def _demand_tools() -> None:
    try:
        find_arm_tool("gcc")
    except MissingToolError as error:
        raise NotHere(error.what) from None
    if lacking := qemu.missing():
        raise NotHere(lacking.what)


def _answers(board: Board, folder: Path, graph: Graph, x: Array, program: Program) -> Array:
    firmware = make_firmware(emit_library(program), qemu.FACTS, board, folder / board.name)
    execution = run_job(qemu, firmware, board, graph.encode(x), folder / f"{board.name}-run")
    assert execution.complete, "it did not run to its end"
    return numbers(execution.answers, graph.answer_dtype)


def _choices(board: Board) -> tuple[Choice, ...]:
    """As somebody would have them who builds for it."""
    usual = destination_of(board, Target())
    moved = destination_of(board, Target(code_in_ram=True)) if board.memory.code_ram else usual

    def chosen(there: Destination, graph: Graph, _random: np.random.Generator) -> Program:
        return lower(graph, there)

    def little(graph: Graph, random: np.random.Generator) -> Program:
        arena = lower(graph, usual).arena_bytes
        ram = Limit(int(arena * random.uniform(0.1, 1.2)) + 200)
        return lower(graph, replace(usual, ram=ram, flash=Limit(int(2 ** random.uniform(10, 17)))))

    return (
        *(Choice("chosen", partial(chosen, usual)),) * 4,
        *(Choice("code in RAM", partial(chosen, moved)),) * 2,
        *(Choice("little RAM", little),) * 2,
        *FORCED,
    )


KINDS = (
    Kind("boards", TOGETHER, LONGEST_S, partial(run, "boards", USUAL)),
    Kind("wide on boards", WIDE_TOGETHER, LONGEST_S, partial(run, "wide on boards", (WIDE,))),
)
