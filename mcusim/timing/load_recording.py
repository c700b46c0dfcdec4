"""profile.json -> Recording: a file that may be damaged or made up, of which nothing is believed."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.engines import counts as kinds
from mcusim.engines.counts import ROOTS, Block, CallNode, CallTree, Counts, Edge, Event, demand_block
from mcusim.system.errors import DataError
from mcusim.system.names import printable, words_of
from mcusim.timing.code import Code
from mcusim.timing.recording import FORMAT, Recording
from mcusim.timing.source import Function

_HINT = "make one with mcusim profile"
_LARGEST_BYTES = 1 << 30
_LAST_ADDRESS = 1 << 32
_TOO_OFTEN = 1 << 64
_MOST_FRAMES = 10_000_000  # of all stacks together
_OF_BLOCK = (kinds.FETCH_MISS_NEXT, kinds.FETCH_MISS_JUMP)
BROKEN = (OSError, ValueError, LookupError, TypeError, OverflowError, AttributeError, RecursionError, MemoryError)


def load(path: Path) -> Recording:
    """Raises DataError when the file is no recording of this version."""
    try:
        if not path.is_file():
            raise OSError("it is no file" if path.exists() else "there is no such file")
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"it has more than {_LARGEST_BYTES >> 20} MiB")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            shown = printable(repr(document["format"]))[:60]
            raise DataError(f"{path.name!r} is a profile of format {shown}, not {FORMAT}", where=str(path), hint=_HINT)
        return _recording(document)
    except BROKEN as error:
        raise DataError(f"{path.name!r} is not a profile: {words_of(error)}", where=str(path), hint=_HINT) from error


def _recording(document: dict[str, Any]) -> Recording:
    return Recording(
        board=printable(str(document["board"])),
        counts=counts_of(document),
        code=Code(code_of(document["code"])),
        functions=tuple(sorted(map(_function, document["functions"]), key=lambda function: function.start)),
        lines=tuple(sorted((_address(at), printable(str(name)), _whole(line)) for at, name, line in document["lines"])),
    )


def code_of(told: list[list[Any]]) -> list[tuple[int, bytes]]:
    """Inverse of `told_code`. Raises as `counts_of`."""
    return [(_address(start), base64.b64decode(data, validate=True)) for start, data in told]


def counts_of(document: dict[str, Any]) -> Counts:
    """Inverse of `document_of`. Raises one of BROKEN for what is none."""
    blocks = tuple(Block(*map(_whole, row)) for row in document["blocks"])
    for block in blocks:
        demand_block(block)
    _demand(any(not block.instructions for block in blocks), "it has no block for what is outside of the measured call")
    edges = tuple(Edge(*map(_whole, row)) for row in document["edges"])
    _demand(
        all(0 <= at < len(blocks) for edge in edges for at in (edge.source, edge.to)),
        "an edge of it names a block that it does not have",
    )
    events = tuple(Event(*map(_whole, row)) for row in document["events"])
    _demand(all(_is_event(event, blocks) for event in events), "it has an event that there is not")
    _demand(bool(document["edge_counts"]), "it has no samples")
    return Counts(
        blocks=blocks,
        edges=edges,
        edge_counts=_table(document["edge_counts"], len(document["edge_counts"]), len(edges)),
        events=events,
        event_counts=_table(document["event_counts"], len(document["edge_counts"]), len(events)),
        tree=_tree(document.get("tree"), len(edges)),
        changed=frozenset(map(_whole, document.get("changed", ()))),
    )


def _function(row: Any) -> Function:
    name, start, end = row
    return Function(printable(str(name)), _address(start), _whole(end))


def _demand(true: bool, otherwise: str) -> None:
    if not true:
        raise ValueError(otherwise)


def _whole(value: object) -> int:
    """A number that is counted: true and 1.5 are none."""
    if type(value) is not int:
        raise ValueError(f"{printable(repr(value))[:60]} is not a whole number")
    return value


def _address(value: object) -> int:
    address = _whole(value)
    _demand(0 <= address < _LAST_ADDRESS, f"{address} is no address")
    return address


def _is_event(event: Event, blocks: tuple[Block, ...]) -> bool:
    return 0 <= event.kind <= kinds.DATA_HIT and (event.kind not in _OF_BLOCK or 0 <= event.block < len(blocks))


def _table(rows: list[list[int]], samples: int, columns: int) -> npt.NDArray[np.uint64]:
    _demand(all(len(row) == columns for row in rows), "a sample of it counts other things than it has")
    flat = [_whole(value) for row in rows for value in row]
    sums = (sum(flat[column::columns]) for column in range(columns))
    fits = min(flat, default=0) >= 0 and max(sums, default=0) < _TOO_OFTEN
    _demand(fits, "something in it ran less than never, or longer than anything can")
    return np.array(flat, np.uint64).reshape(samples, columns)


def _tree(found: Any, edges: int) -> CallTree | None:
    if found is None:
        return None
    nodes = tuple(CallNode(*map(_whole, row)) for row in found["nodes"])
    ordered = all(node.parent < at or (at in ROOTS and node.parent == at) for at, node in enumerate(nodes))
    _demand(len(nodes) >= len(ROOTS) and ordered and all(node.parent >= 0 for node in nodes), "its calls are no tree")
    depths = list[int]()
    for at, node in enumerate(nodes):
        depths.append(depths[node.parent] + 1 if node.parent != at else 1)
    _demand(sum(depths) <= _MOST_FRAMES, "its calls are deeper than any stack")
    tallies = {(_whole(node), _whole(edge)): _whole(times) for node, edge, times in found["tallies"]}
    fits = all(0 <= node < len(nodes) and 0 <= edge < edges for node, edge in tallies)
    _demand(fits and all(0 <= times < _TOO_OFTEN for times in tallies.values()), "its calls ran what it has not")
    return CallTree(nodes, tallies, _whole(found["never_returned"]), _whole(found["jumped_out"]))
