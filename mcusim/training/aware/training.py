"""Trained model + dataset -> the same network, trained for its integers: `.keras` files that hold these, too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.graph import Graph
from mcusim.models.source import Source
from mcusim.numbers.learned import Learned
from mcusim.system.errors import DataError
from mcusim.tasks.task import Asked
from mcusim.training.augmentation import demand_fit
from mcusim.training.aware.learner import AwareLearner, Quantize
from mcusim.training.aware.places import biases_without_place, giver, loaded
from mcusim.training.checkpoint import Checkpoint
from mcusim.training.course import Course, TrainingProgress
from mcusim.training.keras_setup import import_keras, make_repeatable
from mcusim.training.lesson import hold_out, lesson
from mcusim.training.model_files import ModelFiles
from mcusim.training.normalization_file import load_record
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import TrainedFiles, run_epochs


def train_aware(
    dataset: Dataset,
    file: Path,
    source: Source,
    graph: Graph,
    first: Learned,
    quantize: Quantize,
    settings: TrainingSettings,
    folder: Path,
    name: str,
    seed: int,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainedFiles:
    """`file`: of Keras; `source` is what was read from it, `graph` the reals to begin with, `first` their ranges.

    As `train` does; the same samples are held out, and judge the integers.
    """
    random = np.random.default_rng(seed)
    (end,) = graph.ends
    given = lesson(dataset, _repeats(file, source, dataset))
    if given.goal.classes and end.elements != len(given.goal.classes):
        what = (
            f"the model answers {end.elements} numbers, data set {dataset.name!r} has {len(given.goal.classes)} classes"
        )
        raise DataError(what, hint="give the data set that the model was trained on")
    learned, validated = hold_out(given.y, given.groups, settings.validation, random)
    demand_fit(settings, dataset.shape, not given.goal.classes)
    keras, settings = import_keras(), settings.aware
    assert settings.quantization is not None
    make_repeatable(keras, seed)
    model = loaded(file)
    give, fixed = giver(model, source), biases_without_place(model, source, graph)
    own = settings.quantization
    learner = AwareLearner(
        *(graph, first, quantize, give, given.goal, settings, random), own.range_rate, own.labels, fixed
    )
    made = load_record(file).get("made", {})
    statistics = source.normalizations.get("")
    record = {**made, "aware": settings.model_dump()}
    files = ModelFiles(folder, name, statistics, record, lambda: learner.learned)
    x = source.normalized(given.x)
    checkpoint = Checkpoint(folder, name, [record, first.to_dict(), seed], (x, given.y, *learner.state()))
    fit, held_out = ((x[chosen], given.y[chosen]) for chosen in (learned, validated))
    return run_epochs(learner, fit, held_out, settings, files, Course.of(len(learned), settings, progress), checkpoint)


def _repeats(file: Path, source: Source, dataset: Dataset) -> bool:
    """As task `anomaly` claims it."""
    (entry,), (end,) = source.as_read.inputs, source.as_read.ends
    inputs, targets, classes = (entry.shape,), dataset.y_train, dataset.classes_of()
    return Asked(file.name, dataset.name, "", end.shape, end.kind, inputs, targets, classes=classes).tells_anomalies
