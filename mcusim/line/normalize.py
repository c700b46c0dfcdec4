"""Source + training samples + what the experiment says -> Source that is fed as it should be. Nothing is guessed.

A file that keeps statistics is fed samples that they normalize, any other one raw samples; `normalize` in the
experiment overrules both.
"""

from dataclasses import replace

from mcusim.datasets.dataset import fit_each
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError


def normalize(source: Source, chosen: str | None, x_train: Array | None) -> Source:
    """`chosen`: "z-score", "none", or None for what the file keeps. `x_train`: raw, for statistics it does not keep.

    Raises DataError when these are needed and there are no samples.
    """
    if chosen == "none":
        return replace(source, normalizations={})
    if chosen is None or source.normalizations:
        return source
    if x_train is None:
        hint = "add x_train to the data set, or leave normalize out to feed samples as they are"
        raise DataError("normalize = 'z-score' needs training samples", where="[dataset]", hint=hint)
    return replace(source, normalizations=fit_each(x_train), fitted=True)
