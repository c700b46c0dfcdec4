"""Files of the profiling plugin -> Counts: executed blocks, the edges between them, cache events, calls and code.

A node of a CallTree is a way by which a function was reached from the measured one; a function that calls itself, also
by way of others, is one node. What interrupts and other tasks ran meanwhile stands apart, below roots of its own.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mcusim.system.errors import EngineError

ACCESS, DATA_MISS, FETCH_MISS_NEXT, FETCH_MISS_JUMP, REGION, ODD, HALF, FLASH, DATA_HIT = range(9)
_OF_BLOCK = (FETCH_MISS_NEXT, FETCH_MISS_JUMP)
MEASURED, INTERRUPTS, TASKS = ROOTS = range(3)
NO_FUNCTION = 0xFFFFFFFF  # of the roots of what is not the measured call
_HEAD, _EDGE, _EVENT = 2, 3, 4  # uint64s
_TREE_HEAD, _NODE, _TALLY = 4, 3, 4
_CODE = struct.Struct("<3I")
_LONGEST_BLOCK, _LAST_ADDRESS = 1 << 16, 1 << 32


class Block(NamedTuple):
    """Instructions from `start` up to, not including, `end`. One with 0 `instructions` is all outside the markers."""

    start: int
    end: int
    instructions: int


def demand_block(block: Block) -> None:
    """Raises ValueError for one that no processor runs."""
    length = block.end - block.start
    if not (0 <= block.start < _LAST_ADDRESS and 0 <= block.instructions <= length // 2 <= _LONGEST_BLOCK // 2):
        raise ValueError(f"there is no block of {block.instructions} instructions in {length} bytes")


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
class CallNode:
    """`function` is an address, `calls` how often it was called this way. The roots are their own parents."""

    parent: int
    function: int
    calls: int


@dataclass(frozen=True)
class CallTree:
    """`tallies`: (node, edge of the Counts) -> how often that ran, over all samples. The first nodes are ROOTS.

    `never_returned`: calls that still ran when the program ended. `jumped_out`: calls that were left by a jump past
    their caller (longjmp, an exception of C++).
    """

    nodes: tuple[CallNode, ...]
    tallies: Mapping[tuple[int, int], int]
    never_returned: int = 0
    jumped_out: int = 0

    def root_of(self, node: int) -> int:
        while self.nodes[node].parent != node:
            node = self.nodes[node].parent
        return node


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


@dataclass
class TreeInParts:
    """Trees of several processes, whose nodes and blocks have other numbers in each, put together."""

    nodes: list[CallNode]
    tallies: dict[tuple[int, Block, Block], int]
    never_returned: int = 0
    jumped_out: int = 0

    def add(self, numbers: Sequence[int], blocks: Sequence[Block]) -> None:
        """The contents of one tree.bin. Raises ValueError or IndexError when it is damaged."""
        node_count, tally_count, never_returned, jumped_out = numbers[:_TREE_HEAD]
        tallies_at = _TREE_HEAD + node_count * _NODE
        if len(numbers) != tallies_at + tally_count * _TALLY or node_count < len(ROOTS):
            raise ValueError("tree.bin ends in the middle")
        known = {(node.parent, node.function): at for at, node in enumerate(self.nodes) if node.parent != at}
        own: list[int] = []
        for at in range(node_count):
            parent, function, calls = numbers[_TREE_HEAD + at * _NODE : _TREE_HEAD + (at + 1) * _NODE]
            own.append(at if at in ROOTS else known.setdefault((own[parent], function), len(self.nodes)))
            if own[at] == len(self.nodes):
                self.nodes.append(CallNode(at if at in ROOTS else own[parent], function, calls))
            else:
                before = self.nodes[own[at]]
                self.nodes[own[at]] = CallNode(before.parent, before.function, before.calls + calls)
        for at in range(tallies_at, len(numbers), _TALLY):
            node, source, to, count = numbers[at : at + _TALLY]
            key = own[node], blocks[source], blocks[to]
            self.tallies[key] = self.tallies.get(key, 0) + count
        self.never_returned += never_returned
        self.jumped_out += jumped_out

    def of_edges(self, edges: Mapping[tuple[Block, Block], int]) -> CallTree | None:
        """None when no process had one."""
        if not self.nodes:
            return None
        tallies = {(node, edges[source, to]): count for (node, source, to), count in self.tallies.items()}
        return CallTree(tuple(self.nodes), dict(sorted(tallies.items())), self.never_returned, self.jumped_out)


def read_code(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """(address, bytes, was it written while the firmware ran) of each block. Raises ValueError when damaged."""
    data = path.read_bytes() if path.is_file() else b""
    at = 0
    while at < len(data):
        if at + _CODE.size > len(data):
            raise ValueError("code.bin ends in the middle")
        start, size, changed = _CODE.unpack_from(data, at)
        at += _CODE.size + size
        if size > _LONGEST_BLOCK or at > len(data):
            raise ValueError("code.bin ends in the middle")
        yield start, data[at - size : at], bool(changed)


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
            for block in blocks:
                demand_block(block)
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
