"""Model file + calibration samples -> Sources: the short way, without experiment and board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from mcusim.datasets.npz_file import read_arrays, samples
from mcusim.experiment.experiment import Quantization, Unusable
from mcusim.front import generate, read_model
from mcusim.line.sources import Sources
from mcusim.numbers import SCHEMES
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError, suggestion

CALIBRATION_ARRAYS = ("x_train", "x")


def library_of_model(path: Path, calibration: Path | None, **words: str) -> Sources:
    """The C library of a model file. `words` are those of [[quantization]].

    `calibration`: `.npz` with raw samples (N, *input_shape) as `x_train` or `x`; the model's normalization is applied.
    """
    chosen = _quantization(words)
    source = read_model(path)
    x = np.zeros((0, *source.graph.input_shape), np.float32) if calibration is None else _samples(calibration)
    return generate(source, x, chosen).library


def _quantization(words: dict[str, Any]) -> Quantization:
    try:
        return Quantization.model_validate(words)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, Unusable):
            raise ConfigurationError(str(cause), hint=cause.hint) from None
        name = first["loc"][0]
        known = SCHEMES if name == "scheme" else ("nearest", "floor")
        raise ConfigurationError(
            f"--{name} is {first['input']!r}", hint=suggestion(str(first["input"]), known)
        ) from None


def _samples(path: Path) -> Array:
    arrays = read_arrays(path, (), CALIBRATION_ARRAYS)
    for name in CALIBRATION_ARRAYS:
        if name in arrays:
            return samples(arrays[name], name)
    raise DataError(
        "the file has no array 'x_train'", where=str(path), hint="np.savez_compressed('data.npz', x_train=...)"
    )
