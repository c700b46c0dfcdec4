"""What exporters compute of constants and shapes in the graph is what onnxruntime makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.models.onnx.constants import FOLDED
from mcusim.system.errors import ModelError
from tests.onnx_files import VECTOR, File, assert_equal, ints, onnx, read, w

Build = Callable[[File], str]
WHOLE = ints(-9, 9, -7, 7, 8, -8, 0, 5, -5, 1, 11, -11)
BY = ints(2, 2, 3, 3, -3, -3, 4, -2, 2, 5, 11, 4)
TRUE = np.array([True, False] * 6)
BYTES, LEVELS = np.arange(12, dtype=np.uint8).reshape(3, 4), np.array([0.5, 0.25, 2, 1], np.float32)


def number(file: File, kind: str = "INT64", *, shape: tuple[int, ...] = (1,)) -> object:
    return onnx.helper.make_tensor("value", getattr(onnx.TensorProto, kind), shape, [3])


def constant(file: File, **attributes: object) -> str:
    """A node without inputs."""
    file.nodes.append(onnx.helper.make_node("Constant", [], ["made"], **attributes))
    file.last = "made"
    return file.last


def split(file: File) -> str:
    file.add("Split", WHOLE, ints(2, 1, 9), outputs=3)
    return f"{file.last[:-1]}1"


CASES: dict[str, Build] = {
    "whole numbers are cut towards zero": lambda file: file.add("Div", WHOLE, BY),
    "reals are divided": lambda file: file.add("Div", w(12), w(12, seed=4)),
    "a remainder has the sign of the divisor": lambda file: file.add("Mod", WHOLE, BY),
    "or that of what is divided": lambda file: file.add("Mod", w(12), w(12, seed=4), fmod=1),
    "the largest of three": lambda file: file.add("Max", w(12), w(12, seed=4), np.float32(0.1)),
    "the least of one": lambda file: file.add("Min", w(12)),
    "numbers become whole": lambda file: file.add("Cast", w(12) * 9, to=onnx.TensorProto.INT32),
    "truth becomes numbers": lambda file: file.add("Not", TRUE),
    "one or the other": lambda file: file.add("Where", TRUE, w(12), np.float32(7)),
    "powers": lambda file: file.add("Pow", WHOLE, np.int64(2)),
    "a whole number": lambda file: constant(file, value_int=4),
    "whole numbers": lambda file: constant(file, value_ints=[*range(12)]),
    "a real number": lambda file: constant(file, value_float=0.5),
    "real numbers": lambda file: constant(file, value_floats=[0.5] * 12),
    "a tensor": lambda file: constant(file, value=number(file)),
    "one number everywhere": lambda file: file.add("ConstantOfShape", ints(2, 12), value=number(file, "INT32")),
    "nothing everywhere": lambda file: file.add("ConstantOfShape", ints(12)),
    "the size of a tensor": lambda file: file.add("Size", "x"),
    "the size of a constant": lambda file: file.add("Size", w(3, 5)),
    "the end of a shape": lambda file: file.add("Shape", "x", start=-1),
    "a range": lambda file: file.add("Range", np.int64(3), np.int64(27), np.int64(2)),
    "a range downwards": lambda file: file.add("Range", np.float32(6), np.float32(0), np.float32(-0.5)),
    "as often as said": lambda file: file.add("Tile", w(2, 3), ints(3, 4)),
    "as broad as said": lambda file: file.add("Expand", w(3, 1), ints(12)),
    "the largest of a row": lambda file: file.add("ReduceMax", w(12, 5), axes=[1], keepdims=0),
    "the product of all": lambda file: file.add("ReduceProd", w(3, 2)),
    "a sum of no axes": lambda file: file.add("ReduceSum", w(12), None, noop_with_empty_axes=1),
    "weights with a scale": lambda file: file.add("DequantizeLinear", BYTES, np.float32(0.5), np.uint8(3)),
    "weights with a scale each": lambda file: file.add("DequantizeLinear", BYTES, LEVELS, np.arange(4, dtype=np.uint8)),
    "the second part": split,
}


SIZES = {"one number everywhere": 24, "as often as said": 72, "as broad as said": 36}


@pytest.mark.parametrize("case", CASES)
def test_constants_are_computed_as_onnxruntime_does(case: str) -> None:
    file = File((1, SIZES.get(case, 12)))
    made = assert_equal(added(file, CASES[case](file)))
    assert len(made.source.graph.layers) == 2, "the input, and what adds a constant"


def added(file: File, name: str) -> File:
    file.add("Cast", name, to=onnx.TensorProto.FLOAT)
    file.add("Reshape", ..., ints(1, -1))
    file.add("Add", ..., "x")
    return file


REFUSED: dict[str, tuple[Build, str]] = {
    "a type of four bits": (lambda file: file.add("Cast", w(12), to=22), "casts to type 22"),
    "no numbers": (lambda file: constant(file, value_string="a"), "holds no numbers"),
    "a split too long": (lambda file: file.add("Split", WHOLE, ints(2, 6, 5), outputs=3), "splits 12 into"),
    "squeezed away": (lambda file: file.add("Squeeze", w(3, 4), ints(0)), r"squeezes \(3, 4\)"),
    "too much": (lambda file: file.add("ConstantOfShape", ints(2**20, 2**20)), "makes a constant of shape"),
    "a range without an end": (lambda file: file.add("Range", np.int64(0), np.int64(2**40), np.int64(1)), "makes a"),
    "a range without steps": (lambda file: file.add("Range", np.int64(0), np.int64(4), np.int64(0)), "range"),
    "shapes that do not meet": (lambda file: file.add("Add", w(3), w(4)), "add"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_computed_is_refused(case: str) -> None:
    build, words = REFUSED[case]
    file = File(VECTOR, opset=21)
    added(file, build(file))
    with pytest.raises(ModelError, match=f"(?i){words}") as caught:
        read(file.data())
    assert caught.value.hint


def test_every_function_has_a_case() -> None:
    """But for those that are NumPy's own, and those that layers have, too."""
    text = Path(__file__).read_text(encoding="utf-8")
    plain = {"Abs", "Add", "And", "Ceil", "Equal", "Exp", "Floor", "Greater", "Identity", "Less", "Log", "Mul", "Neg"}
    plain |= {"Or", "Reciprocal", "ReduceMin", "Sqrt", "Sub"}
    of_shapes = {"Concat", "Flatten", "Gather", "Slice", "Transpose", "Unsqueeze"}
    assert {kind for kind in FOLDED if f'"{kind}"' not in text.partition("def test_every")[0]} <= plain | of_shapes
