"""TFLite's UNIDIRECTIONAL_SEQUENCE_LSTM -> layers of a Graph. Each sample begins with a state of 0."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.layers import LSTM, ScaledLSTM
from mcusim.models.tflite.call import AGAIN, Call
from mcusim.models.tflite.sums import WEIGHT_BITS, integer_bias
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.affine_lstm import scaled_cells
from mcusim.numbers.functions import SIGMOID, TANH
from mcusim.system.arrays import Array

# Places of inputs; of each the gates input, forget, candidate, output.
KERNELS, RECURRENT, BIASES = range(1, 5), range(5, 9), range(12, 16)
UNUSED = (*range(9, 12), 16, 17, *range(20, 24))  # peepholes, projections, normalization
STATE, CELL = 18, 19
ON_TANH = 4


def _lstm(call: Call) -> None:
    """Of (1, steps, features), or with the steps first."""
    if any(call.optional(place) is not None for place in UNUSED):
        raise call.refused("has peepholes, a projection or a normalization", "use a plain LSTM")
    if call.option("activation") != ON_TANH or call.real("proj_clip"):
        raise call.refused("has another activation than tanh, or clips", "use a plain LSTM")
    shape = call.shape()
    batch = shape[1] if call.option("time_major") else shape[0]
    if len(shape) != 3 or batch != 1:
        raise call.refused(f"gets the shape {shape}", "use a batch of 1")
    steps, features = shape[0] * shape[1], shape[2]
    kernel, recurrent = _joined(call, KERNELS, 2), _joined(call, RECURRENT, 2)
    units = len(kernel) // 4
    if kernel.shape != (4 * units, features) or recurrent.shape != (4 * units, units):
        raise call.refused(f"has weights of shape {kernel.shape} and {recurrent.shape}", AGAIN)
    own = call.own((steps, units), call.view(0, (steps, features)))
    if call.out is None:
        _of_reals(call, {**own, "steps": steps, "kernel": kernel, "recurrent": recurrent})
    else:
        _of_integers(call, {**own, "kernel": kernel, "recurrent": recurrent}, call.out)


def _of_reals(call: Call, fields: dict[str, Any]) -> None:
    bias, clip = _joined(call, BIASES, 1), max(call.real("cell_clip"), 0.0)
    fields |= {"bias": bias, "recurrent_bias": np.zeros_like(bias), "activation": TANH, "gate": SIGMOID}
    call.add(LSTM(**fields, sequence=True, clip=clip))


def _of_integers(call: Call, fields: dict[str, Any], out: Affine) -> None:
    """The zeros of inputs and states are taken out of the biases."""
    entry, state, cell = call.numbers(), call.tensors[STATE], call.tensors[CELL]
    if entry is None or state is None or cell is None or len(cell.scales) != 1 or cell.dtype != "int16":
        raise call.refused("has no cell of 16 bits", AGAIN)
    if len(state.scales) != 1 or (float(state.scales[0]), int(state.zero_points[0])) != (out.scale, out.zero):
        raise call.refused("has a state of another scale than its output", AGAIN)
    scales = _scales(call, KERNELS), _scales(call, RECURRENT)
    cells = scaled_cells(entry, out, scales, float(cell.scales[0]), call.real("cell_clip"))
    if cells is None or entry.bits != out.bits:
        raise call.refused(f"has cells of the scale {cell.scales[0]:.6g}, of int{entry.bits}", AGAIN)
    kernel, recurrent = fields["kernel"], fields["recurrent"]
    biases = [integer_bias(call, place, len(kernel) // 4) for place in BIASES]
    is_wide = entry.bits > WEIGHT_BITS
    if any(is_long != is_wide for _, is_long in biases) or (is_wide and (entry.zero or out.zero)):
        raise call.refused("has 16 bits, with biases of 32 or a zero that is none", AGAIN)
    bias = np.concatenate([one for one, _ in biases])
    call.add(
        ScaledLSTM(
            **fields,
            bias=bias - entry.zero * kernel.astype(np.int64).sum(axis=1),
            recurrent_bias=-out.zero * recurrent.astype(np.int64).sum(axis=1),
            kernel_numbers=Scaled(WEIGHT_BITS, scales[0]),
            cells=cells,
        )
    )


def _scales(call: Call, places: range) -> tuple[float, ...]:
    found = [call.entry(place).tensor.scales for place in places]
    if any(len(scales) != 1 for scales in found):
        raise call.refused("has a scale for each unit", AGAIN)
    return tuple(float(scales[0]) for scales in found)


def _joined(call: Call, places: range, rank: int) -> Array:
    return np.concatenate([call.weights(place, rank=rank) for place in places])


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm}
