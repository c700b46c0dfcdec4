"""Limits of flash and RAM, met by the firmware as it was linked and run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.line.build import Firmware
from mcusim.line.destination import destination_of
from mcusim.line.emit import emit_library
from mcusim.line.lower import lowered, options_of
from mcusim.line.quantize import quantize
from mcusim.line.select import Choice
from mcusim.line.within import within
from mcusim.program import Program
from mcusim.system.errors import BuildError
from mcusim.workloads.generated import make_firmware
from tests.graphs import Builder
from tests.jobs import run

BOARD = load_board("nucleo_l452re_p")
PLAIN = KernelChoice(default=("plain",))
pytestmark = pytest.mark.arm


@pytest.fixture(scope="module")
def graph() -> Graph:
    builder = Builder((32, 6), seed=3)
    for _ in range(3):
        builder.conv(16, 3)
    builder.add("GlobalMaxPooling1D")
    builder.dense(5)
    return quantize(builder.graph(), builder.samples(), "int8", weights="rounded")


@dataclass
class Bench:
    """What is built for a choice, and how often."""

    graph: Graph
    folder: Path
    sample: tuple[int, ...] = (32, 6)
    built: list[tuple[str, ...]] = field(default_factory=list)

    def build(self, choice: Choice) -> tuple[Program, Firmware]:
        self.built.append(tuple(str(option) for option in choice.selected.values()))
        program = lowered(choice)
        return program, make_firmware(emit_library(program), qemu.FACTS, BOARD, self.folder)

    def sizes(self, target: Target) -> tuple[int, int, float]:
        """Flash and RAM of what was chosen, as `report.json` has them, and the cycles that are expected."""
        options = options_of(self.graph, destination_of(BOARD, target), target.kernels)
        choice = within(self.graph, options, BOARD, target, self.build)
        _, firmware = self.build(choice)
        x = np.zeros((2, *self.sample), np.float32)
        seen = run(qemu, firmware, BOARD, self.graph.encode(x), self.folder / "run")
        assert firmware.rom_bytes is not None and seen.stack_bytes is not None
        ram = (firmware.arena_bytes or 0) + (firmware.ram_static_bytes or 0) + seen.stack_bytes
        return firmware.rom_bytes.total, ram, sum(option.cycles for option in choice.selected.values())


def test_limits_hold_of_what_is_linked_and_run(graph: Graph, tmp_path: Path) -> None:
    bench = Bench(graph, tmp_path)
    rom, ram, fastest = bench.sizes(Target())
    plain_rom, plain_ram, slowest = bench.sizes(Target(kernels=PLAIN))
    assert rom > plain_rom and ram > plain_ram and slowest > 4 * fastest
    for limit in (plain_ram, (plain_ram + ram) // 2):
        _, taken, cycles = bench.sizes(Target(ram_max=limit))
        assert taken <= limit and fastest <= cycles <= slowest
    for limit in (plain_rom, (plain_rom + rom) // 2):
        taken, _, cycles = bench.sizes(Target(flash_max=limit))
        assert taken <= limit and fastest <= cycles <= slowest
    both = Target(flash_max=rom - 1, ram_max=(plain_ram + ram) // 2)
    flash, taken, cycles = bench.sizes(both)
    assert flash < rom and taken <= (plain_ram + ram) // 2 and cycles < 0.6 * slowest


def test_what_misses_is_told_to_the_byte(graph: Graph, tmp_path: Path) -> None:
    bench = Bench(graph, tmp_path)
    plain_rom, plain_ram, _ = bench.sizes(Target(kernels=PLAIN))
    with pytest.raises(BuildError, match=f"needs {plain_rom:,} bytes of flash, {plain_rom - 1000:,} more"):
        bench.sizes(Target(kernels=PLAIN, flash_max=1000))
    with pytest.raises(BuildError, match=r"needs [0-9,]+ bytes of RAM, [0-9,]+ more") as told:
        bench.sizes(Target(kernels=PLAIN, ram_max=1000))
    need, more = (
        int(number.replace(",", "")) for number in re.findall(r"[0-9,]+(?= bytes of RAM| more)", str(told.value))
    )
    assert need - more == 1000 and need < plain_ram, "layers that run band by band take less"
    assert told.value.where == "[target] ram_max" and told.value.hint and "layer 'conv1d_" in told.value.hint


def test_nothing_is_built_where_there_is_no_limit(graph: Graph, tmp_path: Path) -> None:
    bench, target = Bench(graph, tmp_path), Target()
    within(graph, options_of(graph, destination_of(BOARD, target)), BOARD, target, bench.build)
    assert bench.built == []


@pytest.mark.parametrize("data_type", ["int16", "float32"])
def test_what_plain_c_takes_is_enough(data_type: str, tmp_path: Path) -> None:
    """To the byte, as it is reported: frames may have words that nobody writes."""
    builder = Builder((32, 6), seed=3)
    for _ in range(2):
        builder.conv(16, 3, padding="same")
    builder.add("MaxPooling1D")
    builder.dense(5)
    made = builder.graph()
    graph = made if data_type == "float32" else quantize(made, builder.samples(), data_type, weights="rounded")
    bench = Bench(graph, tmp_path)
    rom, ram, _ = bench.sizes(Target(kernels=PLAIN))
    assert bench.sizes(Target(ram_max=ram))[1] <= ram
    assert bench.sizes(Target(flash_max=rom))[0] <= rom
