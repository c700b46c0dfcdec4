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
from mcusim.program import Program
from mcusim.system.arrays import Array

MAIN = r"""
#include <stdio.h>
#include "model.h"
int main(void)
{
#ifdef MODEL_RECORDS
    static model_input_t input;
    static model_output_t output;
#define INPUT &input
#define OUTPUT &output
#else
#ifndef MODEL_INPUT_TYPE
#define MODEL_INPUT_TYPE number_t
#endif
#ifndef MODEL_OUTPUT_TYPE
#define MODEL_OUTPUT_TYPE number_t
#endif
    static MODEL_INPUT_TYPE input[MODEL_INPUT_ELEMENTS];
    static MODEL_OUTPUT_TYPE output[MODEL_OUTPUT_ELEMENTS];
#define INPUT input
#define OUTPUT output
#endif
    while (fread(INPUT, sizeof input, 1, stdin) == 1) {
        cnn(INPUT, OUTPUT);
        fwrite(OUTPUT, sizeof output, 1, stdout);
    }
    return 0;
}
"""
WARNINGS = (
    *("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wno-float-conversion"),
    *("-Wshadow", "-Wstrict-prototypes"),
)


def quick_linker() -> tuple[str, ...]:
    """With sanitizers the usual one takes longer than the compiler."""
    return ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()


def run_compiled(
    graph: Graph,
    x: Array,
    *,
    sanitize: str = "undefined,address",
    program: Program | None = None,
    optimization: str = "-O1",
) -> Array:
    """Outputs of the C library of a graph, like those of `graph.run(x)`. `program`: else what `lower` makes.

    `optimization`: large graphs compile in half the time with -O0, where gcc finds fewer things to warn of.
    """
    sanitizers = (f"-fsanitize={sanitize}", "-fno-sanitize-recover=all")
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "the tests need a host C compiler: apt-get install gcc"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = emit_library(program or lower(graph))
        library.write(folder)
        units = [name for name in library.files if name.endswith(".c")]
        (folder / "main.c").write_text(MAIN if units[1:] else f'#include "{units.pop()}"\n{MAIN}')  # in half the time
        flags = [optimization, "-std=gnu11", "-ffp-contract=off", *WARNINGS, *sanitizers]
        built = subprocess.run(
            [compiler, *flags, *quick_linker(), *units, "main.c", "-o", "model"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        numbers = graph.encode(x)
        done = subprocess.run([folder / "model"], input=numbers.tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, graph.answer_dtype)
