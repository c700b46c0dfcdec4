"""Model file + calibration samples -> Sources: the short way, without experiment and board."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcusim.datasets.npz_file import read_arrays, samples
from mcusim.experiment.tables import Quantization
from mcusim.front import generate, read_model
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.system.validation import COMMAND_LINE, validate

CALIBRATION_ARRAYS = ("x_train", "x")


def library_of_model(path: Path, calibration: Path | None, **words: str) -> Sources:
    """The C library of a model file. `words` are those of [[quantization]].

    `calibration`: `.npz` with raw samples (N, *input_shape) as `x_train` or `x`; the model's normalization is applied.
    """
    chosen = validate(Quantization, words, COMMAND_LINE)
    source = read_model(path)
    x = np.zeros((0, *source.graph.input_shape), np.float32) if calibration is None else _samples(calibration)
    return generate(source, x, chosen).library


def _samples(path: Path) -> Array:
    arrays = read_arrays(path, (), CALIBRATION_ARRAYS)
    for name in CALIBRATION_ARRAYS:
        if name in arrays:
            return samples(arrays[name], name)
    raise DataError(
        "the file has no array 'x_train'", where=str(path), hint="np.savez_compressed('data.npz', x_train=...)"
    )
