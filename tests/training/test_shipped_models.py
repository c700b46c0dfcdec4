"""The networks that come with the examples: what their READMEs claim of them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets import load_dataset
from mcusim.models import read_model
from mcusim.training.normalization_file import load_normalization, load_record

EXAMPLE = Path(__file__).parents[2] / "examples" / "uci_har"
SHIPPED = {"resnetv1_6_f16.keras": (3_958, 333_920), "resnetv1_6_f80.keras": (86_326, 7_240_160)}
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


@pytest.mark.parametrize("name", SHIPPED)
def test_small_and_without_traces(name: str) -> None:
    """No optimizer state, no addresses, no dates: the file is its model and how it was made."""
    assert (EXAMPLE / name).stat().st_size < 400_000
    with zipfile.ZipFile(EXAMPLE / name) as archive:
        assert sorted(archive.namelist()) == ["config.json", "mcusim.json", "metadata.json", "model.weights.h5"]
        assert b"shared_object_id" not in archive.read("config.json")
        assert b"optimizer" not in archive.read("model.weights.h5")


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
