"""Memory: small enough, and never shared by two that live. (Overlaps: test_bit_exact.py, on random graphs.)"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings

from mcusim.line.arena import Request, lower_bound_bytes, place, plan, views
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from tests.graphs import Builder, builders, several


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
        planned = plan(graph)
        # The block's input, the shortcut's convolution and the main path's output live at the same time.
        assert planned.lower_bound_bytes == (128 + 128 + 64) * filters * 4
        assert planned.arena_bytes == planned.lower_bound_bytes
        assert planned.buffers_bytes > 2 * planned.arena_bytes


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
    planned = plan(builder.graph())
    assert planned.arena_bytes == 128
    places = planned.places
    assert places["add_3"] in (places[start], places[end])
    assert places["flatten_4"] == places["add_3"]


def test_a_view_of_the_input_at_the_output_is_copied() -> None:
    builder = Builder((4, 4))
    builder.add("Flatten")
    program = lower(quantize(builder.graph(), builder.samples(), "int8"))
    assert [call.kernel for step in program.steps for call in step.code.calls] == ["copy"]
    assert program.arena_bytes == 0


def test_buffers_start_at_multiples_of_four_bytes() -> None:
    builder = Builder((5, 3))
    for _ in range(3):
        start = builder.last.name
        builder.conv(3, 1, start)
        builder.add("Concatenate", start, builder.last.name)
    builder.dense(1)
    for data_type in ("int8", "int16", "float32"):
        graph = quantize(builder.graph(), builder.samples(), data_type)
        assert all(place.offset_bytes % 4 == 0 for place in plan(graph).places.values())


def test_scratch_lives_for_one_step() -> None:
    builder = Builder((4, 4))
    first, second = builder.conv(4, 1), builder.conv(4, 1)
    builder.dense(2)
    assert plan(builder.graph(), {first: 1000, second: 1000}).arena_bytes == 1000 + 2 * 64
    assert plan(builder.graph(), {first: 3}).scratch[first].region == "arena"


def test_what_outlasts_an_inference_is_never_shared() -> None:
    """State of a recurrent layer, once there is one."""
    state = Request(["state"], 100, 0, 5)
    tensors = [Request([str(step)], 40, step, step + 1) for step in range(5)]
    assert place([*tensors, state]) == lower_bound_bytes([*tensors, state]) == 180
    assert all(
        one.offset_bytes + 40 <= state.offset_bytes or state.offset_bytes + 100 <= one.offset_bytes for one in tensors
    )


def test_sizes_are_bytes_of_each_tensors_own_type() -> None:
    builder = Builder((16, 3))
    builder.conv(8, 3, padding="same")
    wide = builder.conv(8, 3, padding="same")
    builder.dense(4)
    graph = builder.graph()
    mixed = quantize(graph, builder.samples(), "int8", layers={wide: ("int16", "per-layer")})
    assert plan(quantize(graph, builder.samples(), "int8")).arena_bytes == 128 + 128
    assert plan(mixed).arena_bytes == 256 + 256, "the converted input beside the output, both int16"


@settings(max_examples=40, derandomize=True)
@given(builders())
def test_buffers_of_a_step_fill_what_is_planned_and_share_nothing(builder: Builder) -> None:
    program = lower(quantize(builder.graph(), builder.samples(), "int8"))
    steps, deepest = program.steps, 0
    for number, step in enumerate(steps):
        alive = sorted(
            (one for one in program.buffers if one.first <= number <= one.last), key=lambda b: b.offset_bytes
        )
        assert all(b.offset_bytes + b.size_bytes <= n.offset_bytes for b, n in pairwise(alive))
        deepest = max(deepest, sum(one.size_bytes for one in alive))
        there = {one.offset_bytes for one in alive}
        before = {one.offset_bytes for one in program.buffers if one.first < number and one.last >= number - 1}
        assert {place.offset_bytes for place in step.sources if place.region == "arena"} <= there | before
        written = [(one.name, one.scratch, one.offset_bytes) for one in program.buffers if one.first == number]
        wanted = [(step.name, False, step.sink.offset_bytes)] if step.sink.region == "arena" else []
        wanted += [(step.name, True, step.scratch.offset_bytes)] if step.scratch else []
        assert sorted(written) == sorted(wanted)
    assert deepest == program.arena_lower_bound_bytes
    assert max((one.offset_bytes + one.size_bytes for one in program.buffers), default=0) == program.arena_bytes


def test_what_is_written_in_place_ends_what_was_there() -> None:
    builder = Builder((4, 4))
    start, end = builder.conv(4, 1), builder.conv(4, 1)
    builder.add("Add", start, end)
    builder.add("Flatten")
    builder.dense(2)
    over, *others = sorted(plan(builder.graph()).buffers, key=lambda one: -one.first)
    assert (over.name, over.first, over.last) == ("add_3", 2, 3), "the view is no step"
    assert [(one.first, one.last) for one in others if one.offset_bytes == over.offset_bytes] in ([(1, 1)], [(0, 1)])


@settings(max_examples=40, derandomize=True)
@given(builders())
def test_views_lie_where_their_input_does(builder: Builder) -> None:
    for graph in (builder.graph(), several()[0]):
        places = plan(graph).places
        there = {one.name for one in graph if one.VIEW and places[one.name] == places[one.inputs[0]]}
        assert views(graph) == there


def test_a_chain_of_thousands_of_layers_in_place_is_one_tensor() -> None:
    """Planned in a second; it took minutes."""
    builder = Builder((128,))
    for _ in range(3000):
        builder.add("ReLU")
    assert plan(builder.graph()).arena_bytes == 128 * 4
