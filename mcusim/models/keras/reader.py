"""Keras file -> Source: `.keras`, `.h5` and `.json` with weights beside it, of Keras 2.0 to 3, without Keras.

A file is hostile until proved otherwise. It is read with json, zipfile and h5py, nothing in it is executed or
imported, and its layers are built by the converters of this package alone.
"""

from __future__ import annotations

from pathlib import Path

from mcusim.graph import Graph, Layer, Output
from mcusim.layers.reshape import Reshape
from mcusim.models.keras import reference
from mcusim.models.keras.description import Described, described, shown
from mcusim.models.keras.file import opened
from mcusim.models.keras.hdf5 import bounded
from mcusim.models.keras.walk import Walk
from mcusim.models.keras.weights import weights_of
from mcusim.models.source import NO_SHAPES, Origin, Shapes, Source
from mcusim.system.errors import MissingToolError, ModelError
from mcusim.training.normalization_file import load_normalization

NAME = "keras"
SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
REFERENCE = reference


def missing() -> MissingToolError | None:
    """Nothing ever is: mcusim depends on what reads these files."""
    return None


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """The graph is called `name`. Raises ModelError whatever is wrong with the file.

    `shapes`: see `ModelFormat`.
    """
    try:
        with opened(path) as file:
            model = described(file.description)
            with bounded():
                walk = Walk(weights_of(model, file.weights), file.version, _told(model, shapes))
                inputs = walk.inputs(model)
                ends = walk.model(model, inputs, (), Origin())
        walk.problems.demand_none()
        graph = _graph(model, walk, [str(end) for end in ends], name)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
    normalization = load_normalization(path)
    kept = {layer.name for layer in graph}
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in kept}
    return Source(graph, {} if normalization is None else {"": normalization}, origins=origins)


def _told(model: Described, shapes: Shapes) -> Shapes:
    """ "" stands for an only input."""
    return {"input" if not name and len(model.inputs) == 1 else name: shape for name, shape in shapes.items()}


def _graph(model: Described, walk: Walk, ends: list[str], name: str) -> Graph:
    names = _output_names(model)
    ends = _distinct(ends, walk)
    layers = _reachable(walk.layers, ends)
    return Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in zip(names, ends, strict=True)))


def _output_names(model: Described) -> list[str]:
    """By the user's own names, else an output is called like the layer that computes it."""
    if len(model.outputs) == 1:
        return ["output"]
    names: dict[str, int] = {}
    for name, ref in model.outputs:
        first = called = shown(name or model.layers[ref.layer].name)
        while called in names:
            names[first] += 1
            called = f"{first}_{names[first]}"
        names[called] = 1
    return list(names)


def _distinct(ends: list[str], walk: Walk) -> list[str]:
    """Each output is a tensor of its own: one that is there twice, or is an input, is seen through a Reshape."""
    if len(ends) == 1:
        return ends
    taken = {layer.name for layer in walk.layers if layer.INPUT}
    distinct = []
    for end in ends:
        if end in taken:
            seen = Reshape(name=walk.unique(f"{end}_output"), inputs=(end,), shape=walk.shapes[end])
            walk.append(seen)
            end = seen.name
        taken.add(end)
        distinct.append(end)
    return distinct


def _reachable(layers: list[Layer], ends: list[str]) -> list[Layer]:
    """The layers that the outputs need; an only output comes last."""
    by_name = {layer.name: layer for layer in layers}
    needed = {layer.name for layer in layers if layer.INPUT}
    if set(ends) <= needed:
        raise ModelError("the model computes nothing", hint="add a layer")
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].inputs)
    kept = [layer for layer in layers if layer.name in needed]
    if len(ends) > 1:
        return kept
    return [*(layer for layer in kept if layer.name != ends[0]), by_name[ends[0]]]
