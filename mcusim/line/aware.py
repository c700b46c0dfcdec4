"""Keras file + Dataset -> files trained for integers: what is trained is quantized by the code that deploys it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.sampling import choose
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph
from mcusim.line.front import read_model, real_graph
from mcusim.line.normalize import normalize
from mcusim.line.optimize import drop_softmax
from mcusim.line.quantize import quantize, quantize_as
from mcusim.models.source import Source
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Place, validate
from mcusim.training.aware.learner import first_ranges
from mcusim.training.aware.training import train_aware
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import TrainedFiles, TrainingProgress

IN_KERAS = (".keras", ".h5", ".hdf5")
CALIBRATION_SAMPLES = 1000


def trained_for_integers(
    file: Path,
    dataset: Dataset,
    settings: TrainingSettings,
    normalization: str | None,
    folder: Path,
    name: str,
    seed: int,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainedFiles:
    """Ranges begin as calibration chooses them. ConfigurationError for a model, or integers, that cannot be trained."""
    chosen = wanted(settings)
    if file.suffix not in IN_KERAS:
        what = f"{file.name!r} cannot be trained for integers: it is no file of Keras"
        raise ConfigurationError(what, hint="give a .keras file, or leave [training.quantization] out")
    source, graph = _real(file, chosen, normalization, dataset)
    assert dataset.x_train is not None
    samples = source.normalized(
        dataset.x_train[choose(len(dataset.x_train), CALIBRATION_SAMPLES, dataset.y_train, seed)]
    )
    words = chosen.data_type, chosen.chosen_scheme
    first = first_ranges(quantize(graph, samples, words[0], scheme=words[1], weights="rounded"), *words)
    return train_aware(dataset, file, source, graph, first, quantize_as, settings, folder, name, seed, progress)


def wanted(settings: TrainingSettings) -> Quantization:
    """[training.quantization] as a [[quantization]]. ConfigurationError for one that nobody has."""
    asked = settings.quantization
    assert asked is not None
    words = {"data_type": asked.data_type} | ({"scheme": asked.scheme} if asked.scheme else {})
    chosen = validate(Quantization, words, Place("[training.quantization]"))
    if not chosen.is_quantized:
        what = f"[training.quantization] data_type is {chosen.data_type!r}"
        raise ConfigurationError(what, hint='give a type of integers, for example "int8"')
    return chosen


def _real(file: Path, chosen: Quantization, normalization: str | None, dataset: Dataset) -> tuple[Source, Graph]:
    source = read_model(file)
    source = normalize(replace(source, graph=drop_softmax(source.graph)), normalization, dataset.x_train)
    if source.graph.is_quantized or len(source.graph.outputs) > 1:
        raise ConfigurationError(f"{file.name!r} is no model of reals with one output", hint="give the float model")
    return source, real_graph(source, chosen)
