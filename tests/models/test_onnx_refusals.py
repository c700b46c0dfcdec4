"""What an operator of ONNX can ask for, and no kernel has or nobody can mean: refused by its name, with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.system.errors import ModelError
from tests.onnx_files import PLANE, File, ints, one, read, w


def both(kind: str, shape: tuple[int, ...] = PLANE, **attributes: object) -> File:
    """Of the input, and of the input transposed."""
    file = File(shape)
    turned = file.add("Transpose", "x", perm=[0, *range(len(shape) - 1, 0, -1)])
    file.add(kind, "x", turned, **attributes)
    return file


def lstm(*inputs: object, use: int = 0, **attributes: object) -> File:
    """Of 5 steps of 3 numbers, with 4 units."""
    file = File((5, 1, 3))
    own = inputs or (w(1, 16, 3), w(1, 16, 4))
    file.add("LSTM", "x", *own, outputs=3, **{"hidden_size": 4, **attributes})
    file.last = f"{file.last[:-1]}{use}"
    return file


WEIGHTS = w(1, 16, 3), w(1, 16, 4)
REFUSED: list[tuple[str, File]] = [
    ("clips to 3 .. 1", one(PLANE, "Clip", np.float32(3), np.float32(1))),
    (r"a bound of shape \(2,\)", one(PLANE, "Clip", w(2))),
    ("a slope of -1", one(PLANE, "HardSigmoid", alpha=-1.0)),
    ("one number along axis 2", one((1, 4, 1, 6), "Softmax", axis=2)),
    ("turns numbers into int32", one(PLANE, "Cast", to=6)),
    ("squeezes", one(PLANE, "Squeeze", ints(1))),
    ("splits 4 into", one(PLANE, "Split", ints(3, 2), axis=1)),
    ("merges shapes", both("Add")),
    ("divides by a tensor", both("Div", (1, 4, 4))),
    ("divides by zero", one(PLANE, "Div", np.float32(0))),
    ("to the power of 0.5", one(PLANE, "Pow", np.float32(0.5))),
    ("to the power of", one(PLANE, "Pow", w(6))),
    ("in training mode", one(PLANE, "BatchNormalization", w(4), w(4), w(4), np.abs(w(4)), training_mode=1)),
    ("a negative variance", one(PLANE, "BatchNormalization", w(4), w(4), w(4), -1 - np.abs(w(4)))),
    ("has weights of shape", one(PLANE, "LayerNormalization", w(5), w(5))),
    ("standardizes single numbers", one((1, 4, 1), "InstanceNormalization", w(4), w(4))),
    ("makes 3 groups", one(PLANE, "GroupNormalization", w(4), w(4), num_groups=3, opset=21)),
    ("has weights of shape", one(PLANE, "GroupNormalization", w(3), w(3), num_groups=2, opset=21)),
    ("takes places of shape", one(PLANE, "Gather", np.zeros((2, 2), np.int64), axis=2)),
    ("turns", one(PLANE, "Reshape", ints(1, 5, -1))),
    ("in training mode", one(PLANE, "Dropout", np.float32(0.5), np.array(True))),
    ("does not fit", one(PLANE, "Expand", ints(3, 4, 5, 6))),
    ("repeats", one(PLANE, "Tile", ints(1, 2, 0, 1))),
    ("spreads", one(PLANE, "DepthToSpace", blocksize=3)),
    ("gathers", one(PLANE, "SpaceToDepth", blocksize=5)),
    ("has mode 'sideways'", one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 0, 3), mode="sideways")),
    ("has pads =", one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 0))),
    ("pads with nan", one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 0, 3), np.float32(np.nan))),
    ("pads 6 numbers by 7", one(PLANE, "Pad", ints(0, 0, 0, 7, 0, 0, 0, 0), mode="reflect")),
    ("averages what it leaves", one(PLANE, "Resize", None, w(4) * 0 + 0.5, antialias=1, mode="linear", opset=18)),
    ("gives the shape", one(PLANE, "Resize", None, None, ints(1, 4, 7, 2**20 + 6))),
    ("has no scales", one(PLANE, "Resize", None, np.ones(3, np.float32))),
    ("goes by 'up'", one(PLANE, "Resize", None, np.array([1, 1, 2, 2], np.float32), nearest_mode="up")),
    (
        "goes by 'middle'",
        one(PLANE, "Resize", None, np.array([1, 1, 2, 2], np.float32), coordinate_transformation_mode="middle"),
    ),
    ("has kernel_shape", one(PLANE, "Conv", w(5, 4, 3, 3), kernel_shape=[5, 5])),
    ("a window of .* does not fit", one(PLANE, "Conv", w(5, 4, 9, 9))),
    ("two tensors that are computed", both("MatMul", (1, 4, 4))),
    ("has weights for 5 channels", one(PLANE, "ConvTranspose", w(5, 4, 3, 3))),
    ("gives a plane of", one(PLANE, "ConvTranspose", w(4, 4, 3, 3), pads=[9, 9, 9, 9])),
    ("a window of .* does not fit", one(PLANE, "MaxPool", kernel_shape=[9, 9])),
    ("lie outside of", one(PLANE, "MaxPool", kernel_shape=[2, 2], pads=[2, 2, 2, 2])),
    ("has its cell as an output", lstm(use=2)),
    ("sequences of other lengths", lstm(*WEIGHTS, None, np.array([3], np.int32))),
    ("has direction = 'sideways'", lstm(direction="sideways")),
    ("has activations", lstm(activations=["Sigmoid", "Relu", "Elu"])),
    ("clips, or couples", lstm(clip=1.0)),
    ("has activation_alpha", lstm(activation_alpha=[0.5])),
    ("has a bias of shape", lstm(*WEIGHTS, w(1, 30))),
]


@pytest.mark.parametrize(("words", "file"), REFUSED, ids=[f"{file.nodes[-1].op_type} {why}" for why, file in REFUSED])
def test_what_no_kernel_has_is_refused_by_its_name(words: str, file: File) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read(file.data())
    assert caught.value.hint and file.nodes[-1].name in str(caught.value)
