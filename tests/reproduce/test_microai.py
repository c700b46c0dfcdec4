"""What is told of MicroAI, and its experiment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import read_experiment
from mcusim.reproduce.microai import MICROAI
from mcusim.reproduce.study import METRICS, Part, size_of

OF_THE_PAPER = {  # section 6.1: epochs, batch, rate, milestones, gamma
    "uci_har": (300, 64, 0.05, (100, 200, 250), 0.13),
    "spoken_digits": (120, 256, 0.05, (40, 80, 100), 0.1),
    "gtsrb": (120, 128, 0.01, (40, 80, 100), 0.1),
}


def read(name: str) -> Experiment:
    return read_experiment(MICROAI.folder / f"{name}.toml")


@pytest.mark.parametrize(
    ("metric", "framework", "board", "data_type", "size", "value"),
    [
        ("latency_ms", "MicroAI", "nucleo_l452re_p", "int8", 80, 1034.033),
        ("rom_kib", "TFLite Micro", "sparkfun_edge", "float32", 16, 116.520),
        ("energy_uwh", "STM32Cube.AI", "nucleo_l452re_p", "int8", 64, 1.072),
        ("accuracy_pct", "MicroAI", "", "int16", 16, 92.46),
    ],
)
def test_numbers_are_those_of_the_paper(
    metric: str, framework: str, board: str, data_type: str, size: int, value: float
) -> None:
    [row] = [
        row
        for row in MICROAI.rows
        if (row.metric, row.framework, row.board, row.data_type) == (metric, framework, board, data_type)
    ]
    assert row.values[size] == value


def test_each_table_of_the_paper_is_whole() -> None:
    tables = [row for row in MICROAI.rows if row.source.startswith("Table")]
    assert len(tables) == 30 and {row.metric for row in MICROAI.rows} < set(METRICS)
    assert all(tuple(row.values) == MICROAI.sizes and len(MICROAI.sizes) == 7 for row in tables)


@pytest.mark.parametrize("part", MICROAI.parts, ids=lambda part: part.name)
def test_shipped_networks_run_as_those_that_are_trained(part: Part) -> None:
    """Types and boards alike; sizes as far as networks are shipped."""
    shipped, trained = read(part.name), read(f"{part.name}_train")
    assert (shipped.quantizations, shipped.target, shipped.dataset) == (
        trained.quantizations,
        trained.target,
        trained.dataset,
    )
    assert [size_of(model.name) for model in trained.models] == list(MICROAI.sizes)
    assert {model.name for model in shipped.models} <= {model.name for model in trained.models}
    labels = [quantization.label for quantization in shipped.quantizations]
    assert {MICROAI.shown_as.get(label, label) for label in labels} <= set(MICROAI.of_types)
    assert trained.general.repeats == 15 and shipped.dataset.name == part.name


@pytest.mark.parametrize("part", MICROAI.parts, ids=lambda part: part.name)
def test_training_is_that_of_the_paper(part: Part) -> None:
    """But for the batches of spoken digits, of which we have far fewer."""
    for model in read(f"{part.name}_train").models:
        told = model.training
        epochs, batch, *rest = OF_THE_PAPER[part.name]
        assert [told.epochs, told.learning_rate, told.milestones, told.gamma] == [epochs, *rest]
        assert told.batch_size == (64 if part.name == "spoken_digits" else batch)
        assert (told.optimizer, told.momentum, told.weight_decay) == ("sgd", 0.9, 5e-4) and told.mixup


def test_shipped_networks_are_small() -> None:
    assert sum(path.stat().st_size for path in Path(MICROAI.folder).iterdir()) < 4_000_000
