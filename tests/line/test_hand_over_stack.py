"""model.h tells how deep the stack gets: what a run on the board has used, and not much more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.destination import HARNESS_STACK_BYTES
from mcusim.line.front import Generated, generated_of
from mcusim.line.fuse import choose_kernels
from mcusim.line.hand_over import LIBRARY_BYTES, with_stack
from mcusim.line.lower import options_of
from mcusim.line.quantize import quantize
from mcusim.models.source import Source
from mcusim.system.errors import MissingToolError
from mcusim.workloads.generated import make_firmware
from tests.graphs import Builder
from tests.jobs import run

BOARD = load_board("nucleo_l452re_p")


def graph(data_type: str) -> tuple[Graph, Builder]:
    builder = Builder((12, 12, 4), seed=5)
    builder.conv(8, 3, padding="same")
    builder.conv(8, 3, groups=8, padding="same")
    builder.add("MaxPooling2D")
    builder.add("LayerNormalization", scale=False, center=False)
    builder.add("Activation", activation="tanh")
    builder.add("Flatten")
    builder.dense(40)
    builder.add("Softmax")
    made = builder.graph()
    return made if data_type == "float32" else quantize(made, builder.samples(4), data_type), builder


def generated(made: Graph, destination: Destination) -> Generated:
    return generated_of(made, Source(made), choose_kernels(made, options_of(made, destination)))


def told(one: Generated) -> str:
    (line,) = re.findall(r"Stack: (.*)", one.library.files["model.h"])
    return str(line)


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "float32"])
@pytest.mark.parametrize("core", ["cortex-m4", None])
def test_a_run_uses_what_is_told(tmp_path: Path, data_type: str, core: str | None) -> None:
    made, builder = graph(data_type)
    one = with_stack(generated(made, Destination(core, memory=USUAL)), BOARD)
    most = int(told(one).split()[2])
    firmware = make_firmware(one.library, qemu.FACTS, BOARD, tmp_path / "build")
    used = run(qemu, firmware, BOARD, made.encode(builder.samples(6)), tmp_path / "run").stack_bytes
    assert used is not None
    assert used - HARNESS_STACK_BYTES <= most <= used + 2 * LIBRARY_BYTES


def test_without_a_board_or_its_compiler_it_says_how_to_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    one = generated(graph("int8")[0], Destination("cortex-m4", memory=USUAL))
    assert "-fstack-usage tells" in told(one) and "bytes of assembly" in told(one)
    assert with_stack(one, None) is one

    def missing(_machine: tuple[str, ...]) -> None:
        raise MissingToolError("none")

    monkeypatch.setattr("mcusim.cores.cortex_m4f.arm_toolchain", missing)
    assert with_stack(one, BOARD) is one
