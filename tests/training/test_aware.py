"""Training for integers: what is trained is, bit for bit, what is deployed; and it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim import layers
from mcusim.datasets import Dataset
from mcusim.datasets.dataset import Normalization
from mcusim.experiment.quantization import Quantization, trained_for
from mcusim.graph import Graph, Layer
from mcusim.line.aware import trained_for_integers
from mcusim.line.front import quantized_graph, read_model, real_graph
from mcusim.line.optimize import drop_softmax
from mcusim.line.quantize import quantize, quantize_as
from mcusim.models.source import Source
from mcusim.numbers.learned import Learned
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError, McusimError, ModelError
from mcusim.system.records import records_of
from mcusim.training.architectures import build_model
from mcusim.training.aware.learner import AwareLearner, first_ranges
from mcusim.training.aware.places import giver, loaded
from mcusim.training.goals import Classes
from mcusim.training.model_files import ModelFiles
from mcusim.training.normalization_file import load_learned, save_normalization
from mcusim.training.settings import AwareSettings, TrainingSettings
from mcusim.training.surrogate import real_output

pytestmark = pytest.mark.train
NUMBERS = np.random.RandomState(3)
PER_LAYER, PER_CHANNEL = ("int8", "per-layer"), ("int8", "per-channel")
INTEGERS = [(PER_LAYER, False), (("int4", "per-layer"), True), (("int9", "per-layer"), False), (PER_CHANNEL, True)]


def blobs(shape: tuple[int, ...] = (16, 2)) -> Dataset:
    """Three classes that lie so near to each other that few bits tell them apart with pains."""
    random = np.random.RandomState(0)
    y = np.arange(150) % 3
    x = random.normal(0, 1, (150, *shape)) + 0.5 * y.reshape(-1, *(1,) * len(shape))
    samples = x.astype(np.float32)
    return Dataset("blobs", samples[:120], y[:120], samples[120:], y[120:], ("a", "b", "c"))


def written(folder: Path, architecture: str = "resnetv1", shape: tuple[int, ...] = (16, 2), **parameters: Any) -> Path:
    """Of random weights, normalizations that do something, and no statistics."""
    model = build_model(architecture, parameters, shape, 3, seed=1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([NUMBERS.uniform(0.5, 2, array.shape) for array in layer.get_weights()])
    model.save(folder / "net.keras")
    return folder / "net.keras"


def real(file: Path, words: tuple[str, str]) -> tuple[Source, Graph]:
    source = read_model(file)
    source = replace(source, graph=drop_softmax(source.graph))
    return source, real_graph(source, Quantization(data_type=words[0], scheme=words[1]))


def learner(
    file: Path, words: tuple[str, str], settings: TrainingSettings, wider: float = 1.0, labels: float = 1.0
) -> tuple[AwareLearner, Source]:
    import keras

    source, graph = real(file, words)
    x = blobs(graph.inputs[0].shape).x_train
    first = first_ranges(quantize(graph, x, words[0], scheme=words[1], weights="rounded"), *words)
    ranges = {name: (wider * low, wider * high) for name, (low, high) in first.ranges.items()}
    first = replace(first, ranges=ranges)
    give = giver(keras.models.load_model(file), source)
    random = np.random.default_rng(0)
    trained = AwareLearner(graph, first, quantize_as, give, Classes("abc"), settings, random, labels=labels)
    return trained, source


def _answers(trained: AwareLearner, x: Array) -> Array:
    """What the loss sees of samples."""
    return np.asarray(trained._forward(x, trained._seen(x)))


@pytest.mark.parametrize(("words", "batch_norm"), INTEGERS)
def test_what_is_trained_is_what_is_deployed(words: tuple[str, str], batch_norm: bool, tmp_path: Path) -> None:
    """Before, after, and of what is read from the file: 0 of all answers differ, whatever calibrates."""
    file = written(tmp_path, filters=[4], blocks=[1], batch_norm=batch_norm)
    settings = TrainingSettings(epochs=2, batch_size=120, learning_rate=0.05, schedule="cosine", mixup=0.2)
    trained, _ = learner(file, words, settings)
    data = blobs()
    before = trained.quantized.run(data.x_test)
    for epoch in range(2):
        graph = trained.quantized
        np.testing.assert_array_equal(_answers(trained, data.x_test), graph.decode(graph.run(data.x_test)))
        trained.learn(data.x_train, data.y_train, epoch, lambda: None)
    answers = trained.quantized.run(data.x_test)
    assert (answers != before).any()
    files = ModelFiles(tmp_path, "out", None, {}, lambda: trained.learned)
    files.keep(trained.model, is_best=True)
    files.write(trained.model)
    source, _ = real(files.last, words)
    for count in (1, 100):
        chosen = Quantization(data_type=words[0], scheme=words[1], calibration_samples=count)
        deployed = quantized_graph(source, data.x_train, chosen)
        np.testing.assert_array_equal(deployed.run(data.x_test), answers)


def test_it_learns_what_few_bits_have_lost(tmp_path: Path) -> None:
    file = written(tmp_path, "mlp", units=[8])
    trained, _ = learner(file, ("int4", "per-layer"), TrainingSettings(batch_size=40, learning_rate=0.05))
    data = blobs()
    losses = [trained.learn(data.x_train, data.y_train, epoch, lambda: None)[0] for epoch in range(6)]
    assert losses[-1] < 0.6 * losses[0]


def test_it_learns_to_answer_as_the_network_of_reals(tmp_path: Path) -> None:
    """Which answers by chance, and has nothing to do with the labels."""
    file, data = written(tmp_path, "mlp", units=[8]), blobs()
    words, settings = ("int4", "per-layer"), TrainingSettings(batch_size=40, learning_rate=0.05, weight_decay=0)
    reals = softmax(real(file, words)[1].run(data.x_train))

    def apart(trained: AwareLearner) -> float:
        return float(np.abs(softmax(_answers(trained, data.x_train)) - reals).mean())

    for labels, least, most in ((0.0, 0, 0.9), (1.0, 1, 100)):
        trained, _ = learner(file, words, settings, labels=labels)
        before = apart(trained)
        for epoch in range(8):
            trained.learn(data.x_train, data.y_train, epoch, lambda: None)
        assert least < apart(trained) / before < most, labels


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("wider", [8.0, 1 / 8])
def test_ranges_that_do_not_fit_are_learned(wider: float, tmp_path: Path) -> None:
    """By more than the half of an octave that a power of two needs to become another."""
    file, data = written(tmp_path, "mlp", units=[8]), blobs()
    settings = TrainingSettings(batch_size=10, learning_rate=0.01, weight_decay=0)
    trained, _ = learner(file, ("int4", "per-layer"), settings, wider)
    trained._range_rate *= 3  # the test has few steps
    before = trained.learned.ranges
    for epoch in range(8):
        trained.learn(data.x_train, data.y_train, epoch, lambda: None)
    moved = {name: np.log2(high / before[name][1]) for name, (_, high) in trained.learned.ranges.items()}
    assert (max(moved.values()) > 0.5) if wider < 1 else (min(moved.values()) < -0.5), moved


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """A trained file in, files out that hold its integers; samples go through the statistics that it keeps."""
    file, data = written(tmp_path, "mlp", units=[4]), blobs()
    save_normalization(file, Normalization((0.5, 0.5), (1.1, 1.1)))
    quantization = AwareSettings(data_type="int8", scheme="per-layer", epochs=2)
    settings = TrainingSettings(batch_size=40, validation=0.2, quantization=quantization)
    told: list[int] = []
    files = trained_for_integers(
        file, data, settings, None, tmp_path, "own", 1, lambda progress: told.append(progress.all_batches)
    )
    assert files.complete and len(files.history) == 2 and told[-1] == 2 * 3
    learned = load_learned(files.best)
    assert learned and (learned.data_type, learned.scheme) == ("int8", "per-layer") and "input" in learned.ranges
    source = read_model(files.best)
    assert source.normalizations[""].mean == (0.5, 0.5) and source.learned == learned
    again = trained_for_integers(file, data, settings, None, tmp_path, "again", 1)
    assert load_learned(again.best) == learned, "the same seed, the same ranges"


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        ({}, {"flip": True}, "'flip' cannot be: samples of shape \\(16, 2\\) have no left and right"),
        ({}, {"shift": 40}, "'shift' cannot be: 40 are too many"),
        ({"x_train": None, "y_train": None}, {}, "data set 'blobs' has no training samples"),
        ({"y_train": np.linspace(0, 1, 120)}, {}, "labels of data set 'blobs' are reals: mcusim trains classifiers"),
        ({"x_train": records_of({"a": blobs().x_train, "b": blobs().x_train})}, {}, "'blobs' has 2 inputs"),
    ],
    ids=["flip", "shift", "no samples", "reals", "inputs"],
)
def test_what_a_file_of_ones_own_cannot_learn(
    changes: dict[str, Any], more: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file, data = written(tmp_path, "mlp", units=[4]), replace(blobs(), **changes)
    settings = TrainingSettings(quantization=AwareSettings(data_type="int8", epochs=1), **more)
    with pytest.raises(McusimError, match=message) as caught:
        trained_for_integers(file, data, settings, None, tmp_path, "own", 1)
    assert caught.value.hint and [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_a_file_of_ones_own_whose_axis_is_open(tmp_path: Path) -> None:
    """The experiment says how long samples are."""
    import keras

    inputs = keras.Input((None, 2))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(3, 3)(inputs))
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(file := tmp_path / "open.keras")
    settings = TrainingSettings(batch_size=40, quantization=AwareSettings(data_type="int8", epochs=1))
    given = file, blobs(), settings, None, tmp_path, "own", 1
    with pytest.raises(ModelError, match=r"has shape \(None, 2\)"):
        trained_for_integers(*given)
    files = trained_for_integers(*given, shapes={"": (16, 2)})
    assert read_model(files.best, shapes={"": (16, 2)}).learned


def test_ranges_that_are_no_numbers_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of integers is a number all the same."""
    file, real_learn = written(tmp_path, "mlp", units=[4]), AwareLearner.learn

    def ruin(self: AwareLearner, *rest: Any) -> tuple[float, float | None]:
        answer = real_learn(self, *rest)
        self._ranges[0].assign(np.nan)
        return answer

    monkeypatch.setattr(AwareLearner, "learn", ruin)
    settings = TrainingSettings(batch_size=40, quantization=AwareSettings(data_type="int8", epochs=2))
    with pytest.raises(ConfigurationError, match="training diverged: a weight is no number after epoch 1") as caught:
        trained_for_integers(file, blobs(), settings, None, tmp_path, "own", 1)
    assert caught.value.where == "[training.quantization]"
    assert caught.value.hint == "give a 'learning_rate' below 0.003", "its schedule is not chosen"
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_input_channels_that_reach_equally_far_are_of_the_file(tmp_path: Path) -> None:
    """The file is fed as it was trained: another deviation, and weights that take it back."""
    file, data = written(tmp_path, strides=[2], blocks=[1], filters=4), blobs()
    assert data.x_train is not None
    data = replace(data, x_train=data.x_train * np.array([1, 10], np.float32))
    save_normalization(file, Normalization((0.5, 5.0), (1.1, 1.1)))
    quantization = AwareSettings(data_type="int8", epochs=1, learning_rate=1e-9, range_rate=0, labels=0, equalize=True)
    files = trained_for_integers(
        file, data, TrainingSettings(batch_size=40, quantization=quantization), None, tmp_path, "own", 1
    )
    before, after = read_model(file), read_model(files.best)
    assert after.normalizations[""].std == (1.1 / 8, 1.1)
    answers = [one.graph.run(one.normalized(data.x_test)) for one in (before, after)]
    np.testing.assert_allclose(*answers, atol=1e-4)
    assert after.learned and Quantization(data_type="int8").asks_for(after.learned)


def of_others(kind: str) -> Any:
    """Models as people build them, of samples (16, 2)."""
    import keras
    from keras import layers as made

    entry = keras.Input((16, 2))
    folded = [made.Conv1D(3, 3, use_bias=False), made.BatchNormalization(scale=False), made.ReLU(6.0)]
    ends = {
        "softmax inside": [*folded, made.Flatten(), made.Dense(3, activation="softmax")],
        "logits": [made.DepthwiseConv1D(3), made.BatchNormalization(), made.GlobalAveragePooling1D(), made.Dense(3)],
        "no biases": [made.Flatten(), made.Dense(4, "relu", use_bias=False), made.Dense(3, use_bias=False)],
        "a model inside": [keras.Sequential([entry, *folded]), made.Flatten(), made.Dense(3), made.Softmax()],
        "normalized first": [made.BatchNormalization(), made.Flatten(), made.Dense(3), made.Softmax()],
    }
    return keras.Sequential([keras.Input((16, 2)), *ends[kind]])


@pytest.mark.parametrize("kind", ["softmax inside", "logits", "no biases", "a model inside", "normalized first"])
def test_files_that_others_saved(kind: str, tmp_path: Path) -> None:
    """Keras answers with the new file what we read from it, which holds what was learned."""
    import keras

    keras.utils.set_random_seed(0)
    file, data = tmp_path / "theirs.keras", blobs()
    model = of_others(kind)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(file)
    quantization = AwareSettings(data_type="int8", scheme="per-channel", epochs=1)
    settings = TrainingSettings(batch_size=60, quantization=quantization)
    files = trained_for_integers(file, data, settings, None, tmp_path, "out", 1)
    before, after = (read_model(path).graph.run(data.x_test) for path in (file, files.last))
    assert load_learned(files.last) and (before != after).any()
    answers = keras.models.load_model(files.last, compile=False)(data.x_test, training=False)
    np.testing.assert_allclose(after, np.asarray(answers), atol=1e-4)


def test_a_file_that_this_keras_cannot_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError("unknown 'groups'\nand a page more")

    monkeypatch.setattr(keras.models, "load_model", refuse)
    with pytest.raises(DataError, match=r"cannot load 'old\.h5' to train it: unknown 'groups'"):
        loaded(tmp_path / "old.h5")


def convolution(**more: Any) -> Layer:
    own = {"kernel": NUMBERS.normal(size=(6, 3, 3, 2)), "bias": NUMBERS.normal(size=6), "input_shape": (9, 8, 2)}
    own |= {"shape": (7, 6, 6), "name": "a", "inputs": ("x",)} | more
    own["kernel"], own["bias"] = (np.asarray(own[key], np.float32) for key in ("kernel", "bias"))
    return layers.Convolution(**own)


PAD = ((1, 0), (0, 1))
AROUND = {"name": "a", "inputs": ("x",), "input_shape": (9, 8, 2)}
LAYERS = [
    convolution(),
    convolution(strides=(2, 2), shape=(4, 3, 6), padding=PAD),
    convolution(dilation=(2, 2), shape=(5, 4, 6)),
    convolution(groups=2, kernel=NUMBERS.normal(size=(6, 3, 3, 1))),
    convolution(groups=2, kernel=NUMBERS.normal(size=(6, 3, 3, 1)), strides=(2, 1), shape=(4, 6, 6)),
    convolution(input_shape=(20, 2), kernel=NUMBERS.normal(size=(6, 1, 3, 2)), strides=(1, 2), shape=(9, 6)),
    convolution(input_shape=(20, 2), groups=2, kernel=NUMBERS.normal(size=(6, 1, 3, 1)), strides=(1, 2), shape=(9, 6)),
    layers.MaxPooling(size=(2, 3), strides=(2, 2), padding=PAD, shape=(5, 4, 2), **AROUND),
    layers.AveragePooling(size=(2, 3), strides=(2, 2), padding=PAD, shape=(5, 4, 2), **AROUND),
    layers.AveragePooling(size=(9, 8), strides=(9, 8), padding=((0, 0), (0, 0)), shape=(2,), **AROUND),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_gradients_are_of_the_same_layers(layer: Any) -> None:
    """Of reals TensorFlow computes what `run` does."""
    x = NUMBERS.normal(size=(3, *layer.input_shape)).astype(np.float32)
    found = real_output(layer, [x], getattr(layer, "kernel", None), getattr(layer, "bias", None))
    np.testing.assert_allclose(np.asarray(found), layer.run(x), atol=1e-4)


def test_layers_that_cannot_be_trained() -> None:
    entry = layers.Input(name="x", inputs=(), shape=(3,))
    graph = Graph((entry, layers.Softmax(name="soft", inputs=("x",), shape=(3,))))
    with pytest.raises(ConfigurationError, match=r"layer 'soft' \(Softmax\) cannot be trained for integers"):
        AwareLearner(graph, Learned("int8", "per-layer", {}), quantize_as, id, Classes("abc"), TrainingSettings(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"data_type": "int3"}, "int3"),
        ({"data_type": "float32"}, "^data_type is 'float32'"),
        ({"data_type": "int5", "scheme": "per-channel"}, "int5"),
    ],
)
def test_integers_that_nobody_has(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trained_for(AwareSettings(**asked))


def test_other_integers_are_chosen_by_calibration(tmp_path: Path) -> None:
    source, _ = real(written(tmp_path, "mlp", units=[4]), ("int8", "per-layer"))
    known = replace(source, learned=Learned("int8", "per-layer", {layer.name: (-8.0, 8.0) for layer in source.graph}))
    data = blobs()
    for words, same in (({}, False), ({"weights": "rounded"}, True), ({"data_type": "int9"}, True)):
        chosen = Quantization(**({"data_type": "int8", "scheme": "per-layer"} | words))
        graphs = [quantized_graph(one, data.x_train, chosen) for one in (source, known)]
        numbers = [[layer.numbers for layer in graph] for graph in graphs]
        assert (numbers[0] == numbers[1]) == same


@pytest.mark.parametrize(
    "values",
    [
        None,
        {"data_type": "int8"},
        {"data_type": "int8", "scheme": "per-layer", "ranges": [1]},
        {"data_type": "int8", "scheme": "per-layer", "ranges": {"a": [-1]}},
        {"data_type": "int8", "scheme": "per-layer", "ranges": {"a": [1, 2]}},
        {"data_type": "int8", "scheme": "per-layer", "ranges": {"a": [float("-inf"), float("inf")]}},
        {"data_type": 8, "scheme": "per-layer", "ranges": {}},
    ],
)
def test_hostile_ranges(values: Any) -> None:
    with pytest.raises(DataError, match="the stored quantization"):
        Learned.from_dict(values)


def test_ranges_survive_their_file() -> None:
    learned = Learned("int8", "per-layer", {"a": (-0.1, 1 / 3)})
    assert Learned.from_dict(learned.to_dict()) == learned
