"""Functions of one number: of 8 bits look-ups in a table of all results; of 16 bits lines between some of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.lines import lining
from mcusim.kernels.lanes.streams import Work, stream, stream_cycles
from mcusim.kernels.lanes.words import Words
from mcusim.kernels.memory import Memory
from mcusim.layers.pointwise import Pointwise
from mcusim.numbers.numbers import LINEAR
from mcusim.numbers.tables import Interpolation
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

BYTES = 4  # of a word
FROM_FLASH = 1.0  # a look-up that waits: the table is in the cache of the flash
OF_LINES = 0.9  # one of 16 bits, whose table is larger than the cache
FIRST = 25.0  # until it is there


@dataclass(frozen=True)
class LookingUp(Work):
    """One routine for all tables."""

    inputs = 1
    tables = ("table",)
    twin_kernel, fields = "look_up_words", ()

    @property
    def words(self) -> Words:
        return Words(8, True, LINEAR, None)

    @property
    def key(self) -> str:
        return "look_up_bytes"

    @property
    def summary(self) -> Sequence[str]:
        return ("a function of numbers of 8 bits.", "", "table    its results, by numbers as if they had no sign")

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        numbers = self.words.second  # of a word, and what is made of them
        for word in x:
            for index in range(BYTES):
                a("ubfx", numbers[index], word, imm(8 * index), imm(8))
            for number in numbers:
                a("ldrb", number, f"[table, {number}]")
            a("orr", word, numbers[0], numbers[1], "lsl #8")
            a("orr", word, word, numbers[2], "lsl #16")
            a("orr", word, word, numbers[3], "lsl #24")


def why_not(layer: Pointwise, inputs: Inputs) -> str | None:
    sizes = {layer.dtype.itemsize, inputs[0].dtype.itemsize}
    if layer.lookup is not None and sizes == {1}:
        return None
    if isinstance(layer.lookup, Interpolation) and sizes == {2} and lining(layer.lookup):
        return None
    return "it looks up numbers of 8 bits, or of 16 bits nearly all of which lie between the ends of a table"


def cost(layer: Pointwise, inputs: Inputs, memory: Memory) -> float:
    each = OF_LINES if isinstance(layer.lookup, Interpolation) else FROM_FLASH
    waits = (layer.elements * each + FIRST) * (memory.wait_states > 0)
    return stream_cycles(stream(_work(layer)), layer, memory) + waits


def _work(layer: Pointwise) -> Work:
    if not isinstance(layer.lookup, Interpolation):
        return LookingUp()
    return known(lining(layer.lookup))


def look_up(layer: Pointwise, inputs: Inputs) -> LayerCode:
    routine = stream(_work(layer)).routine
    kernel, fields = "pointwise_lanes", {"elements": layer.elements, "look_up": routine.name}
    if isinstance(layer.lookup, Interpolation):
        kernel, fields = "pointwise_lines", fields | layer.lookup.fields()
        table = layer.lookup.table
    else:
        table = _every_byte(layer).view(np.int8)
    call = KernelCall(kernel, ("input", "output", "table"), fields)
    return LayerCode((call,), (Constant("table", "number_t", table, layer.numbers),), routines=(routine,))


def _every_byte(layer: Pointwise) -> Array:
    """Results for bytes from 0 to 255; those that no number is stored as are never asked for."""
    lookup = known(layer.lookup)
    entry = lookup.entry
    byte = np.arange(256)
    number = byte if entry.minimum == 0 else byte.astype(np.uint8).view(np.int8)
    return lookup.apply(np.clip(number, entry.minimum, entry.maximum))
