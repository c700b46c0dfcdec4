"""TFLite's operators on two tensors -> layers of a Graph: sums, differences, products, the larger and the smaller."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import merge
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.merge import BroadcastAdd, Maximum, Merge, Minimum, Multiply, Subtract, can_merge, merged_shape
from mcusim.models.tflite.call import AGAIN, Call, without_batch
from mcusim.numbers.affine import ScaledAddition, ScaledProduct, addition, as_they_are, product
from mcusim.system.arrays import Array

M = TypeVar("M", bound=Merge)
# Sign and offset or factor of a constant -> what it does to each channel: (input times first, plus second).
Scaling = Callable[[Array, bool], tuple[Array, Array]]


def scaled(call: Call, scale: Array, offset: Array, place: int, name: str | None = None) -> BatchNormalization:
    """An input times `scale` plus `offset`, of each channel."""
    shape = without_batch(call.shape(place))
    own = {**call.own(shape, call.view(place, shape)), **({"name": name} if name else {})}
    return BatchNormalization(**own, kernel=scale, bias=offset, has_bias=bool(offset.any()))


def _with_constant(call: Call, scaling: Scaling) -> bool:
    """Of reals, where one input is a constant for each channel, or for all: the layer of that. False: it is another."""
    place = next((index for index in (0, 1) if call.entry(index).constant is not None), None)
    if place is None or call.out is not None:
        return False
    values, channels = call.weights(place), without_batch(call.shape(1 - place))[-1]
    if values.size not in (1, channels) or (values.size > 1 and values.shape[-1] != channels):
        return False
    if values.ndim > len(call.shape(1 - place)):
        return False
    each = np.broadcast_to(values.reshape(-1), (channels,)).astype(np.float32)
    with np.errstate(all="ignore"):
        scale, offset = scaling(each, place == 0)
    if not np.isfinite(scale).all():
        raise call.refused("divides by 0", "train again")
    call.activated(scaled(call, scale.astype(np.float32), offset.astype(np.float32), 1 - place))
    return True


def _add(call: Call) -> None:
    if _with_constant(call, lambda constant, first: (np.ones_like(constant), constant)):
        return
    one, other = call.entry(0), call.entry(1)
    if one.layer is not None and other.layer is not None and one.shape == other.shape:
        same = one.layer.shape == other.layer.shape
        shape = one.layer.shape if same else without_batch(one.shape)
        own = call.own(shape, call.view(0, shape), call.view(1, shape))
        call.activated(Add(**own, addition=_addition(call)))
        return
    _merge(BroadcastAdd, call)


def _subtract(call: Call) -> None:
    def scaling(constant: Array, first: bool) -> tuple[Array, Array]:
        ones = np.ones_like(constant)
        return (-ones, constant) if first else (ones, -constant)

    if not _with_constant(call, scaling):
        _merge(Subtract, call)


def _addition(call: Call) -> ScaledAddition | None:
    first, second, out = call.numbers(0), call.numbers(1), call.out
    return None if first is None or second is None or out is None else addition((first, second), out)


def _product(call: Call) -> ScaledProduct | None:
    first, second, out = call.numbers(0), call.numbers(1), call.out
    return None if first is None or second is None or out is None else product(first, second, out)


def _multiply(call: Call) -> None:
    if not _with_constant(call, lambda constant, first: (constant, np.zeros_like(constant))):
        call.activated(replace(_merged(Multiply, call), product=_product(call)))


def _negated(call: Call) -> None:
    shape = call.own_shape()
    call.add(negative(call.own(shape, call.view(0, shape))))


def negative(own: dict[str, Any]) -> BatchNormalization:
    """-x"""
    minus = np.full(own["shape"][-1], -1, np.float32)
    return BatchNormalization(**own, kernel=minus, bias=np.zeros_like(minus), has_bias=False)


def _squared(call: Call) -> None:
    shape = call.own_shape()
    source = call.view(0, shape)
    call.add(Multiply(**call.own(shape, source, source), input_shapes=(shape, shape)))


def _squared_difference(call: Call) -> None:
    made = _merged(Subtract, call)
    inner = call.add(replace(made, name=call.unique(f"{call.name}_difference")))
    call.add(Multiply(**call.own(made.shape, inner.name, inner.name), input_shapes=(made.shape, made.shape)))


def _divide(call: Call) -> None:
    assert call.out is None  # the walk refuses others, by the types that `layers.py` tells
    if call.entry(1).constant is None:
        raise call.refused("divides by a tensor", "divide by constants")
    if not _with_constant(call, lambda constant, first: (1 / constant, np.zeros_like(constant))):
        raise call.refused(f"divides {call.shape()} by {call.shape(1)}", "divide by one number for each channel")


def _extreme(kind: type[merge.Combined], call: Call) -> None:
    """Of stored numbers, which have one scale."""
    call.same_numbers(0)
    call.same_numbers(1)
    call.add(replace(_merged(kind, call), addition=as_they_are(call.out) if call.out else None))


def _merge(kind: type[merge.Combined], call: Call) -> None:
    call.activated(replace(_merged(kind, call), addition=_addition(call)))


def _merged(kind: type[M], call: Call) -> M:
    shapes = (call.own_shape(0), call.own_shape(1))
    if call.shape(0) != call.shape(1) or shapes[0] != shapes[1]:
        shapes = _without_batches(call)
    shape = merged_shape(*shapes)
    if shape is None or not can_merge(shapes, shape):
        why = f"merges shapes {call.shape(0)} and {call.shape(1)}"
        raise call.refused(why, "give it tensors of one shape, or with axes of length 1")
    return kind(**call.own(shape, call.view(0, shapes[0]), call.view(1, shapes[1])), input_shapes=shapes)


def _without_batches(call: Call) -> tuple[Shape, Shape]:
    """With the axes that both have: a shape may lack the batch, which the other has."""
    rank = max(len(call.shape(0)), len(call.shape(1)))
    first, second = ((1,) * (rank - len(shape)) + shape for shape in (call.shape(0), call.shape(1)))
    if rank > 1 and first[0] == second[0] == 1:
        first, second = first[1:], second[1:]
    if not first:
        raise call.refused("merges numbers without axes", AGAIN)
    return first, second


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "ADD": _add,
    "DIV": _divide,
    "MAXIMUM": partial(_extreme, Maximum),
    "MINIMUM": partial(_extreme, Minimum),
    "MUL": _multiply,
    "NEG": _negated,
    "SQUARE": _squared,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _subtract,
}
