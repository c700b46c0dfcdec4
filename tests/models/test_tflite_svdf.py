"""SVDF keeps a state from call to call: a sample is a series of steps, and TFLM's last answer is its answer."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line.float_proof import start_proof
from mcusim.line.front import read_model
from mcusim.system.errors import ModelError
from tests.compiled import run_compiled
from tests.tflite_files import File, reals
from tests.tflm import TFLM

STEPS, FEATURES, UNITS, RANK, MEMORY = 6, 5, 3, 2, 4


def svdf_of_reals(rank: int = RANK) -> bytes:
    file = File()
    start, inner, end = file.tensor((1, FEATURES)), file.tensor((1, UNITS)), file.tensor((1, UNITS))
    kernels = (reals((UNITS * rank, FEATURES)), reals((UNITS * rank, MEMORY), 1), reals((UNITS,), 2))
    state = file.tensor((1, UNITS * rank * MEMORY), variable=True)
    inputs = (start, *(file.constant(data, "float32") for data in kernels), state)
    file.op("SVDF", inputs, (inner,), rank=rank, fusedActivationFunction=1)
    file.op("SOFTMAX", (inner,), (end,), beta=1.0)
    return file.written((start,), (end,))


def svdf_of_integers(bits: int, seed: int, rank: int = RANK) -> bytes:
    """`bits`: of the state, and of the weights along the steps."""
    random, file = np.random.default_rng(seed), File()
    start, inner = file.tensor((1, FEATURES), "int8", scale=0.1, zero=-7), file.tensor((1, UNITS), "int8", scale=0.3)
    features = file.constant(random.integers(-127, 128, (UNITS * rank, FEATURES)), "int8", scale=0.02)
    most = 2 ** (bits - 1)
    time = file.constant(random.integers(-most, most, (UNITS * rank, MEMORY)), f"int{bits}", scale=1.5 / most)
    bias = file.constant(random.integers(-500, 500, UNITS), "int32", scale=8.0 / most * 1.5 / most)
    zero = int(random.integers(-60, 60)) if bits == 8 and seed else 0
    state = file.tensor((1, UNITS * rank * MEMORY), f"int{bits}", scale=8.0 / most, zero=zero, variable=True)
    file.graph.tensors[inner].quantization.zeroPoint = [int(random.integers(-20, 20))]
    file.op("SVDF", (start, features, time, bias, state), (inner,), 4, rank=rank, fusedActivationFunction=1)
    end, last = file.tensor((1, UNITS), "int8", scale=0.2, zero=4), file.tensor((1, UNITS), "int32", scale=0.01)
    kernel = file.constant(random.integers(-127, 128, (UNITS, UNITS)), "int8", scale=0.01)
    file.op("FULLY_CONNECTED", (inner, kernel), (end,), 4)
    file.op("QUANTIZE", (end,), (last,))
    return file.written((start,), (last,))


def read(content: bytes, folder: Path, steps: int | None = STEPS) -> Graph:
    (folder / "m.tflite").write_bytes(content)
    return read_model(folder / "m.tflite", "m", {"": (steps, FEATURES)} if steps else {}).graph


@pytest.mark.parametrize("rank", [1, 2])
def test_reals(rank: int, tmp_path: Path) -> None:
    content = svdf_of_reals(rank)
    graph, x = read(content, tmp_path), reals((5, STEPS, FEATURES))
    (theirs,), _ = TFLM.run(content, [x[:, :, None]], steps=STEPS)
    np.testing.assert_allclose(graph.run(x), theirs.reshape(5, -1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run_compiled(graph, x), graph.run(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bits", [8, 16])
def test_integers(bits: int, tmp_path: Path) -> None:
    for seed in range(4):
        content = svdf_of_integers(bits, seed)
        graph = read(content, tmp_path)
        numbers = graph.inputs[0].numbers
        assert numbers is not None
        q = np.random.default_rng(seed).integers(-128, 128, (20, STEPS, FEATURES)).astype(np.int8)
        q[0], q[1] = -128, 127
        (theirs,), _ = TFLM.run(content, [q[:, :, None]], steps=STEPS)
        ours = graph.run(numbers.decode(q))
        assert len(np.unique(ours)) > 20
        np.testing.assert_array_equal(ours, theirs.reshape(20, -1))
    np.testing.assert_array_equal(run_compiled(graph, numbers.decode(q)), ours)


@pytest.mark.parametrize("content", [svdf_of_reals(), svdf_of_integers(16, 3)])
def test_the_interpreter_proves_it(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    source = read_model(path, "m", {"": (STEPS, FEATURES)})
    with ExitStack() as stack:
        found = start_proof(path, source, reals((3, STEPS, FEATURES)), stack)()
    assert found.proof and found.proof.samples == 3


@pytest.mark.parametrize("shape", [None, (STEPS,), (STEPS, FEATURES + 1), (1, FEATURES), (2**20, FEATURES)])
def test_how_many_steps_make_a_sample_must_be_told(shape: tuple[int, ...] | None, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(svdf_of_reals())
    with pytest.raises(ModelError, match="keeps a state") as caught:
        read_model(tmp_path / "m.tflite", "m", {"": shape} if shape else {})
    assert "input_shape = [16, 5]" in str(caught.value.hint)
