"""A matrix of integers times a vector of numbers of 16 bits, four rows at a time: sums of 32 bits, exact.

    input    numbers of 16 bits, as many as columns: a multiple of four, zeros behind the last one
    weights  of four rows together, and of four columns of each: a word of 8 bits, as columns 0, 2, 1, 3, or two of 16
    bias     a sum of each row to begin with

SXTB16 takes columns 0 and 1 out of such a word, and columns 2 and 3 out of the word turned by 8.
"""

from typing import NamedTuple

import numpy as np

from mcusim.kernels.assembly import SAVED, Assembly, imm, several
from mcusim.kernels.lanes.words import fetched
from mcusim.kernels.memory import Memory
from mcusim.program import KernelCall, Routine
from mcusim.system.arrays import Array

ROWS = COLUMNS = 4
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
    """Of any number of rows; `columns`: a multiple of four."""
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
