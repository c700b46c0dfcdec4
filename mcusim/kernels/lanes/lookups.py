"""Functions of one number of 8 bits: four look-ups for each word, in a table of all 256 results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.streams import Work, stream, stream_cycles
from mcusim.kernels.lanes.words import Words
from mcusim.kernels.memory import Memory
from mcusim.layers.pointwise import Pointwise
from mcusim.numbers.numbers import LINEAR
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

BYTES = 4  # of a word
FROM_FLASH = 1.0  # a look-up that waits: the table is in the cache of the flash
FIRST = 25.0  # until it is there


@dataclass(frozen=True)
class LookingUp(Work):
    """One routine for all tables."""

    inputs = 1
    tables = ("table",)

    @property
    def words(self) -> Words:
        return Words(8, True, LINEAR, None)

    @property
    def key(self) -> str:
        return "look_up_bytes"

    @property
    def summary(self) -> Sequence[str]:
        return ("a function of numbers of 8 bits.", "", "table    its results, by numbers as if they had no sign")

    @property
    def twin(self) -> KernelCall:
        return KernelCall("look_up_words", ("output", "x", "table", "words"), {})

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
    if layer.lookup is None or layer.dtype.itemsize > 1 or inputs[0].dtype.itemsize > 1:
        return "it looks up numbers of 8 bits"
    return None


def cost(layer: Pointwise, inputs: Inputs, memory: Memory) -> float:
    waits = (layer.elements * FROM_FLASH + FIRST) * (memory.wait_states > 0)
    return stream_cycles(stream(LookingUp()), layer, memory) + waits


def look_up(layer: Pointwise, inputs: Inputs) -> LayerCode:
    routine = stream(LookingUp()).routine
    table = Constant("table", "number_t", _every_byte(layer).view(np.int8), layer.numbers)
    call = KernelCall(
        "pointwise_lanes", ("input", "output", "table"), {"elements": layer.elements, "look_up": routine.name}
    )
    return LayerCode((call,), (table,), routines=(routine,))


def _every_byte(layer: Pointwise) -> Array:
    """Results for bytes from 0 to 255; those that no number is stored as are never asked for."""
    assert layer.lookup is not None
    entry = layer.lookup.entry
    byte = np.arange(256)
    number = byte if entry.minimum == 0 else byte.astype(np.uint8).view(np.int8)
    return layer.lookup.apply(np.clip(number, entry.minimum, entry.maximum))
