"""Files of the profiling plugin -> CallTree, code: which call each executed block belonged to, and what it was.

A node is a way by which a function was reached from the measured one; a function that calls itself, also by way of
others, is one node. What interrupts and other tasks ran meanwhile stands apart, below roots of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcusim.engines.blocks import Block

MEASURED, INTERRUPTS, TASKS = ROOTS = range(3)
NO_FUNCTION = 0xFFFFFFFF  # of the roots of what is not the measured call
_HEAD, _NODE, _TALLY = 4, 3, 4  # uint64s
_CODE = struct.Struct("<3I")
_LONGEST_BLOCK = 1 << 16


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


@dataclass
class TreeInParts:
    """Trees of several processes, whose nodes and blocks have other numbers in each, put together."""

    nodes: list[CallNode]
    tallies: dict[tuple[int, Block, Block], int]
    never_returned: int = 0
    jumped_out: int = 0

    def add(self, numbers: Sequence[int], blocks: Sequence[Block]) -> None:
        """The contents of one tree.bin. Raises ValueError or IndexError when it is damaged."""
        node_count, tally_count, never_returned, jumped_out = numbers[:_HEAD]
        tallies_at = _HEAD + node_count * _NODE
        if len(numbers) != tallies_at + tally_count * _TALLY or node_count < len(ROOTS):
            raise ValueError("tree.bin ends in the middle")
        known = {(node.parent, node.function): at for at, node in enumerate(self.nodes) if node.parent != at}
        own: list[int] = []
        for at in range(node_count):
            parent, function, calls = numbers[_HEAD + at * _NODE : _HEAD + (at + 1) * _NODE]
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
