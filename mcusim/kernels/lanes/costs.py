"""Cycles of layers with numbers side by side: what is done how often, and what each time takes."""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.graph import Layer

Counts = dict[str, float]  # how often
Cycles = Mapping[str, float]  # what each takes
Storage = int  # bytes of a number; 0 for float32

# Fitted to the timing model, for what GCC 12 makes of the C at -O2. It mixes instructions of 16 and 32 bits as it
# likes, and those at odd halfwords wait for their fetch now and then: a tenth of the cycles, or a quarter, is chance.
SUMS: Mapping[Storage | str, Cycles] = {
    1: {"once": 27, "loads": 0.73, "instructions": 1.29, "code": 0.53, "loads of four": 0.2, "loads of five": 0.34}
    | {"block loads": 5.3, "single inputs": 16},
    "bytes in 32 bits": {"once": 108, "loads": 0.89, "instructions": 1.32, "loads of four": 1.14, "single inputs": 16},
    2: {"once": 35, "loads": 0.47, "instructions": 1.74, "code": 0.22, "loads of four": 0.45, "loads of five": 0.48}
    | {"block loads": 1.1, "single inputs": 87},
    0: {"once": 31, "loads": 1.43, "instructions": 2.0, "limited": 6.1, "ceiling": 4.2},
}
MOVES: Mapping[Storage, Cycles] = {
    1: {"rows": 6.1, "words": 2.8, "instructions": 1.4},
    2: {"rows": 1.2, "words": 4.1, "instructions": 1.06},
    0: {"rows": 10, "words": 3.8},
}
BLOCK = 4  # NN_BLOCK words


def total(counts: Counts, cycles: Cycles) -> float:
    return sum(cycles.get(name, 0.0) * count for name, count in counts.items())


def storage_of(layer: Layer) -> Storage:
    return 0 if layer.numbers is None else layer.dtype.itemsize


def lanes_of(layer: Layer) -> int:
    """Numbers in a word; of float32 one."""
    return 4 // layer.dtype.itemsize


def words_of(numbers: int, layer: Layer) -> int:
    """Words that cover so many numbers, in blocks."""
    block = BLOCK * lanes_of(layer)
    return numbers // block * BLOCK + -(-(numbers % block) // lanes_of(layer))


def each_counts(numbers: int, layer: Layer) -> Counts:
    """Blocks of words, words and single numbers of so many numbers side by side."""
    lanes = lanes_of(layer)
    return {"once": 1, "blocks": numbers // (BLOCK * lanes), "words": numbers // lanes, "singles": numbers % lanes}
