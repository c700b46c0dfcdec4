"""What calibration samples are good for, and what they tell of a quantized graph."""

from collections.abc import Iterable, Mapping

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import Range
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of

FEWEST_FOR_OUTLIERS = 50  # samples: of fewer each counts
SAMPLES_PER_OUTLIER = 1000
OUTLIER_FACTOR = 4  # times what is usual
NAMED_QUANTA = 4  # by which a curve is off: two bits
NAMED_SHARE = 0.001  # of the calibration samples: a layer that saturates on more is named


def without_outliers(graph: Graph, samples: Array) -> tuple[Array, list[str]]:
    """The samples that may choose scales, and notes on those that may not.

    A single one, or one of a thousand, that is far beyond all others shall not cost those a bit: it saturates.
    """
    if len(samples) < FEWEST_FOR_OUTLIERS:
        return samples, []
    allowed, kept, notes = max(1, len(samples) // SAMPLES_PER_OUTLIER), np.ones(len(samples), bool), []
    for name, column in fields_of(samples).items():
        peaks = np.abs(np.asarray(column, np.float64)).reshape(len(column), -1).max(axis=1, initial=0.0)
        usual = np.sort(peaks)[::-1][allowed]
        far = peaks > OUTLIER_FACTOR * usual
        if far.any() and usual > 0:
            kept &= ~far
            notes.append(
                f"{far.sum()} of {len(samples)} calibration samples choose no scales: they reach {peaks.max():.3g} in "
                f"{(name or graph.inputs[0].name)!r}, all others at most {usual:.3g}"
            )
    return samples[kept], notes


def saturation_notes(layers: Iterable[Layer], seen: Mapping[str, Range]) -> list[str]:
    """Of layers whose numbers leave their format on more than a few calibration samples."""
    often = []
    for layer in layers:
        octaves = seen[layer.name].octaves if layer.name in seen else None
        if octaves is None or layer.numbers is None or layer.KEEPS_NUMBERS or not len(octaves.peaks):
            continue
        ends = layer.numbers.decode(np.array([layer.numbers.minimum + 1, layer.numbers.maximum]))
        largest = float(np.abs(ends).max())
        share = float(np.mean(octaves.peaks > largest * (1 + 1.5 / layer.numbers.maximum)))  # rounding is not meant
        if share > NAMED_SHARE:
            often.append(f"{layer.name!r} ({share:.1%})")
    told = "the largest numbers of some calibration samples are cut off, where that costs least on the whole"
    return [f"{told} (ranges = 'max' keeps them): {', '.join(often)}"] if often else []


def lost_bits_notes(layers: Iterable[Layer]) -> list[str]:
    """Of weights that are coarser than their width, so that sums stay within the accumulator."""
    lost = [
        f"{layer.name!r} ({layer.lost_bits} of {layer.kernel_numbers.bits} bits)"
        for layer in layers
        if isinstance(layer, WeightedSum) and layer.kernel_numbers and layer.lost_bits > 1
    ]
    return [f"weights are coarser, so that 32-bit sums cannot overflow, in {', '.join(lost)}"] if lost else []


def coarse_curve_notes(layers: Iterable[Layer]) -> list[str]:
    """Of functions whose inputs reach so far that the lines of their table lie far apart."""
    coarse = [
        f"{layer.name!r} ({layer.kind}, by {layer.lookup.error_quanta:.0f} of {layer.lookup.numbers.maximum})"
        for layer in layers
        if isinstance(layer, Pointwise) and layer.lookup and layer.lookup.error_quanta > NAMED_QUANTA
    ]
    return [f"inputs reach too far for the table of a curve, which is off in {', '.join(coarse)}"] if coarse else []
