"""Numbers of another kind: affine ones made of real ones, or integers on another scale."""

from mcusim.kernels import plain
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes import reals
from mcusim.kernels.lanes.conversions import Converting, converting
from mcusim.kernels.lanes.copies import cached, copy_cycles
from mcusim.kernels.lanes.nests import Moving, Run
from mcusim.kernels.memory import Memory
from mcusim.layers.convert import Convert
from mcusim.numbers.affine import FromReals
from mcusim.program import KernelCall, LayerCode

MOST_BYTES = 2  # of a number


def why_not(layer: Convert, inputs: Inputs) -> str | None:
    if isinstance(layer.conversion, FromReals):
        return reals.why_not(layer, inputs)
    return None if _changing(layer, inputs) else "it makes no number exactly of another of as many bytes"


def cost(layer: Convert, inputs: Inputs, memory: Memory) -> float:
    if isinstance(layer.conversion, FromReals):
        return reals.cost(layer, inputs, memory)
    return copy_cycles(_moving(layer, inputs), memory)


def code(layer: Convert, inputs: Inputs) -> LayerCode:
    if isinstance(layer.conversion, FromReals):
        return reals.code(layer, inputs)
    routine = _moving(layer, inputs).routine
    return LayerCode((KernelCall("moved", ("input", "output"), {"move": routine.name}),), routines=(routine,))


def _changing(layer: Convert, inputs: Inputs) -> Converting | None:
    (entry,), size = inputs, layer.dtype.itemsize
    if entry.numbers is None or layer.numbers is None or entry.dtype.itemsize != size or size > MOST_BYTES:
        return None
    return converting(layer.conversion, layer, entry.numbers, 8 * size)


def _moving(layer: Convert, inputs: Inputs) -> Moving:
    size, plainly = layer.dtype.itemsize, plain.code(layer, inputs).calls[0]
    assert isinstance(plainly, KernelCall)
    parts = (Run(layer.elements * size),)
    return cached(size, parts, plainly.kernel, plainly.parameters, _changing(layer, inputs))
