"""Generated C on the build machine, under the sanitizers: what a test compares with `Graph.run`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from mcusim.graph import Graph
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.numbers.power_of_two import Array

MAIN = r"""
#include <stdio.h>
#include "model.h"
int main(void)
{
    static number_t input[MODEL_INPUT_ELEMENTS], output[MODEL_OUTPUT_ELEMENTS];
    while (fread(input, sizeof input, 1, stdin) == 1) {
        cnn(input, output);
        fwrite(output, sizeof output, 1, stdout);
    }
    return 0;
}
"""
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wno-float-conversion")


def run_compiled(graph: Graph, x: Array, *, sanitize: str = "undefined,address") -> Array:
    """Outputs of the graph's C library for real inputs, as `graph.run(x)` gives them."""
    sanitizers = (f"-fsanitize={sanitize}", "-fno-sanitize-recover=all")
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "the tests need a host C compiler: apt-get install gcc"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emit_library(lower(graph)).write(folder)
        (folder / "main.c").write_text(MAIN)
        flags = ["-O1", "-std=gnu11", "-ffp-contract=off", *WARNINGS[:3], *sanitizers]
        built = subprocess.run(
            [compiler, *flags, "model.c", "main.c", "-o", "model"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        numbers = graph.encode(x)
        done = subprocess.run([folder / "model"], input=numbers.tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, graph.number_dtype).reshape(len(x), graph.output.elements)
