"""Numbers of another kind: affine ones made of real ones, or integers on another scale.

Of real ones a division each, as float32 has it, and integers beside the next one. By a power of two a product is the
same.
"""

import math
from functools import lru_cache

import numpy as np

from mcusim.kernels import plain
from mcusim.kernels.assembly import Assembly, Timed, constant, imm
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.conversions import Converting, converting
from mcusim.kernels.lanes.copies import cached, copy_cycles
from mcusim.kernels.lanes.nests import Moving, Run
from mcusim.kernels.lanes.words import fetched, packed
from mcusim.kernels.memory import Memory
from mcusim.layers.convert import Convert
from mcusim.numbers.affine import Affine, FromReals
from mcusim.program import FLOAT_ASSEMBLY, KernelCall, LayerCode

MOST_BYTES = 2  # of a number
# A quotient has so many bits behind the point when it becomes an integer, and 31 altogether: it is saturated far beyond
# any number. Halves are multiples of 2^-FRACTION, so that what is cut off decides nothing.
FRACTION, ALL_BITS = 14, 31
LAYER, ALONE = 12.0, 52.0  # cycles of the C around, and of a number that is left over
NO_NUMBER = 0xFF000000  # bits of float32 without their sign, doubled: what is larger is none
LOWEST = 0xC0000000  # that such a quotient counts as


def why_not(layer: Convert, inputs: Inputs) -> str | None:
    if isinstance(layer.conversion, FromReals):
        return why_not_read(layer)
    return None if _changing(layer, inputs) else "it makes no number exactly of another of as many bytes"


def cost(layer: Convert, inputs: Inputs, memory: Memory) -> float:
    if isinstance(layer.conversion, FromReals):
        return reading_cost(layer, memory)
    return copy_cycles(_moving(layer, inputs), memory)


def code(layer: Convert, inputs: Inputs) -> LayerCode:
    if isinstance(layer.conversion, FromReals):
        return reading_code(layer)
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


def why_not_read(layer: Convert) -> str | None:
    numbers = _numbers(layer)
    if not numbers.signed or numbers.bits not in (8, 16):
        return "it makes numbers of 8 or 16 bits out of real ones"
    return None


def reading_cost(layer: Convert, memory: Memory) -> float:
    made = _reading(_numbers(layer))
    words, rest = divmod(layer.elements, 4 // layer.dtype.itemsize)
    total = LAYER + rest * ALONE
    return total + (made.cycles(words) + fetched((made.routine,), memory) if words else 0)


def reading_code(layer: Convert) -> LayerCode:
    numbers = _numbers(layer)
    routine = _reading(numbers).routine
    fields = {"elements": layer.elements, **FromReals(numbers).fields(), "read": routine.name}
    return LayerCode((KernelCall("quantize_lanes", ("input", "output"), fields),), routines=(routine,))


def _numbers(layer: Convert) -> Affine:
    assert isinstance(layer.conversion, FromReals)
    return layer.conversion.numbers


@lru_cache(maxsize=64)
def _reading(numbers: Affine) -> Timed:
    scale, inverse = np.float32(numbers.scale), np.float32(1 / numbers.scale)
    operation, factor = ("vmul", inverse) if _is_power_of_two(numbers.scale) else ("vdiv", scale)
    name = f"nn_quantize_int{numbers.bits}_{int(scale.view(np.uint32)):x}_{numbers.zero % 2**32:x}"
    summary = (
        f"{name}: real numbers / {scale:.9g}, to the nearest, {numbers.zero:+d}, saturated.",
        "",
        f"Quotients become integers with {FRACTION} bits behind the point. Halves go away from zero: of what is below",
        "0 one unit is taken off, then half of 1 is added to all. What is no number becomes the lowest.",
    )
    a = Assembly(name, summary)
    a.register("output", "r0")
    a.register("input", "r1", "may lie at any word")
    a.register("left", "r2", "words of numbers")
    a.register("no_number", "r3", "bits of a real number beyond these, doubled, are none")
    a.register("bias", "r12", "what stands for 0, and half of 1")
    a.register("factor", "s8", "that they are divided by" if operation == "vdiv" else "that they are multiplied by")
    a("push", "{r4, r5, r6, r7, r8, r9, r10, r11, lr}")
    constant(a, "r4", int(factor.view(np.uint32)))
    a("vmov", "factor", "r4")
    constant(a, "no_number", NO_NUMBER)
    constant(a, "bias", (numbers.zero << FRACTION) + (1 << FRACTION - 1))
    around = a.cycles
    with a.counted("word", "A word of numbers; the integers of each beside the quotient of the next", "left"):
        _word(a, operation, numbers.bits)
    word = a.cycles - around
    a("pop", "{r4, r5, r6, r7, r8, r9, r10, r11, pc}")
    twin = KernelCall("quantize_words", ("output", "input", "words"), FromReals(numbers).fields())
    routine = a.routine("void *output, const void *input, int words", twin, FLOAT_ASSEMBLY)
    return Timed(routine, a.cycles - word, word)


def _is_power_of_two(scale: float) -> bool:
    """Whose inverse is a number that float32 has in full."""
    return math.frexp(scale)[0] == 0.5 and 2.0**-100 < scale < 2.0**100


def _word(a: Assembly, operation: str, bits: int) -> None:
    count = 32 // bits
    reals, numbers = [f"r{4 + index}" for index in range(count)], [f"r{8 + index}" for index in range(count)]
    a("vldm", "input", f"{{s0-s{count - 1}}}")
    for index, number in enumerate(numbers):
        a(f"{operation}.f32", f"s{index}", f"s{index}", "factor")
        if index:
            _integer(a, numbers[index - 1], reals[index - 1], bits)
        else:
            a("ldm", "input!", f"{{{', '.join(reals)}}}")
        a("vcvt.s32.f32", f"s{index}", f"s{index}", imm(FRACTION))
        a("vmov", number, f"s{index}")
    _integer(a, numbers[-1], reals[-1], bits)
    if bits == 8:
        packed(a, numbers[0], *numbers)
    else:
        a("pkhbt", numbers[0], numbers[0], numbers[1], "lsl #16")
    a("str", numbers[0], "[output]", imm(4))


def _integer(a: Assembly, number: str, real: str, bits: int) -> None:
    """A quotient -> the nearest number."""
    a("cmp", "no_number", real, "lsl #1")
    a("it", "lo")
    a("movlo.w", number, imm(LOWEST))
    a("ssat", number, imm(ALL_BITS), number)
    a("add", number, number, number, "asr #31")
    a("add", number, number, "bias")
    a("ssat", number, imm(bits), number, f"asr #{FRACTION}")
