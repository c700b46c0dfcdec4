"""Operations as `.tflite` files have them, one or a few to a file: on reals, or on integers if the file makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.tflite_files import File, reals

SAME, VALID = 0, 1
Ends = tuple[Sequence[int], Sequence[int]]
Make = Callable[[File], Ends]


def one(kind: str, shape: Sequence[int], output: Sequence[int], *constants: Any, **options: Any) -> Make:
    """An operator with one input and constants behind it, and another before it: it reads no input of the model."""

    def make(file: File) -> Ends:
        start, inner, end = file.tensor(shape), file.tensor(shape), file.tensor(output)
        file.before(start, inner)
        behind = [
            file.constant(data, "float32" if np.asarray(data).dtype.kind == "f" else "int32") for data in constants
        ]
        file.op(kind, (inner, *behind), (end,), **options)
        return (start,), (end,)

    return make


def two(kind: str, first: Sequence[int], second: Sequence[int], output: Sequence[int], **options: Any) -> Make:
    def make(file: File) -> Ends:
        starts, end = (file.tensor(first), file.tensor(second)), file.tensor(output)
        file.op(kind, starts, (end,), **options)
        return starts, (end,)

    return make


def conv(
    shape: Sequence[int],
    kernel: Sequence[int],
    output: Sequence[int],
    kind: str = "CONV_2D",
    bias: bool = True,
    **told: Any,
) -> Make:
    options = {"strideH": 1, "strideW": 1, "padding": VALID, **told}

    def make(file: File) -> Ends:
        start, end = file.tensor(shape), file.tensor(output)
        inputs = [start, file.weights(reals(kernel), 3 if kind.startswith("DEPTHWISE") else 0)]
        inputs += [file.bias(reals(output[-1:]))] if bias else []
        file.op(kind, inputs, (end,), **options)
        return (start,), (end,)

    return make


def depthwise(shape: Sequence[int], kernel: Sequence[int], output: Sequence[int], **told: Any) -> Make:
    return conv(shape, kernel, output, "DEPTHWISE_CONV_2D", depthMultiplier=output[-1] // shape[-1], **told)


def transposed(shape: Sequence[int], kernel: Sequence[int], output: Sequence[int], **options: Any) -> Make:
    def make(file: File) -> Ends:
        start, end = file.tensor(shape), file.tensor(output)
        inputs = (file.constant(output), file.weights(reals(kernel)), start, file.bias(reals(output[-1:])))
        file.op("TRANSPOSE_CONV", inputs, (end,), 3, **options)
        return (start,), (end,)

    return make


def dense(shape: Sequence[int], units: int, output: Sequence[int], elements: int, **options: Any) -> Make:
    def make(file: File) -> Ends:
        start, end = file.tensor(shape), file.tensor(output)
        inputs = (start, file.weights(reals((units, elements))), file.bias(reals((units,))))
        file.op("FULLY_CONNECTED", inputs, (end,), 5, **options)
        return (start,), (end,)

    return make


def split(kind: str, shape: Sequence[int], axis: int, sizes: Sequence[int]) -> Make:
    def make(file: File) -> Ends:
        start = file.tensor(shape)
        along = axis % len(shape)
        ends = [file.tensor([size if at == along else n for at, n in enumerate(shape)]) for size in sizes]
        inputs = (file.constant(axis), start)
        if kind == "SPLIT_V":
            inputs = (start, file.constant(sizes), file.constant(axis))  # type: ignore[assignment]
        file.op(kind, inputs, ends, numSplits=len(sizes))
        return (start,), ends

    return make


def unpacked(file: File) -> Ends:
    start, ends = file.tensor((1, 3, 2)), [file.tensor((1, 2)) for _ in range(3)]
    file.op("UNPACK", (start,), ends, num=3, axis=1)
    return (start,), ends


def joined(kind: str, shapes: Sequence[Sequence[int]], output: Sequence[int], axis: int) -> Make:
    def make(file: File) -> Ends:
        starts, end = [file.tensor(shape) for shape in shapes], file.tensor(output)
        options = {"axis": axis} if kind != "PACK" else {"axis": axis, "valuesCount": len(shapes)}
        file.op(kind, starts, (end,), 2, **options)
        return starts, (end,)

    return make


def conv1d(file: File) -> Ends:
    """As Keras' Conv1D and MaxPooling1D are written."""
    start, wide = file.tensor((1, 9, 3)), file.tensor((1, 1, 9, 3))
    kernel, bias = file.weights(reals((4, 1, 3, 3))), file.bias(reals((4,)))
    summed, series = file.tensor((1, 1, 7, 4)), file.tensor((1, 7, 4))
    again, pooled, end = file.tensor((1, 7, 1, 4)), file.tensor((1, 3, 1, 4)), file.tensor((1, 3, 4))
    file.op("EXPAND_DIMS", (start, file.constant(1)), (wide,))
    file.op("CONV_2D", (wide, kernel, bias), (summed,), padding=VALID, strideH=1, strideW=1, fusedActivationFunction=1)
    file.op("SQUEEZE", (summed,), (series,), squeezeDims=[1])
    file.op("EXPAND_DIMS", (series, file.constant(2)), (again,))
    window = {"filterHeight": 2, "filterWidth": 1, "strideH": 2, "strideW": 1, "padding": VALID}
    file.op("MAX_POOL_2D", (again,), (pooled,), **window)
    file.op("RESHAPE", (pooled, file.constant((1, 3, 4))), (end,))
    return (start,), (end,)


def dilated(series: bool) -> Make:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND, as old converters write dilation."""

    def make(file: File) -> Ends:
        kernel = file.weights(reals((2, 1 if series else 3, 3, 2)))
        if series:
            start, end = file.tensor((1, 9, 2)), file.tensor((1, 9, 2))
            spread, wide = file.tensor((2, 7, 2)), file.tensor((2, 1, 7, 2))
            summed, narrow = file.tensor((2, 1, 5, 2)), file.tensor((2, 5, 2))
            block, pads, crops = (file.constant(data) for data in ([2], [[2, 3]], [[0, 1]]))
            file.op("SPACE_TO_BATCH_ND", (start, block, pads), (spread,))
            file.op("EXPAND_DIMS", (spread, file.constant(1)), (wide,))
            file.op("CONV_2D", (wide, kernel), (summed,), padding=VALID, strideH=1, strideW=1)
            file.op("SQUEEZE", (summed,), (narrow,), squeezeDims=[1])
        else:
            start, end = file.tensor((1, 7, 6, 2)), file.tensor((1, 7, 6, 2))
            spread, narrow = file.tensor((4, 6, 5, 2)), file.tensor((4, 4, 3, 2))
            block, pads, crops = (file.constant(data) for data in ([2, 2], [[2, 3], [2, 2]], [[0, 1], [0, 0]]))
            file.op("SPACE_TO_BATCH_ND", (start, block, pads), (spread,))
            file.op("CONV_2D", (spread, kernel), (narrow,), padding=VALID, strideH=1, strideW=1)
        file.op("BATCH_TO_SPACE_ND", (narrow, block, crops), (end,))
        return (start,), (end,)

    return make


def flattened(file: File) -> Ends:
    """As Flatten with a batch of any size is written: its shape is computed."""
    start, shape, size = (
        file.tensor((1, 3, 2), signature=(-1, 3, 2)),
        file.tensor((3,), "int32"),
        file.tensor((), "int32"),
    )
    wanted, flat, end = file.tensor((2,), "int32"), file.tensor((1, 6), signature=(-1, 6)), file.tensor((1, 6))
    file.op("SHAPE", (start,), (shape,), outType=2)
    places = [file.constant(data) for data in ([0], [1], [1])]
    file.op("STRIDED_SLICE", (shape, *places), (size,), shrinkAxisMask=1)
    file.op("PACK", (size, file.constant(6)), (wanted,), valuesCount=2)
    file.op("RESHAPE", (start, wanted), (flat,))
    file.op("RELU", (flat,), (end,))
    return (start,), (end,)


def reshaped(file: File) -> Ends:
    """As models of PyTorch are written: what is kept is sliced out of the shape."""
    start, shape, kept = file.tensor((1, 3, 4)), file.tensor((3,), "int32"), file.tensor((2,), "int32")
    wanted, flat, end = file.tensor((4,), "int32"), file.tensor((1, 3, 2, 2)), file.tensor((1, 3, 2, 2))
    file.op("SHAPE", (start,), (shape,), outType=2)
    file.op("SLICE", (shape, file.constant([0]), file.constant([2])), (kept,))
    file.op("CONCATENATION", (kept, file.constant([2, 2])), (wanted,), axis=0)
    file.op("RESHAPE", (start, wanted), (flat,))
    file.op("RELU", (flat,), (end,))
    return (start,), (end,)


def halves(file: File) -> Ends:
    """Weights of 16 bits."""
    start, end, kernel = file.tensor((1, 4)), file.tensor((1, 3)), file.tensor((3, 4))
    file.op("DEQUANTIZE", (file.constant(reals((3, 4)), "float16"),), (kernel,))
    file.op("FULLY_CONNECTED", (start, kernel), (end,))
    return (start,), (end,)


MASKS = {"beginMask": 0, "endMask": 0}


def both_ends(dtype: str) -> Make:
    """Reals, or old integers without a sign, become int8 of two scales, and reals again."""

    def make(file: File) -> Ends:
        start = file.tensor((1, 5, 3), dtype, **({} if dtype == "float32" else {"scale": 0.02, "zero": 131}))
        first = file.tensor((1, 5, 3), "int8", scale=0.03, zero=-7)
        second, end = file.tensor((1, 5, 3), "int8", scale=0.011, zero=40), file.tensor((1, 5, 3))
        file.op("QUANTIZE", (start,), (first,))
        file.op("QUANTIZE", (first,), (second,))
        file.op("DEQUANTIZE", (second,), (end,))
        return (start,), (end,)

    return make


def lstm(time_major: bool, clip: float = 0.0) -> Make:
    """Five steps of three features, four units; its states are variables."""

    def make(file: File) -> Ends:
        shape, output = ((5, 1, 3), (5, 1, 4)) if time_major else ((1, 5, 3), (1, 5, 4))
        start, inner, end = file.tensor(shape), file.tensor(shape), file.tensor(output)
        file.before(start, inner)
        kernels = [file.square(reals((4, 3), seed)) for seed in range(4)]
        recurrent = [file.square(reals((4, 4), seed + 4)) for seed in range(4)]
        biases = [file.bias(reals((4,), seed)) for seed in range(4)]
        state, cell = file.states((1, 4), end)
        inputs = (inner, *kernels, *recurrent, -1, -1, -1, *biases, -1, -1, state, cell, -1, -1, -1, -1)
        options = {"timeMajor": time_major, "fusedActivationFunction": 4, "cellClip": clip}
        file.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (end,), **options)
        return (start,), (end,)

    return make


def prelu(shape: Sequence[int], slopes: Sequence[int]) -> Make:
    def make(file: File) -> Ends:
        start, inner, end = file.tensor(shape), file.tensor(shape), file.tensor(shape)
        file.before(start, inner)
        file.op("PRELU", (inner, file.slopes(reals(slopes))), (end,))
        return (start,), (end,)

    return make


def widening(file: File) -> Ends:
    """Softmax of 8 bits to 16, and that to 32."""
    start, wide = file.tensor((1, 4, 5), "int8", scale=0.07, zero=2), file.tensor((1, 4, 5), "int16", scale=1 / 65536)
    file.graph.tensors[wide].quantization.zeroPoint = [-32768]
    end = file.tensor((1, 4, 5), "int32", scale=3.051851e-05)
    file.op("SOFTMAX", (start,), (wide,), beta=1.0)
    file.op("QUANTIZE", (wide,), (end,))
    return (start,), (end,)


POOL = {"filterHeight": 3, "filterWidth": 2, "strideH": 2, "strideW": 1}
CASES: dict[str, Make] = {
    "CONV_2D": conv(
        (1, 7, 6, 2), (3, 3, 2, 2), (1, 4, 3, 3), padding=SAME, strideH=2, strideW=2, fusedActivationFunction=1
    ),
    "CONV_2D valid": conv((1, 7, 6, 2), (3, 3, 2, 2), (1, 5, 5, 3), fusedActivationFunction=3),
    "CONV_2D without a bias": conv((1, 7, 6, 2), (3, 3, 2, 2), (1, 5, 5, 3), bias=False, fusedActivationFunction=2),
    "CONV_2D dilation": conv(
        (1, 7, 6, 2), (3, 3, 2, 2), (1, 7, 6, 3), padding=SAME, dilationHFactor=2, dilationWFactor=3
    ),
    "CONV_2D groups": conv((1, 5, 5, 4), (6, 3, 3, 2), (1, 3, 3, 6)),
    "CONV_2D of rows": conv1d,
    "DEPTHWISE_CONV_2D": depthwise((1, 7, 6, 3), (1, 3, 2, 3), (1, 7, 6, 3), padding=SAME, fusedActivationFunction=1),
    "DEPTHWISE_CONV_2D two": depthwise((1, 7, 6, 3), (1, 3, 3, 6), (1, 3, 2, 6), strideH=2, strideW=2),
    "DEPTHWISE_CONV_2D dilation": depthwise(
        (1, 7, 6, 3), (1, 3, 3, 3), (1, 3, 2, 3), dilationHFactor=2, dilationWFactor=2
    ),
    "TRANSPOSE_CONV": transposed((1, 3, 4, 2), (3, 3, 3, 2), (1, 6, 8, 3), padding=SAME, strideH=2, strideW=2),
    "TRANSPOSE_CONV valid": transposed((1, 3, 4, 2), (3, 3, 2, 2), (1, 7, 8, 3), padding=VALID, strideH=2, strideW=2),
    "FULLY_CONNECTED": dense((1, 5), 3, (1, 3), 5, fusedActivationFunction=1),
    "FULLY_CONNECTED of an image": dense((1, 2, 3, 2), 3, (1, 3), 12, fusedActivationFunction=2),
    "FULLY_CONNECTED of rows": dense((1, 4, 3), 2, (1, 4, 2), 3, keepNumDims=True, fusedActivationFunction=3),
    "FULLY_CONNECTED of a batch": dense((4, 3), 2, (4, 2), 3),
    "GATHER": one("GATHER", (1, 4, 3), (1, 3), np.int32(2), axis=1),
    "GATHER of rows": one("GATHER", (1, 5, 3), (1, 2, 3), (4, 1), axis=1),
    "ADD": two("ADD", (1, 4, 3), (1, 4, 3), (1, 4, 3), fusedActivationFunction=1),
    "ADD of channels": two("ADD", (1, 2, 4, 3), (3,), (1, 2, 4, 3)),
    "ADD constant": one("ADD", (1, 4, 3), (1, 4, 3), reals((3,)), fusedActivationFunction=3),
    "ADD constant of all": one("ADD", (1, 4, 3), (1, 4, 3), reals((1, 4, 3))),
    "SUB": two("SUB", (1, 4, 3), (1, 4, 1), (1, 4, 3), fusedActivationFunction=2),
    "SUB constant": one("SUB", (1, 4, 3), (1, 4, 3), np.float32(0.7)),
    "MUL": two("MUL", (1, 1, 1, 3), (1, 4, 2, 3), (1, 4, 2, 3)),
    "MUL constant": one("MUL", (1, 4, 3), (1, 4, 3), reals((1, 1, 3)), fusedActivationFunction=1),
    "DIV constant": one("DIV", (1, 4, 3), (1, 4, 3), reals((3,))),
    "ABS": one("ABS", (1, 4, 3), (1, 4, 3)),
    "NEG": one("NEG", (1, 4, 3), (1, 4, 3)),
    "SQUARE": one("SQUARE", (1, 4, 3), (1, 4, 3)),
    "SQUARED_DIFFERENCE": two("SQUARED_DIFFERENCE", (1, 4, 3), (1, 4, 1), (1, 4, 3)),
    "MAXIMUM": two("MAXIMUM", (1, 4, 3), (1, 4, 3), (1, 4, 3)),
    "MAXIMUM constant": one("MAXIMUM", (1, 4, 3), (1, 4, 3), np.float32(0.1)),
    "MINIMUM": two("MINIMUM", (1, 4, 3), (1, 4, 3), (1, 4, 3)),
    "MINIMUM constant": one("MINIMUM", (1, 4, 3), (1, 4, 3), reals((1, 3))),
    "AVERAGE_POOL_2D": one("AVERAGE_POOL_2D", (1, 7, 6, 3), (1, 4, 6, 3), padding=SAME, **POOL),
    "AVERAGE_POOL_2D valid": one(
        "AVERAGE_POOL_2D", (1, 7, 6, 3), (1, 3, 5, 3), padding=VALID, fusedActivationFunction=1, **POOL
    ),
    "MAX_POOL_2D": one("MAX_POOL_2D", (1, 7, 6, 3), (1, 4, 6, 3), padding=SAME, fusedActivationFunction=2, **POOL),
    "MEAN": one("MEAN", (1, 4, 5, 3), (1, 3), (1, 2)),
    "MEAN of an image": one("MEAN", (1, 4, 5, 3), (1, 1, 1, 3), (1, 2), keepDims=True),
    "MEAN of rows": one("MEAN", (1, 4, 5, 3), (1, 5, 3), (1,)),
    "MEAN of columns": one("MEAN", (1, 4, 5, 3), (1, 4, 1, 3), (-2,), keepDims=True),
    "MEAN of channels": one("MEAN", (1, 4, 5, 3), (1, 4, 5), (3,)),
    "MEAN of rows and channels": one("MEAN", (1, 4, 5, 3), (1, 5), (1, 3)),
    "MEAN of a series": one("MEAN", (1, 5, 3), (1, 3), (1,)),
    "SUM": one("SUM", (1, 4, 5, 3), (1, 3), (1, 2)),
    "SUM of channels": one("SUM", (1, 4, 5, 3), (1, 4, 5, 1), (3,), keepDims=True),
    "SUM of a series": one("SUM", (1, 5, 3), (1, 1, 3), (1,), keepDims=True),
    "REDUCE_MAX": one("REDUCE_MAX", (1, 4, 5, 3), (1, 1, 1, 3), (1, 2), keepDims=True),
    "REDUCE_MAX of columns": one("REDUCE_MAX", (1, 4, 5, 3), (1, 4, 3), (2,)),
    "SOFTMAX": one("SOFTMAX", (1, 4, 5), (1, 4, 5), beta=1.0),
    "SOFTMAX beta": one("SOFTMAX", (1, 5), (1, 5), beta=0.5),
    "LOGISTIC": one("LOGISTIC", (1, 4, 3), (1, 4, 3)),
    "TANH": one("TANH", (1, 4, 3), (1, 4, 3)),
    "HARD_SWISH": one("HARD_SWISH", (1, 4, 3), (1, 4, 3)),
    "ELU": one("ELU", (1, 4, 3), (1, 4, 3)),
    "EXP": one("EXP", (1, 4, 3), (1, 4, 3)),
    "RELU": one("RELU", (1, 4, 3), (1, 4, 3)),
    "RELU6": one("RELU6", (1, 4, 3), (1, 4, 3)),
    "LEAKY_RELU": one("LEAKY_RELU", (1, 4, 3), (1, 4, 3), alpha=0.3),
    "PRELU": prelu((1, 2, 4, 3), (1, 1, 3)),
    "PRELU of one slope": prelu((1, 2, 4, 3), (1,)),
    "PRELU of all": prelu((1, 2, 2, 2), (2, 2, 2)),
    "PRELU of columns": prelu((1, 2, 4, 3), (1, 4, 1)),
    "PRELU of vectors": prelu((1, 4), (4,)),
    "PAD": one("PAD", (1, 3, 4, 2), (1, 6, 5, 2), ((0, 0), (1, 2), (0, 1), (0, 0))),
    "PAD of channels": one("PAD", (1, 3, 4, 2), (1, 4, 4, 5), ((0, 0), (1, 0), (0, 0), (1, 2))),
    "PAD of a series": one("PAD", (1, 3, 2), (1, 6, 2), ((0, 0), (1, 2), (0, 0))),
    "PAD of nothing": one("PAD", (1, 3, 2), (1, 3, 2), ((0, 0), (0, 0), (0, 0))),
    "PADV2 other": one("PADV2", (1, 3, 2), (1, 4, 3), ((0, 0), (1, 0), (0, 1)), np.float32(0.5)),
    "PADV2": one("PADV2", (1, 3, 2), (1, 4, 3), ((0, 0), (1, 0), (0, 1)), np.float32(0)),
    "MIRROR_PAD reflect": one("MIRROR_PAD", (1, 3, 4, 2), (1, 6, 5, 2), ((0, 0), (1, 2), (0, 1), (0, 0)), mode=0),
    "MIRROR_PAD symmetric": one("MIRROR_PAD", (1, 3, 4), (1, 8, 5), ((0, 0), (3, 2), (0, 1)), mode=1),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm(False),
    "UNIDIRECTIONAL_SEQUENCE_LSTM steps first": lstm(True),
    "UNIDIRECTIONAL_SEQUENCE_LSTM clip": lstm(False, 0.25),
    "RESHAPE": one("RESHAPE", (1, 4, 6), (1, 8, 3), (1, 8, 3)),
    "RESHAPE flat": flattened,
    "RESHAPE of a part": reshaped,
    "SQUEEZE": one("SQUEEZE", (1, 1, 6), (1, 6), squeezeDims=[1]),
    "EXPAND_DIMS": one("EXPAND_DIMS", (1, 6), (1, 6, 1), 2),
    "TRANSPOSE": one("TRANSPOSE", (1, 2, 3, 4), (1, 4, 2, 3), (0, 3, 1, 2)),
    "TRANSPOSE nothing": one("TRANSPOSE", (1, 2, 1, 4), (1, 1, 2, 4), (0, 2, 1, 3)),
    "CONCATENATION": joined("CONCATENATION", ((1, 2, 3), (1, 2, 1), (1, 2, 2)), (1, 2, 6), -1),
    "CONCATENATION of rows": joined("CONCATENATION", ((1, 2, 3), (1, 1, 3)), (1, 3, 3), 1),
    "PACK": joined("PACK", ((1, 3), (1, 3)), (1, 2, 3), 1),
    "PACK behind": joined("PACK", ((1, 3), (1, 3)), (1, 3, 2), 2),
    "UNPACK": unpacked,
    "SPLIT": split("SPLIT", (1, 4, 6), -1, (2, 2, 2)),
    "SPLIT_V": split("SPLIT_V", (1, 5, 2), 1, (2, 3)),
    "STRIDED_SLICE": one(
        *("STRIDED_SLICE", (1, 5, 6), (1, 2, 3), (0, 1, 0), (1, 4, 6), (1, 2, 2)), beginMask=0, endMask=4
    ),
    "STRIDED_SLICE of one": one(
        *("STRIDED_SLICE", (1, 5, 6), (1, 6), (0, -1, 0), (0, 0, 0), (1, 1, 1)),
        beginMask=5,
        endMask=5,
        shrinkAxisMask=2,
    ),
    "STRIDED_SLICE backwards": one(
        *("STRIDED_SLICE", (1, 5, 2), (1, 5, 2), (0, 0, 0), (0, 0, 0), (1, -1, 1)), beginMask=7, endMask=7
    ),
    "SLICE": one("SLICE", (1, 5, 6), (1, 3, 5), (0, 2, 1), (1, 3, -1)),
    "RESIZE_NEAREST_NEIGHBOR": one("RESIZE_NEAREST_NEIGHBOR", (1, 2, 3, 2), (1, 4, 9, 2), (4, 9)),
    "RESIZE_NEAREST_NEIGHBOR centers": one(
        "RESIZE_NEAREST_NEIGHBOR", (1, 4, 6, 2), (1, 2, 12, 2), (2, 12), halfPixelCenters=True
    ),
    "RESIZE_NEAREST_NEIGHBOR broken": one("RESIZE_NEAREST_NEIGHBOR", (1, 6, 4, 2), (1, 10, 3, 2), (10, 3)),
    "RESIZE_NEAREST_NEIGHBOR broken centers": one(
        "RESIZE_NEAREST_NEIGHBOR", (1, 5, 7, 2), (1, 8, 3, 2), (8, 3), halfPixelCenters=True
    ),
    "RESIZE_NEAREST_NEIGHBOR corners": one(
        "RESIZE_NEAREST_NEIGHBOR", (1, 5, 4, 3), (1, 8, 2, 3), (8, 2), alignCorners=True
    ),
    "RESIZE_BILINEAR": one("RESIZE_BILINEAR", (1, 3, 4, 2), (1, 7, 5, 2), (7, 5)),
    "RESIZE_BILINEAR centers": one("RESIZE_BILINEAR", (1, 3, 4, 2), (1, 6, 9, 2), (6, 9), halfPixelCenters=True),
    "RESIZE_BILINEAR corners": one("RESIZE_BILINEAR", (1, 5, 4, 3), (1, 3, 7, 3), (3, 7), alignCorners=True),
    "RESIZE_BILINEAR smaller": one("RESIZE_BILINEAR", (1, 8, 6, 2), (1, 3, 3, 2), (3, 3), halfPixelCenters=True),
    "DEPTH_TO_SPACE": one("DEPTH_TO_SPACE", (1, 2, 3, 8), (1, 4, 6, 2), blockSize=2),
    "SPACE_TO_DEPTH": one("SPACE_TO_DEPTH", (1, 4, 6, 3), (1, 2, 3, 12), blockSize=2),
    "dilation": dilated(False),
    "dilation of a series": dilated(True),
}
