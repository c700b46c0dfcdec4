"""Trained model + dataset -> the same network, trained for its integers: `.keras` files that hold these, too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.graph import Graph
from mcusim.models.source import Source
from mcusim.numbers.learned import Learned
from mcusim.system.errors import DataError
from mcusim.training.aware.learner import AwareLearner, Quantize
from mcusim.training.aware.places import giver
from mcusim.training.keras_setup import import_keras, make_repeatable
from mcusim.training.model_files import ModelFiles
from mcusim.training.normalization_file import load_record
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import (
    Course,
    TrainedFiles,
    TrainingProgress,
    demand_one_of_each,
    hold_out,
    lesson,
    run_epochs,
)


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
    demand_one_of_each(dataset)
    random = np.random.default_rng(seed)
    x, labels, classes = lesson(dataset)
    (end,) = graph.ends
    if end.elements != len(classes):
        what = f"the model answers {end.elements} numbers, data set {dataset.name!r} has {len(classes)} classes"
        raise DataError(what, hint="give the data set that the model was trained on")
    learned, validated = hold_out(labels, dataset.groups_train, settings.validation, random)
    keras, settings = import_keras(), settings.aware
    make_repeatable(keras, seed)
    give = giver(keras.models.load_model(file, compile=False), source)
    learner = AwareLearner(graph, first, quantize, give, len(classes), settings, random)
    made = load_record(file).get("made", {})
    statistics = source.normalizations.get("")
    files = ModelFiles(folder, name, statistics, {**made, "aware": settings.model_dump()}, lambda: learner.learned)
    x = source.normalized(x)
    fit, held_out = ((x[chosen], labels[chosen]) for chosen in (learned, validated))
    return run_epochs(learner, fit, held_out, settings, files, Course.of(len(learned), settings, progress))
