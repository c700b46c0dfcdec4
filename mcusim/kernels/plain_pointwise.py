"""Plain C of what is done element by element: functions of one number, and merges of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.kernel import Inputs
from mcusim.layers.pointwise import Pointwise
from mcusim.program import Constant, KernelCall, LayerCode


def _pointwise(layer: Pointwise, inputs: Inputs) -> LayerCode:
    fields: dict[str, Any] = {"elements": layer.elements}
    if layer.lookup is None:
        return LayerCode((KernelCall("pointwise", ("input", "output"), {**fields, **layer.function.fields}),))
    tables = layer.lookup.tables
    call = KernelCall("pointwise", ("input", "output", *(tables or ("NULL",))), {**fields, **layer.lookup.fields()})
    return LayerCode((call,), tuple(Constant(role, "number_t", table, layer.numbers) for role, table in tables.items()))


CODE: Mapping[type[Layer], Callable[[Any, Inputs], LayerCode]] = {
    Pointwise: _pointwise,
}
