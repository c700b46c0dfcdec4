"""The stacks of a run -> flame graphs: of all its cycles, and of single functions, down to lines of the source."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from mcusim.reports.beside import file_of
from mcusim.reports.html.drawing import FIRST, MAIN, MUTED
from mcusim.reports.html.trees import Node, flame_graph
from mcusim.reports.report import Run
from mcusim.system.errors import McusimError
from mcusim.system.names import printable
from mcusim.timing.stacks import STACKS, Line, Stack, load

WIDTH = 1080
LEAST, LEAST_LINES = 0.005, 0.06  # of the width: what is less is put together; lines until their numbers can be read
WORTH_A_LOOK = 0.02  # of all cycles: a function that has a graph of its own
DEEPEST, MOST_FRAMES, MOST_LINES = 40, 1000, 8
OFF = 0.02  # that the cycles of stacks may be, of those of the run
LAYER = "layer_"  # how functions of layers begin


@dataclass(frozen=True)
class Flames:
    """`whole`, and `parts`: what they are of, and the picture. `lines`: the dearest, with their cycles and share.

    `missing`: why there is none.
    """

    whole: str = ""
    parts: Sequence[tuple[str, str]] = ()
    lines: Sequence[tuple[str, float, float]] = ()
    missing: str = ""


@dataclass
class Frame:
    """A function by the way it was called; `lines` of its own. Cycles of the mean sample."""

    name: str
    whole: float = 0.0
    lines: dict[Line, float] = field(default_factory=dict)
    calls: "dict[str, Frame]" = field(default_factory=dict)


def flames_of(run: Run, folder: Path | None, most: int) -> Flames:
    """`most`: functions that are looked into."""
    if run.cycles is None:
        return Flames(missing=run.no_cycles or "nobody counted its cycles")
    path = file_of(folder, run.id, STACKS) if folder else None
    if path is None:
        return Flames(missing=f"there is no {STACKS} in a folder of that run beside the report")
    try:
        stacks = load(path)
    except McusimError as error:
        return Flames(missing=error.what)
    top, known = _frames(stacks), run.cycles.mean
    measured, *others = top.calls.values() or [top]
    if not (known > 0 and abs(measured.whole - known) <= OFF * known and top.whole < math.inf):
        return Flames(missing=f"{STACKS} in its folder is of another run: it has {measured.whole:,.0f} cycles")
    root = top if others else measured
    whole = root.whole
    looked_at = _worth_a_look(root)[:most]
    parts = [(_told(one.name.removeprefix(LAYER), one.whole, whole), _drawn(one, whole)) for one in looked_at]
    return Flames(_drawn(root, whole), parts, _dearest(stacks, whole))


def _frames(stacks: Iterable[Stack]) -> Frame:
    """One above the measured function, and above interrupts and other tasks, where some ran."""
    top = Frame("all")
    for stack in stacks:
        way = [top]
        for name in stack.functions[:DEEPEST]:
            way.append(way[-1].calls.setdefault(name, Frame(name)))
        for frame in way:
            frame.whole += max(stack.cycles, 0.0)
        if stack.line is not None and len(stack.functions) <= DEEPEST:
            lines = way[-1].lines
            lines[stack.line] = lines.get(stack.line, 0.0) + max(stack.cycles, 0.0)
    return top


def _worth_a_look(root: Frame) -> Sequence[Frame]:
    """What the measured function calls: the layers of a model. The dearest first."""
    calls = [one for one in root.calls.values() if one.whole >= WORTH_A_LOOK * root.whole]
    return sorted(calls, key=lambda one: -one.whole)


def _dearest(stacks: Iterable[Stack], total: float) -> Sequence[tuple[str, float, float]]:
    cycles: dict[Line, float] = defaultdict(float)
    for stack in stacks:
        if stack.line is not None:
            cycles[stack.line] += stack.cycles
    found = sorted(cycles.items(), key=lambda one: -one[1])[:MOST_LINES]
    return [(f"{file}:{line}", own, own / total) for (file, line), own in found]


def _drawn(root: Frame, total: float) -> str:
    nodes: list[Node] = []
    _add(root, None, nodes, root.whole, total)
    return flame_graph(nodes, WIDTH)


def _add(frame: Frame, parent: int | None, nodes: list[Node], width: float, total: float) -> None:
    """A frame, and what stands on it: calls in their order, then its own lines. `width`: cycles of the picture."""
    at, own, least = len(nodes), frame.whole, width * LEAST
    colour = MAIN if parent is None or frame.name.startswith(LAYER) else FIRST
    nodes.append(Node(parent, frame.name, 0.0, _told(frame.name, frame.whole, total), colour))
    few = [one.whole for one in frame.calls.values() if one.whole < least]
    for one in frame.calls.values():
        if one.whole >= least and len(nodes) < MOST_FRAMES:
            own -= one.whole
            _add(one, at, nodes, width, total)
    others = [(f"{len(few)} smaller", sum(few))] if sum(few) >= least else []
    for name, cycles in [*others, *_ranges(frame.lines, width * LEAST_LINES)]:
        own -= cycles
        nodes.append(Node(at, name, cycles, _told(name, cycles, total), MUTED))
    nodes[at] = replace(nodes[at], size=max(own, 0.0))


def _told(name: str, cycles: float, total: float) -> str:
    return f"{printable(name)}: {cycles:,.0f} cycles, {cycles / total:.1%}"


def _ranges(lines: Mapping[Line, float], least: float) -> Iterator[tuple[str, float]]:
    """Neighbours in a file are put together until they are seen; what is still less is not told."""
    for file, of_file in groupby(sorted(lines.items()), key=lambda one: one[0][0]):
        first, cycles = None, 0.0
        for (_, number), own in of_file:
            first, cycles = number if first is None else first, cycles + own
            if cycles >= least:
                yield f"{first}{'' if first == number else f'-{number}'} {file}", cycles
                first, cycles = None, 0.0
