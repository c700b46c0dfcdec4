"""The way from a model file to C: each word of an experiment changes what is generated, as it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim import models
from mcusim.boards.load import load_board
from mcusim.datasets.dataset import Normalization
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Target
from mcusim.kernels.choice import ANYWHERE
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line import front
from mcusim.line.destination import destination_of
from mcusim.line.front import (
    Generated,
    generate,
    generated_of,
    generated_within,
    quantized_graph,
    read_model,
    real_graph,
)
from mcusim.line.fuse import choose_kernels
from mcusim.line.lower import options_of
from mcusim.line.optimize import optimize
from mcusim.line.select import Choice
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.numbers import affine_scheme
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError
from tests.graphs import Builder

PLAIN = KernelChoice(default=("plain",))
BOARD = load_board("nucleo_l452re_p")


@pytest.fixture(scope="module")
def source() -> Source:
    builder = Builder((9, 4), seed=7)
    builder.conv(8, 1, activation="relu")
    builder.conv(8, 3)
    builder.add("MaxPooling1D", pool_size=(2,), strides=(2,))
    builder.add("Activation", activation="relu")
    builder.add("Flatten")
    builder.dense(3)
    graph = optimize(builder.graph())
    return Source(graph, {"": Normalization((0.25,) * 4, (2.0,) * 4)})


@pytest.fixture(scope="module")
def samples() -> tuple[Array, Array]:
    """Classes of other ranges, so that it matters which samples are taken, and a few numbers far from all others."""
    random, labels = np.random.default_rng(3), np.repeat(np.arange(4), 40)
    x = random.standard_t(2, size=(160, 9, 4)) * (1 + 5 * labels)[:, None, None]
    return x.astype(np.float32), labels


def numbers_of(source: Source, x: Array | None, words: dict[str, Any], **how: Any) -> str:
    """Of all layers, with the integers of their weights."""
    graph = quantized_graph(source, x, Quantization(**words), **how)
    weights = [(layer.name, layer.numbers, [v.tobytes() for v in layer.weights.values()]) for layer in graph]
    return repr((weights, [str(vars(layer.rescale)) for layer in graph if isinstance(layer, WeightedSum)]))


BASES: dict[str, dict[str, Any]] = {
    "affine": {"data_type": "int8", "calibration_samples": 12},
    "powers": {"data_type": "int8", "scheme": "per-layer", "calibration_samples": 40},
    "format": {"data_type": "int8", "scheme": "per-network", "format": "Q4.4"},
}
WORDS: list[tuple[str, dict[str, Any]]] = [
    ("affine", {"data_type": "int16"}),
    ("affine", {"scheme": "per-layer"}),
    ("format", {"format": "Q2.6"}),
    ("format", {"rounding": "floor"}),
    ("powers", {"ranges": "max"}),
    ("powers", {"weights": "rounded"}),
    ("powers", {"equalize": True}),
    ("powers", {"output": "int8"}),
    ("powers", {"layers": {"dense": "int16"}}),
    ("affine", {"calibration_samples": 40}),
    ("affine", {"rescale": "single"}),
]


@pytest.mark.parametrize(("base", "changed"), WORDS)
def test_each_word_of_an_experiment_reaches_the_integers(
    source: Source, samples: tuple[Array, Array], base: str, changed: dict[str, Any]
) -> None:
    if "layers" in changed:
        changed = {"layers": {source.graph.layers[-1].name: "int16"}}
    before, after = (numbers_of(source, samples[0], {**BASES[base], **more}) for more in ({}, changed))
    assert before != after


def test_samples_are_chosen_by_labels_and_seed_and_are_normalized(source: Source, samples: tuple[Array, Array]) -> None:
    (x, labels), words = samples, BASES["affine"]
    usual = numbers_of(source, x, words)
    assert usual == numbers_of(source, x, words, labels=None, seed=0, unsigned=True)
    others = [{"seed": 1}, {"labels": labels}, {"labels": labels, "seed": 1}, {"unsigned": False}]
    found = [usual, *(numbers_of(source, x, words, **how) for how in others)]
    assert len(set(found)) == len(found)
    ready = source.normalized(x)
    assert usual == numbers_of(Source(source.graph), ready, words)
    assert usual != numbers_of(Source(source.graph), x, words)


def test_none_are_needed_for_floats_and_formats(source: Source) -> None:
    assert quantized_graph(source, None, Quantization(data_type="float32")) is source.graph
    assert numbers_of(source, None, BASES["format"]) == numbers_of(source, np.zeros((1, 9, 4)), BASES["format"])


def test_what_is_quantized_already_stays_and_nothing_else_may_be_asked_for(
    source: Source, samples: tuple[Array, Array]
) -> None:
    stored = replace(source, graph=quantized_graph(source, samples[0], Quantization(data_type="int8")))
    assert quantized_graph(stored, None, Quantization(data_type="as-stored")) is stored.graph
    with pytest.raises(ConfigurationError, match="int16"):
        quantized_graph(stored, samples[0], Quantization(data_type="int16"))


def test_scales_cannot_be_chosen_without_a_sample(source: Source) -> None:
    for words in (BASES["affine"], BASES["powers"]):
        with pytest.raises(DataError, match="needs calibration samples"):
            quantized_graph(source, None, Quantization(**words))


FIRST: list[dict[str, Any]] = [
    {"data_type": "int8"},
    *({"data_type": "int8", "scheme": scheme} for scheme in affine_scheme.SCHEMES),
]
LATER: list[dict[str, Any]] = [
    {"data_type": "float32"},
    {"data_type": "int9"},
    {"data_type": "int16"},
    {"data_type": "int8", "output": "int16"},
    {"data_type": "int8", "scheme": "per-layer"},
    BASES["format"],
]


def test_activations_go_first_only_where_numbers_with_a_zero_gain_by_it() -> None:
    builder = Builder((8, 3), seed=2)
    builder.conv(4, 3)
    builder.add("MaxPooling1D", pool_size=(2,), strides=(2,))
    builder.add("Activation", activation="relu")
    source = Source(optimize(builder.graph()))
    for words in FIRST + LATER:
        assert (real_graph(source, Quantization(**words)) is not source.graph) == (words in FIRST), words


def text_of(made: Generated) -> str:
    return made.library.digest


def kernels_of(made: Generated) -> set[str]:
    return {step.kernel for step in made.program.steps}


def test_what_is_generated_is_what_was_quantized_and_chosen(source: Source, samples: tuple[Array, Array]) -> None:
    (x, labels), chosen = samples, Quantization(**BASES["affine"])
    usual = generate(source, x, chosen)
    graph = quantized_graph(source, x, chosen)
    whole = generated_of(graph, source, choose_kernels(graph, options_of(graph, ANYWHERE)))
    assert text_of(usual) == text_of(whole) == text_of(generate(source, x, chosen, ANYWHERE, labels=None, seed=0))
    there = destination_of(BOARD, Target())
    others = [
        generate(source, x, chosen, there),
        generate(source, x, chosen, labels=labels),
        generate(source, x, chosen, seed=1),
        generate(replace(source, normalizations={}), source.normalized(x), chosen),
    ]
    assert len({text_of(one) for one in (usual, *others)}) == len(others) + 1
    assert kernels_of(others[0]) != {"plain"}


def test_notes_are_those_of_the_numbers_and_of_the_limits(source: Source, samples: tuple[Array, Array]) -> None:
    chosen = Quantization(**BASES["affine"])
    free = generate(source, samples[0], chosen, destination_of(BOARD, Target()))
    graph = replace(free.graph, notes=("a note",))
    made = generated_of(graph, source, free.choice)
    assert made.graph is graph and made.choice is free.choice
    noted = replace(made, program=replace(made.program, notes=("another",)))
    assert noted.notes == ("a note", "another")


def no_build(*_: object) -> Any:
    raise AssertionError("nothing is built without a limit")


def test_within_no_limits_is_what_generate_makes(source: Source, samples: tuple[Array, Array]) -> None:
    chosen = Quantization(**BASES["affine"])
    graph = quantized_graph(source, samples[0], chosen)
    for board in (BOARD, None):
        for target in (Target(), Target(kernels=PLAIN)):
            there = destination_of(board, target) if board else ANYWHERE
            options = options_of(graph, there, target.kernels)
            wanted = generated_of(graph, source, choose_kernels(graph, options, there, target.kernels))
            made = generated_within(graph, source, target, board, no_build)
            assert text_of(made) == text_of(wanted) and made.graph is graph and made.choice.destination == there
            assert (kernels_of(made) == {"plain"}) == (target.kernels == PLAIN or board is None)


def test_within_limits_what_is_built_is_what_was_chosen(
    source: Source, samples: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firmware is of the program that is judged, and of the normalizations of the source."""
    graph, built = quantized_graph(source, samples[0], Quantization(**BASES["affine"])), []
    options = options_of(graph, destination_of(BOARD, Target()), PLAIN)
    choice = choose_kernels(graph, options)

    def within(*told: Any) -> Choice:
        given, these, board, target, build = told
        assert given is graph and board is BOARD and target.ram_max == 50_000
        assert {option.kernel.NAME for several in these.values() for option in several} == {"plain"}
        program, firmware = build(choice)
        assert isinstance(program, Program) and firmware == "firmware"
        return choice

    monkeypatch.setattr(front, "within", within)
    made = generated_within(
        graph, source, Target(ram_max=50_000, kernels=PLAIN), BOARD, lambda library: built.append(library) or "firmware"
    )
    assert made.choice is choice and [one.digest for one in built] == [made.library.digest]


def test_a_file_is_read_once_under_its_name_and_tidied(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder((6,), seed=1)
    builder.dense(4)
    builder.normalization()
    builder.dense(2)
    seen: list[tuple[Path, str, Shapes]] = []

    def read(path: Path, name: str, shapes: Shapes) -> Source:
        seen.append((path, name, shapes))
        return Source(builder.graph(name))

    monkeypatch.setattr(models, "read_model", read)
    path, shapes = Path("some/file.keras"), {"": (6,)}
    found = [read_model(path), read_model(path, "other"), read_model(path, "third", shapes)]
    assert seen == [(path, "file", NO_SHAPES), (path, "other", NO_SHAPES), (path, "third", shapes)]
    for source, (_, name, _) in zip(found, seen, strict=True):
        assert source.graph.name == name and source.unoptimized is not None
        assert len(source.graph.layers) < len(source.unoptimized.layers) == len(builder.graph().layers)
