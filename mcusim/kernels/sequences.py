"""LSTM, GRU and SimpleRNN on integers: the sums of a step are two products of a matrix and a vector, in assembly."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels import plain
from mcusim.kernels.four_rows import ROWS, FourRows, four_rows, packed, padded
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, why_no_dsp
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers import GRU, LSTM, SimpleRNN
from mcusim.layers.recurrent import Recurrent
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "sequences"
SUMMARY = "LSTM, GRU and SimpleRNN of integers: four rows of weights at a time, from flash (Cortex-M4)"
LOADS = 0.1  # of its cycles, from RAM
ANY_STORAGE = True  # of the inputs
CODE_BYTES = 700
SUM_BYTES, STATE_BYTES = 4, 2


class Prices(NamedTuple):
    """Fitted: cycles of what is C, for each step, each input of 16 bits and each unit of a step."""

    step: float
    feature: float
    unit: float


LAYER, STATE, WRITTEN = 60.0, 4.0, 9.0  # once; a state at the begin; an output
BYTE = 5.0  # an input of 8 bits
WIDE = 1.025  # of inputs, tables and outputs of 16 bits
PRICES: Mapping[type[Layer], Prices] = {
    GRU: Prices(80, 8.5, 143.5),
    LSTM: Prices(115, 8.0, 188.5),
    SimpleRNN: Prices(40, 10.0, 35),
}


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Recurrent):
        return "it is for layers that walk along a sequence"
    if layer.states is None:
        return "it is for integers"
    if layer.units < ROWS:
        return f"it takes {ROWS} units at a time"
    if isinstance(layer, GRU) and not layer.reset_after:
        return "the reset gate scales states before they are summed up"
    return None


def cost(layer: Recurrent, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    prices, rows = PRICES[type(layer)], len(layer.kernel)
    over_inputs, over_states = _routines(layer)
    weights = layer.kernel.nbytes + layer.recurrent.nbytes
    first, other = (
        over_inputs.cycles(rows, memory, since) + over_states.cycles(rows, memory, since) for since in (None, weights)
    )
    features = layer.kernel.shape[1]
    feature = BYTE if inputs[0].dtype.itemsize == 1 else prices.feature
    step = prices.step + feature * features + prices.unit * layer.units
    around = LAYER + STATE * (padded(features) + 3 * padded(layer.units)) + WRITTEN * layer.elements
    in_c = (around + layer.steps * step) * (WIDE if layer.kernel.dtype.itemsize > 1 else 1)
    return float(in_c + first + (layer.steps - 1) * other)


def code(layer: Recurrent, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    made = plain.code(layer, inputs)
    (call,), rows = made.calls, len(layer.kernel)
    assert isinstance(call, KernelCall)
    over_inputs, over_states = (one.routine for one in _routines(layer))
    fields = {"rows": rows, **{name: value for name, value in call.parameters.items() if name != "reset_after"}}
    fields |= {"input_sums": over_inputs.name, "state_sums": over_states.name}
    tables = [constant for constant in made.constants if constant.ctype == "int16_t"]
    constants = (
        Constant("kernel", "number_t", packed(layer.kernel), layer.kernel_numbers),
        Constant("recurrent", "number_t", packed(layer.recurrent), layer.recurrent_numbers),
        Constant("bias", "int32_t", _whole(layer.bias)),
        Constant("recurrent_bias", "int32_t", _whole(layer.recurrent_bias)),
        *tables,
    )
    arguments = ("input", "output", "scratch", "kernel", "recurrent", "bias", "recurrent_bias")
    states = padded(layer.kernel.shape[1]) + 3 * padded(layer.units)
    scratch = 2 * SUM_BYTES * padded(rows) + STATE_BYTES * states
    routines = {routine.name: routine for routine in (over_inputs, over_states)}
    new = KernelCall(f"{call.kernel}_sums", arguments, fields)
    return LayerCode((new,), constants, scratch, routines=tuple(routines.values()), code_bytes=CODE_BYTES)


def _routines(layer: Recurrent) -> tuple[FourRows, FourRows]:
    """Over the inputs, and over the states."""
    size = layer.kernel.dtype.itemsize
    return four_rows(padded(layer.kernel.shape[1]), size), four_rows(padded(layer.units), size)


def _whole(bias: Array) -> Array:
    """With zeros for the rows that there are not."""
    return np.append(bias, np.zeros(padded(len(bias)) - len(bias), bias.dtype))
