"""One execution, cut into blocks as several emulators do: the same blocks are left, and the same price."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.engines import counts as kinds
from mcusim.engines.counts import INTERRUPTS, CallNode, CallTree, Counts
from mcusim.timing.basic_blocks import in_basic_blocks
from mcusim.timing.code import Code
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import Function, Recording
from tests.timing.programs import START, Program

# adds r0, #1; subs r1, #1; cmp r0, #0; itt eq; ldreq r3, [r1]; addeq r0, #1
# loop: adds r0, #1; subs r1, #1; adds r0, #1; adds r0, #1; subs r1, #1; bne loop
# bx lr
_CODE = "0130" + "0139" + "0028" + "04bf" + "0b68" + "0130" + "0130" + "0139" + "0130" * 2 + "0139" + "f9d1" + "7047"
_NEXT, _JUMP = kinds.FETCH_MISS_NEXT, kinds.FETCH_MISS_JUMP
_EXIT = (24, 26)
_LEFT = [(0, 12), (12, 24), _EXIT]

_Event = tuple[int, int, int, Sequence[int]]

# Names of blocks and where they are, what ran, and which block found its second and its third granule missing.
_THROUGH = ({"run": (0, 24), "loop": (12, 24), "exit": _EXIT}, "run loop loop exit", (0, 1), (0, 2))
_IN_IT_BLOCK = ({"a": (0, 10), "b": (10, 24), "loop": (12, 24), "exit": _EXIT}, "a b loop loop exit", (0, 1), (1, 1))
_AT_GRANULE = (
    {"a": (0, 16), "b": (16, 24), "c": (12, 18), "d": (18, 24), "exit": _EXIT},
    "a b c d c d exit",
    (0, 1),
    (1, 0),
)
_CUTS = (_THROUGH, _IN_IT_BLOCK, _AT_GRANULE)


def recording(
    places: dict[str, tuple[int, int]],
    *traces: str,
    events: Sequence[_Event] = (),
    functions: tuple[Function, ...] = (),
) -> Recording:
    program = Program(_CODE, places)
    return Recording("nucleo_l452re_p", program.counts(*traces, events=events), program.code, functions, ())


def cut(at: int) -> Recording:
    places, trace, second, third = _CUTS[at]
    events = ((_JUMP, 0, START, [1]), (_NEXT, *second, [1]), (_NEXT, *third, [1]), (kinds.ACCESS, 0, START + 8, [0]))
    return recording(places, trace, events=events)


def priced(recorded: Recording) -> Profile:
    chip = load_board("nucleo_l452re_p").chip
    return price_recording(recorded, chip, 80_000_000, core_of(chip).TIMING)


def places_of(counts: Counts) -> list[tuple[int, int]]:
    return [(block.start - START, block.end - START) for block in counts.blocks if block.instructions]


@pytest.mark.parametrize("at", range(len(_CUTS)))
def test_the_programs_own_blocks_are_left(at: int) -> None:
    before, after = cut(at).counts, in_basic_blocks(cut(at), 8).counts
    assert places_of(after) == _LEFT
    assert after.instructions().tolist() == before.instructions().tolist() == [6 + 3 * 6 + 1]
    assert [(e.kind, e.block, e.address) for e in after.events] == [
        (kinds.ACCESS, 0, START + 8),
        (_NEXT, 0, 1),
        (_NEXT, 1, 1),
        (_JUMP, 0, START),
    ]


@pytest.mark.parametrize("at", range(1, len(_CUTS)))
def test_the_price_does_not_depend_on_the_cuts(at: int) -> None:
    one, other = priced(cut(0)), priced(cut(at))
    assert other.cycles.tolist() == one.cycles.tolist() and one.cycles[0] > 25
    assert (other.by_address, other.executed, other.calls) == (one.by_address, one.executed, one.calls)


def test_cut_again_it_stays_as_it_is() -> None:
    once = in_basic_blocks(cut(2), 8)
    again = in_basic_blocks(once, 8)
    assert again.counts.edges == once.counts.edges and again.counts.blocks == once.counts.blocks
    assert np.array_equal(again.counts.edge_counts, once.counts.edge_counts)


def test_where_a_measurement_ends_a_block_does() -> None:
    places = {"a": (0, 10), "b": (10, 24), "exit": _EXIT}
    assert places_of(in_basic_blocks(recording(places, "a b exit", "a"), 8).counts) == [(0, 10), (10, 24), _EXIT]
    assert places_of(in_basic_blocks(recording(places, "a b exit", "a b exit"), 8).counts) == [(0, 24), _EXIT]


def test_a_function_begins_a_block() -> None:
    functions = (Function("one", START, START + 4), Function("other", START + 4, START + 26))
    for places, trace in (({"run": (0, 24), "exit": _EXIT}, "run exit"), ({"a": (0, 4), "b": (4, 24)}, "a b")):
        assert places_of(in_basic_blocks(recording(places, trace, functions=functions), 8).counts)[:2] == [
            (0, 4),
            (4, 24),
        ]


def test_code_that_nobody_knows_is_left_alone() -> None:
    recorded = cut(2)
    unknown = Recording("nucleo_l452re_p", recorded.counts, Code([]), (), ())
    assert places_of(in_basic_blocks(unknown, 8).counts) == sorted(places_of(recorded.counts))


def test_calls_keep_their_own() -> None:
    """The second half was run by an interrupt once more: a block of its own there, and not of the measured call."""
    recorded = recording({"a": (0, 10), "b": (10, 24), "exit": _EXIT}, "a b exit")
    roots = [CallNode(at, START, 0) for at in range(3)]
    edges = {(e.source, e.to): n for n, e in enumerate(recorded.counts.edges)}
    tallies = {(0, n): 1 for n in edges.values()}
    own = [(0, 24), _EXIT]
    for more, expected in (({}, own), ({(INTERRUPTS, edges[0, 1]): 1}, sorted([(0, 10), (10, 24), *own]))):
        tree = CallTree(tuple(roots), {**tallies, **more})
        counts = Counts(**{**vars(recorded.counts), "tree": tree})
        found = in_basic_blocks(Recording("nucleo_l452re_p", counts, recorded.code, (), ()), 8).counts
        assert places_of(found) == expected
        assert found.tree is not None and sum(found.tree.tallies.values()) == len(own) + 1 + len(more)
