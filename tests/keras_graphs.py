"""Random models of Keras, as files of every kind; and whether a file computes what its model does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mcusim.models import read_model
from mcusim.models.source import Source
from mcusim.system.records import fields_of, records_of
from tests.live_keras import L, keras, ops

SAMPLES = 3


def save(model: Any, folder: Path, how: str) -> Path:
    path = folder / f"model{how}"
    if how != ".json":
        model.save(path)
        return path
    path.write_text(model.to_json())
    model.save_weights(folder / "model.weights.h5")
    return path


def check_equal(model: Any, *hows: str, seed: int = 0) -> Source:
    """What each file of the model computes is what Keras computes. Random weights."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        spread = random.uniform(0.5, 1.5, weight.shape) if "variance" in weight.path else None
        weight.assign(random.normal(size=weight.shape) * 0.4 if spread is None else spread)
    batch = model.inputs[0].shape[0] or SAMPLES
    samples = [random.normal(size=(batch, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    answers = model(_feed(model, samples), training=False)
    for how in hows or (".keras", ".h5", ".json"):
        with tempfile.TemporaryDirectory() as folder:
            source = read_model(save(model, Path(folder), how), "model")
        inputs = dict(zip((layer.name for layer in source.graph.inputs), samples, strict=True))
        got = source.graph.run(records_of(inputs) if len(samples) > 1 else samples[0])
        _compare(got, answers, [output.name for output in source.graph.outputs])
    return source


def _feed(model: Any, samples: list[Any]) -> Any:
    names = getattr(model, "_inputs_struct", None)
    if isinstance(names, dict):
        return dict(zip(sorted(names), samples, strict=True))
    return samples if len(samples) > 1 else samples[0]


def _compare(got: Any, answers: Any, names: list[str]) -> None:
    if isinstance(answers, dict):
        answers = [answers[name] for name in names] if len(answers) > 1 else list(answers.values())
    wanted = list(answers) if isinstance(answers, (list, tuple)) else [answers]
    columns = list(fields_of(got).values())
    assert len(columns) == len(wanted)
    for column, expected in zip(columns, wanted, strict=True):
        flat = np.asarray(expected).reshape(len(column), -1)
        np.testing.assert_allclose(column, flat, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(flat).max())))


class Drawn:
    """Tensors so far, and what made them, to be called again."""

    def __init__(self, draw: st.DrawFn, inputs: list[Any]) -> None:
        self.draw, self.tensors = draw, inputs
        self.again: list[tuple[tuple[Any, ...], Any]] = []  # shape of its input, layer or model

    def one(self) -> Any:
        return self.draw(st.sampled_from(self.tensors))

    def like(self, x: Any) -> Any:
        return self.draw(st.sampled_from([y for y in self.tensors if y.shape[1:] == x.shape[1:]]))

    def step(self, depth: int) -> None:
        x = self.one()
        moves = [_layer, _operator, _shape, _shared, *([_nested, _nested] if depth else [])]
        made = self.draw(st.sampled_from(moves))(self, x, depth)
        self.tensors.extend(made if isinstance(made, (list, tuple)) else [made])


def _layer(drawn: Drawn, x: Any, depth: int) -> Any:
    draw, shape = drawn.draw, tuple(x.shape[1:])
    kinds = [lambda: L.Dense(draw(st.integers(1, 4)), activation=draw(st.sampled_from([None, "relu", "tanh"])))]
    kinds += [L.BatchNormalization, L.ReLU, lambda: L.Dropout(0.5), L.Flatten]
    if len(shape) == 2:
        kinds.append(lambda: L.Conv1D(draw(st.integers(1, 4)), 2, padding="same"))
        kinds.append(L.GlobalMaxPooling1D)
    if len(shape) == 3:
        kinds.append(lambda: L.Conv2D(draw(st.integers(1, 4)), 2, padding="same"))
        kinds.append(lambda: L.MaxPooling2D(2, padding="same"))
    layer = draw(st.sampled_from(kinds))()
    drawn.again.append((shape, layer))
    return layer(x)


def _shared(drawn: Drawn, x: Any, depth: int) -> Any:
    fit = [layer for shape, layer in drawn.again if shape == tuple(x.shape[1:])]
    return drawn.draw(st.sampled_from(fit))(x) if fit else _layer(drawn, x, depth)


def _operator(drawn: Drawn, x: Any, depth: int) -> Any:
    y, c = drawn.like(x), drawn.draw(st.sampled_from([0.5, -1.5, 2]))
    choices = [lambda: x + y, lambda: x * c, lambda: c - x, lambda: x / c, lambda: ops.relu(x), lambda: ops.tanh(x)]
    choices += [lambda: ops.maximum(x, c), lambda: x - y, lambda: x * y, lambda: ops.maximum(x, y)]
    choices.append(lambda: ops.concatenate([x, y, x], axis=-1))
    return drawn.draw(st.sampled_from(choices))()


def _shape(drawn: Drawn, x: Any, depth: int) -> Any:
    shape = tuple(x.shape[1:])
    choices = [lambda: ops.reshape(x, (-1, int(np.prod(shape)))), lambda: L.Reshape((1, -1))(x)]
    if len(shape) > 1:
        order = drawn.draw(st.permutations(range(1, len(shape) + 1)))
        choices += [lambda: ops.transpose(x, (0, *order)), lambda: L.Permute(order)(x), lambda: x[:, -1:]]
        choices.append(lambda: ops.mean(x, axis=1))
    return drawn.draw(st.sampled_from(choices))()


def _nested(drawn: Drawn, x: Any, depth: int) -> Any:
    """A model of one or two inputs, called once or twice."""
    draw = drawn.draw
    count = draw(st.integers(1, 2))
    inputs = [keras.Input(x.shape[1:]) for _ in range(count)]
    inner = Drawn(draw, list(inputs))
    for _ in range(draw(st.integers(1, 4))):
        inner.step(depth - 1)
    last = inner.tensors[-1]
    outputs = [last, inner.one()] if draw(st.booleans()) else last
    model = keras.Model(inputs if count > 1 else inputs[0], _own(outputs))
    made: list[Any] = []
    for _ in range(draw(st.integers(1, 2))):
        ends = model([drawn.like(x) for _ in inputs] if count > 1 else drawn.like(x))
        made += list(ends) if isinstance(ends, (list, tuple)) else [ends]
    return made


def _own(outputs: Any) -> Any:
    """Keras takes no input as it is for an output."""
    return [end * 1.0 for end in outputs] if isinstance(outputs, list) else outputs * 1.0


@st.composite
def models(draw: st.DrawFn) -> tuple[Any, str]:
    keras.backend.clear_session(free_memory=False)  # to collect garbage took two thirds of the time
    shape = draw(st.sampled_from([(4,), (5, 3), (4, 5, 2)]))
    inputs = [keras.Input(shape, name=name) for name in ("one", "two")[: draw(st.integers(1, 2))]]
    drawn = Drawn(draw, list(inputs))
    for _ in range(draw(st.integers(2, 8))):
        drawn.step(2)
    ends = _own([drawn.tensors[-1], *(drawn.one() for _ in range(draw(st.integers(0, 2))))])
    named = draw(st.booleans())
    outputs = {f"end_{len(ends) - i}": end for i, end in enumerate(ends)} if named else ends
    return keras.Model(inputs, outputs), draw(st.sampled_from([".keras", ".keras", ".h5", ".json"]))
