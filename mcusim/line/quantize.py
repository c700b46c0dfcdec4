"""Graph + calibration samples -> quantized Graph. The arithmetic is that of a number system (mcusim/numbers/)."""

from collections.abc import Mapping
from dataclasses import replace

from mcusim.graph import Graph, Layer
from mcusim.layers.convert import Convert
from mcusim.line import storage
from mcusim.line.answer_ranges import answer_ranges
from mcusim.line.calibration import coarse_curve_notes, lost_bits_notes, saturation_notes, without_outliers
from mcusim.line.trace import Trace
from mcusim.numbers import DEFAULT_SCHEME, INT8_SCHEME, NUMBERS, SCHEMES, affine_scheme
from mcusim.numbers.between import takes
from mcusim.numbers.cutting import cut
from mcusim.numbers.formats import MAXIMUM_BITS, MAXIMUM_UNSIGNED_BITS, MINIMUM_BITS
from mcusim.numbers.learned import Learned
from mcusim.numbers.numbers import Numbers, Range, Ranges, Rounding, Scheme, Weights
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError, suggestion

NARROW_WEIGHTS = {"w8a16": (16, 8)}  # data types whose weights have fewer bits than all else
INTEGER_TYPES = {
    **{f"int{bits}": bits for bits in range(MINIMUM_BITS, MAXIMUM_BITS + 1)},
    **{name: bits for name, (bits, _) in NARROW_WEIGHTS.items()},
}
DATA_TYPES = ("float32", *INTEGER_TYPES)
AFFINE_TYPES = ("int8", *NARROW_WEIGHTS)
Schemes = Mapping[str, Scheme | None]  # of each layer by name; None: it stays real
AS_STORED = "as-stored"  # whatever numbers the model's file holds
DATA_TYPE_WORDS = (*DATA_TYPES, AS_STORED)
WIDE_OUTPUT = "int16"
AS_TRAINED = "these are the integers that the network was trained for: calibration samples chose no scales"


def default_scheme(data_type: str) -> str:
    """Where nobody says another."""
    return INT8_SCHEME if data_type == "int8" else DEFAULT_SCHEME


def make_scheme(data_type: str, scheme: str, fraction: int | None, rounding: Rounding) -> Scheme:
    """Check the words of a quantization and turn them into a Scheme."""
    if data_type not in INTEGER_TYPES:
        raise ConfigurationError(f"unknown data type {data_type!r}", hint=suggestion(data_type, DATA_TYPES))
    if scheme not in SCHEMES:
        raise ConfigurationError(f"unknown quantization scheme {scheme!r}", hint=suggestion(scheme, SCHEMES))
    system = next(system for system in NUMBERS if scheme in system.SCHEMES)
    narrow = NARROW_WEIGHTS.get(data_type)
    return system.make_scheme(INTEGER_TYPES[data_type], scheme, fraction, rounding, narrow[1] if narrow else None)


def scheme_of_layer(data_type: str, scheme: str, rounding: Rounding) -> Scheme | None:
    """Of a layer that is named; None for float32, which has none."""
    return None if data_type == "float32" else make_scheme(data_type, scheme, None, rounding)


def has_scheme(data_type: str, scheme: str) -> bool:
    """Of affine schemes only some widths have any."""
    return scheme not in affine_scheme.SCHEMES or data_type in AFFINE_TYPES


def demand_ranges(scheme: Scheme, ranges: Ranges) -> None:
    """Raises ConfigurationError for ranges that powers of two have no use for."""
    if not scheme.cuts_ranges and ranges not in ("mse", "max"):
        what = f"ranges = {ranges!r} is for scales that follow a range exactly, not for scheme '{scheme}'"
        raise ConfigurationError(what, hint="choose scheme = 'per-channel', or ranges = 'mse'")


def quantize(
    graph: Graph,
    samples: Array,
    data_type: str,
    *,
    scheme: str = "per-layer",
    fraction: int | None = None,
    rounding: Rounding = "nearest",
    ranges: Ranges = "mse",
    weights: Weights = "fitted",
    output: str | None = None,
    layers: Mapping[str, tuple[str, str]] | None = None,
) -> Graph:
    """Graph on integers. `samples`: real inputs for calibration; where the scales are given none are needed.

    `ranges`: "mse" gives each tensor the numbers with the least squared error, "max" those that hold all of it; affine
    ones know "percentile", "kl" and "answers" as well.
    `weights`: "fitted" rounds narrow ones for the sums they are in, "rounded" each for itself.
    `output`: data type of weighted sums that end the model; of narrow ones int16 without it, so that few are equal.
    `layers`: data types, also float32, and schemes of single layers, in place of `data_type` and `scheme`; their inputs
    are converted where these have other numbers.
    ConfigurationError for a layer that is not there, DataError without the samples that are needed.
    """
    if data_type in ("float32", AS_STORED):
        return graph
    chosen = make_scheme(data_type, scheme, fraction, rounding)
    schemes = _schemes(
        graph, chosen, {name: scheme_of_layer(*words, rounding) for name, words in (layers or {}).items()}
    )
    for own in filter(None, schemes.values()):
        demand_ranges(own, ranges)
    if len(samples) == 0 and chosen.needs_ranges:
        hint = "give training samples (x_train in the data set, or --calibration), or scheme 'per-network' and a format"
        raise DataError(f"{data_type} {scheme} needs calibration samples", hint=hint)
    usual, notes = without_outliers(graph, samples) if ranges != "max" and chosen.needs_ranges else (samples, [])
    seen = _ranges(graph, usual, schemes, ranges)
    seen = _with_storage(graph, seen, schemes, output)
    fits = weights == "fitted" and rounding == "nearest" and any(own and own.fits_weights for own in schemes.values())
    trace = Trace(graph, usual) if fits else None
    quantized = _quantized(graph, schemes, seen, ranges, trace)
    notes += [*saturation_notes(quantized, seen), *lost_bits_notes(quantized), *coarse_curve_notes(quantized)]
    notes += trace.notes() if trace else ()
    return replace(
        graph,
        layers=quantized,
        data_type=data_type,
        scheme=str(chosen),
        rounding=rounding,
        notes=(*graph.notes, *notes),
    )


def quantize_as(graph: Graph, learned: Learned) -> Graph:
    """Graph on the integers that it was trained for: `learned` has the range of each tensor, and weights are rounded.

    A layer without a range, such as a softmax that training has not, gets that from 0 to 1.
    """
    scheme = make_scheme(learned.data_type, learned.scheme, None, "nearest")
    schemes: Schemes = {layer.name: scheme for layer in graph}
    seen = {layer.name: Range(*learned.ranges.get(layer.name, (0.0, 1.0))) for layer in graph}
    layers = _quantized(graph, schemes, _with_storage(graph, seen, schemes, None), "max", None)
    notes = (*graph.notes, AS_TRAINED, *lost_bits_notes(layers))
    return replace(graph, layers=layers, data_type=learned.data_type, scheme=str(scheme), notes=notes)


def _schemes(graph: Graph, chosen: Scheme, others: Schemes) -> Schemes:
    """Of each layer. ConfigurationError for one that is not there."""
    graph.demand_layers(others, "[[quantization]] layers")
    return {layer.name: others.get(layer.name, chosen) for layer in graph}


def _ranges(graph: Graph, samples: Array, schemes: Schemes, ranges: Ranges) -> dict[str, Range]:
    """Of all tensors."""
    own = [scheme for scheme in schemes.values() if scheme is not None]
    if not any(scheme.needs_ranges for scheme in own):
        return dict.fromkeys(schemes, Range())
    cutting = [scheme.cuts_ranges for scheme in own]
    alike = len(set(schemes.values())) == 1  # nothing is converted, so that who keeps numbers chooses none
    seen = graph.ranges(
        samples,
        spread=ranges != "max" and any(cutting),
        peaks_alone=all(cutting),
        ends_alone={layer.name for layer in graph if alike and layer.KEEPS_NUMBERS},
    )
    if ranges == "answers":
        seen |= answer_ranges(graph, samples, seen, _levels(graph, schemes))
    return {name: replace(values, octaves=None) for name, values in seen.items()} if ranges == "max" else seen


def _levels(graph: Graph, schemes: Schemes) -> dict[str, int]:
    """How many numbers tensors have whose ranges the answers choose: narrow ones, but those that are the answers."""
    ends = {end.name for end in graph.ends}
    own = {layer.name: schemes[layer.name] for layer in graph if not layer.KEEPS_NUMBERS and layer.name not in ends}
    return {
        name: 1 << scheme.bits
        for name, scheme in own.items()
        if scheme is not None and scheme.cuts_ranges and scheme.bits <= MAXIMUM_UNSIGNED_BITS
    }


def _cut(values: Range, ranges: Ranges, scheme: Scheme) -> Range:
    """Scales that are no power of two follow the range exactly, so it is cut first."""
    return cut(values, ranges, 1 << scheme.bits) if scheme.cuts_ranges and ranges != "max" else values


def _quantized(
    graph: Graph, schemes: Schemes, seen: Mapping[str, Range], ranges: Ranges, trace: Trace | None
) -> tuple[Layer, ...]:
    """`trace`: where weights are fitted."""
    quantized: dict[str, Layer] = {}
    for layer in graph:
        own, values = schemes[layer.name], seen[layer.name]
        inputs = [quantized[_converted(graph, quantized, name, own, seen[name], ranges)] for name in layer.inputs]
        made = layer
        if trace:
            trace.convert(inputs)
        if own is not None:
            products = trace.products(layer, inputs) if trace and own.fits_weights else None
            values = replace(_cut(values, ranges, own), products=products)
            made = layer.quantize(own, tuple(map(_numbers, inputs)), values)
        quantized[layer.name] = replace(made, inputs=tuple(entry.name for entry in inputs))
        if trace:
            trace.follow(layer, quantized[layer.name])
    return tuple(quantized.values())


def _with_storage(graph: Graph, seen: Mapping[str, Range], schemes: Schemes, output: str | None) -> dict[str, Range]:
    """What is known of each tensor, with how it may be stored."""
    unsigned = storage.unsigned(graph, seen, schemes)
    wide = storage.wide(graph) if output in (None, WIDE_OUTPUT) else frozenset()
    narrow = {name for name, own in schemes.items() if own is not None and own.stores_unsigned}
    return {
        name: replace(values, unsigned=name in unsigned, wide=name in wide and name in narrow)
        for name, values in seen.items()
    }


def _converted(
    graph: Graph, quantized: dict[str, Layer], name: str, scheme: Scheme | None, values: Range, ranges: Ranges
) -> str:
    """The tensor `name` in the numbers of `scheme`, converted when it is not."""
    source = quantized[name]
    if takes(scheme, source.numbers):
        return name
    converted = f"{name}_as_{_called(scheme, source.numbers)}"
    while any(converted == layer.name for layer in graph):
        converted += "_"
    if converted not in quantized:
        convert = Convert(name=converted, inputs=(name,), shape=source.shape)
        signed = replace(values if scheme is None else _cut(values, ranges, scheme), unsigned=False)
        quantized[converted] = convert.between(scheme, source.numbers, signed)
    return converted


def _called(scheme: Scheme | None, before: Numbers | None) -> str:
    """`int16`; with the scheme where it is not only the width that changes."""
    if scheme is None:
        return "float32"
    wider_or_narrower = before is not None and before.header == scheme.header
    return f"int{scheme.bits}" + ("" if wider_or_narrower else f"_{scheme}".replace("-", "_"))


def _numbers(layer: Layer) -> Numbers:
    assert layer.numbers is not None
    return layer.numbers
