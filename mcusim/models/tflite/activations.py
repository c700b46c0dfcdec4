"""TFLite's functions of one number, and softmax -> layers of a Graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Convert, Maximum, Pointwise, PReLU, ReLU, Softmax
from mcusim.models.tflite.call import AGAIN, RELU6, SYMMETRIC, Call, without_batch
from mcusim.models.tflite.merges import negative, scaled
from mcusim.numbers import affine_functions as tables
from mcusim.numbers import affine_softmax, affine_wide, affine_wide_softmax
from mcusim.numbers.affine import Affine, Scaled, conversion
from mcusim.numbers.functions import SIGMOID, TANH, Function
from mcusim.numbers.numbers import RELU, Activation
from mcusim.numbers.tables import Lookup
from mcusim.system.arrays import Array

NEAR = 1e-3  # that scales of 16 bits may be off, of themselves
# Bits of input and output -> scale and zero of the latter.
OUTPUT_OF_SOFTMAX = {(8, 8): (1 / 256, -128), (8, 16): (1 / 65536, -32768), (16, 16): (1 / 32768, 0)}
TabledOf = Callable[[Affine, Affine], "Lookup | None"]


@dataclass(frozen=True)
class Pair:
    """A function of reals, and what makes one of integers of 8 and of 16 bits; None where TFLM has none."""

    function: Function
    tabled: TabledOf | None = None
    wide: TabledOf | None = None


def _pointwise(pair: Pair, call: Call) -> None:
    shape, entry, out = call.own_shape(), call.numbers(), call.out
    lookup = None
    if entry is not None and out is not None:
        make = pair.tabled if entry.bits == 8 else pair.wide
        lookup = make(entry, out) if make else None
        if lookup is None:
            raise call.refused(f"has no kernel for int{entry.bits} of these scales", "use float32")
    call.add(Pointwise(**call.own(shape, call.view(0, shape)), function=pair.function, lookup=lookup))


def _relu(activation: Activation, call: Call) -> None:
    """RELU rescales, the others do not, whatever scale the file gives their output."""
    shape, entry, out = call.own_shape(), call.numbers(), call.out
    if activation is RELU and entry is not None and out is not None and entry != out:
        _pointwise(Pair(Function("leaky_relu", (0.0,)), tables.relu, affine_wide.relu), call)
        return
    own = {**call.own(shape, call.view(0, shape)), "numbers": entry}
    call.add(ReLU(**own, activation=activation))


def _leaky_relu(call: Call) -> None:
    slope = call.real("alpha")
    made, wide = partial(tables.leaky_relu, slope=slope), partial(affine_wide.leaky_relu, slope=slope)
    _pointwise(Pair(Function("leaky_relu", (slope,)), made, wide), call)


def _absolute(call: Call) -> None:
    """max(x, -x); of integers a table."""
    if call.out is not None:
        _pointwise(Pair(Function("leaky_relu", (-1.0,)), tables.absolute), call)
        return
    shape = call.own_shape()
    source = call.view(0, shape)
    minus = call.add(negative(call.step("minus", shape, source)))
    call.add(Maximum(**call.own(shape, source, minus.name), input_shapes=(shape, shape)))


def _prelu(call: Call) -> None:
    """Slopes for each channel, or for each number."""
    if call.out is not None:
        _integer_prelu(call)
        return
    shape = without_batch(call.shape())
    slopes = _slopes(call.weights(1), shape)
    zeros = np.zeros_like(slopes)
    call.add(PReLU(**call.own(shape, call.view(0, shape)), kernel=slopes, bias=zeros, has_bias=False))


def _slopes(stored: Array, shape: Shape) -> Array:
    """As many as there are channels, or numbers."""
    if stored.size == 1:
        stored = np.broadcast_to(stored.reshape(-1), shape[-1:])
    if stored.size != int(np.prod(shape)) and stored.shape[-1] != stored.size:
        stored = np.broadcast_to(stored.reshape(stored.shape[-len(shape) :]), shape)
    if stored.size not in (shape[-1], int(np.prod(shape))) or (stored.ndim == 1 and stored.size != shape[-1]):
        stored = np.broadcast_to(stored, shape)
    return np.ascontiguousarray(stored).reshape(-1)


def _integer_prelu(call: Call) -> None:
    """One slope for all numbers of 8 bits: a table."""
    stored, tensor, entry, out = call.constant(1, "slopes"), call.entry(1).tensor, call.numbers(), call.out
    if entry is None or out is None or tensor.dtype != "int8" or len(tensor.scales) != 1:
        raise call.refused(f"has slopes of type {tensor.dtype}", AGAIN)
    slopes, scale = stored.astype(np.int16) - np.int16(tensor.zero_points[0]), float(tensor.scales[0])
    if stored.size == 1 and entry.bits == 8:
        slope = int(slopes.reshape(()))
        made = partial(tables.prelu, slope=slope, slope_scale=scale)
        _pointwise(Pair(Function("leaky_relu", (slope * scale,)), made), call)
        return
    shape = without_batch(call.shape())
    kernel = _slopes(slopes, shape)
    rule = affine_wide.scaled_slopes(entry, out, scale)
    own = {**call.own(shape, call.view(0, shape)), "kernel_numbers": Scaled(entry.bits, (scale,))}
    call.add(PReLU(**own, kernel=kernel, bias=np.zeros(len(kernel), np.int64), has_bias=False, slopes_of_file=rule))


def _softmax(call: Call) -> None:
    """Over the last axis, of inputs times beta."""
    shape, beta = without_batch(call.shape()), call.real("beta")
    entry, out = call.numbers(), call.out
    if entry is not None or out is not None:
        _integer_softmax(call, shape, beta)
        return
    if beta == 1:
        call.add(Softmax(**call.own(shape, call.view(0, shape))))
        return
    factors = np.full(shape[-1], beta, np.float32)
    inner = call.add(scaled(call, factors, np.zeros_like(factors), 0, call.unique(f"{call.name}_beta")))
    call.add(Softmax(**call.own(shape, inner.name)))


def _integer_softmax(call: Call, shape: Shape, beta: float) -> None:
    """Of 8 bits, the output may have 16; its input is widened then."""
    entry, out = call.numbers(), call.out
    widths = (entry.bits if entry and entry.signed else 0, out.bits if out else 0)
    scale, zero = OUTPUT_OF_SOFTMAX.get(widths, (0.0, 0))
    near = NEAR * scale if widths[1] == 16 else 0.0
    if entry is None or out is None or abs(out.scale - scale) > near or out.zero != zero:
        told = f"int{widths[1]} of the scale {out.scale:.6g} and the zero {out.zero}" if out else "reals"
        raise call.refused(f"gives {told}", AGAIN)
    source = call.view(0, shape)
    if entry.bits != out.bits:
        wide = Affine(out.bits, entry.scale, entry.zero)
        own = {**call.step("wide", shape, source), "numbers": wide}
        source = call.add(Convert(**own, conversion=conversion(entry, wide))).name
    made = (affine_softmax if entry.bits == 8 else affine_wide_softmax).softmax(entry, out, beta)
    call.add(Softmax(**call.own(shape, source), softmaxing=made))


ON_INTEGERS: Mapping[str, TabledOf] = {
    "ELU": tables.elu,
    "HARD_SWISH": tables.hard_swish,
    "LOGISTIC": tables.logistic,
    "TANH": tables.tanh,
}
WIDE: Mapping[str, TabledOf] = {"LOGISTIC": affine_wide.logistic, "TANH": affine_wide.tanh}
ON_REALS: Mapping[str, Function] = {
    "ELU": Function("elu", (1.0,)),
    "EXP": Function("exponential"),
    "HARD_SWISH": Function("hard_silu", (1 / 6,)),
    "LOGISTIC": SIGMOID,
    "TANH": TANH,
}
CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    **{kind: partial(_pointwise, Pair(real, ON_INTEGERS.get(kind), WIDE.get(kind))) for kind, real in ON_REALS.items()},
    "ABS": _absolute,
    "GELU": lambda call: _pointwise(Pair(Function("gelu_tanh" if call.option("approximate") else "gelu")), call),
    "LEAKY_RELU": _leaky_relu,
    "PRELU": _prelu,
    "RELU": partial(_relu, RELU),
    "RELU6": partial(_relu, RELU6),
    "RELU_0_TO_1": partial(_relu, Activation(relu=True, ceiling=1.0)),
    "RELU_N1_TO_1": partial(_relu, SYMMETRIC),
    "SOFTMAX": _softmax,
}
