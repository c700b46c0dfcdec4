"""Assembly keeps Arm's calling convention: registers that are the caller's, the stack, and what lies below it.

Each routine is called through a wrapper that fills what the callee has to preserve with patterns, and ends in an
undefined instruction when anything is changed. So every call of a network is checked, not one made for the test.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import numbers
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph, Output
from mcusim.kernels import KERNELS, lanes
from mcusim.line.build import Firmware, Target, build
from mcusim.line.emit import emit_library
from mcusim.line.lower import Chosen, program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.sources import Sources
from mcusim.program import Program, Routine
from mcusim.system.arrays import Array
from mcusim.workloads.generated import emit_firmware, target_for
from tests.graphs import Builder
from tests.jobs import run
from tests.kernels.measured import forced
from tests.kernels.test_lanes_wide import side
from tests.kernels.test_narrow_weights import chosen, grid

BOARD = "nucleo_l452re_p"
FAST = [kernel for kernel in KERNELS if kernel.NAME != "plain"]
INTEGER = [f"r{number}" for number in range(4, 12)]
FLOAT = [f"s{number}" for number in range(16, 32)]


def wrapper(name: str) -> str:
    """Stack arguments stay where they are: nothing is pushed, the caller's registers go into a block of their own."""
    poison = [f"    movw {register}, #{0xA500 + index}" for index, register in enumerate(INTEGER)]
    poison += [f"    vmov {register}, r{4 + index % 8}" for index, register in enumerate(FLOAT)]
    check = []
    for index, register in enumerate(INTEGER):
        check += [f"    movw r0, #{0xA500 + index}", f"    cmp {register}, r0", f"    bne {name}_broken"]
    for index, register in enumerate(FLOAT):
        check += [f"    vmov r0, {register}", f"    movw r1, #{0xA500 + index % 8}", "    cmp r0, r1"]
        check += [f"    bne {name}_broken"]
    block = [f"    movw r12, #:lower16:{name}_kept", f"    movt r12, #:upper16:{name}_kept"]
    lines = [
        *("    .syntax unified", "    .thumb", f'    .section .text.__wrap_{name}, "ax"'),
        *(f"    .global __wrap_{name}", f"    .type __wrap_{name}, %function", f"__wrap_{name}:"),
        *block,
        *("    stmia r12!, {r4-r11, lr}", "    vstmia r12!, {s16-s31}", "    mov r4, sp", "    str r4, [r12]"),
        *("    tst r4, #7", f"    bne {name}_broken"),
        *poison,
        f"    bl __real_{name}",
        *check,
        *block,
        *("    ldr r0, [r12, #100]", "    cmp r0, sp", f"    bne {name}_broken"),
        *("    ldmia r12!, {r4-r11, lr}", "    vldmia r12, {s16-s31}", "    bx lr"),
        *(f"{name}_broken:", "    udf #0"),
        *(f"    .section .bss.{name}_kept", "    .balign 8", f"{name}_kept:", "    .space 104"),
    ]
    return "\n".join(lines) + "\n"


def routines_of(program: Program) -> dict[str, Routine]:
    return {routine.name: routine for step in program.steps for routine in step.code.routines}


def checked_firmware(program: Program, folder: Path) -> Firmware:
    board, names = load_board(BOARD), routines_of(program)
    wrappers = Sources({"wrappers.S": "\n".join(map(wrapper, names))})
    sources = emit_firmware(emit_library(program).merged(wrappers), qemu.FACTS, board)
    toolchain = target_for(qemu.FACTS, board).toolchain
    flags = (*toolchain.link_flags, *(f"-Wl,--wrap={name}" for name in names))
    return build(sources, Target(replace(toolchain, link_flags=flags), BOARD), folder)


def networks() -> list[tuple[Builder, str]]:
    """Layers of every family that has assembly, in shapes that leave a rest everywhere."""
    one = Builder((25, 7), seed=2)
    one.conv(6, 3, padding="same", activation="relu")
    one.conv(9, 3, strides=2)
    one.conv(5, 5, padding="same")
    one.conv(8, 1)
    one.depthwise(3, padding="same")
    one.add("MaxPooling1D")
    one.add("Flatten")
    one.dense(7)
    two = Builder((9, 10, 3), seed=3)
    two.conv(8, 3, padding="same", activation="relu")
    two.depthwise(3, padding="same", activation="relu")
    two.conv(12, 3, strides=2, padding="same")
    two.conv(8, 3, padding="same")
    two.conv(10, 1, activation="relu")
    two.add("GlobalAveragePooling2D")
    two.dense(5)
    return [(one, "int8"), (one, "int16"), (one, "float32"), (two, "int8"), (two, "int12"), (two, "float32")]


_GRAPHS: dict[tuple[int, str], Graph] = {}
NETWORKS = [(builder, data_type, kernel) for builder, data_type in networks() for kernel in FAST]


def graph_of(builder: Builder, data_type: str) -> Graph:
    """Made once, for all kernels."""
    key = (id(builder), data_type)
    if key not in _GRAPHS:
        graph = optimize(builder.graph())
        _GRAPHS[key] = graph if data_type == "float32" else quantize(graph, builder.samples(8), data_type)
    return _GRAPHS[key]


def beside_one_another(graph: Graph) -> tuple[Graph, dict[str, Chosen]]:
    """The network once for every kernel that has assembly for it, all reading one input."""
    layers, chosen, outputs = list(graph.inputs), {}, []
    for kernel in FAST:
        own = forced(graph, kernel)
        if not routines_of(program_of(graph, own)):
            continue
        names = {layer.name: f"{kernel.NAME}_{layer.name}" for layer in graph if not layer.INPUT}
        for layer in graph.layers[len(graph.inputs) :]:
            inputs = tuple(names.get(source, source) for source in layer.inputs)
            layers.append(replace(layer, name=names[layer.name], inputs=inputs))
        chosen |= {names[name]: one for name, one in own.items()}
        outputs.append(Output(kernel.NAME, layers[-1].name))
    return replace(graph, layers=tuple(layers), outputs=tuple(outputs)), chosen


@pytest.mark.arm
@pytest.mark.parametrize(("builder", "data_type"), networks())
def test_registers_and_stack_are_the_callers(builder: Builder, data_type: str, tmp_path: Path) -> None:
    graph, chosen = beside_one_another(graph_of(builder, data_type))
    assert len(graph.outputs) >= 3
    demand_kept(program_of(graph, chosen), graph, builder.samples(3), tmp_path)


@pytest.mark.arm
def test_so_they_are_of_numbers_of_16_bits_with_weights_of_8(tmp_path: Path) -> None:
    sums = grid("per-channel")
    wide = side(0)
    for name, (graph, x), kernels in (
        ("sums", sums, chosen(sums[0])),
        ("lanes", (wide.graph(), wide.samples(2)), None),
    ):
        demand_kept(program_of(graph, kernels or forced(graph, lanes)), graph, x, tmp_path / name)


def demand_kept(program: Program, graph: Graph, x: Array, folder: Path) -> None:
    """All registers of the callers, by all routines of a program, and its answers."""
    firmware = checked_firmware(program, folder / "build")
    execution = run(qemu, firmware, load_board(BOARD), graph.encode(x), folder / "run")
    assert execution.complete
    if graph.is_quantized:
        np.testing.assert_array_equal(numbers(execution.answers, graph.answer_dtype), graph.run(x))
    for name, routine in routines_of(program).items():
        assert firmware.image.symbols[name].size == routine.code_bytes, name
        assert not re.search(r"\[sp, #-|, \[sp\], #-|sub\S* +sp, sp, r", routine.assembly), "below the stack pointer"


@pytest.mark.arm
def test_a_routine_that_changes_a_register_is_found(tmp_path: Path) -> None:
    """The test above can fail."""
    builder = Builder((16, 4))
    builder.conv(4, 1)
    graph = quantize(builder.graph(), builder.samples(4), "int8")
    (fast,) = [kernel for kernel in FAST if kernel.NAME == "patches"]
    program = program_of(graph, forced(graph, fast))
    (step,) = program.steps
    first, *others = step.code.routines
    broken = replace(
        first, assembly=re.sub(r"pop\S*\s+\{r4, r5, (.*)pc\}", r"add sp, sp, #8\n    pop {\1pc}", first.assembly)
    )
    assert broken.assembly != first.assembly
    code = replace(step.code, routines=(broken, *others))
    firmware = checked_firmware(replace(program, steps=(replace(step, code=code),)), tmp_path / "build")
    with pytest.raises(Exception, match=r"fault"):
        run(qemu, firmware, load_board(BOARD), graph.encode(builder.samples(1)), tmp_path / "run")
