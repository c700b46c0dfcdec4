"""Generated C: reads well (golden), compiles without a warning, holds no name that a user chose."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph, Output
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.c_text import c_names
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.assets import CODEGEN
from tests.compiled import MAIN, WARNINGS, run_compiled
from tests.graphs import Builder, mixture

Golden = Callable[[str, str], None]


def small_network(name: str = "small") -> Graph:
    builder = Builder((8, 2), seed=3)
    start = builder.conv(2, 3, padding="same", activation="relu6")
    end = builder.depthwise(3, padding="same")
    builder.add("Add", start, end)
    builder.add("Concatenate", start, builder.last.name)
    builder.add("AveragePooling1D")
    builder.add("Flatten")
    builder.dense(3)
    return optimize(builder.graph(name))


def samples() -> np.ndarray:
    return Builder((8, 2)).samples(16)


@pytest.mark.parametrize("data_type", ["float32", "int8", "int16"])
def test_golden_c(golden: Golden, data_type: str) -> None:
    sources = emit_library(
        lower(quantize(small_network(), samples(), data_type)), {"": Normalization((0.5, 0.0), (1.0, 2.25))}
    )
    for name in ("model.c", "model.h", "weights.h", "number_config.h"):
        golden(f"{data_type}/{name}", sources.files[name])


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        ({"scheme": "per-layer"}, "floor(x * 2^INPUT_SCALE_FACTOR + 0.5)"),
        ({"scheme": "per-layer", "rounding": "floor"}, "floor(x * 2^INPUT_SCALE_FACTOR)"),
        ({"scheme": "per-channel"}, "round(x / INPUT_SCALE) + INPUT_ZERO_POINT, halves away from 0"),
    ],
)
def test_model_h_tells_how_reals_become_numbers(words: dict[str, str], formula: str) -> None:
    """What it says in words, with its macros: the numbers that `Graph.encode` makes."""
    graph = quantize(small_network(), samples() + 0.3, "int8", **words)
    text = emit_library(lower(graph)).files["model.h"]
    assert f"A real x is the number {formula},\n * clamped to MODEL_INPUT_MIN .. MODEL_INPUT_MAX." in text
    macros = {
        name: float(value) for name, value in re.findall(r"^#define (\w+) \(?(-?[0-9.e-]+)f?\)?$", text, re.MULTILINE)
    }
    scale = np.float32(macros.get("INPUT_SCALE") or 2.0 ** -macros["INPUT_SCALE_FACTOR"])
    x = np.resize(np.arange(-140, 300) * scale / 2, (32, 8, 2)).astype(np.float32)
    steps = x / scale
    halves = np.where(steps < 0, -0.5, 0.5) if "INPUT_SCALE" in macros else 0.5 * ("0.5" in formula)
    whole = np.trunc(steps + halves) if "INPUT_SCALE" in macros else np.floor(steps + halves)
    wanted = np.clip(whole + macros.get("INPUT_ZERO_POINT", 0), macros["MODEL_INPUT_MIN"], macros["MODEL_INPUT_MAX"])
    np.testing.assert_array_equal(graph.encode(x), wanted)


def test_only_the_kernels_in_use_are_packed() -> None:
    names = set(emit_library(lower(small_network())).files)
    kernels = {"nn_add.h", "nn_average_pooling.h", "nn_concatenate.h", "nn_convolution.h", "nn_dense.h", "nn_window.h"}
    assert (
        names
        == {"model.c", "model.h", "weights.h", "number.h", "number_config.h", "float32.h", "power_of_two.h"} | kernels
    )


def test_the_arena_has_the_types_that_lie_in_it() -> None:
    """No pointer is cast: what C knows of aliasing holds, and alignment is that of the widest."""
    graph, x, layers, _ = mixture()
    quantized = quantize(graph, x, "int8", layers=layers)
    text = emit_library(lower(quantized, Destination("cortex-m4", memory=USUAL))).files["model.c"]
    union, body = (
        text[text.index("static union {") :].split("} arena NN_ALIGNED;")[0],
        text[text.index("\nvoid cnn(") :],
    )
    used = set(re.findall(r"arena\.(\w+) \+", body))
    assert used >= {"bytes", "int8", "int16"} and used <= set(re.findall(r" (\w+)\[", union))
    assert "*)" not in body.replace("*const[])", "")


def test_no_kernel_lends_words_to_a_routine_that_has_numbers_in_them() -> None:
    """A word may be read as bytes alone: what less than a word is made is an array of numbers."""
    for path in sorted((CODEGEN / "kernels").glob("*.h")):
        text = path.read_text()
        words = set(re.findall(r"\buint32_t (\w+)\b(?:\[\w*\])?(?: =|;)", text))
        lent = {
            word for call in re.findall(r"\bp\.[\w.]+\(([^;]*)\);", text) for word in re.findall(r"(?<![\w.])\w+", call)
        }
        assert not words & lent, path.name


def test_same_input_same_bytes() -> None:
    digests = {emit_library(lower(quantize(small_network(), samples(), "int8"))).digest for _ in range(2)}
    assert len(digests) == 1


HOSTILE = [
    "int",
    'a b"c',
    "*/ #error",
    "../../etc/passwd",
    "naïve λ",
    "\n#include <evil>",
    "x" * 5000,
    "",
    "9lives",
    "%s\\",
]


def test_hostile_names_never_reach_c() -> None:
    names = c_names([*HOSTILE, "a-b", "a_b", "A B"])
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"layer_[a-z0-9_]{1,44}", name) for name in names.values())
    for hostile in HOSTILE:
        builder = Builder((4,), seed=1)
        builder.dense(2)
        graph = Graph((builder.layers[0], builder.layers[1]), hostile)
        files = emit_library(lower(quantize(graph, builder.samples(), "int8"))).files
        assert "evil" not in re.sub(r"/\*.*?\*/", "", files["model.c"], flags=re.DOTALL)
        assert all(line.isascii() for line in files["model.c"].splitlines())


@pytest.mark.parametrize("data_type", ["float32", "int8", "int16", "int9"])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
def test_it_compiles_without_a_warning(tmp_path: Path, compiler: str, data_type: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(
            f"{compiler} is not installed: apt-get install {compiler.replace('arm-none-eabi-gcc', 'gcc-arm-none-eabi')}"
        )
    emit_library(lower(quantize(small_network(), samples(), data_type))).write(tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    for optimization in ("-Os", "-O3"):
        flags = ["-std=gnu11", optimization, *WARNINGS]
        done = subprocess.run(
            [compiler, *flags, "-c", "model.c", "main.c"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "text"), [(-(2**31), "(-2147483647LL - 1)"), (2**40, "1099511627776LL"), (0.1, "0.100000001f")]
)
def test_numbers_are_c_literals(value: float, text: str) -> None:
    from mcusim.line.c_text import number

    assert number(float(np.float32(value)) if isinstance(value, float) else value) == text


def test_equal_arrays_lie_in_flash_once() -> None:
    """The weights and tables of a layer that is called twice."""
    builder = Builder((5, 2), seed=3)
    once = builder.recurrent("LSTM", 3)
    again = replace(builder.last, name="again")
    graph = Graph((*builder.layers, again), outputs=(Output("a", once), Output("b", "again")))
    quantized = quantize(graph, builder.samples(16), "int8")
    files = emit_library(lower(quantized)).files
    assert "layer_again_" not in files["weights.h"] and "layer_again(" in files["model.c"]
    assert files["weights.h"].count("read in 2 places") == files["weights.h"].count("static const") == 5
    answers = run_compiled(quantized, builder.samples(4))
    np.testing.assert_array_equal(answers["a"], answers["b"])


def test_calls_stay_within_a_line() -> None:
    builder = Builder((5, 2), seed=3)
    builder.recurrent("GRU", 3)
    graph = builder.graph()
    named = Graph((graph.layers[0], replace(graph.layers[1], name="a" * 40)))
    text = emit_library(lower(named)).files["model.c"]
    assert max(map(len, text.splitlines())) <= 120
