"""The networks that come with the examples: what their READMEs claim of them."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets import load_dataset
from mcusim.experiment.read import read_experiment
from mcusim.models import read_model
from mcusim.training.normalization_file import load_normalization, load_record

EXAMPLE = Path(__file__).parents[2] / "examples" / "uci_har"
SHIPPED = {"resnetv1_6_f16.keras": (3_958, 333_920), "resnetv1_6_f80.keras": (86_326, 7_240_160)}
MICROAI = Path(__file__).parents[2] / "examples" / "microai"
CIFAR10 = Path(__file__).parents[2] / "examples" / "cifar10"
REAL = os.environ.get("MCUSIM_DATA_DIR", "")


@pytest.mark.train
@pytest.mark.parametrize("name", SHIPPED)
def test_size_normalization_and_history(name: str) -> None:
    graph = read_model(EXAMPLE / name, name).graph
    assert (graph.parameters, graph.macs) == SHIPPED[name]
    normalization = load_normalization(EXAMPLE / name)
    assert normalization is not None and len(normalization.mean) == 9
    made = load_record(EXAMPLE / name)["made"]
    assert made["seed"] == 1 and made["training"]["epochs"] == 300 and made["training"]["mixup"] == 0.2


@pytest.mark.parametrize(
    "path", [*sorted(EXAMPLE.glob("*.keras")), *sorted(CIFAR10.glob("*.keras"))], ids=lambda path: path.stem
)
def test_small_and_without_traces(path: Path) -> None:
    """No optimizer state, no addresses, no dates: the file is its model and how it was made."""
    assert path.stat().st_size < 600_000
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["config.json", "mcusim.json", "metadata.json", "model.weights.h5"]
        assert b"shared_object_id" not in archive.read("config.json")
        assert b"optimizer" not in archive.read("model.weights.h5")


def test_networks_of_cifar_10_were_made_as_train_toml_says() -> None:
    """All on the same 45,000 images, by the same seed."""
    experiment = read_experiment(CIFAR10 / "train.toml")
    assert [model.name for model in experiment.models] == ["lenet", "alexnet", "resnet8"]
    for model in experiment.models:
        made = load_record(CIFAR10 / f"{model.name}.keras")["made"]
        told = json.loads(model.training.model_dump_json())
        assert made["training"] == {key: told[key] for key in made["training"]}
        assert (made["architecture"], made["seed"]) == (model.architecture, experiment.general.seed)
    assert read_model(CIFAR10 / "lenet.keras", "lenet").graph.parameters == 122_570


@pytest.mark.parametrize("path", sorted(MICROAI.glob("*_aware*.toml")), ids=lambda path: path.stem)
def test_networks_are_trained_for_the_integers_they_are_run_in(path: Path) -> None:
    """Each size beside itself as it is shipped, all by one recipe, and on samples as it learned before."""
    experiment = read_experiment(path)
    real, integers = experiment.quantizations
    shipped, aware = experiment.models[::2], experiment.models[1::2]
    assert [model.name for model in aware] == [f"{model.name}_aware" for model in shipped]
    assert {model.name for model in shipped} == {
        model.name for model in read_experiment(MICROAI / f"{experiment.dataset.name}.toml").models
    }
    assert len({model.training.quantization for model in aware}) == 1
    for before, after in zip(shipped, aware, strict=True):
        assert after.file and after.file == before.file and not before.is_trained
        asked = after.training.quantization
        assert asked and (asked.data_type, asked.scheme) == (integers.data_type, integers.scheme)
        told = load_record(after.file)["made"]["training"]
        own = ("batch_size", "mixup", "shift", "optimizer", "momentum", "weight_decay")
        assert {key: told.get(key, 0) for key in own} == {key: getattr(after.training, key) for key in own}
    assert (real.data_type, len(list(experiment.cases()))) == ("float32", 4 * len(shipped))


@pytest.mark.train
@pytest.mark.skipif(not REAL, reason="MCUSIM_DATA_DIR names no folder with the real data")
@pytest.mark.parametrize(("name", "accuracy"), [("resnetv1_6_f16.keras", 0.9426), ("resnetv1_6_f80.keras", 0.9433)])
def test_accuracy_on_all_test_samples(name: str, accuracy: float) -> None:
    """Within one sample of 2,947: float sums differ between machines."""
    dataset = load_dataset("uci_har")
    normalization = load_normalization(EXAMPLE / name)
    assert normalization is not None
    x = normalization.apply(dataset.x_test)
    graph = read_model(EXAMPLE / name, name).graph
    answers = np.concatenate([np.argmax(graph.run(part), axis=1) for part in np.array_split(x, 10)])
    assert abs(np.mean(answers == dataset.y_test) - accuracy) < 0.0005
