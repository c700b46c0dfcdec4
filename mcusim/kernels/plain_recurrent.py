"""Plain C of the layers that walk along a sequence."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, reading, weight_type
from mcusim.kernels.kernel import Inputs
from mcusim.layers import GRU, LSTM, ScaledLSTM, SimpleRNN
from mcusim.layers.recurrent import Recurrent
from mcusim.numbers.affine_wide import sigmoids
from mcusim.numbers.recurrent import FloatStates
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

LARGEST_STATE, MOST_LEFT = 2**15, 30
STATE_BYTES = {False: 4, True: 2}  # float32, 16 bits


def _recurrent(kernel: str, states: int) -> Callable[[Recurrent, Inputs], LayerCode]:
    """`states`: as many as a unit has in the scratch memory."""

    def code(layer: Recurrent, inputs: Inputs) -> LayerCode:
        integers = layer.states is not None
        constants, tables = _constants(layer)
        biases = ("bias", "recurrent_bias") if isinstance(layer, GRU) else ("bias",)
        arguments = ("input", "output", "scratch", "kernel", "recurrent", *biases)
        scratch = STATE_BYTES[integers] * states * layer.units
        return LayerCode(
            (
                KernelCall(
                    kernel, arguments, {**_fields(layer), **_room(layer, inputs[0]), **reading(inputs[0]), **tables}
                ),
            ),
            constants,
            scratch,
        )

    return code


def _fields(layer: Recurrent) -> Fields:
    fields: Fields = {"steps": layer.steps, "features": layer.kernel.shape[1], "units": layer.units}
    words = {"backwards": layer.backwards, "sequence": layer.sequence}
    words |= {"reset_after": layer.reset_after} if isinstance(layer, GRU) else {}
    fields |= {name: 1 for name, value in words.items() if value}
    own = FloatStates(layer.gate, layer.activation) if layer.states is None else layer.states
    fields |= own.cell_fields() if isinstance(layer, LSTM) else {}
    fields |= (
        {"clip": layer.stored_clip if layer.states else np.float32(layer.clip)}
        if isinstance(layer, LSTM) and layer.clip
        else {}
    )
    return fields | own.fields() | ({} if layer.conversion is None else layer.conversion.fields())


def _room(layer: Recurrent, entry: Layer) -> Fields:
    """Are the two sums, at the scales that they are brought to, and what they add up to, numbers of 32 bits?"""
    if layer.states is None or entry.numbers is None:
        return {}
    shifts = layer.states.fields()
    largest = max(-entry.numbers.minimum, entry.numbers.maximum)
    over_inputs = _peak(layer.kernel, layer.bias, largest)
    over_states = _peak(layer.recurrent, layer.recurrent_bias, LARGEST_STATE)
    for sums in ("gate", "candidate"):
        shift, other = (shifts.get(f"{sums}_{of}_shift", 0) for of in ("input", "state"))
        if max(-shift, -other) > MOST_LEFT or _shifted(over_inputs, shift) + _shifted(over_states, other) >= 2**31:
            return {}
    return {"small_sums": 1}


def _peak(weights: Array, bias: Array, largest: int) -> int:
    """No sum of a row is larger."""
    return int((np.abs(weights.astype(np.int64)).sum(axis=1) * largest + np.abs(bias.astype(np.int64))).max())


def _shifted(peak: int, shift: int) -> int:
    """To the right, to the nearest."""
    return (peak >> shift) + 1 if shift > 0 else peak << -shift


def _constants(layer: Recurrent) -> tuple[tuple[Constant, ...], Fields]:
    """The arrays in flash, and which of the tables the call needs: gate and activation may share one."""
    sums = "float" if layer.states is None else "int32_t"
    tables = {} if layer.states is None else layer.states.tables
    constants = [
        Constant("kernel", weight_type(layer), layer.kernel, layer.kernel_numbers),
        Constant("recurrent", weight_type(layer), layer.recurrent, layer.recurrent_numbers),
        Constant("bias", sums, layer.bias),
        *([Constant("recurrent_bias", sums, layer.recurrent_bias)] if isinstance(layer, GRU) else []),
        *(Constant(role, "int16_t", values) for role, values in tables.items()),
    ]
    shared = {"activation_table": "gate_table"} if "gate_table" in tables and "activation_table" not in tables else {}
    return tuple(constants), {**{role: role for role in tables}, **shared}


def _scaled_lstm(layer: ScaledLSTM, inputs: Inputs) -> LayerCode:
    constants = (
        Constant("kernel", weight_type(layer), layer.kernel, layer.kernel_numbers),
        Constant("recurrent", weight_type(layer), layer.recurrent, layer.kernel_numbers),
        Constant("bias", "accumulator_t", layer.bias),
        Constant("recurrent_bias", "accumulator_t", layer.recurrent_bias),
        Constant("sigmoids", "uint16_t", sigmoids()),
    )
    fields: Fields = {"steps": layer.shape[0], "features": layer.kernel.shape[1], "units": layer.units}
    arguments = ("input", "output", "scratch", *(constant.role for constant in constants))
    call = KernelCall("scaled_lstm", arguments, {**fields, **layer.cells.fields()})
    return LayerCode((call,), constants, STATE_BYTES[True] * layer.units)


CODE: Mapping[type[Layer], Callable[[Any, Inputs], LayerCode]] = {
    GRU: _recurrent("gru", 4),
    LSTM: _recurrent("lstm", 3),
    ScaledLSTM: _scaled_lstm,
    SimpleRNN: _recurrent("simple_rnn", 2),
}
