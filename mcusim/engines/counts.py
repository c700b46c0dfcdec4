"""Files of the profiling plugin -> Counts: executed blocks, the edges between them, cache events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mcusim.engines.blocks import Block
from mcusim.engines.call_tree import (
    INTERRUPTS,
    MEASURED,
    NO_FUNCTION,
    ROOTS,
    TASKS,
    CallNode,
    CallTree,
    TreeInParts,
    read_code,
)
from mcusim.system.errors import EngineError

__all__ = [
    "INTERRUPTS",
    "MEASURED",
    "NO_FUNCTION",
    "ROOTS",
    "TASKS",
    "Block",
    "CallNode",
    "CallTree",
    "Counts",
    "Edge",
    "Event",
    "read_counts",
]

ACCESS, DATA_MISS, FETCH_MISS_NEXT, FETCH_MISS_JUMP, REGION, ODD, HALF, FLASH, DATA_HIT = range(9)
_OF_BLOCK = (FETCH_MISS_NEXT, FETCH_MISS_JUMP)
_HEAD, _EDGE, _EVENT = 2, 3, 4  # uint64s


class Edge(NamedTuple):
    """`to` ran directly after `source`: indices into the blocks."""

    source: int
    to: int


class Event(NamedTuple):
    """`kind` is one of those above.

    For REGION `block` is the number of the region; for FETCH_MISS_NEXT `address` counts the granules of the block.
    """

    kind: int
    block: int
    address: int


@dataclass(frozen=True)
class Counts:
    """`edge_counts` (samples, edges) and `event_counts` (samples, events), uint64.

    `tree`: the same executions by call, and those of interrupts and other tasks; None where the engine keeps none.
    `code`: (address, bytes) of blocks as they were executed, `changed` where some were written meanwhile.
    """

    blocks: tuple[Block, ...]
    edges: tuple[Edge, ...]
    edge_counts: npt.NDArray[np.uint64]
    events: tuple[Event, ...]
    event_counts: npt.NDArray[np.uint64]
    tree: CallTree | None = None
    code: tuple[tuple[int, bytes], ...] = ()
    changed: frozenset[int] = frozenset()

    @property
    def samples(self) -> int:
        return len(self.edge_counts)

    def instructions(self) -> npt.NDArray[np.uint64]:
        """Executed in each sample: every edge into a block is one execution of all of it."""
        sizes = np.array([self.blocks[edge.to].instructions for edge in self.edges], np.uint64)
        counted: npt.NDArray[np.uint64] = self.edge_counts @ sizes
        return counted


def read_counts(folders: Sequence[Path]) -> Counts:
    """What the plugin wrote into `folders`, samples one after the other.

    Raises EngineError when a file is missing or cut short.
    """
    samples: list[_Sample] = []
    tree = TreeInParts([], {})
    code: dict[int, tuple[bytes, bool]] = {}
    for folder in folders:
        try:
            numbers = np.frombuffer((folder / "samples.bin").read_bytes(), np.uint64).tolist()
            records = np.frombuffer((folder / "blocks.bin").read_bytes(), np.uint32).reshape(-1, 4).tolist()
            blocks = [Block(start, end, instructions) for start, end, _, instructions in records]
            samples.extend(_split(numbers, blocks))
            if (folder / "tree.bin").is_file():
                tree.add(np.frombuffer((folder / "tree.bin").read_bytes(), np.uint64).tolist(), blocks)
            for start, data, changed in read_code(folder / "code.bin"):
                longest, before = code.get(start, (b"", False))  # two blocks may begin at one address
                code[start] = max(longest, data, key=len), before or changed
        except (OSError, ValueError, IndexError) as error:
            raise EngineError(
                f"the profile is not readable: {error}", where=str(folder), hint="run it again"
            ) from error
    return _assemble(samples, tree, code)


# Blocks have another number in every process, so they are told apart by what they are.
_Sample = tuple[dict[tuple[Block, Block], int], dict[tuple[int, Block | int, int], int]]


def _split(numbers: list[int], blocks: list[Block]) -> Iterator[_Sample]:
    at = 0
    while at < len(numbers):
        edges_end = at + _HEAD + numbers[at] * _EDGE
        end = edges_end + numbers[at + 1] * _EVENT
        if end > len(numbers):
            raise ValueError("samples.bin ends in the middle of a sample")
        edges = (numbers[i : i + _EDGE] for i in range(at + _HEAD, edges_end, _EDGE))
        events = (numbers[i : i + _EVENT] for i in range(edges_end, end, _EVENT))
        named = {(k, blocks[b] if k in _OF_BLOCK else b, a): n for k, b, a, n in events}
        yield {(blocks[source], blocks[to]): n for source, to, n in edges}, named
        at = end


def _assemble(samples: list[_Sample], tree: TreeInParts, code: Mapping[int, tuple[bytes, bool]]) -> Counts:
    pairs = sorted({pair for found, _ in samples for pair in found} | {(a, b) for _, a, b in tree.tallies})
    keys = sorted({key for _, found in samples for key in found}, key=lambda key: (key[0], key[2], str(key[1])))
    blocks = sorted({block for pair in pairs for block in pair} | {key[1] for key in keys if isinstance(key[1], Block)})
    index = {block: number for number, block in enumerate(blocks)}
    return Counts(
        blocks=tuple(blocks),
        edges=tuple(Edge(index[source], index[to]) for source, to in pairs),
        edge_counts=_table([[found.get(pair, 0) for pair in pairs] for found, _ in samples], len(pairs)),
        events=tuple(Event(k, index[b] if isinstance(b, Block) else b, a) for k, b, a in keys),
        event_counts=_table([[found.get(key, 0) for key in keys] for _, found in samples], len(keys)),
        tree=tree.of_edges({pair: number for number, pair in enumerate(pairs)}),
        code=tuple(sorted((start, data) for start, (data, _) in code.items())),
        changed=frozenset(start for start, (_, changed) in code.items() if changed),
    )


def _table(rows: list[list[int]], columns: int) -> npt.NDArray[np.uint64]:
    return np.array(rows, np.uint64).reshape(len(rows), columns)
