"""The map of the arena: what lies where and when, and the layer during which most is alive."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mcusim.line.measure import LayerFigures
from mcusim.program import Buffer
from mcusim.reports.html.arena import MOST_LAYERS, Map, map_of
from mcusim.reports.report import Run
from tests.reports.reports import good_run

BUFFERS = (Buffer("a", False, 0, 100, 0, 1), Buffer("b", False, 100, 60, 1, 2), Buffer("b", True, 160, 40, 1, 1))


def run_of(count: int, *buffers: Buffer) -> Run:
    layers = tuple(LayerFigures(f"layer {number}", "Dense", 1) for number in range(count))
    return replace(good_run(), layers=layers, buffers=buffers, arena_bytes=200)


@pytest.mark.usefixtures("drawn")
def test_the_peak_is_where_most_is_alive() -> None:
    found = map_of(run_of(3, *BUFFERS))
    assert (found.peak, found.peak_bytes, found.shown) == (1, 200, 3)
    for told in ("a: 100 bytes at 0, layers 1 to 2", "b, scratch memory: 40 bytes at 160, layer 2"):
        assert f"<title>{told}</title>" in found.svg


@pytest.mark.usefixtures("drawn")
def test_of_many_layers_those_about_the_peak_are_shown() -> None:
    chain = tuple(Buffer(f"t{n}", False, n % 2 * 50, 50 + (n == 700), n, n + 1) for n in range(999))
    found = map_of(run_of(1000, *chain))
    assert (found.peak, found.peak_bytes, found.shown) == (700, 101, MOST_LAYERS)
    assert "t700: 51 bytes" in found.svg and "t699:" in found.svg and "t5:" not in found.svg
    assert found.svg.count("<title>") <= MOST_LAYERS + 1


@pytest.mark.usefixtures("drawn")
def test_what_has_no_room_for_its_name_has_the_number_of_its_layer() -> None:
    chain = tuple(Buffer("a long name of a tensor", False, 0, 50, n, n) for n in range(50))
    shown = re.findall(r">([^<>]+)</text>", map_of(run_of(50, *chain)).svg)
    assert shown.count("48") == 1 and not [text for text in shown if text.startswith("a ")]
    assert "a long name of a…" in map_of(run_of(2, Buffer("a long name of a tensor", False, 0, 50, 0, 1))).svg


@pytest.mark.parametrize(
    "wrong",
    [
        *(Buffer("a", False, 0, 4, 0, 3), Buffer("a", False, 0, 4, -1, 0), Buffer("a", False, 0, 4, 2, 1)),
        *(Buffer("a", False, -4, 4, 0, 0), Buffer("a", False, 0, -4, 0, 0), Buffer("a", False, 0, 0, 0, 0)),
    ],
)
def test_a_plan_that_cannot_be_is_told(wrong: Buffer) -> None:
    assert "that it does not have" in map_of(run_of(3, *BUFFERS, wrong)).missing


def test_no_plan_is_told() -> None:
    assert map_of(run_of(3)) == Map(missing="the report does not tell where what lies")
    assert map_of(replace(run_of(3), arena_bytes=0)) == Map(missing="nothing lies in it")
