"""Graph of a model file that holds integers -> the same Graph, called what it is, where [[quantization]] fits it.

Such a model was quantized by whoever made the file: its integers are computed with as they are, or not at all.
"""

from collections.abc import Iterable
from dataclasses import replace

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, has_narrow_weights
from mcusim.line.quantize import AS_STORED
from mcusim.models.source import Source
from mcusim.system.errors import ConfigurationError

WHERE = "[[quantization]]"
HINT = f"leave [[quantization]] out, or write data_type = '{AS_STORED}'"
AFFINE = "affine"
IN_THE_FILE = "as in the file"
FLOAT = "float32"


def with_types(source: Source) -> Source:
    """Graphs that hold integers say which, as far as their reader did not."""
    read = source.unoptimized and _named(source.unoptimized)
    return replace(source, graph=_named(source.graph), unoptimized=read)


def _named(graph: Graph) -> Graph:
    if not graph.is_quantized or graph.data_type != FLOAT:
        return graph
    weights = [has_narrow_weights(layer) for layer in graph if layer.weight_numbers is not None]
    narrow = bool(weights) and all(weights)
    return replace(graph, data_type="w8a16" if narrow else f"int{_bits(graph)}", scheme=graph.scheme or AFFINE)


def _bits(graph: Graph) -> int:
    """Of what is multiplied, as a rule: numbers that are only converted, or summed up, may have more."""
    return max(_read_bits(graph, summing=True), default=0) or max(_read_bits(graph, summing=False))


def _read_bits(graph: Graph, *, summing: bool) -> Iterable[int]:
    for layer in graph:
        every = graph.inputs_of(layer) if summing and layer.macs else () if summing else (layer,)
        yield from (one.numbers.bits for one in every if one.numbers is not None)


def demand_as_stored(graph: Graph, chosen: Quantization) -> None:
    """Raises ConfigurationError when `chosen` asks a quantized graph for anything else than it is."""
    told = f"model {graph.name!r} is quantized in its file, as {graph.data_type}"
    if chosen.data_type not in (AS_STORED, graph.data_type):
        raise ConfigurationError(f"{told}: it cannot be {chosen.data_type}", where=WHERE, hint=HINT)
    useless = sorted(chosen.model_fields_set - ({"data_type", "rescale"} if graph.scheme == AFFINE else {"data_type"}))
    if useless:
        raise ConfigurationError(f"{told}: {useless[0]!r} has no use", where=WHERE, hint=HINT)


def demand_exact(graph: Graph, approximation: Approximation | None) -> None:
    """Raises ConfigurationError where something of a quantized graph is to be skipped: its weights cannot be fitted."""
    if approximation is not None:
        what = f"model {graph.name!r} is quantized in its file: nothing of it can be approximated"
        raise ConfigurationError(what, where="[approximation]", hint="give the float model that it was converted from")


def demand_explainable(graph: Graph, chosen: Quantization) -> None:
    """Raises ConfigurationError unless `chosen` makes integers of real numbers."""
    if graph.is_quantized:
        what = f"model {graph.name!r} is quantized in its file: there is no float model to compare it with"
        raise ConfigurationError(what, hint="give the float model that it was converted from")
    if not chosen.is_quantized:
        what = f"model {graph.name!r} is not quantized: there is nothing to explain"
        raise ConfigurationError(what, hint="add an integer type: --data-type int8")


def demand_type(is_known: bool, where: str) -> None:
    """Raises ConfigurationError when nobody says what real numbers become."""
    if not is_known:
        hint = "--data-type float32, or int8 with --calibration data.npz"
        raise ConfigurationError("one data type is needed", where=where, hint=hint)
