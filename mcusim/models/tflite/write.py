"""Graph -> the bytes of a `.tflite` file, which TFLM computes bit for bit as `Graph.run` does; of reals nearly so.

Layers are as a file has them or as they were quantized, not stored without a sign. What TFLite has no operator for is
collected and told at once. The same graph gives the same bytes.
"""

from collections.abc import Mapping
from functools import partial

from mcusim.graph import Graph, Layer
from mcusim.layers.constant import Constant
from mcusim.models.problems import Problems
from mcusim.models.tflite.writing import functions, merges, moving, sums, windows
from mcusim.models.tflite.writing.file import File
from mcusim.models.tflite.writing.sheet import Sheet, Writer, tensor_of
from mcusim.numbers.affine import Affine
from mcusim.system.errors import ModelError

DESCRIPTION = "Written by mcusim."
NO_SIGN = "convert the model as its file has it"
# What writes a kind of layer as operators.
WRITERS: Mapping[type, Writer] = {
    kind: writer for part in (functions, merges, moving, sums, windows) for kind, writer in part.WRITERS.items()
}


def write(graph: Graph) -> bytes:
    """Raises ModelError for a graph with layers, or numbers, that TFLite has not: all of them."""
    _demand_scales(graph)
    file, problems = File(), Problems()
    sheet = Sheet(graph, graph.layers[0], file, reserved=frozenset(layer.name for layer in graph))
    for layer in graph.inputs:
        problems.caught(layer.name, layer.kind, partial(_input, sheet.of(layer)))
    for layer in graph:
        if not layer.INPUT:
            readable = all(name in sheet.places for name in layer.inputs)
            problems.caught(layer.name, layer.kind, partial(_layer, sheet.of(layer), readable))
    problems.demand_none(done="written as TFLite")
    for output in graph.outputs:
        _output(sheet.of(graph[output.layer]), output.name)
    return file.written(graph.name, DESCRIPTION)


def _demand_scales(graph: Graph) -> None:
    """All at once, since none of its layers could be written."""
    found = [layer for layer in graph if layer.numbers is not None and not isinstance(layer.numbers, Affine)]
    if found:
        what = f"model {graph.name!r} computes with fixed point ({found[0].numbers}), and TFLite with scales and zeros"
        raise ModelError(what, hint="quantize it as TFLite does: --data-type int8 --scheme per-channel")


def _input(sheet: Sheet) -> None:
    layer = sheet.layer
    sheet.names.add(layer.name)
    index = sheet.file.tensor(tensor_of(layer.name, (1, *layer.shape), sheet.out))
    sheet.file.inputs[layer.name] = sheet.places[layer.name] = index


def _layer(sheet: Sheet, readable: bool) -> None:
    """Of a layer whose inputs could not be written only the kind is looked at."""
    writer = WRITERS.get(type(sheet.layer))
    if writer is None:
        raise sheet.refused("is no operator of TFLite", "build it of other layers, or keep that model for mcusim")
    if readable:
        _demand_sign(sheet)
        writer(sheet, sheet.layer)


def _demand_sign(sheet: Sheet) -> None:
    """Tensors without one are read, or made, by conversions alone."""
    layers: tuple[Layer, ...] = (sheet.layer, *sheet.graph.inputs_of(sheet.layer))
    unsigned = [one for one in layers if isinstance(one.numbers, Affine) and not one.numbers.signed]
    if unsigned and sheet.layer.kind != "Convert":
        raise sheet.refused("computes with integers without a sign", NO_SIGN)


def _output(sheet: Sheet, name: str) -> None:
    """In its own shape, and a tensor that is nothing else: neither input nor another output of the model."""
    file, shape = sheet.file, (1, *sheet.layer.shape)
    tensor = sheet.seen(sheet.places[sheet.layer.name], shape)
    taken = (*file.inputs.values(), *file.outputs.values())
    if tensor in taken or isinstance(sheet.layer, Constant):
        tensor = sheet.copied(tensor, shape)
    file.outputs[name] = tensor
