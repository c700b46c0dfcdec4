"""Dense layers by rows: some rows of weights at a time, straight from flash, times the same inputs."""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import reading
from mcusim.kernels.expand import copy_words, expand_bytes
from mcusim.kernels.finish import Ending, FactorFinish, Finish, ending_of
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.rows import floats as row_floats
from mcusim.kernels.rows import forms
from mcusim.kernels.rows.floats import FloatRows, float_rows, float_rows_of
from mcusim.kernels.rows.forms import Form
from mcusim.kernels.rows.inputs import row_input_cycles, row_inputs
from mcusim.kernels.rows.parts import Part, cycles_of, parts_of, rows_of
from mcusim.kernels.rows.products import OutputPrice, Products, output_price, products_of, row_products
from mcusim.kernels.straight import StraightFinish, added, ending_in, records_of
from mcusim.layers.dense import Dense
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Routine
from mcusim.system.arrays import Array

NAME = "rows"
SUMMARY = "dense layers in int8, int16 and float32: several rows of weights at a time, from flash (Cortex-M4)"
LOADS = 0.07  # of its cycles, from RAM
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
CODE_BYTES = 200  # of the C around the routines, about
FEWEST_EXPANDED = 32  # inputs for which a routine makes them ready
MOST_UNROLLED = 3  # turns of a loop in C that the compiler writes out


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Dense):
        return "it is for dense layers"
    if layer.rescale is None:
        return None
    finish = ending_of(_limited(layer))
    if finish is None:
        return "it is for sums that end in a shift, in a factor, or as float32"
    if layer.weight_bytes == 1 and layer.peak_sum > ACCUMULATOR_LIMIT and _limited(layer) is layer:
        return "its sums need more than 32 bits"
    if isinstance(finish, Finish) and layer.peak_sum >> finish.shift > ACCUMULATOR_LIMIT:
        return "its sums need more than 32 bits when they are shifted"
    return None


def cost(layer: Dense, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    if layer.rescale is None:
        return cycles_of(_float_parts(layer), memory)
    return _ready_cycles(layer, inputs) + cycles_of(_parts(layer, inputs), memory)


def code(layer: Dense, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    if layer.rescale is None:
        return _float_code(layer)
    finish, parts, weights = _finish(layer, inputs), _parts(layer, inputs), _weights(layer, inputs)
    kind = _kind(layer, inputs)
    factors, bias = records_of(_limited(layer), finish), layer.bias + added(finish)
    routines = [row_products(part.block, finish) for part in parts]
    packed = [
        np.hstack([part.block.form.packed(weights[rows], bias[rows]), *_factors(factors[rows], finish)])
        for part, rows in zip(parts, rows_of(parts, layer.elements), strict=True)
    ]
    before, end = _ready(layer, inputs), max(part.block.turns.end_bytes for part in parts)
    fields: dict[str, Any] = {"inputs": layer.kernel.shape[1], "units": layer.elements, **reading(inputs[0])}
    fields |= {"output_bytes": finish.store_bytes, "words": _words(layer, inputs), "end_bytes": end}
    fields |= {"totals": kind.totals} if kind.totals else {}
    fields |= {role: routine.name for role, routine in before.items()}
    for name, part, routine, own in zip(("first", "second"), parts, routines, packed, strict=False):
        fields[name] = {"products": routine.name, "blocks": part.blocks, "units": part.units, "words": own.size}
    kernel = Constant("kernel", "int32_t", np.concatenate([own.reshape(-1) for own in packed]), layer.kernel_numbers)
    call = KernelCall("dense_rows", ("input", "output", "scratch", "kernel"), fields)
    scratch = 4 * (kind.totals + _words(layer, inputs)) + end - 4
    return LayerCode(
        (call,), (kernel,), scratch, routines=_different(*before.values(), *routines), code_bytes=CODE_BYTES
    )


def _factors(records: Array, finish: Ending) -> list[Array]:
    """What is behind the weights of each block (blocks, rows, words), if anything."""
    if not isinstance(finish, FactorFinish):
        return []
    return [records[..., 1 : 1 + len(finish.factor)].reshape(len(records), -1)]


def _float_code(layer: Dense) -> LayerCode:
    parts = _float_parts(layer)
    routines = [float_rows(part.block, layer.activation) for part in parts]
    packed = [
        row_floats.packed(layer.kernel[rows], layer.bias[rows]).reshape(-1) for rows in rows_of(parts, layer.elements)
    ]
    fields: dict[str, Any] = {"units": layer.elements}
    for name, part, routine, own in zip(("first", "second"), parts, routines, packed, strict=False):
        fields[name] = {"products": routine.name, "blocks": part.blocks, "units": part.units, "numbers": own.size}
    call = KernelCall("dense_rows_float", ("input", "output", "kernel"), fields)
    kernel = Constant("kernel", "float", np.concatenate(packed))
    return LayerCode((call,), (kernel,), routines=_different(*routines), code_bytes=CODE_BYTES // 2)


def _different(*routines: Routine) -> tuple[Routine, ...]:
    return tuple({routine.name: routine for routine in routines}.values())


def _parts(layer: Dense, inputs: Inputs) -> tuple[Part[Products], ...]:
    return _parts_in(layer, inputs, _kind(layer, inputs))


def _parts_in(layer: Dense, inputs: Inputs, kind: type[Form]) -> tuple[Part[Products], ...]:
    return _parts_of(kind.NAME, _words_in(layer, kind), output_price(_finish(layer, inputs)), layer.elements)


@cache
def _parts_of(name: str, words: int, output: OutputPrice, units: int) -> tuple[Part[Products], ...]:
    return parts_of(partial(products_of, name, words, output), forms.FORMS[name].rows_at_a_time, units)


def _float_parts(layer: Dense) -> tuple[Part[FloatRows], ...]:
    limits = int(layer.activation.relu) + (layer.activation.ceiling is not None)
    return _float_parts_of(layer.kernel.shape[1], limits, layer.elements)


@cache
def _float_parts_of(inputs: int, limits: int, units: int) -> tuple[Part[FloatRows], ...]:
    sizes = [rows for rows in row_floats.ROWS_AT_A_TIME if rows <= units]
    return parts_of(partial(float_rows_of, inputs, limits), sizes, units)


def _finish(layer: Dense, inputs: Inputs) -> Ending:
    """On lines where sums have 32 bits from the start."""
    limited = _limited(layer)
    finish = ending_of(limited) if limited is not layer else ending_in(layer, inputs[0], doubled=False)
    assert finish is not None
    return replace(finish, bare=False) if isinstance(finish, StraightFinish) else finish


def _limited(layer: Dense) -> Dense:
    """With sums that are saturated to 32 bits, where they have more and outputs are at their ends there."""
    if layer.number_bytes == 1 or layer.peak_sum <= ACCUMULATOR_LIMIT:
        return layer
    ends = np.array([[ACCUMULATOR_LIMIT, -ACCUMULATOR_LIMIT - 1], [layer.peak_sum, -layer.peak_sum]])
    near, far = layer.rescale.apply(ends[..., None] + np.zeros_like(layer.bias), layer.activation)  # type: ignore[union-attr]
    return replace(layer, peak_sum=ACCUMULATOR_LIMIT) if np.array_equal(near, far) else layer


def _kind(layer: Dense, inputs: Inputs) -> type[Form]:
    if layer.weight_bytes == 2:
        return forms.Halfwords if layer.peak_sum <= ACCUMULATOR_LIMIT else forms.Long
    finish, is_full = _finish(layer, inputs), layer.kernel.min(initial=0) == -128
    if layer.number_bytes == 2 and layer.peak_sum > ACCUMULATOR_LIMIT:
        return forms.ApartLong
    if layer.number_bytes == 2:
        both = (forms.Shared, forms.Apart)
        return forms.Apart if is_full else min(both, key=lambda kind: cycles_of(_parts_in(layer, inputs, kind), USUAL))
    peak = layer.peak_sum + int(np.abs(added(finish)).max())
    if peak >= forms.HIGHEST_PAIRED or (isinstance(finish, Finish) and finish.shift > 31 - 8):
        return forms.Apart
    return forms.Raised if is_full else forms.Paired


def _words(layer: Dense, inputs: Inputs) -> int:
    return _words_in(layer, _kind(layer, inputs))


def _words_in(layer: Dense, kind: type[Form]) -> int:
    """Pairs of inputs; bytes come four at a time."""
    inputs, each = layer.kernel.shape[1], 4 if layer.number_bytes == 1 else 2 * kind.span
    return int(-(-inputs // each) * each // 2)


def _weights(layer: Dense, inputs: Inputs) -> Array:
    """(units, words, 2), in the order in which inputs are laid out; zeros follow them."""
    words = _words(layer, inputs)
    pairs = np.arange(2 * words).reshape(-1, 2)
    if layer.number_bytes == 1:
        pairs = pairs.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 2)
    return np.pad(layer.kernel, ((0, 0), (0, 2 * words - layer.kernel.shape[1])))[:, pairs]


def _ready(layer: Dense, inputs: Inputs) -> dict[str, Routine]:
    """What makes the inputs ready, where they are so many that a call pays."""
    if layer.kernel.shape[1] < FEWEST_EXPANDED:
        return {}
    if layer.number_bytes == 2:
        return {"expand": copy_words()}
    unsigned = bool(reading(inputs[0]))
    if totals := _kind(layer, inputs).totals:
        return {"expand_and_sum": row_inputs(unsigned=unsigned, totals=totals)}
    return {"expand": expand_bytes(unsigned=unsigned)}


def _ready_cycles(layer: Dense, entries: Inputs) -> float:
    """Of the C around the calls, and of what makes the inputs ready: in C, or four words a turn."""
    wide = layer.number_bytes == 2
    inputs = int(layer.kernel.shape[1])
    words, rest = divmod(inputs, 2 if wide else 4)
    cycles: float = (
        (16 if wide else 24) + (8 if rest else 0) + (14 if layer.elements < _parts(layer, entries)[0].units else 0)
    )
    if inputs < FEWEST_EXPANDED:
        each = 16 if not wide else 7.5 if words > MOST_UNROLLED else 3
        return cycles + each * words
    if totals := _kind(layer, entries).totals:
        call, turn = row_input_cycles(totals=totals)
        return cycles + 20 + call + turn * (words // 4) + 18 * (words % 4)
    return cycles + 28 + (13 if wide else 25) * (words // 4) + 8 * (words % 4)
