"""Generated C on the build machine, under the sanitizers: what a test compares with `Graph.run`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
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
    *("-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef"),
    *("-Wcast-align", "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wdouble-promotion"),
    *("-Wpointer-arith", "-Wvla", "-Wwrite-strings", "-Wstrict-aliasing=1"),
)
LARGE_BYTES = 25_000  # headers are 18,000 of them
# What is undefined ends the program without a word: so it is compiled sooner. Its words are asked for when it did.
SILENT = "-fsanitize-undefined-trap-on-error"


def quick_linker() -> tuple[str, ...]:
    """With sanitizers the usual one takes longer than the compiler."""
    return ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()


def run_compiled(
    graph: Graph, x: Array, *, sanitize: str = "undefined,address", program: Program | None = None
) -> Array:
    """Outputs of the C library of a graph, like those of `graph.run(x)`. `program`: else what `lower` makes.

    What was asked before is not asked again. Large programs are compiled with -O0, in half the time; what gcc warns of
    when it optimizes it tells of the small ones.
    """
    files = emit_library(program or lower(graph)).files
    optimization = "-O1" if sum(map(len, files.values())) < LARGE_BYTES else "-O0"
    flags = (
        optimization,
        "-std=gnu11",
        "-Wcast-align=strict",
        "-ffp-contract=off",
        f"-fsanitize={sanitize}",
        "-fno-sanitize-recover=all",
    )
    answers = _answers(tuple(files.items()), (*flags, *WARNINGS), graph.encode(x).tobytes())
    return np.frombuffer(answers, graph.answer_dtype)


@lru_cache(maxsize=64)
def _answers(files: tuple[tuple[str, str], ...], flags: tuple[str, ...], numbers: bytes) -> bytes:
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "the tests need a host C compiler: apt-get install gcc"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files:
            (folder / path).write_text(text)
        units = [path for path, _ in files if path.endswith(".c")]
        (folder / "main.c").write_text(MAIN if units[1:] else f'#include "{units.pop()}"\n{MAIN}')  # in half the time
        command = [compiler, *flags, *quick_linker(), *units, "main.c", "-o", "model"]
        for more in ((SILENT,), ()):
            built = subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)
            assert built.returncode == 0, built.stderr
            done = subprocess.run([folder / "model"], input=numbers, capture_output=True, check=False)
            if done.returncode == 0 and more:
                return done.stdout
    raise AssertionError(done.stderr.decode() or f"it ended with {done.returncode}")
