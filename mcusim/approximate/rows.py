"""Real Graph -> Graph: of the rows that a max-pool reads, one is computed of some filters, and stands for the others.

Such filters become a convolution of their own that strides over the other rows, and a pool of one row. What is lost
is made up by a gain and an offset for each filter, in its weights and bias, where `least-squares` or `bias` is wanted;
and by the weights of what reads the pool. One-dimensional layers skip positions likewise.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mcusim import layers
from mcusim.approximate.approximation import TOGETHER, Reduced, Wanted, listed
from mcusim.approximate.channels import compensated
from mcusim.approximate.moments import SAMPLES_AT_ONCE, upstream, value_of, why_no_moments
from mcusim.approximate.paths import Path, can_start, each_wanted, only, path_of, reader_of
from mcusim.approximate.significance import read_by
from mcusim.graph import Graph, Layer, Skipped, samples_at_once
from mcusim.layers.planes import NO_PADDING, Padding, plane, reach
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

NAME = "rows"
SUMMARY = "of the rows that a max-pool reads one stands for all, for some filters"
DEFAULT = 0
ON_INTEGERS = False

Parts = Mapping[str, tuple[Layer, ...]]  # what stands for a layer of that name
MOST_POSITIONS = 20_000  # that gains and offsets are fitted to
ROUNDS = 6  # of a fit, in each of which it is known better which numbers are above zero
LEAST_GAIN = 0.1


def reduce(made: Reduced, wanted: Wanted) -> Reduced:
    if wanted.degrees[NAME].part < 1:
        return made  # a layer is parted once: in the last step
    made, refused = each_wanted(made, NAME, wanted.degrees[NAME], partial(_reduced, wanted=wanted))
    own = tuple(one for one in made.skipped if one.kind == NAME)
    notes = [f"one row of each pool stands for all, of filters: {listed(own)}"] if own else []
    convolutions = {name: why for name, why in refused.items() if isinstance(made.graph[name], layers.Convolution)}
    told = [f"{name!r} ({reason})" for name, reason in convolutions.items()]
    notes += [f"all rows are computed in {', '.join(told)}"] if told else []
    return replace(made, notes=(*made.notes, *notes))


def _reduced(made: Reduced, layer: Layer, count: int, wanted: Wanted) -> Reduced | str:
    """Or why its rows cannot be skipped."""
    found = _pool_of(made.graph, layer)
    if isinstance(found, str):
        return found
    count = count if count == layer.shape[-1] else count - count % TOGETHER
    return _perforated(made, *found, count, wanted) if count else made


def _pool_of(graph: Graph, layer: Layer) -> tuple[layers.MaxPooling, Path] | str:
    """The pool that reads a convolution, and where its channels go; or why rows cannot be skipped."""
    readers = graph.consumers(layer.name)
    if not isinstance(layer, layers.Convolution) or not can_start(layer):
        return "it is no convolution that mixes its inputs"
    pool = readers[0] if len(readers) == 1 else None
    if not isinstance(pool, layers.MaxPooling):
        return "what reads it is no max-pool alone"
    axis = _axis(layer)
    if pool.size[axis] < 2 or pool.size[axis] != pool.strides[axis] or pool.padding != NO_PADDING:
        return f"windows of {pool.name!r} do not lie side by side"
    path = path_of(graph, layer)
    if isinstance(path, str):
        return path
    reasons = [reason for name in path.readers if (reason := why_no_moments(graph[name]))]
    return reasons[0] if reasons else (pool, path)


def _axis(layer: layers.Convolution) -> int:
    """Of the plane: rows; of one dimension its positions."""
    return 0 if len(layer.shape) == 3 else 1


def _perforated(made: Reduced, pool: layers.MaxPooling, path: Path, count: int, wanted: Wanted) -> Reduced:
    """What becomes of layers up to the readers depends on no layer behind them: graphs that differ there share it."""
    before = [upstream(made.graph, name).layers for name in path.readers]
    kept = [made.filters_of(name).tobytes() for name in (path.start, *path.readers)]
    names = tuple(layer.name for layer in made.graph)
    told = (NAME, path, count, wanted.compensation, *before, *kept, names)
    parts, filters = made.learned(told, lambda: _parts(made, pool, path, count, wanted))
    skipped = Skipped(NAME, path.start, count, path.channels)
    own_kept = {**made.kept, path.start: filters}
    return replace(made, graph=_in_parts(made.graph, parts), kept=own_kept, skipped=(*made.skipped, skipped))


def _parts(made: Reduced, pool: layers.MaxPooling, path: Path, count: int, wanted: Wanted) -> tuple[Parts, Array]:
    """And the filters of the convolution, in their new order."""
    first, before = made.graph[path.start], upstream(made.graph, pool.name).layers
    assert isinstance(first, layers.Convolution)
    told = (NAME, before, wanted.compensation)
    gain, offset, lost = made.numbers(told, lambda: _fit(made, first, pool, wanted))
    ranked = np.argsort(lost * read_by(made.graph, path), kind="stable")
    some, others = np.sort(ranked[:count]), np.sort(ranked[count:])
    graph = only(made.graph, path, np.concatenate([others, some]))
    ordered, pooled = graph[path.start], graph[pool.name]
    assert isinstance(ordered, layers.Convolution) and isinstance(pooled, layers.MaxPooling)
    last = slice(len(others), None)
    fitted = replace(
        ordered,
        kernel=(ordered.kernel[last] * gain[some, None, None, None]).astype(np.float32),
        bias=(ordered.bias[last] * gain[some] + offset[some]).astype(np.float32),
        shape=(*ordered.shape[:-1], count),
    )
    split = _split(graph, ordered, pooled, fitted)
    filters = made.filters_of(path.start)[np.concatenate([others, some])]
    now = replace(made, graph=_in_parts(graph, split), kept={**made.kept, path.start: filters})
    passing = {name: (graph[name],) for name in path.passing}
    readers = [reader_of(now.graph, name) for name in path.readers]
    fitting = {one.name: (compensated(now, one, np.arange(one.summands), wanted.compensation),) for one in readers}
    return {**passing, **split, **fitting}, filters


def _in_parts(graph: Graph, parts: Parts) -> Graph:
    return replace(graph, layers=tuple(new for old in graph for new in parts.get(old.name, (old,))))


def _split(graph: Graph, whole: layers.Convolution, pool: layers.MaxPooling, fitted: layers.Convolution) -> Parts:
    """The last filters of `whole` are those of `fitted`, of which one row is computed. The pool's name stays."""
    some = len(fitted.kernel)
    others = len(whole.kernel) - some
    one_row, its_pool = _one_row(fitted, pool)
    if not others:
        return {whole.name: (one_row,), pool.name: (its_pool,)}
    taken = {layer.name for layer in graph}
    called = (f"{whole.name}_one_row", f"{pool.name}_all_rows", f"{pool.name}_one_row")
    names = [_free(name, taken) for name in called]
    rest = replace(whole, kernel=whole.kernel[:others], bias=whole.bias[:others], shape=(*whole.shape[:-1], others))
    sizes = {"shape": (*pool.shape[:-1], others), "input_shape": rest.shape}
    pools = (
        replace(pool, name=names[1], **sizes),  # type: ignore[arg-type]
        replace(its_pool, name=names[2], inputs=(names[0],)),
        layers.Concatenate(name=pool.name, inputs=(names[1], names[2]), shape=pool.shape),
    )
    return {whole.name: (rest, replace(one_row, name=names[0])), pool.name: pools}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _one_row(layer: layers.Convolution, pool: layers.MaxPooling) -> tuple[layers.Convolution, layers.MaxPooling]:
    """Of each window of the pool the first row, and the pool of what is left."""
    axis, filters = _axis(layer), layer.shape[-1]
    spatial = len(layer.shape) - 1
    strides, size, steps = list(layer.strides), list(pool.size), list(pool.strides)
    shape = list(layer.shape[:-1])
    shape[axis - (spatial == 1)] = pool.output_plane[axis]
    strides[axis], size[axis], steps[axis] = strides[axis] * pool.strides[axis], 1, 1
    strided = replace(layer, strides=(strides[0], strides[1]), shape=(*shape, filters))
    strided = replace(strided, padding=_padding(strided))
    smaller = replace(
        pool,
        size=(size[0], size[1]),
        strides=(steps[0], steps[1]),
        input_shape=strided.shape,
        shape=(*pool.shape[:-1], filters),
    )
    return strided, smaller


def _padding(layer: layers.Convolution) -> Padding:
    """As much behind the map as its last windows reach."""
    behind = []
    for axis, size in enumerate(reach(layer.kernel.shape[1:3], layer.dilation)):
        end = (plane(layer.shape)[axis] - 1) * layer.strides[axis] + size - layer.padding[axis][0]
        behind.append((layer.padding[axis][0], max(0, end - plane(layer.input_shape)[axis])))
    return behind[0], behind[1]


# -- gain and offset ---------------------------------------------------------------------------------------------------


def _fit(
    made: Reduced, layer: layers.Convolution, pool: layers.MaxPooling, wanted: Wanted
) -> tuple[Array, Array, Array]:
    """Of each filter: gain, offset, and the mean squared error of the pool's outputs with them."""
    rows, exact = _seen(made, layer, pool)

    def limited(sums: Array) -> Array:
        return pool.activation.apply(layer.activation.apply(sums))

    gain, offset = np.ones(rows.shape[1]), np.zeros(rows.shape[1])
    best = gain, offset, ((limited(rows) - exact) ** 2).mean(axis=0)
    for _ in range(ROUNDS if wanted.compensation != "none" else 0):
        sums = gain * rows + offset
        free = limited(sums) == sums  # where a limit holds the output, gain and offset change nothing
        gain, offset = _line(rows, exact, free, fixed_gain=wanted.compensation == "bias")
        lost = ((limited(gain * rows + offset) - exact) ** 2).mean(axis=0)
        better = lost < best[2]
        best = tuple(np.where(better, one, other) for one, other in zip((gain, offset, lost), best, strict=True))
    return best


def _line(x: Array, y: Array, used: Array, *, fixed_gain: bool) -> tuple[Array, Array]:
    """Least squares of each column, y = gain x + offset, over what is `used`."""
    count = np.maximum(used.sum(axis=0), 1)
    mean_x, mean_y = (np.where(used, one, 0).sum(axis=0) / count for one in (x, y))
    across, along = (np.where(used, (x - mean_x) * one, 0).sum(axis=0) for one in (y - mean_y, x - mean_x))
    gain = np.where(along > 0, across / np.where(along > 0, along, 1), 1)
    gain = np.ones_like(gain) if fixed_gain else np.maximum(gain, LEAST_GAIN)
    return gain, mean_y - gain * mean_x


def _seen(made: Reduced, layer: layers.Convolution, pool: layers.MaxPooling) -> tuple[Array, Array]:
    """Largest sums of the row that is computed, and outputs of the pool: (positions, filters)."""
    one_row, its_pool = _one_row(replace(layer, activation=LINEAR), replace(pool, activation=LINEAR))
    chunks, size = -(-len(made.samples) // SAMPLES_AT_ONCE), samples_at_once(upstream(made.graph, pool.name).layers)
    found = []
    for start in range(0, len(made.samples), SAMPLES_AT_ONCE):
        inputs, pooled = (value_of(made, made.graph, name, start) for name in (layer.inputs[0], pool.name))
        for part in (slice(first, first + size) for first in range(0, len(inputs), size)):
            sums = its_pool.run(one_row.run(inputs[part]))
            pair = [one.reshape(-1, one.shape[-1]) for one in (sums, pooled[part])]
            step = max(1, len(pair[0]) * chunks // MOST_POSITIONS)
            found.append([one[start % step :: step].astype(np.float64) for one in pair])
    rows, exact = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, exact
