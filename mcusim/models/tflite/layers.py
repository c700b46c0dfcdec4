"""Operators of TFLite -> what converts them: a function and a row for each.

A converter adds to its `Call` the layers that compute the operation, those of its outputs last. Numbers in the file are
channels last as here, so that most are one layer.
"""

from collections.abc import Callable, Mapping

from mcusim.models.tflite import (
    activations,
    conversions,
    merges,
    moving,
    padding,
    pools,
    recurrent,
    resizing,
    sums,
    svdf,
)
from mcusim.models.tflite.call import Call

CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    kind: convert
    for part in (activations, conversions, merges, moving, padding, pools, recurrent, resizing, sums, svdf)
    for kind, convert in part.CONVERTERS.items()
}
# Numbers that operators compute with: all of these, but where TensorFlow Lite Micro has no such kernel, or mcusim.
TYPES = ("float32", "int8", "int16")
IN_TYPES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("DIV", "EXP", "GELU", "NEG", "SQUARE", "SQUARED_DIFFERENCE"), ("float32",)),
    **dict.fromkeys(("ABS", "ELU", "HARD_SWISH", "SVDF"), ("float32", "int8")),
}
ONLY_IN_TFLM = {("ABS", "int16"), ("DIV", "int8"), ("SQUARED_DIFFERENCE", "int8"), ("SQUARED_DIFFERENCE", "int16")}
# Inputs and outputs of two types.
TYPE_CHANGING = ("DEQUANTIZE", "QUANTIZE", "SOFTMAX")
# What they keep from one sample to the next begins anew with each.
STATEFUL = ("SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM")
# No layer: the same numbers in the same order.
VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
