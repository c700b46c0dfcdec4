"""Keras file -> Source: `.keras`, `.h5` and `.json` with weights beside it, of Keras 2.0 to 3, without Keras.

A file is hostile until proved otherwise. It is read with json and zipfile, nothing in it is executed or
imported, and its layers are built by the converters of this package alone.
"""

from collections.abc import Mapping
from pathlib import Path

from mcusim.graph import Graph, Output
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.keras import reference
from mcusim.models.keras.activations import ACTIVATIONS, FUNCTION_LAYERS, Chosen
from mcusim.models.keras.description import Described, described, shown
from mcusim.models.keras.file import opened
from mcusim.models.keras.hdf5 import bounded
from mcusim.models.keras.layers import IDENTITIES, KERAS_NAMES
from mcusim.models.keras.walk import Walk
from mcusim.models.keras.weights import weights_of
from mcusim.models.listing import Listing
from mcusim.models.source import NO_SHAPES, Origin, Shapes, Source
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Activation
from mcusim.numbers.tables import DIRECT_BITS, MOST_SEGMENTS
from mcusim.training.normalization_file import load_learned, load_normalization

NAME = "keras"
SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
REFERENCE = reference
FLOAT_ONLY = True
Cells = tuple[str, str, str]
NUMBER_TYPES = ("float32", f"int{DIRECT_BITS + 1} to int16", f"int4 to int{DIRECT_BITS}")
YES: Cells = ("yes", "yes", "yes")
DROPPED: Cells = ("dropped", "dropped", "dropped")
CURVE: Cells = ("yes", "lines", "table")
TABLES: Cells = ("yes", "table", "table")
WORDS = {
    "yes": "computed as Keras does; integers give the same bits on every engine",
    "dropped": "does nothing at inference",
    "table": "looked up in a table: the nearest number there is",
    "lines": f"up to {MOST_SEGMENTS} straight lines, mostly within 1.5 of the last place",
}


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
    normalizations = {} if normalization is None else {"": normalization}
    return Source(graph, normalizations, origins=origins, learned=load_learned(path))


def _told(model: Described, shapes: Shapes) -> Shapes:
    """ "" stands for an only input."""
    return {"input" if not name and len(model.inputs) == 1 else name: shape for name, shape in shapes.items()}


def _graph(model: Described, walk: Walk, ends: list[str], name: str) -> Graph:
    names = output_names([shown(name or model.layers[ref.layer].name) for name, ref in model.outputs])
    ends = distinct(ends, walk.layers, walk.append)
    layers = reachable(walk.layers, ends)
    return Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in zip(names, ends, strict=True)))


def listings() -> tuple[Listing, ...]:
    """Of layers, and of the activations that they may end with."""
    return Listing("layer", NUMBER_TYPES, kinds()), Listing("activation", NUMBER_TYPES, activations(), WORDS)


def kinds() -> Mapping[str, Cells]:
    """Of each Keras layer, by name."""
    special = (
        dict.fromkeys(IDENTITIES, DROPPED) | dict.fromkeys(FUNCTION_LAYERS, CURVE) | {"ReLU": YES, "Softmax": TABLES}
    )
    return {name: special.get(name, YES) for name in KERAS_NAMES}


def activations() -> Mapping[str, Cells]:
    """Of each activation, by the name that layers call it."""
    return {name: _cells(chosen) for name, chosen in ACTIVATIONS.items()}


def _cells(chosen: Chosen) -> Cells:
    if isinstance(chosen, Function):
        return CURVE
    return YES if isinstance(chosen, Activation) else TABLES
