"""Keras file + Dataset -> files trained for integers: what is trained is quantized by the code that deploys it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.sampling import choose
from mcusim.experiment.quantization import Quantization, trained_for
from mcusim.graph import Graph
from mcusim.line.front import fed_equally, read_model, real_graph
from mcusim.line.normalize import normalize
from mcusim.line.optimize import drop_softmax
from mcusim.line.quantize import quantize, quantize_as
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.system.errors import ConfigurationError
from mcusim.training.aware.learner import first_ranges
from mcusim.training.aware.training import train_aware
from mcusim.training.course import TrainingProgress
from mcusim.training.lesson import training_samples
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import TrainedFiles

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
    *,
    shapes: Shapes = NO_SHAPES,
) -> TrainedFiles:
    """Ranges begin as calibration chooses them. ConfigurationError for a model, or integers, that cannot be trained.

    `shapes`: as of `read_model`.
    """
    assert settings.quantization is not None
    chosen = trained_for(settings.quantization)
    if file.suffix not in IN_KERAS:
        what = f"{file.name!r} cannot be trained for integers: it is no file of Keras"
        raise ConfigurationError(what, hint="give a .keras file, or leave [training.quantization] out")
    x = training_samples(dataset)
    source, graph = _real(file, chosen, normalization, dataset, shapes)
    samples = source.normalized(x[choose(len(x), CALIBRATION_SAMPLES, dataset.y_train, seed)])
    words = chosen.data_type, chosen.chosen_scheme
    first = first_ranges(quantize(graph, samples, words[0], scheme=words[1], weights="rounded"), *words)
    return train_aware(dataset, file, source, graph, first, quantize_as, settings, folder, name, seed, progress)


def _real(
    file: Path, chosen: Quantization, normalization: str | None, dataset: Dataset, shapes: Shapes
) -> tuple[Source, Graph]:
    source = read_model(file, shapes=shapes)
    source = normalize(
        replace(source, graph=drop_softmax(source.graph), unoptimized=source.as_read), normalization, dataset.x_train
    )
    if source.graph.is_quantized or len(source.graph.outputs) > 1:
        raise ConfigurationError(f"{file.name!r} is no model of reals with one output", hint="give the float model")
    source = fed_equally(source, dataset.x_train, chosen)
    return source, real_graph(source, chosen)
