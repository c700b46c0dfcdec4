"""Real Graph -> Graph: the least significant channels of layers are not computed, and what reads the others makes up.

Their readers' other weights and biases are fitted by least squares to the sums of the exact graph on calibration
samples; what is left are smaller layers, which any kernel runs.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from mcusim.approximate.approximation import Compensation, Reduced, Wanted, in_pairs, listed, together
from mcusim.approximate.moments import moments_of, refitted, upstream, why_no_moments, with_means
from mcusim.approximate.paths import Path, Reader, can_start, each_wanted, only, path_of, places, reader_of, replaced
from mcusim.approximate.significance import order, reading_of
from mcusim.graph import Graph, Layer, Skipped
from mcusim.system.arrays import Array

NAME = "channels"
SUMMARY = "the least significant channels are left out, and what reads the others is fitted anew"
DEFAULT = 0
ON_INTEGERS = False


def reduce(made: Reduced, wanted: Wanted) -> Reduced:
    made, refused = each_wanted(made, NAME, wanted.degrees[NAME], partial(_reduced, wanted=wanted))
    own = tuple(one for one in made.skipped if one.kind == NAME)
    notes = [f"channels are skipped ({wanted.significance}): {listed(own)}"] if own else []
    gone = {one.layer for one in own}  # with what they are added to, even if they could not go alone
    told = [f"{name!r} ({reason})" for name, reason in refused.items() if name not in gone]
    notes += [f"all channels stay in {', '.join(told)}"] if told else []
    return replace(made, notes=(*made.notes, *notes))


def _reduced(made: Reduced, layer: Layer, count: int, wanted: Wanted) -> Reduced | str:
    """Or why its channels cannot be skipped."""
    path = _path(made.graph, layer, named=layer.name in wanted.degrees[NAME].layers)
    if isinstance(path, str):
        return path
    count = in_pairs(count, path.channels)
    return _without(made, path, count, wanted) if count else made


def _path(graph: Graph, layer: Layer, *, named: bool) -> Path | str:
    """Or why its channels cannot be skipped. Those of sums are, with what they are added to, only of who is `named`."""
    if not can_start(layer):
        return "it is no convolution or dense layer that mixes its inputs"
    path = path_of(graph, layer, through_sums=named)
    if isinstance(path, str):
        return path
    reasons = [reason for name in path.readers if (reason := why_no_moments(graph[name]))]
    return reasons[0] if reasons else path if path.readers else "nobody reads them"


def _without(made: Reduced, path: Path, count: int, wanted: Wanted) -> Reduced:
    def ranked() -> tuple[Array]:
        readings = [reading_of(made.graph, name, moments_of(made, name)) for name in path.readers]
        return (order(readings, path.channels, wanted),)

    [ranks] = made.numbers((NAME, path, made.made_by), ranked)
    kept = np.sort(ranks[count:])
    graph = only(made.graph, path, kept)
    new = {}
    for name in path.readers:
        chosen = places(kept, path.channels, reader_of(made.graph, name).summands)
        new[name] = compensated(made, reader_of(graph, name), chosen, wanted.compensation)
    skipped = [Skipped(NAME, name, count, path.channels) for name in path.starts]
    own_kept = {**made.kept, **{name: made.filters_of(name)[kept] for name in path.starts}}
    return replace(made, graph=replaced(graph, new), kept=own_kept, skipped=together(made.skipped, *skipped))


def compensated(made: Reduced, reader: Reader, chosen: Array, how: Compensation) -> Reader:
    """`reader` of the inputs `chosen` of those that it has in `made`."""
    if how == "none":
        return reader

    def fitted() -> tuple[Array, Array]:
        moments = moments_of(made, reader.name)
        new = refitted(reader, moments, chosen) if how == "least-squares" else with_means(reader, moments, chosen)
        return new.kernel, new.bias

    before, filters = upstream(made.graph, reader.name).layers, made.filters_of(reader.name)
    kernel, bias = made.numbers(("compensated", before, filters, reader, chosen, how), fitted)
    return replace(reader, kernel=kernel, bias=bias, has_bias=True)
