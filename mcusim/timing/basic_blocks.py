"""Recording -> Recording whose blocks begin where the program jumps to or from, wherever its emulator had cut them.

QEMU and Renode cut straight code into blocks at places of their own: at pages, at devices, after some number of
instructions. And a block may run through the place where another one begins. Here every block is split at each place
where one begins or ends, and joined again where nothing else comes in or leaves: what is left is the program's own.
"""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from mcusim.engines.counts import FETCH_MISS_JUMP, FETCH_MISS_NEXT, MEASURED, Block, Counts, Edge, Event
from mcusim.timing.code import Code
from mcusim.timing.decode import width
from mcusim.timing.recording import Recording

_OF_BLOCK = (FETCH_MISS_NEXT, FETCH_MISS_JUMP)
_Parts = Mapping[Block, Sequence[Block]]  # of each block
_Pair = tuple[Block, Block]
_Edges = dict[int, Counter[int]]  # by number: how often each node of the tree took it


def in_basic_blocks(recording: Recording, granule_bytes: int) -> Recording:
    """Blocks whose code is not known stay as they are. `granule_bytes`: what events of the instruction cache count.

    What interrupts and other tasks ran is put together apart: where one of them was left, and went on, is no border of
    the measured call's blocks.
    """
    counts, borders = recording.counts, {function.start for function in recording.functions}
    measured, others = _measured_and_others(counts)
    unseen = replace(counts, edge_counts=np.zeros_like(counts.edge_counts), events=())
    joined = [
        _in_blocks(counts, measured, recording.code, borders),
        _in_blocks(unseen, others, recording.code, borders),
    ]
    return replace(recording, counts=_counts(counts, joined, granule_bytes))


def _measured_and_others(counts: Counts) -> tuple[_Edges, _Edges]:
    """Who took each edge: nodes of the measured call, and the others."""
    measured: _Edges = {at: Counter() for at in np.flatnonzero(counts.edge_counts.any(axis=0)).tolist()}
    others: _Edges = {}
    for (node, at), times in (counts.tree.tallies if counts.tree else {}).items():
        own = counts.tree is None or counts.tree.root_of(node) == MEASURED
        (measured if own else others).setdefault(at, Counter())[node] += times
    return measured, others


def _in_blocks(counts: Counts, edges: _Edges, code: Code, borders: set[int]) -> "_Joined":
    used = {counts.blocks[at] for number in edges for at in (counts.edges[number].source, counts.edges[number].to)}
    used |= {counts.blocks[event.block] for event in counts.events if event.kind in _OF_BLOCK}
    pieces = _pieces(sorted(used), code, borders)
    flow = _flow(counts, edges, pieces)
    whole = _joined(flow, code, borders)
    return flow, whole, {block: [whole.get(piece, piece) for piece in of] for block, of in pieces.items()}


# ---- Splitting


def _pieces(blocks: Iterable[Block], code: Code, borders: Iterable[int]) -> _Parts:
    real = [block for block in blocks if block.instructions]
    cuts = sorted({end for block in real for end in (block.start, block.end)}.union(borders))
    return {block: _split(block, cuts, code) for block in blocks}


def _split(block: Block, cuts: Sequence[int], code: Code) -> Sequence[Block]:
    inner = cuts[bisect.bisect_right(cuts, block.start) : bisect.bisect_left(cuts, block.end)]
    data = code.bytes_of(block.start, block.end) if inner else None
    if not data:
        return (block,)
    numbers, at = dict[int, int](), 0  # of each instruction, by its address
    while at < len(data):
        numbers[block.start + at] = len(numbers)
        at += width(data, at)
    if at != len(data) or len(numbers) != block.instructions:  # other code ran there
        return (block,)
    ends = [block.start, *(cut for cut in inner if cut in numbers), block.end]
    numbers[block.end] = len(numbers)
    return tuple(Block(start, end, numbers[end] - numbers[start]) for start, end in pairwise(ends))


@dataclass(frozen=True)
class _Flow:
    """Edges between pieces, their `counts` (edges, samples), and by edge the tallies of each node of the tree."""

    pairs: Sequence[_Pair]
    counts: npt.NDArray[np.uint64]
    tallies: Sequence[Counter[int]]


_Joined = tuple[_Flow, Mapping[Block, Block], _Parts]  # the block that each piece became a part of, if it did


def _flow(counts: Counts, edges: _Edges, pieces: _Parts) -> _Flow:
    """Whoever enters a block runs through all of its pieces."""
    numbers: dict[_Pair, int] = {}
    tallies: list[Counter[int]] = []
    flat: list[tuple[int, int]] = []
    for old, nodes in edges.items():
        edge = counts.edges[old]
        through = (pieces[counts.blocks[edge.source]][-1], *pieces[counts.blocks[edge.to]])
        for pair in pairwise(through):
            number = numbers.setdefault(pair, len(numbers))
            if number == len(tallies):
                tallies.append(Counter())
            _add(nodes, tallies[number])
            flat.append((number, old))
    found = np.zeros((len(numbers), counts.samples), np.uint64)
    if flat:
        new, old_edges = np.array(flat).T
        np.add.at(found, new, counts.edge_counts.T[old_edges])
    return _Flow(list(numbers), found, tallies)


# ---- Joining


def _joined(flow: _Flow, code: Code, borders: set[int]) -> dict[Block, Block]:
    """The block that a piece is a part of: of each piece that does not stay alone."""
    into, out_of = defaultdict[Block, list[int]](list), defaultdict[Block, list[int]](list)
    for number, (source, to) in enumerate(flow.pairs):
        into[to].append(number)
        out_of[source].append(number)
    following: dict[Block, Block] = {}
    for number, (source, to) in enumerate(flow.pairs):
        alone = source.end == to.start and len(into[to]) == len(out_of[source]) == 1
        if alone and to.start not in borders and _goes_on(flow, into[source], number) and _falls(code, source, to):
            following[source] = to
    whole: dict[Block, Block] = {}
    for first in set(following) - set(following.values()):
        chain = [first]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        block = Block(first.start, chain[-1].end, sum(piece.instructions for piece in chain))
        whole.update(dict.fromkeys(chain, block))
    return whole


def _goes_on(flow: _Flow, into: Sequence[int], onward: int) -> bool:
    """All that comes in leaves that way, in the same call: no measurement ends between the two."""
    if not np.array_equal(flow.counts[into].sum(axis=0, dtype=np.uint64), flow.counts[onward]):
        return False
    entered = Counter[int]()
    for number in into:
        _add(flow.tallies[number], entered)
    return entered == flow.tallies[onward]


def _add(some: Counter[int], to: Counter[int]) -> None:
    for node, times in some.items():
        to[node] += times


def _falls(code: Code, source: Block, to: Block) -> bool:
    before = code.instructions(source)
    return bool(before and not before[-1].branch and code.bytes_of(source.start, to.end))


# ---- Counts of what is left


def _counts(counts: Counts, joined: Sequence[_Joined], granule_bytes: int) -> Counts:
    taken: dict[_Pair, npt.NDArray[np.uint64]] = {}
    tallies: dict[_Pair, Counter[int]] = defaultdict(Counter)
    for flow, whole, _ in joined:
        for (source, to), times, nodes in zip(flow.pairs, flow.counts, flow.tallies, strict=True):
            pair = whole.get(source, source), whole.get(to, to)
            if not (pair[0] == pair[1] and source.end == to.start):  # else it is inside of one
                taken[pair] = taken[pair] + times if pair in taken else times
                _add(nodes, tallies[pair])
    order = sorted(taken)
    parts = [(block, part) for _, _, of in joined for block, inner in of.items() for part in inner]
    blocks = tuple(sorted({part for _, part in parts}))
    index = {block: number for number, block in enumerate(blocks)}
    events, event_counts = _events(counts, joined[0][2], index, granule_bytes)
    of_nodes = sorted(((node, at), times) for at, pair in enumerate(order) for node, times in tallies[pair].items())
    table = np.array([taken[pair] for pair in order], np.uint64).reshape(-1, counts.samples)
    return replace(
        counts,
        blocks=blocks,
        edges=tuple(Edge(index[source], index[to]) for source, to in order),
        edge_counts=np.ascontiguousarray(table.T),
        events=events,
        event_counts=event_counts,
        tree=counts.tree and replace(counts.tree, tallies=dict(of_nodes)),
        changed=frozenset(part.start for block, part in parts if block.start in counts.changed),
    )


def _events(
    counts: Counts, parts: _Parts, index: Mapping[Block, int], granule_bytes: int
) -> tuple[tuple[Event, ...], npt.NDArray[np.uint64]]:
    keys = [
        _moved(event, counts, parts, index, granule_bytes) if event.kind in _OF_BLOCK else event
        for event in counts.events
    ]
    events = sorted(set(keys), key=itemgetter(0, 2, 1))  # by kind, address and block
    number = {event: at for at, event in enumerate(events)}
    found = np.zeros((len(events), counts.samples), np.uint64)
    np.add.at(found, [number[key] for key in keys], counts.event_counts.T)
    return tuple(events), np.ascontiguousarray(found.T)


def _moved(event: Event, counts: Counts, parts: _Parts, index: Mapping[Block, int], granule_bytes: int) -> Event:
    """Into the part of its block where it happened."""
    block = counts.blocks[event.block]
    if event.kind == FETCH_MISS_JUMP:
        return Event(FETCH_MISS_JUMP, index[parts[block][0]], event.address)
    granule = block.start // granule_bytes + event.address
    at = max(block.start, granule * granule_bytes)
    part = next((part for part in parts[block] if at < part.end), parts[block][-1])
    return Event(FETCH_MISS_NEXT, index[part], granule - part.start // granule_bytes)
