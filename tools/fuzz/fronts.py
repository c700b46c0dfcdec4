"""Seed -> a random model through each front end, held against its own framework where that is here.

The builders are those of the tests, and so are the comparisons: an AssertionError tells of a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.line.front import read_model
from mcusim.line.optimize import optimize
from mcusim.numbers.factors import rescaling
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of
from tools.fuzz.drawing import drawn

SAMPLES = 8


class Refused(Exception):
    """The model is one that mcusim says no to, for a reason that such models are known to have."""


@dataclass(frozen=True)
class Case:
    """A graph of reals or integers, and samples; those after the first `usual` ones are far from all others."""

    graph: Graph
    x: Array
    usual: int = SAMPLES


@dataclass(frozen=True)
class Front:
    """`make` raises Refused, AssertionError for a difference, and what importing raises where a package lacks."""

    name: str
    make: Callable[[int, Path], Case]


def _graph(wide: bool, seed: int, _folder: Path) -> Case:
    from tests.graphs import builders, wide_builders

    builder = drawn(wide_builders() if wide else builders(), seed, lambda one: one)
    if builder is None:
        raise Refused
    random = np.random.default_rng(seed)
    x = builder.samples(SAMPLES + 4)
    x[SAMPLES : SAMPLES + 2] *= 1e6
    x[SAMPLES + 2 :] = np.array([0, 3e38]).reshape(2, *(1 for _ in builder.shape))
    x = np.abs(x) if random.random() < 0.5 else x
    graph = builder.graph()
    return Case(optimize(graph) if random.random() < 0.7 else graph, x)


def _keras(seed: int, _folder: Path) -> Case:
    from tests.keras_graphs import check_equal, models

    def use(model: tuple[Any, str]) -> Graph:
        try:
            return check_equal(model[0], model[1], seed=seed).graph
        except ValueError as error:  # Keras cannot save every graph to HDF5
            if "name already exists" in str(error):
                raise Refused from None
            raise

    graph = drawn(models(), seed, use)
    return _case(graph, seed)


def _tflite(bits: int, seed: int, folder: Path) -> Case:
    from tests.tflite_graphs import networks
    from tests.tflm_equal import compare, compare_reals, reals_of

    content = drawn(networks(bits), seed, lambda one: one)
    if content is None:
        raise Refused
    if not bits:
        return _case(compare_reals(content, folder).graph, seed)
    graph = compare(content, folder, samples=5).graph
    if seed % 3 == 0:
        with rescaling("single"):
            graph = read_model(folder / "m.tflite").graph
    return Case(graph, records_of({layer.name: reals_of(layer, SAMPLES) for layer in graph.inputs}))


def _onnx(seed: int, _folder: Path) -> Case:
    from tests.onnx_files import assert_equal
    from tests.onnx_graphs import REFUSALS, network_of

    def use(data: st.DataObject) -> Graph:
        file = network_of(data)
        try:
            return assert_equal(file, tolerance=1e-3).source.graph
        except ModelError as error:
            if any(word in error.what for word in REFUSALS):
                raise Refused from None
            raise

    return _case(drawn(st.data(), seed, use), seed)


def _onnx_integers(spelling: str, seed: int, folder: Path) -> Case:
    from tests.onnx_graphs import assert_chain_equal, chain_of

    graph = drawn(st.data(), seed, lambda data: assert_chain_equal(chain_of(data), folder, spelling).source.graph)
    return _case(graph, seed)


def _pt2(seed: int, folder: Path) -> Case:
    from tests.pytorch_graphs import PROGRAMS, assert_program_equal

    made = drawn(PROGRAMS, seed, lambda steps: assert_program_equal(seed % 2**32, steps, folder / "model.pt2"))
    return _case(made.source.graph if made else None, seed)


def _case(graph: Graph | None, seed: int) -> Case:
    if graph is None:
        raise Refused
    random = np.random.default_rng(seed)
    samples = {layer.name: random.normal(size=(SAMPLES, *layer.shape)).astype(np.float32) for layer in graph.inputs}
    return Case(graph, records_of(samples))


def first(x: Array, count: int) -> Array:
    return records_of({name: field[:count] for name, field in fields_of(x).items()})


WIDE = Front("wide graph", partial(_graph, True))
FRONTS = (
    Front("graph", partial(_graph, False)),
    WIDE,
    Front("keras", _keras),
    Front("tflite float32", partial(_tflite, 0)),
    Front("tflite int8", partial(_tflite, 8)),
    Front("tflite 16x8", partial(_tflite, 16)),
    Front("onnx float32", _onnx),
    Front("onnx QDQ", partial(_onnx_integers, "QDQ")),
    Front("onnx QOperator", partial(_onnx_integers, "QOperator")),
    Front("pt2", _pt2),
)
