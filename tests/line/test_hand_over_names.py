"""Libraries under names of their own: several in one program, of different numbers, on this machine and on a board."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.emit import emit_library
from mcusim.line.hand_over import check_name, named
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.workloads.generated import make_firmware
from tests.compiled import WARNINGS
from tests.graphs import Builder, mixture, several
from tests.jobs import run

M4 = ("arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2")
MODEL_H = """\
#include <stdint.h>
typedef int8_t number_t;
#define MODEL_INPUT_ELEMENTS {inputs}
#define MODEL_OUTPUT_ELEMENTS {outputs}
void cnn(const number_t *input, number_t *output);
"""
MODEL_C = """\
#include <string.h>
#include "model.h"
{headers}

void cnn(const number_t *input, number_t *output)
{{
{calls}
}}
"""
CALL = """\
    static uint32_t {name}_x[({inputs} + 3) / 4], {name}_y[({outputs} + 3) / 4];
    memcpy({name}_x, input, {inputs});
    {name}_cnn((const void *){name}_x, (void *){name}_y);
    memcpy(output, {name}_y, {outputs});
    input += {inputs};
    output += {outputs};
"""


@cache
def models() -> dict[str, tuple[Graph, Array]]:
    """Affine numbers of several widths, powers of two in records, and floats."""
    mixed, x, layers, _ = mixture()
    records, y = several()
    builder = Builder((12, 12, 4), seed=5)
    builder.conv(8, 3, padding="same")
    builder.add("Flatten")
    builder.dense(20)
    return {
        "kws": (quantize(mixed, x, "int8", layers=layers), x),
        "two_9": (quantize(records, y, "int8"), y),
        "c": (builder.graph(), builder.samples(len(x))),
    }


def libraries(destination: Destination) -> dict[str, Sources]:
    made = {name: emit_library(lower(graph, destination)) for name, (graph, _) in models().items()}
    assert sum(file.endswith(".c") for file in made["kws"].files) > 2, "layers of several files, which a linker sees"
    return {name: named(library, name) for name, library in made.items()}


def together(destination: Destination) -> Sources:
    """A program that calls all of them, one behind the other on the bytes of its sample."""
    files = {f"{name}/{file}": text for name, own in libraries(destination).items() for file, text in own.files.items()}
    sizes = {
        name: {"inputs": graph.sample_dtype.itemsize, "outputs": graph.answer_dtype.itemsize}
        for name, (graph, _) in models().items()
    }
    totals = {key: sum(size[key] for size in sizes.values()) for key in ("inputs", "outputs")}
    headers = "\n".join(f'#include "{name}/{name}_model.h"' for name in sizes)
    calls = "".join(CALL.format(name=name, **size) for name, size in sizes.items())
    files |= {"model.h": MODEL_H.format(**totals), "model.c": MODEL_C.format(headers=headers, calls=calls)}
    return Sources(files)


@pytest.mark.arm
@pytest.mark.parametrize("engine", ["host", "qemu"])
def test_they_run_in_one_program(tmp_path: Path, engine: str) -> None:
    board = load_board("nucleo_l452re_p")
    sources = together(ANYWHERE if engine == "host" else Destination(board.chip.core, memory=USUAL))
    assert any(name.endswith(".S") for name in sources.files) == (engine == "qemu")
    count = 6
    parts = [graph.encode(x[:count]).tobytes() for graph, x in models().values()]
    rows = [np.frombuffer(part, np.int8).reshape(count, -1) for part in parts]
    firmware = make_firmware(sources, ENGINES[engine].FACTS, board, tmp_path / "build")
    execution = run(ENGINES[engine], firmware, board, np.concatenate(rows, axis=1), tmp_path / "run")
    assert execution.complete
    answers, start = np.array(execution.answers).view(np.int8).reshape(count, -1), 0
    for name, (graph, x) in models().items():
        size = graph.answer_dtype.itemsize
        own = np.frombuffer(answers[:, start : start + size].tobytes(), graph.answer_dtype)
        start += size
        if name == "c":
            np.testing.assert_allclose(own, graph.run(x[:count]), rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(own, graph.run(x[:count]))


@pytest.mark.arm
def test_all_that_a_linker_sees_begins_with_the_name(tmp_path: Path) -> None:
    for name, library in libraries(Destination("cortex-m4", memory=USUAL)).items():
        folder = tmp_path / name
        library.write(folder)
        sources = [file for file in library.files if file.endswith((".c", ".S"))]
        subprocess.run([*M4, "-c", *sources], cwd=folder, check=True)
        objects = sorted(path.name for path in folder.glob("*.o"))
        told = subprocess.run(
            ["arm-none-eabi-nm", "-g", "--defined-only", *objects],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        symbols = {line.split()[2] for line in told.stdout.splitlines() if len(line.split()) == 3}
        assert f"{name}_cnn" in symbols and len(symbols) > 2
        assert not {symbol for symbol in symbols if not symbol.startswith(f"{name}_")}


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_headers_of_several_are_read_in_one_file(tmp_path: Path, compiler: str) -> None:
    """Without a warning; in C++, too."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    made = libraries(ANYWHERE)
    for name, library in made.items():
        library.write(tmp_path / name)
    text = "".join(f'#include "{name}_model.h"\n' for name in made)
    text += "int sum(void);\nint sum(void) { return KWS_MODEL_INPUT_ELEMENTS + C_MODEL_OUTPUT_ELEMENTS; }\n"
    (tmp_path / "both.c").write_text(text)
    warnings = [one for one in WARNINGS if "prototypes" not in one] if "++" in compiler else WARNINGS
    language = (
        ["-x", "c++", "-Wold-style-cast", "-Wzero-as-null-pointer-constant"] if "++" in compiler else ["-std=c11"]
    )
    includes = [f"-I{name}" for name in made]
    subprocess.run([compiler, *language, *warnings, *includes, "-c", "both.c"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", ["", "9x", "_x", "KWS", "a-b", "a b", "a.b", "../a", "ä", "x" * 32, "a\n"])
def test_names_that_c_does_not_take(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot begin with"):
        check_name(name)
