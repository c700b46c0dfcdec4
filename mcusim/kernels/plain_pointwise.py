"""Plain C of what is done element by element: functions of one number, and merges of tensors."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, one, reading, reading_all, weighted_sum
from mcusim.kernels.kernel import Inputs
from mcusim.layers import BroadcastAdd, Maximum, Minimum, Multiply, Pointwise, PReLU, Subtract
from mcusim.layers.merge import Combined, Merge, blocks
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array


def _pointwise(layer: Pointwise, inputs: Inputs) -> LayerCode:
    fields: Fields = {"elements": layer.elements}
    if layer.lookup is None:
        return one("pointwise", {**fields, **layer.function.fields})
    tables = layer.lookup.tables
    if layer.lookup.kernel != "pointwise":
        return with_tables(layer.lookup.kernel, {**fields, **layer.lookup.fields()}, tables)
    fields |= {**reading(inputs[0]), **layer.lookup.fields()}
    call = KernelCall("pointwise", ("input", "output", *(tables or ("NULL",))), fields)
    stored = {role: table.view(np.int8) if table.dtype == np.uint8 else table for role, table in tables.items()}
    return LayerCode((call,), tuple(Constant(role, "number_t", table, layer.numbers) for role, table in stored.items()))


def with_tables(kernel: str, fields: Fields, tables: Mapping[str, Array]) -> LayerCode:
    """A call that reads arrays of the types that they have here."""
    constants = tuple(Constant(role, f"{values.dtype}_t", values) for role, values in tables.items())
    return LayerCode((KernelCall(kernel, ("input", "output", *tables), fields),), constants)


def _prelu(layer: PReLU, inputs: Inputs) -> LayerCode:
    fields = {"rows": layer.elements // layer.slopes, "slopes": layer.slopes}
    fields |= {"input_zero": layer.zero} if layer.zero else {}
    if layer.slopes_of_file is not None:
        call = KernelCall("scaled_prelu", ("input", "output", "kernel"), {**fields, **layer.slopes_of_file.fields()})
        return LayerCode((call,), (Constant("kernel", "int16_t", layer.kernel),))
    if layer.rescale is not None:
        return weighted_sum(layer, "prelu", fields)
    call = KernelCall("prelu", ("input", "output", "kernel"), {**fields, **layer.activation.fields(None)})
    return LayerCode((call,), (Constant("kernel", "number_t", layer.kernel),))


def _combined(layer: Combined, inputs: Inputs) -> LayerCode:
    own = layer.activation.fields(None) if layer.addition is None else layer.addition.fields(layer.activation)
    fields = {
        "elements": layer.elements,
        "operation": layer.OPERATION,
        **_broadcasts(layer),
        **reading_all(inputs),
        **own,
    }
    return one("merge", fields, arguments=("inputs", "output"))


def _multiply(layer: Multiply, inputs: Inputs) -> LayerCode:
    own = layer.activation.fields(None) if layer.product is None else layer.product.fields(layer.activation)
    return one(
        "multiply",
        {"elements": layer.elements, **_broadcasts(layer), **reading_all(inputs), **own},
        arguments=("inputs", "output"),
    )


def _broadcasts(layer: Merge) -> Fields:
    """Of the inputs that lack an axis of the output."""
    fields: Fields = {}
    for name, shape in zip(("first", "second"), layer.input_shapes, strict=True):
        found = blocks(shape, layer.shape)
        if found is not None:
            (repeat, period), *outer = found
            fields[name] = {"repeat": repeat, "period": period}
            fields[name] |= {"outer_repeat": outer[0][0], "outer_period": outer[0][1]} if outer else {}
    return fields


CODE: Mapping[type[Layer], Callable[[Any, Inputs], LayerCode]] = {
    **dict.fromkeys((BroadcastAdd, Maximum, Minimum, Subtract), _combined),
    Multiply: _multiply,
    PReLU: _prelu,
    Pointwise: _pointwise,
}
