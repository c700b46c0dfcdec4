"""A generated library builds in projects of others: with their warnings, on their cores, and on a PC."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower, step_with_code_in_ram
from mcusim.line.quantize import quantize
from mcusim.system.elf import read_elf, reading
from tests.compiled import WARNINGS
from tests.graphs import Builder

CODE_IN_RAM = "int12"  # with that, and none in the others
READ_EXECUTE = 5  # of a segment
ARM = ("arm-none-eabi-gcc", "-mthumb")
M4F = (*ARM, "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
COMPILERS = {
    "m4f": (*M4F, "-O2"),
    "m4f without optimization": (*M4F, "-O0"),
    "m4f portable": (*M4F, "-O2", "-DNN_PORTABLE"),
    "m4 without FPU": (*ARM, "-mcpu=cortex-m4", "-O2"),
    "m4f by clang": ("clang", "--target=arm-none-eabi", *M4F[1:], "-O2"),
    "m3": (*ARM, "-mcpu=cortex-m3", "-O2"),
    "m33": (*ARM, "-mcpu=cortex-m33", "-Os"),
    "pc": ("gcc", "-std=gnu11", "-O2"),
    "pc without optimization": ("gcc", "-std=gnu11", "-O0"),
    "pc by the letter of C11": ("gcc", "-std=c11", "-O3"),
    "pc by clang": ("clang", "-std=gnu11", "-O2"),
}


def network(data_type: str) -> Graph:
    """Each kind of kernel: patches, direct or Winograd, depthwise, pointwise, pools, sums, rows."""
    builder = Builder((12, 12, 4), seed=5)
    builder.conv(8, 3, padding="same")
    builder.conv(8, 3, groups=8, padding="same")
    left = builder.conv(8, 1)
    builder.conv(8, 3, left, padding="same")
    builder.add("Add", left, builder.last.name)
    builder.add("MaxPooling2D")
    builder.add("AveragePooling2D")
    builder.add("Flatten")
    builder.dense(40)
    builder.dense(3)
    graph = builder.graph()
    return graph if data_type == "float32" else quantize(graph, builder.samples(4), data_type, weights="rounded")


@pytest.fixture(scope="module", params=["int8", "int12", "float32"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = lower(network(request.param), Destination("cortex-m4", memory=USUAL))
    kernels = {step.kernel for step in program.steps}
    assert len(kernels) > 3, kernels
    if request.param == CODE_IN_RAM:
        moved = frozenset(routine.name for step in program.steps for routine in step.code.routines)
        program = replace(program, steps=tuple(step_with_code_in_ram(step, moved) for step in program.steps))
    folder = tmp_path_factory.mktemp("library")
    emit_library(program).write(folder)
    return folder


def newlib() -> list[str]:
    """Where GCC for Arm looks for the headers of its C library: clang has none of its own."""
    said = subprocess.run([*M4F, "-xc", "-E", "-v", "-"], input="", capture_output=True, text=True, check=True).stderr
    folders = said.partition("#include <...> search starts here:")[2].partition("End of search list")[0].split()
    return [word for folder in folders if not Path(folder, "arm_acle.h").exists() for word in ("-isystem", folder)]


@pytest.mark.arm
@pytest.mark.parametrize("name", COMPILERS)
def test_without_warnings(library: Path, tmp_path: Path, name: str) -> None:
    command = COMPILERS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    sources = sorted([*library.glob("*.c"), *library.glob("*.S")])
    assert any(path.suffix == ".S" for path in sources)
    includes = newlib() if "--target=arm-none-eabi" in command else []
    done = subprocess.run(
        [*command, *includes, *WARNINGS, "-ffp-contract=off", "-c", *sources],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cpp_reads_model_h(library: Path, compiler: str) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    warnings = [one for one in WARNINGS if "prototypes" not in one]
    command = [compiler, "-x", "c++", *warnings, "-fsyntax-only", "-"]
    done = subprocess.run(
        command, input='#include "model.h"\n', cwd=library, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.arm
def test_big_endian_cores_get_plain_c_alone(library: Path, tmp_path: Path) -> None:
    """Fast kernels read words of several numbers, also their twins: no wrong number is compiled."""
    emit_library(lower(network("int8"))).write(tmp_path)
    assert not (tmp_path / "assembly.h").exists()
    for folder, refused in ((tmp_path, False), (library, True)):
        command = [*ARM, "-mcpu=cortex-m4", "-mbig-endian", "-DNN_PORTABLE", "-fsyntax-only", "model.c"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ("lowest byte first: generate plain C" in done.stderr) == refused == bool(done.returncode), done.stderr


# As docs/kernels.md tells, of an STM32L4.
SCRIPT = """
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 512K RAM (rw) : ORIGIN = 0x20000000, LENGTH = 128K
         RAM2 (rx) : ORIGIN = 0x10000000, LENGTH = 32K }
SECTIONS { .text : { *(.text .text.*) } > FLASH
           .rodata : { *(.rodata .rodata.*) } > FLASH
           .code_ram : ALIGN(32) { _scode = .; *(.nn_ram_code) . = ALIGN(4); _ecode = .; } > RAM2 AT > FLASH
           _sicode = LOADADDR(.code_ram);
           .data : { *(.data .data.*) } > RAM AT > FLASH
           .bss : { *(.bss .bss.* COMMON) } > RAM }
"""


@pytest.mark.arm
@pytest.mark.parametrize("script", [None, SCRIPT])
def test_code_for_ram_is_linked_with_and_without_a_place_for_it(tmp_path: Path, script: str | None) -> None:
    program = lower(network("int8"), Destination("cortex-m4", memory=USUAL))
    moved = {routine.name for step in program.steps for routine in step.code.routines}
    emit_library(replace(program, steps=tuple(step_with_code_in_ram(step, moved) for step in program.steps))).write(
        tmp_path
    )
    (tmp_path / "own.ld").write_text(script or "")
    sources = sorted([*tmp_path.glob("*.c"), *tmp_path.glob("*.S")])
    options = (
        "-nostartfiles",
        "-Wl,--fatal-warnings,-e,cnn",
        *(("-T", "own.ld") if script else ()),
        "-o",
        "linked.elf",
    )
    done = subprocess.run([*M4F, "-O2", *sources, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    elf = read_elf(tmp_path / "linked.elf")
    places = {name: symbol for name, symbol in elf.symbols.items() if name in moved}
    assert len(places) > 5
    if script:
        assert all(0x10000000 <= symbol.address < 0x10008000 for symbol in places.values())
        assert all(0x08000000 <= address < 0x08080000 for address, _ in elf.loaded)
    else:
        assert {symbol.section for symbol in places.values()} == {".nn_ram_code"}
        with reading(tmp_path / "linked.elf") as file:
            holding = [s for s in file.iter_segments() if s["p_vaddr"] <= min(x.address for x in places.values())]
        assert holding[-1]["p_flags"] == READ_EXECUTE
