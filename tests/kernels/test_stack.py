"""How deep kernels go on the stack, as it is painted and read, is what their routines and the compiler say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.line.destination import HARNESS_STACK_BYTES
from mcusim.line.emit import emit_library
from mcusim.line.lower import options_of, program_of
from mcusim.line.quantize import quantize
from mcusim.line.within import UNUSED_BYTES
from mcusim.program import Program
from mcusim.workloads.generated import make_firmware
from tests.graphs import Builder
from tests.jobs import run

BOARD = load_board("nucleo_l452re_p")
INTEGERS = ("patches", "pointwise", "direct", "winograd", "squares", "depthwise", "rows", "lanes")
FLOATS = ("tiles", "gather", "depthwise", "rows", "points")


def network(kernel: str, data_type: str) -> Graph:
    """One layer that the kernel runs."""
    builder = Builder((8, 12, 8), seed=1)
    if kernel == "rows":
        builder.add("Flatten")
        builder.dense(12)
    elif kernel == "lanes":
        builder.conv(8, 3)  # alone it is not as deep as the harness is by itself
        builder.add("MaxPooling2D")
    else:
        builder.conv(8, 1 if kernel == "pointwise" else 3, groups=8 if kernel == "depthwise" else 1, padding="same")
    graph = builder.graph()
    return graph if data_type == "float32" else quantize(graph, builder.samples(4), data_type, weights="rounded")


def expected(program: Program, frames: dict[str, int]) -> int:
    deepest = max(
        frames[step.function] + max((routine.stack_bytes for routine in step.code.routines), default=0)
        for step in program.steps
    )
    return HARNESS_STACK_BYTES + frames["cnn"] + deepest


@pytest.mark.arm
@pytest.mark.parametrize(
    "kernel, data_type",
    [*((name, "int8") for name in INTEGERS), *((name, "float32") for name in FLOATS)],
)
def test_the_stack_is_as_deep_as_was_said(kernel: str, data_type: str, tmp_path: Path) -> None:
    graph = network(kernel, data_type)
    chosen = {}
    choice = KernelChoice(default=(kernel, "plain"))
    for name, several in options_of(graph, Destination("cortex-m4"), choice).items():
        own = [option for option in several if kernel == option.kernel.NAME] or several[-1:]
        chosen[name] = (own[0].kernel, own[0].variant)
    program = program_of(graph, chosen)
    firmware = make_firmware(emit_library(program), qemu.FACTS, BOARD, tmp_path)
    x = np.zeros((1, 8, 12, 8), np.float32)
    seen = run(qemu, firmware, BOARD, graph.encode(x), tmp_path / "run")
    assert seen.stack_bytes is not None
    told = expected(program, dict(firmware.frames))
    assert told - UNUSED_BYTES <= seen.stack_bytes <= told, (told, seen.stack_bytes)
    assert {step.kernel for step in program.steps} >= {kernel}
