"""Graph -> Graph: rows and columns that no window of a later layer reaches are not computed.

Pools and strided convolutions without padding leave out what fills no window: of 11 x 11 positions a pool of 2 x 2
reads 10 x 10. Where all that read a convolution or a pool slide windows over it, it ends where the last of these
windows does.
"""

from collections import defaultdict
from dataclasses import replace
from typing import TypeGuard

from mcusim.graph import Graph, Layer
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import Padding, Pair, plane, reach, shape_like
from mcusim.layers.pooling import Pooling

Sliding = Convolution | Pooling


def drop_unread(graph: Graph) -> Graph:
    """From the end to the start, so that what is left out of a layer is not needed of those before it either."""
    ends = {layer.name for layer in graph.ends}
    made: dict[str, Layer] = {}
    readers: dict[str, list[str]] = defaultdict(list)
    for layer in reversed(graph.layers):
        own = layer
        slides = [one for name in readers[layer.name] if _slides(one := made[name])]
        if layer.name not in ends and slides and len(slides) == len(readers[layer.name]):
            own = _as_far_as_read(layer, slides)
            if own is not layer:
                made |= {one.name: _reading(one, own) for one in slides}
        made[layer.name] = own
        for name in set(layer.inputs):
            readers[name].append(layer.name)
    return replace(graph, layers=tuple(made[layer.name] for layer in graph))


def with_unread(graph: Graph, whole: Graph) -> Graph:
    """What was left out is computed again. `whole`: the graph before, whose layers may have been quantized since."""
    before = {layer.name: layer for layer in whole if _slides(layer)}
    return replace(graph, layers=tuple(_as_before(layer, before.get(layer.name)) for layer in graph))


def _as_before(layer: Layer, whole: Layer | None) -> Layer:
    if whole is None or not _slides(layer) or not _slides(whole):
        return layer
    return replace(layer, shape=whole.shape, input_shape=whole.input_shape, padding=whole.padding)


def _slides(layer: Layer) -> TypeGuard[Sliding]:
    return isinstance(layer, (Convolution, Pooling))


def _as_far_as_read(layer: Layer, readers: list[Sliding]) -> Layer:
    """The same object where all of it is read."""
    if not _slides(layer) or len(layer.shape) < 2:
        return layer
    rows, columns, channels = plane(layer.shape)
    ends = [_end(reader) for reader in readers]
    if not _is_flat(layer):
        columns = min(columns, max(end[1] for end in ends))
    rows = min(rows, max(end[0] for end in ends))
    shape = shape_like(len(layer.shape) - 1, rows, columns, channels)
    if shape == layer.shape or min(rows, columns) < 1:
        return layer
    cropped = replace(layer, shape=shape)
    return replace(cropped, padding=_padding(cropped))


def _is_flat(layer: Sliding) -> bool:
    """Do kernels see its map as one row of positions, of which only the end can be left out?"""
    return isinstance(layer, Convolution) and layer.kernel.shape[2] == 1 and plane(layer.shape)[0] > 1


def _reading(layer: Sliding, entry: Layer) -> Sliding:
    """That of a smaller map."""
    smaller = replace(layer, input_shape=entry.shape)
    return replace(smaller, padding=_padding(smaller))


def _padding(layer: Sliding) -> Padding:
    """As much behind the map as its last windows reach."""
    (top, _), (left, _) = layer.padding
    height, width, _ = plane(layer.input_shape)
    rows, columns = _end(layer)
    return (top, max(0, rows - height)), (left, max(0, columns - width))


def _end(layer: Sliding) -> Pair:
    """How many rows and columns of its input the layer reads, or would if there were as many."""
    size = reach(layer.kernel.shape[1:3], layer.dilation) if isinstance(layer, Convolution) else layer.size
    rows, columns = layer.output_plane if isinstance(layer, Pooling) else plane(layer.shape)[:2]
    return (
        (rows - 1) * layer.strides[0] + size[0] - layer.padding[0][0],
        (columns - 1) * layer.strides[1] + size[1] - layer.padding[1][0],
    )
