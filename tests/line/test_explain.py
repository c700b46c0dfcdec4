"""The layer that spoils a model is the one that is blamed, and shares are those of layers quantized alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line.explain import decibels, explain, noise, ranges, to_json
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format
from mcusim.system.arrays import Array
from tests.graphs import Builder, several


def network() -> tuple[Graph, Array]:
    builder = Builder((12, 3))
    start = builder.conv(6, 3, padding="same", activation="relu")
    builder.conv(6, 3, padding="same")
    builder.add("Add", start, builder.last.name)
    builder.add("GlobalAveragePooling1D")
    builder.dense(4)
    return optimize(builder.graph()), builder.samples(80)


def test_the_layer_that_was_spoilt_is_blamed() -> None:
    graph, x = network()
    before = explain(graph, quantize(graph, x, "int8"), x)
    assert sum(row.share for row in before) == pytest.approx(1) and before[0].share < 0.6
    layers = [layer.name for layer in graph]
    for name in layers[1:3]:
        wide = quantize(graph, x, "int16")
        coarse = quantize(graph, x, "int8", layers={other: ("int16", "per-layer") for other in layers if other != name})
        rows = explain(graph, coarse, x)
        assert rows[0].name == name and rows[0].share > 0.9
        assert rows[0].alone_db is not None and rows[0].alone_db < 60
        behind = {row.name: row.so_far_db for row in rows}
        fine = {row.name: row.so_far_db for row in explain(graph, wide, x)}
        assert behind[layers[-1]] < fine[layers[-1]] - 10  # type: ignore[operator]


def test_an_input_whose_scale_is_too_coarse_is_blamed() -> None:
    graph, x = network()
    quantized = quantize(graph, x, "int16")
    first = replace(quantized.layers[0], numbers=Format(16, 2))
    conv = replace(quantized.layers[1], bias=quantized.layers[1].bias * 0)  # type: ignore[attr-defined]
    rows = explain(graph, replace(quantized, layers=(first, conv, *quantized.layers[2:])), x)
    assert {rows[0].name, rows[1].name} == {first.name, conv.name}


def test_several_inputs_and_outputs_and_what_json_has() -> None:
    graph, x = several()
    rows = explain(graph, quantize(graph, x, "int8", layers={graph.layers[2].name: ("int16", "per-layer")}), x)
    assert {row.name for row in rows} == {layer.name for layer in graph}
    told = json.loads(to_json({"several, int8": rows}))
    assert told["format"] == 1 and list(told["cases"]["several, int8"][0]) == [
        *("name", "low", "high", "holds_low", "holds_high", "beyond", "so_far_db"),
        *("kind", "numbers", "share", "alone_db"),
    ]


def test_ranges_are_those_of_explain_in_the_order_of_layers() -> None:
    graph, x = network()
    quantized = quantize(graph, x, "int8")
    found = ranges(graph, quantized, x)
    assert [one.name for one in found] == [layer.name for layer in graph]
    rows = {row.name: row for row in explain(graph, quantized, x)}
    assert all(vars(one).items() <= vars(rows[one.name]).items() for one in found)


def test_what_saturates_is_counted_and_what_is_held_is_told() -> None:
    graph, x = network()
    quantized = quantize(graph, x, "int8")
    first = replace(quantized.layers[0], numbers=Format(8, 5))  # -4 to 3.97
    found = ranges(graph, replace(quantized, layers=(first, *quantized.layers[1:])), x * 0 + 5)[0]
    assert (found.low, found.high, found.holds_low, found.holds_high) == (5.0, 5.0, -4.0, 3.96875)
    assert found.beyond == 1.0
    inside = ranges(graph, replace(quantized, layers=(first, *quantized.layers[1:])), x * 0 + 3.98)[0]
    assert inside.beyond == 0.0  # which is rounded to the last number
    real = ranges(graph, graph, x * 0 + 5)[0]
    assert (real.low, real.holds_low, real.beyond, real.so_far_db) == (5.0, None, None, None)


def test_decibels_of_nothing() -> None:
    assert decibels(0.0) is None and decibels(np.inf) is None and decibels(0.01) == pytest.approx(20)
    assert noise(np.zeros(3), np.ones(3)) == 0.0


def test_a_layer_that_makes_most_of_much_noise_is_named() -> None:
    builder = Builder((40,))
    builder.dense(40)
    last = builder.dense(3)
    graph, x = builder.graph(), builder.samples(100)
    quantized = quantize(graph, x, "int16", layers={last: ("int4", "per-layer")})
    assert any(f"{last!r} makes" in note and "% of the noise" in note for note in quantized.notes)
    assert not any("of the noise" in note for note in quantize(graph, x, "int8").notes)


def test_what_float32_cannot_hold_makes_no_noise_of_nan() -> None:
    huge = np.array([1.0, np.inf], np.float32)
    assert noise(huge, huge) == 0.0 and noise(np.ones(2, np.float32), huge) == 0.0
