"""Cycles by call: each execution belongs to one, by whom the engine says it was reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.counts import DATA_MISS, INTERRUPTS, NO_FUNCTION, CallNode, CallTree, Edge
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import Function, Recording
from tests.timing.programs import CALL, START

BOARD = load_board("nucleo_l452re_p")
FAST_HZ = 80_000_000  # four wait states
FUNCTIONS = (Function("cnn", START, START + 8), Function("inner", START + 8, START + 16))
CNN, INNER, HANDLER = 0, 3, 4  # nodes
NODES = (
    CallNode(CNN, START, 1),
    CallNode(INTERRUPTS, NO_FUNCTION, 0),
    CallNode(2, NO_FUNCTION, 0),
    CallNode(CNN, START + 8, 1),
    CallNode(INTERRUPTS, START + 8, 2),
)
TRACE = "enter loop loop loop return leave"
WHO = {"enter": CNN, "loop": INNER, "return": INNER, "leave": CNN, "outside": CNN}


def priced(
    times: int = 1,
    events: Sequence[tuple[int, int, int, Sequence[int]]] = (),
    handled: Mapping[tuple[str, str], int] = MappingProxyType({}),
) -> Profile:
    """`inner` ran below `cnn`, three times its loop, in each of `times` samples. `handled`: edges of an interrupt."""
    counts = CALL.counts(*[TRACE] * times, events=events)
    names = [*CALL.places, "outside"]
    ran = counts.edge_counts.sum(axis=0).tolist()
    tallies = {(WHO[names[edge.to]], number): int(ran[number]) for number, edge in enumerate(counts.edges)}
    for (source, to), often in handled.items():
        tallies[HANDLER, counts.edges.index(Edge(names.index(source), names.index(to)))] = often
    nodes = tuple(replace(node, calls=node.calls * times) for node in NODES)
    made = Recording(BOARD.name, replace(counts, tree=CallTree(nodes, tallies)), CALL.code, FUNCTIONS, ())
    return price_recording(made, BOARD.chip, FAST_HZ, CORTEX_M4F)


def test_a_call_keeps_what_is_its_own() -> None:
    """By hand, as test_profile.py has them: PUSH 4, BL 2, POP 3; three turns of 3 and two refills, BX 3."""
    profile = priced(times=2)
    assert [(call.stack, call.own, call.with_calls, call.called) for call in profile.costs.calls] == [
        (("cnn",), 4 + 2 + 3, 23, 1),
        (("cnn", "inner"), 3 * 3 + 2 + 3, 14, 1),
    ]
    assert profile.inclusive == {"cnn": 23, "inner": 14} and profile.calls == {("cnn", "inner"): 1}
    assert profile.costs.outside == ()


def test_memory_belongs_to_who_waits_for_it() -> None:
    """Four wait states each: five times in CNN, three in INNER."""
    events = ((DATA_MISS, 0, START + 2, (5, 5)), (DATA_MISS, 2, START + 10, (3, 3)))
    cnn, inner = priced(2, events).costs.calls
    assert (cnn.own, inner.own) == (pytest.approx(9 + 5 * 4), pytest.approx(14 + 3 * 4))
    assert cnn.with_calls == pytest.approx(23 + 8 * 4)


def test_an_interrupt_is_told_apart_and_takes_no_memory() -> None:
    """It calls INNER twice, with one turn of the loop each."""
    handled = {("loop", "return"): 2, ("enter", "loop"): 2}
    profile = priced(1, ((DATA_MISS, 2, START + 10, (3,)),), handled=handled)
    assert profile.costs.outside_cycles == {"(interrupts) inner": 2 * (3 + 1) + 2 * 1}  # BL's refill, as it is entered
    assert [call.called for call in profile.costs.outside] == [0, 2]
    assert profile.inclusive == {"cnn": 23 + 12, "inner": 14 + 12} and profile.mean == 23 + 12


def test_what_was_never_called_has_its_own_cycles() -> None:
    """Code without a symbol, below no call of its own."""
    counts = CALL.counts(TRACE)
    tallies = {(CNN, number): int(times) for number, times in enumerate(counts.edge_counts.sum(axis=0).tolist())}
    made = Recording(BOARD.name, replace(counts, tree=CallTree(NODES[:3], tallies)), CALL.code, FUNCTIONS[:1], ())
    profile = price_recording(made, BOARD.chip, FAST_HZ, CORTEX_M4F)
    assert profile.inclusive == {"cnn": 23, "?": 14} and profile.by_function == {"?": 14, "cnn": 9}
