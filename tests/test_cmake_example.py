"""The CMake project of examples/ builds a generated library, for a Cortex-M4 and for this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcusim.kernels.choice import Destination
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from tests.graphs import Builder

EXAMPLE = Path(__file__).parents[1] / "examples" / "cmake"
GENERATOR = "Unix Makefiles"


@pytest.mark.arm
@pytest.mark.parametrize("toolchain", ["cortex-m4.cmake", None])
def test_the_project_builds(tmp_path: Path, toolchain: str | None) -> None:
    if not shutil.which("cmake") or not shutil.which("make"):
        pytest.skip("cmake is not installed: apt-get install cmake make")
    builder = Builder((16, 4))
    builder.conv(8, 3, padding="same")
    builder.conv(8, 1)
    graph = quantize(builder.graph(), builder.samples(4), "int8")
    library = emit_library(lower(graph, Destination("cortex-m4")))
    assert any(name.endswith(".S") for name in library.files)
    library.write(tmp_path / "lib")
    target = [f"-DCMAKE_TOOLCHAIN_FILE={EXAMPLE / toolchain}"] if toolchain else []
    configured = [
        "cmake",
        "-S",
        EXAMPLE,
        "-B",
        tmp_path / "build",
        "-G",
        GENERATOR,
        f"-DMODEL={tmp_path / 'lib'}",
        *target,
    ]
    for command in (configured, ["cmake", "--build", tmp_path / "build"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
