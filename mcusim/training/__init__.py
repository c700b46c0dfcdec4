"""Data set and settings -> trained Keras models. Importing this imports neither Keras nor TensorFlow."""

from __future__ import annotations

from mcusim.training.architectures import ARCHITECTURES, build_model
from mcusim.training.normalization_file import load_normalization, load_record, save_normalization
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import Epoch, TrainedFiles, TrainingProgress, train

__all__ = [
    "ARCHITECTURES",
    "Epoch",
    "TrainedFiles",
    "TrainingProgress",
    "TrainingSettings",
    "build_model",
    "load_normalization",
    "load_record",
    "save_normalization",
    "train",
]
