"""Keras file -> Source: `.keras`, `.h5` and `.json` with weights beside it, of Keras 2.0 to 3, without Keras.

A file is hostile until proved otherwise. It is read with json, zipfile and h5py, nothing in it is executed or
imported, and its layers are built by the converters of this package alone.
"""

from pathlib import Path

from mcusim.graph import Graph, Output
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.keras import reference, support
from mcusim.models.keras.description import Described, described, shown
from mcusim.models.keras.file import opened
from mcusim.models.keras.hdf5 import bounded
from mcusim.models.keras.walk import Walk
from mcusim.models.keras.weights import weights_of
from mcusim.models.source import NO_SHAPES, Origin, Shapes, Source
from mcusim.training.normalization_file import load_normalization

NAME = "keras"
SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
REFERENCE = reference
listings = support.listings
FLOAT_ONLY = True


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """See `ModelFormat`."""
    with opened(path) as file:
        model = described(file.description)
        with bounded():
            walk = Walk(weights_of(model, file.weights), file.version, _told(model, shapes))
            inputs = walk.inputs(model)
            ends = walk.model(model, inputs, (), Origin())
    walk.problems.demand_none()
    graph = _graph(model, walk, [str(end) for end in ends], name)
    normalization = load_normalization(path)
    kept = {layer.name for layer in graph}
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in kept}
    return Source(graph, {} if normalization is None else {"": normalization}, origins=origins)


def _told(model: Described, shapes: Shapes) -> Shapes:
    """ "" stands for an only input."""
    return {"input" if not name and len(model.inputs) == 1 else name: shape for name, shape in shapes.items()}


def _graph(model: Described, walk: Walk, ends: list[str], name: str) -> Graph:
    names = output_names([shown(name or model.layers[ref.layer].name) for name, ref in model.outputs])
    ends = distinct(ends, walk.layers, walk.append)
    layers = reachable(walk.layers, ends)
    return Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in zip(names, ends, strict=True)))
