"""Graph + calibration samples -> quantized Graph.

Fixed point with power-of-two scales after section 4.1 of the MicroAI paper. `per-network`: one format for every tensor
(the paper's Q7.9). `per-layer`: each output gets the format that fits its largest magnitude on the calibration samples,
each weight array the format that fits its largest weight. Sums are exact: a layer whose 32-bit accumulator could
overflow for some input gets fewer fraction bits in its weights, or, where the format is given, 64-bit accumulators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcusim.graph import Graph
from mcusim.numbers.power_of_two import MAXIMUM_BITS, MINIMUM_BITS, Array, Format, Rounding, format_for
from mcusim.system.errors import ConfigurationError, DataError, suggestion

INTEGER_TYPES = {f"int{bits}": bits for bits in range(MINIMUM_BITS, MAXIMUM_BITS + 1)}
DATA_TYPES = ("float32", *INTEGER_TYPES)
SCHEMES = ("per-layer", "per-network")
CALIBRATION_SAMPLES = 1000


@dataclass(frozen=True)
class Scheme:
    """How scales are chosen. `fraction` is None per layer, else the fraction bits of the whole network."""

    bits: int
    fraction: int | None
    rounding: Rounding

    def format(self, peak: float) -> Format:
        """Format of a tensor whose magnitude reaches `peak`."""
        return format_for(peak, self.bits) if self.fraction is None else Format(self.bits, self.fraction)

    def __str__(self) -> str:
        return "per-layer" if self.fraction is None else str(Format(self.bits, self.fraction))


def make_scheme(data_type: str, scheme: str, fraction: int | None, rounding: Rounding) -> Scheme:
    """Check the words of a quantization and turn them into a Scheme."""
    if data_type not in INTEGER_TYPES:
        raise ConfigurationError(f"unknown data type {data_type!r}", hint=suggestion(data_type, DATA_TYPES))
    if scheme not in SCHEMES:
        raise ConfigurationError(f"unknown quantization scheme {scheme!r}", hint=suggestion(scheme, SCHEMES))
    bits = INTEGER_TYPES[data_type]
    if scheme == "per-layer":
        return Scheme(bits, None, rounding)
    if fraction is None or not 0 <= fraction < bits:
        raise ConfigurationError(
            f"scheme 'per-network' of {data_type} needs a format with 0 to {bits - 1} fraction bits, not {fraction}",
            hint=f"for example format = 'Q{bits - bits // 2}.{bits // 2}'",
        )
    return Scheme(bits, fraction, rounding)


def calibration_subset(x: Array, count: int = CALIBRATION_SAMPLES) -> Array:
    """At most `count` samples, evenly spaced: the same ones in every run."""
    return x[:: max(1, -(-len(x) // count))]


def quantize(
    graph: Graph,
    samples: Array,
    data_type: str,
    *,
    scheme: str = "per-layer",
    fraction: int | None = None,
    rounding: Rounding = "nearest",
) -> Graph:
    """Graph on integers. `samples`: (n, *input_shape) real inputs for calibration; per network none are needed."""
    if data_type == "float32":
        return graph
    chosen = make_scheme(data_type, scheme, fraction, rounding)
    if len(samples) == 0 and chosen.fraction is None:
        raise DataError(
            f"{data_type} per layer needs calibration samples",
            hint="give training samples (--calibration data.npz), or use scheme 'per-network' with a format",
        )
    peaks = graph.peaks(samples) if chosen.fraction is None else dict.fromkeys((layer.name for layer in graph), 0.0)
    done: dict[str, Format] = {}
    layers = []
    for layer in graph:
        quantized = layer.quantize(chosen, tuple(done[name] for name in layer.inputs), peaks[layer.name])
        assert quantized.format is not None
        done[layer.name] = quantized.format
        layers.append(quantized)
    return replace(graph, layers=tuple(layers), data_type=data_type, scheme=str(chosen), rounding=rounding)
