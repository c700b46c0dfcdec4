"""Nodes of ONNX with several tensors: merges, parts, and recurrent layers."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.line.quantize import quantize
from mcusim.system.errors import ModelError
from tests.compiled import run_compiled
from tests.onnx_files import PLANE, File, assert_equal, ints, onnxruntime, read, w


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize("other", [PLANE, (1, 4, 1, 1), (1, 1, 7, 6), (1, 1, 1, 6), (1, 1)])
def test_merges_of_tensors(kind: str, other: tuple[int, ...]) -> None:
    file = File(PLANE, inputs={"y": other})
    file.add("Conv", ..., w(4, 4, 1, 1))
    if kind in ("Sum", "Mean", "Max", "Min"):
        file.add(kind, "y", ..., "x")
    else:
        file.add(kind, ..., "y")
    assert_equal(file)


def test_constants_that_are_tensors_of_their_own() -> None:
    """Beside others in a Concat, or larger than what they are added to; in int8, too."""
    file = File((1, 4, 6))
    x = file.add("Conv", ..., w(4, 4, 3))
    file.add("Concat", w(1, 4, 2), x, w(1, 4, 1), axis=2)
    file.add("Add", file.add("ReduceMean", ..., axes=[1]), w(1, 3, 1))
    file.add("Sub", w(1, 3, 7), ...)
    graph = assert_equal(file).source.graph
    samples = np.asarray(np.random.default_rng(0).normal(size=(8, *graph.inputs[0].shape)), np.float32)
    integers = quantize(graph, samples, "int8")
    np.testing.assert_array_equal(run_compiled(integers, samples), integers.run(samples))


def test_the_batch_of_a_merge_is_no_axis_of_a_sample() -> None:
    file = File((1, 5), inputs={"y": (1, 5)})
    file.add("Unsqueeze", ..., ints(2))
    file.add("Mul", ..., file.add("Unsqueeze", "y", ints(1)) and "unsqueeze0_0")
    assert_equal(file)


def test_an_input_of_one_axis_has_no_batch() -> None:
    file = File((4,))
    file.add("Unsqueeze", ..., ints(0))
    file.add("Gemm", ..., w(4, 3), w(3))
    source, x = read(file.data()).source, w(5, 4)
    theirs = [onnxruntime.InferenceSession(file.data()).run(None, {"x": one})[0][0] for one in x]
    assert np.abs(source.graph.run(x) - np.stack(theirs)).max() < 2e-5


def test_inputs_with_other_batches() -> None:
    """The second is a state of two layers: not two samples."""
    file = File((1, 5), inputs={"state": (2, 1, 5)})
    file.add("Add", ..., file.add("Gather", "state", np.array(0), axis=0))
    with pytest.raises(ModelError, match=r"batches of 1 and 2 \('state'\)") as caught:
        read(file.data())
    assert "state" in str(caught.value.hint)


def test_all_that_a_recurrent_layer_may_not_have_is_told_at_once() -> None:
    file = File((7, 1, 5))
    given = (w(1, 12, 5), w(1, 12, 3), None, None, np.ones((1, 1, 3), np.float32))
    file.add("LSTM", ..., *given, hidden_size=3, clip=2.0)
    with pytest.raises(ModelError, match="first state that is not 0, clips"):
        read(file.data())


def test_parts_of_a_split_and_their_concatenation() -> None:
    file = File(PLANE)
    file.add("Conv", ..., w(9, 4, 1, 1))
    file.add("Split", ..., ints(2, 3, 4), axis=1, outputs=3)
    file.add("Relu", "split1_2")
    file.add("Concat", ..., "split1_0", "x", axis=1)
    assert_equal(file)
    file = File((1, 3, 8), 11)
    file.add("Split", axis=2, outputs=2)
    file.add("Concat", "split0_1", "split0_0", axis=-2)
    assert_equal(file)


@pytest.mark.parametrize("kind, gates", [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("output", ["{}0_0", "{}0_1", "both"])
def test_recurrent_layers(kind: str, gates: int, direction: str, output: str) -> None:
    ways, units, features = 1 + (direction == "bidirectional"), 3, 5
    file = File((1, 7, features))
    file.add("Transpose", perm=[1, 0, 2])
    weights = (w(ways, gates * units, features), w(ways, gates * units, units), w(ways, 2 * gates * units))
    settings = {"linear_before_reset": 1} if kind == "GRU" else {}
    file.nodes, given = [], file.nodes
    file.add(kind, given[0].output[0], *weights, direction=direction, hidden_size=units, outputs=2, **settings)
    file.nodes = [*given, *file.nodes]
    names = [f"{kind.lower()}0_{number}" for number in (0, 1)]
    assert_equal(file, *(names if output == "both" else [output.format(kind.lower())]))
