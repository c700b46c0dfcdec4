"""Every operator of TFLite that is read, on integers: bit for bit what TensorFlow Lite Micro's interpreter gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.models import read_model
from mcusim.system.errors import ModelError
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.tflite_cases import CASES
from tests.tflite_files import File, Integers
from tests.tflm import TFLM
from tests.tflm_equal import compare, equal, reals_of

SAMPLES = 12
# Cases without integers, here or in TFLM, whose SPACE_TO_BATCH_ND pads integers with what happens to be in its memory.
REALS_ONLY = ("DIV", "EXP", "NEG", "SQUARE", "dilation")
NOT_IN_16_BITS = (
    "MIRROR_PAD",
    "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH",
    "HARD_SWISH",
    "ELU",
    "RESIZE_BILINEAR",
    "REDUCE_MAX",
    "ABS",
    "GATHER",
)


def cases(bits: int) -> list[str]:
    return [name for name in CASES if not name.startswith(REALS_ONLY if bits == 8 else (*REALS_ONLY, *NOT_IN_16_BITS))]


@pytest.mark.parametrize(("bits", "name"), [(bits, name) for bits in (8, 16) for name in cases(bits)])
def test_it_computes_what_tflm_computes(bits: int, name: str, tmp_path: Path) -> None:
    for seed in range(3):
        file = Integers(bits=bits, seed=seed, long=seed < 2 or not name.startswith(("CONV_2D", "FULLY_CONNECTED")))
        compare(file.written(*CASES[name](file)), tmp_path)


@pytest.mark.parametrize(
    "kind", ["ABS", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "LEAKY_RELU", "RELU", "RELU6", "QUANTIZE"]
)
@pytest.mark.parametrize("bits", [8, 16])
def test_functions_of_every_number(kind: str, bits: int, tmp_path: Path) -> None:
    if bits == 16 and kind in NOT_IN_16_BITS:
        pytest.skip("none is made")
    scales = [2.0**-12, 2.0**-11, 0.3, 1.0, 3e-5] if bits == 16 else [2.0**-4, 0.02, 0.3, 2.0]
    every = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)).reshape(-1, 256)
    for number, scale in enumerate(scales):
        file = Integers(bits=bits, seed=number)
        start, end = file.tensor((1, 256)), file.tensor((1, 256))
        options = {"alpha": (0.3, -0.2, 1.5, 0.01, 0.1)[number]} if kind == "LEAKY_RELU" else {}
        file.graph.tensors[start].quantization.scale = [scale]
        if kind == "HARD_SWISH":  # TFLM refuses outputs that are much finer
            file.graph.tensors[end].quantization.scale = [scale * 1.1]
        file.op(kind, (start,), (end,), **options)
        content = file.written((start,), (end,))
        (tmp_path / "m.tflite").write_bytes(content)
        layer = read_model(tmp_path / "m.tflite", "m").graph.layers[-1]
        q = every.astype(f"int{bits}")
        equal(layer.run(q), TFLM.run(content, [q[:, None]])[0][0], f"scale {scale}")


@pytest.mark.parametrize("bits", [8, 16])
def test_c_computes_it_too(bits: int, tmp_path: Path) -> None:
    """All of them side by side, in one library."""
    file = Integers(bits=bits, seed=7)
    starts, ends = zip(*(CASES[name](file) for name in cases(bits)), strict=True)
    content = file.written([index for one in starts for index in one], [index for one in ends for index in one])
    (tmp_path / "m.tflite").write_bytes(content)
    graph = read_model(tmp_path / "m.tflite", "m").graph
    x = records_of({layer.name: reals_of(layer, 8) for layer in graph.inputs})
    ours, c = graph.run(x), run_compiled(graph, x)
    for name in ours.dtype.names or ():
        np.testing.assert_array_equal(c[name], ours[name], name)


@pytest.mark.parametrize("scale", [3.0, 125.896])
def test_a_softmax_whose_distances_do_not_fit_into_32_bits(scale: float, tmp_path: Path) -> None:
    """Seed 148 of script/fuzz's graphs: C read beyond its table."""
    file = Integers(bits=16)
    start, end = file.tensor((1, 40, 5)), file.tensor((1, 40, 5))
    file.graph.tensors[start].quantization.scale = [scale]
    file.op("SOFTMAX", (start,), (end,), beta=1.0)
    graph = compare(file.written((start,), (end,)), tmp_path).graph
    x = reals_of(graph.inputs[0], SAMPLES)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_whole_numbers_that_are_cast_to_reals(dtype: str, tmp_path: Path) -> None:
    """An input without a scale, as a model that was trained on bytes has it; with another reader it is refused."""
    file = File()
    start, real, end = file.tensor((1, 6), dtype), file.tensor((1, 6)), file.tensor((1, 6), "int8", scale=1.0, zero=3)
    file.op("CAST", (start,), (real,))
    file.op("QUANTIZE", (real,), (end,))
    content = file.written((start,), (end,))
    if dtype != "uint8":  # which TFLM does not cast
        compare(content, tmp_path)
    (tmp_path / "m.tflite").write_bytes(content)
    x = np.array([[0, 1, 5, 60, 100, 120]], np.float32)
    np.testing.assert_array_equal(read_model(tmp_path / "m.tflite", "m").graph.run(x), x + 3)
    file.op("RELU", (start,), (file.tensor((1, 6), dtype),))
    (tmp_path / "m.tflite").write_bytes(file.written((start,), (end,)))
    with pytest.raises(ModelError, match=f"is {dtype}"):
        read_model(tmp_path / "m.tflite", "m")
