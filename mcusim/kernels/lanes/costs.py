"""Cycles of layers with numbers side by side: what is done how often, and what each time takes."""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.graph import Layer
from mcusim.layers.planes import plane
from mcusim.layers.pooling import Pooling

Counts = dict[str, float]  # how often
Cycles = Mapping[str, float]  # what each takes
Storage = int  # bytes of a number; 0 for float32

# Fitted to the timing model, for what GCC 12 makes of the C at -O2. It mixes instructions of 16 and 32 bits as it
# likes, and those at odd halfwords wait for their fetch now and then: a tenth of the cycles, or a quarter, is chance.
MEANS: Mapping[Storage, Cycles] = {
    1: {"once": 13, "lines": 1.7, "windows": 0.7, "straight taps": 8.2, "single taps": 9.4, "looped taps": 6.4}
    | {"looped rows": 18, "edge words": 74, "pair words": 3.6, "reciprocal words": 29, "shifted words": 12}
    | {"limited": 5.7},
    2: {"once": 8, "lines": 4.2, "windows": 0.9, "straight taps": 7.3, "single taps": 7, "looped taps": 6.5}
    | {"looped rows": 12.8, "edge words": 33.7, "reciprocal words": 8, "shifted words": 2.2, "limited": 0.1},
    0: {"once": 2, "windows": 6.8, "straight taps": 2.8, "single taps": 1, "looped taps": 2.35, "looped rows": 9.6}
    | {
        "loops": 3.8,
        "edge words": 34,
        "series edge words": 2,
        "whole words": 4.3,
        "divided words": 12.2,
        "limited": 11,
    },
}
AFFINE_MEANS: Cycles = {
    "once": 20,
    "straight taps": 6.4,
    "looped taps": 5.9,
    "looped rows": 12.3,
    "edge words": 107,
} | {
    "divided words": 67,
    "scaled words": 120,
}
SUMS: Mapping[Storage, Cycles] = {
    1: {"once": 9, "loads": 2.17, "instructions": 1.23, "single inputs": 16},
    2: {"once": 7, "loads": 1.96, "instructions": 1.44, "single inputs": 87},
    0: {"once": 12, "words": 2.9, "loads": 2.0, "instructions": 1.0, "limited": 3.8},
}
MOVES: Mapping[Storage, Cycles] = {
    1: {"rows": 6.1, "words": 2.8, "instructions": 1.4},
    2: {"rows": 1.2, "words": 4.1, "instructions": 1.06},
    0: {"rows": 10, "words": 3.8},
}
BLOCK, UNROLLED = 4, 3  # NN_BLOCK words; columns of a window that are not in a loop


def total(counts: Counts, cycles: Cycles) -> float:
    return sum(cycles.get(name, 0.0) * count for name, count in counts.items())


def storage_of(layer: Layer) -> Storage:
    return 0 if layer.numbers is None else layer.dtype.itemsize


def lanes_of(layer: Layer) -> int:
    """Numbers in a word; of float32 one."""
    return 4 // layer.dtype.itemsize


def words_of(numbers: int, layer: Layer) -> tuple[int, int]:
    """Words that cover so many numbers, and runs of up to BLOCK of them."""
    block = BLOCK * lanes_of(layer)
    runs = -(-numbers // block)
    return numbers // block * BLOCK + -(-(numbers % block) // lanes_of(layer)), runs


def pool_counts(layer: Pooling) -> Counts:
    """Windows that lie inside the plane and those that hang over its edge; rows and taps of windows, in words."""
    height, width, channels = plane(layer.input_shape)
    words, runs = words_of(channels, layer)
    rows = _inside(layer.size[0], layer.strides[0], layer.padding[0][0], height, layer.output_plane[0])
    columns = _inside(layer.size[1], layer.strides[1], layer.padding[1][0], width, layer.output_plane[1])
    counts: Counts = {"once": 1, "windows": len(rows) * len(columns), "lines": len(rows)}
    straight = "single taps" if layer.size == (1, 1) else "straight taps"
    counts["limited"] = words * counts["windows"] if layer.activation.relu else 0
    for high in rows:
        for wide in columns:
            whole = high * wide == layer.size[0] * layer.size[1]
            looped = wide != layer.size[1] or layer.size[1] > UNROLLED
            taps = {"looped taps": words * high * wide, "looped rows": runs * high, "loops": runs * high * wide}
            part = taps if looped else {straight: words * high * wide}
            for name, count in {**part, "whole words" if whole else "edge words": words}.items():
                counts[name] = counts.get(name, 0) + count
    return counts


def _inside(size: int, stride: int, before: int, length: int, outputs: int) -> list[int]:
    """Taps of each window along an axis that are inside the plane."""
    starts = [index * stride - before for index in range(outputs)]
    return [min(start + size, length) - max(start, 0) for start in starts]


def each_counts(numbers: int, layer: Layer) -> Counts:
    """Blocks of words, words and single numbers of so many numbers side by side."""
    lanes = lanes_of(layer)
    return {"once": 1, "blocks": numbers // (BLOCK * lanes), "words": numbers // lanes, "singles": numbers % lanes}
