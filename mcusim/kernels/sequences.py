"""LSTM, GRU and SimpleRNN on integers: the sums of a step are two products of a matrix and a vector, in assembly."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels import plain
from mcusim.kernels.assembly import SAVED, Assembly, imm, several
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.lanes.words import fetched
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers import GRU, LSTM, SimpleRNN
from mcusim.layers.recurrent import Recurrent
from mcusim.program import Constant, KernelCall, LayerCode, Routine
from mcusim.system.arrays import Array

NAME = "sequences"
SUMMARY = "LSTM, GRU and SimpleRNN of integers: four rows of weights at a time, from flash (Cortex-M4)"
NEEDS_DSP = True
LOADS = 0.1  # of its cycles, from RAM
ANY_STORAGE = True  # of the inputs
CODE_BYTES = 700
SUM_BYTES, STATE_BYTES = 4, 2
ROWS = COLUMNS = 4  # of a block of weights
UNROLLED = (4, 3, 2)  # blocks of columns in a turn of the loop
OTHER_BYTES = 1000  # of code that runs between two calls: as much as fills a small cache
_SUMS, _PAIRS, _WORDS, _ODD = ("r4", "r5", "r6", "r7"), ("r8", "r9"), ("r10", "r11"), "r12"


def padded(count: int) -> int:
    return -(-count // COLUMNS) * COLUMNS


def packed(matrix: Array) -> Array:
    """Weights as they lie in flash: (rows, columns) of any number."""
    rows, columns = matrix.shape
    whole = np.zeros((padded(rows), padded(columns)), matrix.dtype)
    whole[:rows, :columns] = matrix
    blocks = whole.reshape(len(whole) // ROWS, ROWS, -1, COLUMNS).transpose(0, 2, 1, 3)
    return (blocks[..., [0, 2, 1, 3]] if matrix.dtype.itemsize == 1 else blocks).reshape(-1)


class FourRows(NamedTuple):
    """A routine, and its cycles where its weights are in the flash."""

    routine: Routine
    around: float
    group: float
    words: int  # of weights, of a group of four rows

    def cycles(self, rows: int, memory: Memory, since: float | None = None) -> float:
        """`since`: bytes that were read since it ran before; None: it never did."""
        groups, fetches = padded(rows) // ROWS, fetched((self.routine,), memory)
        if since is not None:
            fetches *= memory.crowding(OTHER_BYTES + since)
        return self.around + groups * (self.group + memory.streamed(4 * self.words, since)) + fetches


def four_rows(columns: int, number_bytes: int) -> FourRows:
    """Of any number of rows; `columns`: a multiple of four, zeros behind the last one of the vector.

    SXTB16 takes columns 0 and 1 out of a word of 8 bits, and columns 2 and 3 out of the word turned by 8.
    """
    bits = 8 * number_bytes
    name = f"nn_four_rows_{bits}_{columns}"
    head = [f"{name}: rows of {columns} numbers of {bits} bits times a vector, four at a time.", ""]
    head += ["Products of two pairs and sums of 32 bits, modulo 2^32: exact, since no sum is larger."]
    a = Assembly(name, head)
    a.register("sums", "r0", "of each row")
    a.register("input", "r1", "the vector")
    a.register("weights", "r2", "of four rows together", in_flash=True)
    a.register("bias", "r3", "of each row")
    a("push", several([*SAVED, "lr"]))
    since = a.cycles
    with a.loop("group", "Four rows") as again:
        a("ldm", "bias!", several(_SUMS))
        _columns(a, columns // COLUMNS, number_bytes)
        a("sub", "input", "input", imm(2 * columns))
        a("stm", "sums!", several(_SUMS))
        a("ldr", _ODD, "[sp, #36]", comment="groups that are left")
        a("subs", _ODD, _ODD, imm(1))
        a("str", _ODD, "[sp, #36]")
        a("bne", again)
    group = a.cycles - since
    a("pop", several([*SAVED, "pc"]))
    signature = "int32_t *sums, const int16_t *input, const void *weights, const int32_t *bias, int groups"
    twin = KernelCall("four_rows", ("sums", "input", "weights", "bias", "groups"), {"columns": columns})
    words = columns // COLUMNS * ROWS * number_bytes
    return FourRows(a.routine(signature, twin), a.cycles - group, group, words)


def _columns(a: Assembly, blocks: int, number_bytes: int) -> None:
    often = next((count for count in UNROLLED if blocks % count == 0), 1)
    with a.counted("columns", f"{often * COLUMNS} columns", "lr", blocks // often):
        for _ in range(often):
            a("ldr", _PAIRS[1], "[input, #4]")
            a("ldr", _PAIRS[0], "[input]", imm(8))
            if number_bytes == 1:
                _bytes(a)
            else:
                _halves(a)


def _bytes(a: Assembly) -> None:
    for first in range(0, ROWS, 2):
        a("ldr", _WORDS[1], "[weights, #4]")
        a("ldr", _WORDS[0], "[weights]", imm(8))
        for row in range(2):
            word, total = _WORDS[row], _SUMS[first + row]
            a("sxtb16", _ODD, word, "ror #8")
            a("sxtb16", word, word)
            a("smlad", total, word, _PAIRS[0], total)
            a("smlad", total, _ODD, _PAIRS[1], total)


def _halves(a: Assembly) -> None:
    for total in _SUMS:
        a("ldr", _WORDS[1], "[weights, #4]")
        a("ldr", _WORDS[0], "[weights]", imm(8))
        a("smlad", total, _WORDS[0], _PAIRS[0], total)
        a("smlad", total, _WORDS[1], _PAIRS[1], total)


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


def fits(layer: Layer, inputs: Inputs) -> str | None:
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
