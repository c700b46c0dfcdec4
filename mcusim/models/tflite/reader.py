"""TFLite file -> Source, without TensorFlow.

A file is hostile until proved otherwise: file.py verifies all of it before anything is built. Nothing in it is
executed, and its layers are built by the converters of this package alone.
"""

import math
from dataclasses import replace
from pathlib import Path

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.layers import Convert, Reshape, StridedCopy
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.listing import Listing
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.models.tflite import reference
from mcusim.models.tflite.call import without_batch
from mcusim.models.tflite.conversions import with_plain_inputs
from mcusim.models.tflite.decisions import with_scores
from mcusim.models.tflite.description import Model
from mcusim.models.tflite.dilation import unproved, with_dilations
from mcusim.models.tflite.file import read_file
from mcusim.models.tflite.flatbuffer import broken
from mcusim.models.tflite.layers import CONVERTERS, IN_TYPES, TYPES, VIEWS
from mcusim.models.tflite.loops import with_loops
from mcusim.models.tflite.states import UNPROVED, with_states
from mcusim.models.tflite.walk import Walk, tensor_name
from mcusim.system.errors import ModelError
from mcusim.training.normalization_file import load_normalization

NAME = "tflite"
SUFFIXES = (".tflite", ".lite")
REFERENCE = reference
HYBRID = "integer weights of a file with real activations are computed with as reals, where TFLite quantizes as it runs"
# What exists only in pieces: it becomes the dilation of the convolution between them.
AROUND_A_CONVOLUTION = ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND")
WORDS = {
    "yes": "bits of TensorFlow Lite Micro, but for the order of sums of reals",
    "no": "not computed, and by TFLM ABS, DIV, SQUARED_DIFFERENCE alone",
    "view": "the same numbers in the same order: costs nothing",
    "dilation": "with the convolution between them, a convolution with gaps",
}
STREAMING = "SVDF"  # it keeps a state from call to call
MOST_STEPS = 2**14


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """See `ModelFormat`; a file of this format leaves no shape open that could be told."""
    with_inputs, kept = with_states(read_file(path))
    model, notes = with_scores(with_dilations(with_plain_inputs(with_loops(with_inputs))))
    _demand_one_subgraph(model)
    if is_streaming(model):
        model = unrolled(model, steps_of(model, shapes))
    walk = Walk(model)
    walk.inputs()
    _check_told(walk, shapes)
    walk.operations()
    ends = _ends(walk)
    walk.problems.demand_none()
    graph = _graph(walk, ends, name, (*notes, *kept))
    normalization = load_normalization(path)
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in {one.name for one in graph}}
    stored = {} if normalization is None else {"": normalization}
    why = HYBRID if walk.hybrid else UNPROVED if kept else unproved(model)
    return Source(graph, stored, origins=origins, unproved=why)


def _demand_one_subgraph(model: Model) -> None:
    """Control flow has one for each branch."""
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
    """Layers of the model's outputs, as far as they can be read."""
    found = [walk.values.get(index) for index in walk.model.outputs]
    if any(value is None or value.constant is not None for value in found):
        raise broken("an output of the model is a constant")
    ends = [value.layer for value in found if value is not None and value.layer is not None]
    if len(ends) == 1 and found[0] is not None and walk.layers[ends[0]].INPUT:  # all that the file does is to reshape
        source = walk.layers[ends[0]]
        name, shape = walk.names.unique("reshape"), without_batch(found[0].shape)
        walk.layers[name] = Reshape(name=name, inputs=(source.name,), shape=shape, numbers=source.numbers)
        return [name]
    return ends


def _last_step(walk: Walk, end: str, layers: list[Layer]) -> str:
    """Of an output that has all steps of a sample. What is converted last is cut before."""
    layer = walk.layers[end]
    steps, *shape = layer.shape
    if isinstance(layer, Convert):
        cut = _last_step(walk, layer.inputs[0], layers)
        own = replace(layer, name=walk.names.unique(f"{end}_last"), inputs=(cut,), shape=tuple(shape))
        layers.append(own)
        return own.name
    size = math.prod(shape)
    layers.append(
        StridedCopy(
            name=walk.names.unique(f"{end}_last"),
            inputs=(end,),
            shape=tuple(shape),
            numbers=layer.numbers,
            spelled="Cropping",
            sizes=(size,),
            strides=(1,),
            offset=(steps - 1) * size,
        )
    )
    return layers[-1].name


def _graph(walk: Walk, ends: list[str], name: str, notes: tuple[str, ...]) -> Graph:
    if not ends:
        raise broken("it has no outputs")
    model, layers = walk.model, list(walk.layers.values())
    computed = model.outputs[: len(model.outputs) - len(model.kept)]
    told = [*(model.names.get(index) or model.tensors[index].name for index in computed), *model.kept]
    names = output_names([tensor_name(one, "output") for one in told])
    if is_streaming(model):
        ends = [_last_step(walk, end, layers) for end in ends]
    ends = distinct(ends, layers, layers.append)
    outputs = tuple(Output(*pair) for pair in zip(names, ends, strict=True))
    notes = (*notes, HYBRID) if walk.hybrid else notes
    return Graph(tuple(reachable(layers, ends)), name, notes=notes, outputs=outputs)


def listings() -> tuple[Listing, ...]:
    names = sorted({*CONVERTERS, *VIEWS, *AROUND_A_CONVOLUTION})
    return (Listing("operator", TYPES, {name: _cells(name) for name in names}, WORDS),)


def _cells(name: str) -> tuple[str, ...]:
    word = "view" if name in VIEWS else "dilation" if name in AROUND_A_CONVOLUTION else "yes"
    return tuple(word if dtype in IN_TYPES.get(name, TYPES) else "no" for dtype in TYPES)


def is_streaming(model: Model) -> bool:
    return any(operation.kind == STREAMING for operation in model.operations)


def steps_of(model: Model, shapes: Shapes) -> int:
    """From the shape that users tell: (steps, ..), or a multiple of the elements of the file's input."""
    given: Shape = next(iter(shapes.values()), ())
    tensor = model.tensors[model.inputs[0]] if len(model.inputs) == 1 else None
    if tensor is None:
        raise ModelError(f"the model keeps a state ({STREAMING}) and has several inputs", hint="use one with one input")
    told = tensor.shape[1:]
    if len(given) != len(told) + 1 or given[1:] != told or not 2 <= given[0] <= MOST_STEPS:
        example = [16, *told]
        what = f"the model is fed {tensor.shape} at a time and keeps a state ({STREAMING}) in between"
        raise ModelError(what, hint=f"tell how many of these are a sample: input_shape = {example} in [[model]]")
    return int(given[0])


def unrolled(model: Model, steps: int) -> Model:
    """The model of whole samples, of one that is fed a step at a time: its steps take the place of the batch.

    Samples know nothing of each other, so one is a series. Every operation works on all its steps, and what keeps a
    state looks back along them; the answer is the last step's.
    """
    computed = {*model.inputs, *(index for operation in model.operations for index in operation.outputs)}
    tensors = []
    for tensor in model.tensors:
        if tensor.index in computed:
            if tensor.shape[:1] != (1,):
                what = f"a tensor of the model has shape {tensor.shape}, where a state is kept from step to step"
                raise ModelError(what, hint="use a model with a batch of 1")
            tensor = replace(tensor, shape=(steps, *tensor.shape[1:]), signature=(steps, *tensor.shape[1:]))
        tensors.append(tensor)
    return replace(model, tensors=tuple(tensors))
