"""Quant nodes of QONNX: the integers that they spell, held against onnxruntime on the same in plain operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.models.onnx.qonnx import DOMAINS, ROUNDINGS
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from mcusim.system.errors import McusimError, ModelError
from tests.onnx_files import File, graph_of, mutated, onnx, onnxruntime_of, read


def w(*shape: int, seed: int = 3) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1), np.float32)


class Qonnx(File):
    """A file whose Quants are also written as division, rounding, bounds and product."""

    def quant(self, x: Any, scale: Any, bits: int, *, signed: int = 1, narrow: int = 0, **own: Any) -> str:
        given = (np.asarray(scale, np.float32), np.float32(0), np.float32(bits))
        settings = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND", **own}
        return self.add("Quant", x, *given, domain=DOMAINS[0], **settings)

    def data(self, *outputs: str) -> bytes:
        model = self.model(*outputs)
        model.opset_import.append(onnx.helper.make_opsetid(DOMAINS[0], 1))
        return bytes(model.SerializeToString())

    def plain(self) -> bytes:
        file = File(self.shape, self.opset, nodes=[], weights=dict(self.weights))
        for node in self.nodes:
            if node.op_type != "Quant":
                file.nodes.append(node)
                continue
            told = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            bits = int(self.weights[node.input[3]])
            low = -(2 ** (bits - 1)) + told["narrow"] if told["signed"] else 0
            high = 2 ** (bits - 1) - 1 if told["signed"] else 2**bits - 1 - told["narrow"]
            file.add("Round", file.add("Div", node.input[0], node.input[1]))
            file.add("Mul", file.add("Clip", ..., np.float32(low), np.float32(high)), node.input[1])
            file.nodes[-1].output[0] = node.output[0]
        file.last = self.last
        return file.data()


def network(bits: int) -> Qonnx:
    """As Brevitas exports one: scales by channel, batch normalizations that nobody folded."""
    file = Qonnx((1, 3, 8, 8), 11)
    file.quant("x", 0.0173, 8, narrow=1)
    x = file.last
    file.add("Conv", x, file.quant(w(6, 3, 3, 3), np.abs(w(6, 1, 1, 1)) / 9 + 0.031, bits), pads=[1, 1, 1, 1])
    file.add("BatchNormalization", ..., w(6), w(6), w(6), np.abs(w(6)) + 1)
    file.add("Relu")
    x = file.quant(..., 0.0713, bits, signed=0)
    file.add("Conv", x, file.quant(w(6, 1, 3, 3), 0.113, bits, narrow=1), w(6), group=6, pads=[1, 1, 1, 1])
    file.add("Add", file.quant(..., 0.0513, 8), x)
    file.quant(..., 0.0917, 8)
    file.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    x = file.add("Flatten")
    x = file.add(
        "MatMul", x, file.add("Transpose", file.quant(w(5, 96), np.abs(w(5, 1)) / 5 + 0.02, bits), perm=[1, 0])
    )
    file.add("Add", x, file.quant(w(5), 0.013, 8))
    file.quant(..., 0.0331, 8)
    return file


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_a_network_of_few_bits(bits: int) -> None:
    file = network(bits)
    made, x = read(file.data()), file.samples(12)
    graph = made.source.graph
    assert all(isinstance(layer.numbers, Affine) for layer in graph) and graph.data_type == "int8"
    assert sum(layer.kind == "BatchNormalization" for layer in graph) == 0
    (end,), theirs = graph.ends, onnxruntime_of(file.plain(), x)[0]
    assert isinstance(end.numbers, Affine)
    steps = np.abs(end.numbers.decode(graph_of(made, x)[0]) - theirs) / end.numbers.scale
    assert steps.max() < 4 and steps.mean() < 0.7  # TFLM rounds twice: one in eight sums of a small shift is one off
    assert np.ptp(theirs) > 40 * end.numbers.scale


def test_scales_of_powers_of_two_are_fixed_point() -> None:
    """Without ties every number is that of QONNX."""
    file = Qonnx((1, 16), 11)
    file.add("MatMul", file.quant("x", 2.0**-5, 8), file.quant(w(16, 8), 2.0**-6, 6))
    file.add("Relu")
    file.quant(..., 2.0**-4, 4, signed=0)
    made, x = read(file.data()), file.samples(50)
    graph: Graph = made.source.graph
    assert [layer.kind for layer in graph] == ["Input", "Dense"]
    numbers = graph.layers[-1].numbers
    assert numbers == Affine(8, 2.0**-4, 0)
    ours, theirs = numbers.decode(graph_of(made, x)[0]), onnxruntime_of(file.plain(), x)[0]
    assert ours.max() == 15 / 16 and (np.abs(ours - theirs) <= 2.0**-4).all() and (ours == theirs).mean() > 0.9


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_weights_are_rounded_as_they_say(rounding: str) -> None:
    file = Qonnx((1, 4), 11)
    given = np.array([[0.26, -0.26], [0.5, -0.5], [0.99, -0.99], [3.0, -3.0]], np.float32)
    file.add("MatMul", file.quant("x", 0.1, 8), file.quant(given, 0.25, 4, rounding_mode=rounding))
    file.quant(..., 0.05, 8)
    layer: Any = read(file.data()).source.graph.layers[-1]
    assert (layer.kernel == np.clip(ROUNDINGS[rounding](given.T / 0.25), -8, 7)).all()


@pytest.mark.parametrize(
    ("scale", "bits", "own", "why"),
    [
        (0.1, 16, {}, "stores 16 bits"),
        (0.1, 2.5, {}, "2.5 bits"),
        (-0.1, 8, {}, "no numbers"),
        (np.ones((1, 4)), 8, {}, "4 scales"),
        (0.1, 8, {"rounding_mode": "FLOOR"}, "stores"),
    ],
)
def test_what_cannot_be_stored_is_refused(scale: Any, bits: Any, own: dict[str, Any], why: str) -> None:
    file = Qonnx((1, 4), 11)
    file.quant("x", scale, bits, **own)
    file.add("Relu")
    with pytest.raises(ModelError, match=why):
        read(file.data())


def test_mutated_models_are_read_or_refused() -> None:
    file, random = network(4), np.random.default_rng(0)
    model = onnx.load_from_string(file.data())
    for _ in range(250):
        try:
            read(mutated(model, random))
        except McusimError as error:
            assert error.hint


def test_signs_of_activations_are_refused() -> None:
    file = Qonnx((1, 4), 11)
    file.add("BipolarQuant", "x", np.float32(1), domain=DOMAINS[0])
    with pytest.raises(ModelError, match="signs"):
        read(file.data())
