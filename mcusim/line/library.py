"""Model file + calibration samples -> Sources: the short way, without experiment and board."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcusim.datasets.npz_file import read_arrays, samples
from mcusim.experiment.tables import Quantization
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import calibration_subset, quantize
from mcusim.line.sources import Sources
from mcusim.models.keras import from_file
from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import DataError
from mcusim.system.validation import COMMAND_LINE, validate
from mcusim.training.normalization_file import load_normalization

CALIBRATION_ARRAYS = ("x_train", "x")


def library_of_model(path: Path, calibration: Path | None, **words: str) -> Sources:
    """The C library of a `.keras` or `.h5` file. `words` are those of [[quantization]].

    `calibration`: `.npz` with raw samples (N, *input_shape) as `x_train` or `x`; the model's normalization is applied.
    """
    chosen = validate(Quantization, words, COMMAND_LINE)
    graph = optimize(from_file(path))
    normalization = load_normalization(path)
    x = np.zeros((0, *graph.input_shape), np.float32) if calibration is None else _samples(calibration)
    if normalization is not None and len(x):
        x = normalization.apply(x)
    quantized = quantize(
        graph,
        calibration_subset(x, chosen.calibration_samples),
        chosen.data_type,
        scheme=chosen.scheme,
        fraction=chosen.fraction,
        rounding=chosen.rounding,
    )
    mean, deviation = (normalization.mean, normalization.std) if normalization else ((), ())
    return emit_library(lower(quantized), mean=mean, deviation=deviation)


def _samples(path: Path) -> Array:
    arrays = read_arrays(path, (), CALIBRATION_ARRAYS)
    for name in CALIBRATION_ARRAYS:
        if name in arrays:
            return samples(arrays[name], name)
    raise DataError(
        "the file has no array 'x_train'", where=str(path), hint="np.savez_compressed('data.npz', x_train=...)"
    )
