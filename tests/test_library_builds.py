"""A generated library builds in projects of others: with their warnings, on their cores, and on a PC."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from tests.graphs import Builder

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off")
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
    includes = newlib() if command[0] == "clang" else []
    done = subprocess.run(
        [*command, *includes, *WARNINGS, "-c", *sources], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
