"""Memory: small enough, and never shared by two that live. (Overlaps: test_bit_exact.py, on random graphs.)"""

from __future__ import annotations

from mcusim.line.arena import plan
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from tests.graphs import Builder


def residual_network(filters: int) -> Builder:
    """ResNetv1-6 of the MicroAI paper."""
    builder = Builder((128, 9))
    start = builder.conv(filters, 3, padding="same", activation="relu")
    builder.conv(filters, 3, start, padding="same")
    builder.add("MaxPooling1D")
    builder.add("ReLU")
    main = builder.conv(filters, 3, padding="same")
    builder.conv(filters, 1, start)
    short = builder.add("MaxPooling1D")
    builder.add("Add", main, short)
    joined = builder.add("ReLU")
    builder.conv(filters, 3, joined, padding="same", activation="relu")
    end = builder.conv(filters, 3, padding="same")
    builder.add("Add", joined, end)
    builder.add("ReLU")
    builder.add("GlobalMaxPooling1D")
    builder.dense(6)
    return builder


def test_the_papers_network_needs_no_more_than_the_lower_bound() -> None:
    for filters in (16, 80):
        graph = optimize(residual_network(filters).graph())
        planned = plan(graph, 1)
        # The block's input, the shortcut's convolution and the main path's output live at the same time.
        assert planned.lower_bound_elements == (128 + 128 + 64) * filters
        assert planned.elements == planned.lower_bound_elements
        assert planned.buffers_elements > 2 * planned.elements


def test_macs_and_parameters_of_the_paper() -> None:
    for filters, parameters, macs in ((16, 3_958, 333_920), (80, 86_326, 7_240_160)):
        graph = optimize(residual_network(filters).graph())
        assert (graph.parameters, graph.macs) == (parameters, macs)


def test_an_addition_works_in_place_and_a_view_costs_nothing() -> None:
    builder = Builder((4, 4))
    start = builder.conv(4, 1)
    end = builder.conv(4, 1)
    builder.add("Add", start, end)
    builder.add("Flatten")
    builder.dense(2)
    planned = plan(builder.graph(), 4)
    assert planned.elements == 32
    places = planned.places
    assert places["add_3"] in (places[start], places[end])
    assert places["flatten_4"] == places["add_3"]


def test_a_view_of_the_input_at_the_output_is_copied() -> None:
    builder = Builder((4, 4))
    builder.add("Flatten")
    program = lower(quantize(builder.graph(), builder.samples(), "int8"))
    assert [call.kernel for step in program.steps for call in step.code.calls] == ["copy"]
    assert program.arena_elements == 0


def test_buffers_start_at_multiples_of_four_bytes() -> None:
    builder = Builder((5, 3))
    for _ in range(3):
        start = builder.last.name
        builder.conv(3, 1, start)
        builder.add("Concatenate", start, builder.last.name)
    builder.dense(1)
    for size in (1, 2, 4):
        assert all(offset * size % 4 == 0 for _, offset in plan(builder.graph(), size).places.values())
