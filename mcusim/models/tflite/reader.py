"""TFLite file -> Source, without TensorFlow.

A file is hostile until proved otherwise: file.py verifies all of it before anything is built. Nothing in it is
executed, and its layers are built by the converters of this package alone.
"""

from __future__ import annotations

from pathlib import Path

from mcusim.graph import Graph, Layer, Output
from mcusim.layers.reshape import Reshape
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.models.tflite import reference
from mcusim.models.tflite.call import without_batch
from mcusim.models.tflite.description import Model
from mcusim.models.tflite.dilation import with_dilations
from mcusim.models.tflite.file import read_file
from mcusim.models.tflite.flatbuffer import broken
from mcusim.models.tflite.names import Names, tensor_name
from mcusim.models.tflite.walk import Walk
from mcusim.system.errors import MissingToolError, ModelError
from mcusim.training.normalization_file import load_normalization

NAME = "tflite"
SUFFIXES = (".tflite", ".lite")
REFERENCE = reference
AFFINE = "affine"  # the scheme of a model whose integers are those of the file
HYBRID = "integer weights of a file with real activations are computed with as reals, where TFLite quantizes as it runs"


def missing() -> MissingToolError | None:
    """Nothing ever is: such files are read by what is here."""
    return None


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """The graph is called `name`. Raises ModelError whatever is wrong with the file.

    `shapes`: see `ModelFormat`; a file of this format leaves none open that could be told.
    """
    try:
        model = with_dilations(read_file(path))
        _demand_one_subgraph(model)
        walk = Walk(model)
        walk.inputs()
        _check_told(walk, shapes)
        walk.operations()
        ends = _ends(walk)
        walk.problems.demand_none()
        graph = _graph(walk, ends, name)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
    except MemoryError:
        raise ModelError("the model does not fit into memory", where=str(path), hint="use a smaller model") from None
    normalization = load_normalization(path)
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in {one.name for one in graph}}
    return Source(graph, {} if normalization is None else {"": normalization}, origins=origins)


def _demand_one_subgraph(model: Model) -> None:
    """Control flow has one for each branch; its operators are told where there are any."""
    if model.subgraphs > 1:
        what = f"the model has {model.subgraphs} subgraphs, which are the branches of loops and conditions"
        raise ModelError(what, hint="convert with fixed shapes, and recurrent layers with unroll=True")


def _check_told(walk: Walk, shapes: Shapes) -> None:
    """Shapes that users tell are those that the file has."""
    known = {layer.name: layer.shape for layer in walk.layers.values()}
    for name, shape in shapes.items():
        have = known.get(name or "input")
        if have != tuple(shape):
            what = f"[[model]] input_shape tells {tuple(shape)}, and the file has {have or 'no such input'}"
            raise ModelError(what, hint="leave it out: the file tells its shapes")


def _ends(walk: Walk) -> list[str]:
    """Layers of the model's outputs, each a tensor of its own: one that is there twice, or an input, is seen again."""
    taken = {layer.name for layer in walk.layers.values() if layer.INPUT}
    ends: list[str] = []
    for index in walk.model.outputs:
        value = walk.values.get(index)
        if value is None or value.constant is not None:
            raise broken("an output of the model is a constant")
        if value.layer is None:
            continue  # told already
        layer = walk.layers[value.layer]
        if layer.name in taken:
            name = walk.names.unique(f"{layer.name}_output")
            layer = Reshape(name=name, inputs=(layer.name,), shape=without_batch(value.shape))
            walk.layers[name] = layer
        taken.add(layer.name)
        ends.append(layer.name)
    return ends


def _graph(walk: Walk, ends: list[str], name: str) -> Graph:
    if not ends:
        raise broken("it has no outputs")
    names, model = Names(), walk.model
    told = [model.names.get(index) or model.tensors[index].name for index in model.outputs]
    called = ["output"] if len(ends) == 1 else [names.unique(tensor_name(one, "output")) for one in told]
    layers = _reachable(list(walk.layers.values()), ends)
    notes = (HYBRID,) if walk.hybrid else ()
    outputs = tuple(Output(*pair) for pair in zip(called, ends, strict=True))
    bits = max(layer.numbers.bits if layer.numbers else 0 for layer in layers)
    if not bits:
        return Graph(tuple(layers), name, notes=notes, outputs=outputs)
    return Graph(tuple(layers), name, f"int{bits}", AFFINE, notes=notes, outputs=outputs)


def _reachable(layers: list[Layer], ends: list[str]) -> list[Layer]:
    """The layers that the outputs need; an only output comes last."""
    needed = {layer.name for layer in layers if layer.INPUT}
    if set(ends) <= needed:
        raise ModelError("the model computes nothing", hint="add a layer")
    wanted = {*ends}
    for layer in reversed(layers):
        if layer.name in wanted:
            wanted.update(layer.inputs)
    kept = [layer for layer in layers if layer.name in wanted | needed]
    if len(ends) > 1:
        return kept
    last = next(layer for layer in kept if layer.name == ends[0])
    return [*(layer for layer in kept if layer is not last), last]
