"""What is left of a network learns to answer like the exact one, from samples alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim import layers
from mcusim.approximate.approximation import Degree
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.training.course import TrainingProgress
from mcusim.training.settings import TrainingSettings, TuningSettings
from mcusim.training.tuning import Answers, Lesson, Trainable, tuned
from tests.approximate.networks import loss, network, reduced

pytestmark = pytest.mark.train
CUT: dict[str, dict[str, Degree]] = {"channels": {"conv2d_1": 4, "conv2d_4": 2}, "rows": {"conv2d_1": 0.5}}


def lesson(x: Array, answers: Answers = "classes", unseen: int = 0) -> Lesson:
    return Lesson(x[unseen:], x[:unseen], answers)


def settings(epochs: int = 20, learning_rate: float = 0.003, **training: object) -> TrainingSettings:
    chosen = TuningSettings(epochs=epochs, learning_rate=learning_rate)
    return TrainingSettings(batch_size=20, **training).of_tuning(chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cut() -> tuple[Graph, Graph, Array]:
    """Exact, with fewer channels and rows, and samples."""
    graph, x = network()
    return graph, reduced(graph, x, CUT), x


def test_tensorflow_computes_what_the_graph_does(cut: tuple[Graph, Graph, Array]) -> None:
    """Rows that are skipped bring convolutions that stride over them, and a concatenation."""
    _, made, x = cut
    assert any(isinstance(layer, layers.Concatenate) for layer in made)
    np.testing.assert_allclose(Trainable(made)(x).numpy(), made.run(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("answers", ["classes", "numbers"])
def test_it_comes_nearer(cut: tuple[Graph, Graph, Array], answers: Answers) -> None:
    graph, made, x = cut
    told: list[TrainingProgress] = []
    better, note = tuned(made, graph, lesson(x, answers, 20), settings(), 1, told.append)
    assert loss(graph, better, x[20:]) < 0.5 * loss(graph, made, x[20:])
    assert "20 epochs on 40 training samples" in note and ("20 others" in note) is (answers == "classes")
    assert told[-1].last is not None and (told[-1].last.validation_accuracy is None) is (answers == "numbers")
    assert [layer.name for layer in better] == [layer.name for layer in made] and better.skipped == made.skipped


@pytest.mark.parametrize("flip", [False, True])
def test_labels_count_with_their_share(cut: tuple[Graph, Graph, Array], flip: bool) -> None:
    """Where exact answers are known before, and where they are not."""
    graph, made, x = cut
    y = np.arange(len(x)) % 4
    right = []
    for share in (0.0, 0.9):
        taught = Lesson(x, x[:0], "classes", y if share else None, share)
        right.append(np.mean(tuned(made, graph, taught, settings(30, 0.01, flip=flip), 1)[0].run(x).argmax(1) == y))
    assert right[1] > right[0] + 0.2


@pytest.mark.parametrize("answers", ["classes", "numbers"])
def test_nothing_left_out_is_nothing_to_learn(answers: Answers) -> None:
    """So no one takes longer training for an approximation that costs nothing."""
    graph, x = network()
    same, _ = tuned(graph, graph, lesson(x, answers), settings(2), 1)
    np.testing.assert_array_equal(same.run(x), graph.run(x))


def test_the_same_seed_gives_the_same_weights(cut: tuple[Graph, Graph, Array]) -> None:
    graph, made, x = cut
    chosen = settings(2, flip=True, shift=1, mixup=0.2)
    first, second, other = (tuned(made, graph, lesson(x), chosen, seed)[0].run(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_it_diverges(cut: tuple[Graph, Graph, Array]) -> None:
    graph, made, x = cut
    with pytest.raises(ConfigurationError, match="the loss is nan in epoch") as caught:
        tuned(made, graph, lesson(x * np.float32(1e18)), settings(3, 1000.0), 1)
    assert caught.value.where == "[approximation.tuning]" and "below 1000" in (caught.value.hint or "")


def test_what_cannot_be_trained_is_named(cut: tuple[Graph, Graph, Array]) -> None:
    graph, made, x = cut
    strange = layers.Softmax(name="odd", inputs=(graph.layers[-1].name,), shape=graph.layers[-1].shape)
    ended = replace(graph, layers=(*graph.layers, strange), outputs=())
    with pytest.raises(ConfigurationError, match=r"'odd' .* cannot be tuned") as caught:
        tuned(made, ended, lesson(x), settings(1), 1)
    assert "leave [approximation.tuning] out" in (caught.value.hint or "")
