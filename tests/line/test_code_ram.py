"""Routines that run from RAM: which they are, where they lie, that nothing else changes, and what that saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.engines.engine import numbers
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import Limit
from mcusim.line.code_ram import code_ram_bytes, with_code_in_ram
from mcusim.line.destination import destination_of
from mcusim.line.emit import CODE_RAM, emit_library
from mcusim.line.knapsack import cycles
from mcusim.line.lower import lowered, options_of
from mcusim.line.quantize import quantize
from mcusim.line.select import Choice, ram_bytes, select
from mcusim.system.errors import ConfigurationError
from mcusim.timing.time_counts import time_counts
from mcusim.timing.timing import Timing
from mcusim.workloads.generated import make_firmware
from tests.graphs import Builder
from tests.jobs import run

BOARD = load_board("nucleo_l452re_p").model_copy(update={"clock_hz": 80_000_000})
SAMPLES = Builder((64, 16), seed=3).samples(2)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Loops of two routines that are larger than the cache together, and small ones."""
    builder = Builder((64, 16), seed=3)
    builder.conv(32, 3, padding="same")
    builder.conv(32, 3, padding="same")
    builder.conv(16, 1)
    builder.add("GlobalMaxPooling1D")
    builder.dense(5)
    return quantize(builder.graph(), builder.samples(), "int8", weights="rounded")


def chosen(graph: Graph, how: bool | Literal["auto"], board: Board = BOARD) -> Choice:
    destination = destination_of(board, Target(code_in_ram=how))
    options = options_of(graph, destination)
    return with_code_in_ram(Choice(graph, select(graph, options, destination), options, destination))


def moved(choice: Choice) -> set[str]:
    return {name for option in choice.selected.values() for name in option.in_ram}


def saved(choice: Choice) -> float:
    return sum(option.saved for option in choice.selected.values())


def test_where_the_flash_is_slow_and_never_where_nobody_wants_it(graph: Graph) -> None:
    slow, always = chosen(graph, "auto"), chosen(graph, True)
    assert moved(slow) and moved(slow) <= moved(always) and saved(slow) > 0.02 * 0.95 * cycles(slow.selected)
    fast = BOARD.model_copy(update={"clock_hz": 16_000_000})  # no wait states
    assert not moved(chosen(graph, False)) and not moved(chosen(graph, True, fast))
    assert not moved(chosen(graph, "auto", load_board("sparkfun_edge")))
    medium = BOARD.model_copy(update={"clock_hz": 48_000_000})
    assert not moved(chosen(graph, "auto", medium)) and moved(chosen(graph, True, medium))


def test_a_board_without_such_memory_says_so() -> None:
    with pytest.raises(ConfigurationError, match="'sparkfun_edge' names no RAM for code") as told:
        destination_of(load_board("sparkfun_edge"), Target(code_in_ram=True))
    assert told.value.where == "[target] code_in_ram" and told.value.hint


def test_memory_is_not_exceeded(graph: Graph) -> None:
    whole = chosen(graph, True)
    sizes = {r.name: r.code_bytes for option in whole.selected.values() for r in option.code.routines}
    need = code_ram_bytes(whole.selected)
    assert need >= sum(sizes[name] for name in moved(whole)) and need < 32_768
    small = replace(whole, destination=replace(whole.destination, code_ram=need - 32))
    assert 0 < code_ram_bytes(with_code_in_ram(_flat(small)).selected) <= need - 32
    taken = ram_bytes(graph, whole.selected)
    limit = Limit(taken + need // 2, "[target] ram_max")
    tight = with_code_in_ram(_flat(replace(whole, destination=replace(whole.destination, ram=limit))))
    assert 0 < code_ram_bytes(tight.selected) <= need // 2
    full = replace(whole.destination, flash=Limit(0, "[target] flash_max"))
    assert not moved(with_code_in_ram(_flat(replace(whole, destination=full))))


def _flat(choice: Choice) -> Choice:
    """As before anything was moved."""
    own = {name: replace(option, in_ram=frozenset(), saved=0.0) for name, option in choice.selected.items()}
    return replace(choice, selected=own)


@pytest.mark.arm
def test_the_same_answers_in_fewer_cycles(graph: Graph, tmp_path: Path) -> None:
    figures = {}
    for how in (False, True):
        choice = chosen(graph, how)
        program = lowered(choice)
        library = emit_library(program)
        firmware = make_firmware(library, qemu.FACTS, BOARD, tmp_path)
        execution = run(qemu, firmware, BOARD, graph.encode(SAMPLES), tmp_path / "run", profile=True)
        assert (numbers(execution.answers, graph.answer_dtype) == graph.run(SAMPLES)).all()
        assert execution.counts is not None and firmware.rom_bytes and firmware.ram_static_bytes
        parameters = core_of(BOARD.chip).TIMING
        assert parameters is not None
        timing: Timing = time_counts(execution.counts, firmware.elf, BOARD, tmp_path, parameters)
        places = {name: firmware.image.symbols[name].section for name in moved(chosen(graph, True))}
        assert set(places.values()) == ({".code_ram"} if how else {".model"})
        assert (CODE_RAM in library.files) == how
        assert how == any("code in RAM" in step.variant for step in program.steps)
        figures[how] = timing.cycles.mean, firmware.rom_bytes.total, firmware.ram_static_bytes
        own = firmware.image.sections.get(".code_ram", 0)
    gained = figures[False][0] - figures[True][0]
    assert gained == pytest.approx(saved(choice), rel=0.25)
    assert figures[True][2] - figures[False][2] == own > 0
    assert 0 < figures[True][1] - figures[False][1] < 200  # start-up code, and what a linker puts between


@pytest.mark.renode
@pytest.mark.usefixtures("warm")
def test_start_up_code_copies_it_on_the_board_itself(graph: Graph, tmp_path: Path) -> None:
    library = emit_library(lowered(chosen(graph, True)))
    firmware = make_firmware(library, renode.FACTS, BOARD, tmp_path)
    place = firmware.image.symbols[sorted(moved(chosen(graph, True)))[0]]
    assert BOARD.memory.code_ram and BOARD.memory.code_ram.origin <= place.address < BOARD.memory.code_ram.end
    execution = run(renode, firmware, BOARD, graph.encode(SAMPLES), tmp_path / "run")
    assert (numbers(execution.answers, graph.answer_dtype) == graph.run(SAMPLES)).all()
    in_qemu = make_firmware(library, qemu.FACTS, BOARD, tmp_path)
    assert firmware.rom_bytes and in_qemu.rom_bytes
    assert abs(firmware.rom_bytes.total - in_qemu.rom_bytes.total) < 400  # of two harnesses
    assert firmware.image.sections[".code_ram"] == in_qemu.image.sections[".code_ram"]
