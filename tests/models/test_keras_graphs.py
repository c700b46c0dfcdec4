"""Graphs as users draw them: nested, shared, of operators, with named ends. Keras is the reference."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.system.errors import ModelError
from tests.keras_graphs import check_equal, models
from tests.live_keras import L, keras, ops, source_of

pytestmark = pytest.mark.train

SAMPLES = 3
EXAMPLES = int(os.environ.get("MCUSIM_GRAPHS", "8"))


# -- one kind each ---------------------------------------------------------------------------------------------------


def two(name: str = "two") -> Any:
    """A model of two inputs and two outputs."""
    a, b = keras.Input((6,)), keras.Input((6,))
    return keras.Model([a, b], [L.Dense(6)(L.Add()([a, b])), L.Dense(5)(b)], name=name)


def nested_twice_with_inputs_swapped() -> Any:
    inner, i, j = two(), keras.Input((6,)), keras.Input((6,))
    first, second = inner([j, i])
    third, fourth = inner([first, first])
    return keras.Model([i, j], [L.Concatenate()([fourth, third, second]), first])


def nested_as_input_and_output() -> Any:
    front = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(3, 3), L.BatchNormalization()], name="front")
    back = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="relu"), L.Dense(2)], name="back")
    i = keras.Input((8, 8, 2))
    return keras.Model(i, back(L.GlobalAveragePooling2D()(front(i))))


def functional_in_sequential() -> Any:
    i = keras.Input((8, 2))
    base = keras.Model(i, L.ReLU()(L.Conv1D(3, 3)(i)), name="base")
    return keras.Sequential([base, L.Flatten(), keras.Sequential([L.Dense(4), L.ReLU()]), L.Dense(2)])


def models_in_models_in_models() -> Any:
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, name="same")], name="m0")
    for depth in range(1, 5):
        i = keras.Input((4,))
        model = keras.Model(i, L.Dense(4, name="same")(model(i)) + model(i), name=f"m{depth}")
    return model


def frozen_and_called_in_inference() -> Any:
    i = keras.Input((8, 3))
    x = L.BatchNormalization(name="n1")(L.Conv1D(3, 3, padding="same", name="c1")(i))
    x = L.BatchNormalization(name="n2")(L.Conv1D(3, 3, padding="same", name="c2")(x))
    base = keras.Model(i, x, name="base")
    base.layers[1].trainable = False
    base.layers[4].trainable = False
    j = keras.Input((8, 3))
    return keras.Model(j, L.Dense(2)(L.Flatten()(base(j, training=False))))


def a_shared_layer() -> Any:
    i, shared, act = keras.Input((6,)), L.Dense(6), L.ReLU()
    x = shared(act(shared(i)))
    return keras.Model(i, [L.Subtract()([act(x), shared(x)]), x])


def named_ends() -> Any:
    a, b = keras.Input((4,), name="zeta"), keras.Input((3,), name="alpha")
    x = L.Concatenate()([a, b])
    ends = {"out2": L.Dense(2, name="d2")(x), "out1": L.Dense(3, name="d1")(x)}
    return keras.Model({"zeta": a, "alpha": b}, ends)


def a_nested_model_with_named_ends() -> Any:
    a, b = keras.Input((4,), name="zz"), keras.Input((4,), name="aa")
    inner = keras.Model({"zz": a, "aa": b}, {"y2": L.Dense(3)(a), "y1": L.Dense(2)(b)}, name="inner")
    i, j = keras.Input((4,)), keras.Input((4,))
    ends = inner({"zz": j, "aa": i})
    return keras.Model([i, j], L.Concatenate()([ends["y2"], ends["y1"]]))


def a_fixed_batch() -> Any:
    i = keras.Input(batch_shape=(2, 8, 3))
    x = ops.reshape(L.Permute((2, 1))(i), (2, 24))
    return keras.Model(i, L.Dense(2)(x))


def several_heads() -> Any:
    i = keras.Input((10, 3))
    x = L.Conv1D(4, 3, activation="relu")(i)
    heads = [L.Dense(n, activation=a)(L.Flatten()(x)) for n, a in ((1, "sigmoid"), (3, "softmax"), (2, None))]
    return keras.Model(i, [*heads, x])


def an_output_in_the_middle_and_twice() -> Any:
    i = keras.Input((5,))
    x = L.Dense(4)(i)
    return keras.Model(i, [x, L.Dense(3)(x), x, i * 1.0])


def dropped_layers() -> Any:
    """Their settings do not tell whether they are trained, as those of functions do not."""
    i = keras.Input((8, 8, 2))
    x = L.Reshape((36, 3))(L.SpatialDropout2D(0.2)(L.Conv2D(3, 3)(i)))
    return keras.Model(i, L.GlobalAveragePooling1D()(L.SpatialDropout1D(0.2)(x)))


GRAPHS: list[Callable[[], Any]] = [
    nested_twice_with_inputs_swapped,
    nested_as_input_and_output,
    functional_in_sequential,
    models_in_models_in_models,
    frozen_and_called_in_inference,
    a_shared_layer,
    named_ends,
    a_nested_model_with_named_ends,
    a_fixed_batch,
    several_heads,
    an_output_in_the_middle_and_twice,
    dropped_layers,
]


@pytest.mark.parametrize("make", GRAPHS)
def test_a_graph_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(
        make(), *((".keras", ".json") if make is models_in_models_in_models else ())
    )  # Keras cannot save the .h5


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x * x": lambda x, y: x * x,
    "x + c": lambda x, y: x + 0.5,
    "c - x": lambda x, y: 1.5 - x,
    "x * c": lambda x, y: -2 * x,
    "x / c": lambda x, y: x / 4.0,
    "x + vector": lambda x, y: x + np.array([1.0, -2.0, 3.0], np.float32),
    "x * vector": lambda x, y: x * np.array([[1.0, -2.0, 0.5]], np.float32),
    "-x": lambda x, y: -x,
    "add": ops.add,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "maximum c": lambda x, y: ops.maximum(x, 0.3),
    "minimum c": lambda x, y: ops.minimum(x, 0.3),
    "clip": lambda x, y: ops.clip(x, -0.5, 0.7),
    "square": lambda x, y: ops.square(x),
    "abs": lambda x, y: ops.abs(x - y),
    "relu": lambda x, y: keras.activations.relu(x),
    "relu with settings": lambda x, y: keras.activations.relu(x, negative_slope=0.1, max_value=1.0),
    "relu6": lambda x, y: ops.relu6(x),
    "leaky_relu": lambda x, y: ops.leaky_relu(x, 0.3),
    "elu": lambda x, y: ops.elu(x),
    "sigmoid": lambda x, y: ops.sigmoid(x),
    "tanh": lambda x, y: ops.tanh(x),
    "silu": lambda x, y: ops.silu(x),
    "gelu": lambda x, y: ops.gelu(x, approximate=False),
    "hard_sigmoid": lambda x, y: ops.hard_sigmoid(x),
    "hard_silu": lambda x, y: ops.hard_silu(x),
    "softplus": lambda x, y: ops.softplus(x),
    "softmax": lambda x, y: ops.softmax(x),
    "reshape": lambda x, y: ops.reshape(x, (-1, 2, 9)),
    "reshape -1": lambda x, y: ops.reshape(x, (-1, 18)),
    "expand and squeeze": lambda x, y: ops.squeeze(ops.expand_dims(x, 2), 2),
    "transpose": lambda x, y: ops.transpose(x, (0, 2, 1)),
    "swapaxes": lambda x, y: ops.swapaxes(x, 1, 2),
    "concatenate": lambda x, y: ops.concatenate([x, y], axis=-1),
    "concatenate in time": lambda x, y: ops.concatenate([y, x], axis=1),
    "stack": lambda x, y: ops.stack([x, y], axis=-1),
    "pad": lambda x, y: ops.pad(x, ((0, 0), (1, 2), (0, 0))),
    "mean in time": lambda x, y: ops.mean(x, axis=1),
    "mean in time, kept": lambda x, y: ops.mean(x, axis=1, keepdims=True),
    "mean of channels": lambda x, y: ops.mean(x, axis=-1),
    "max": lambda x, y: ops.max(x, axis=1),
    "sum": lambda x, y: ops.sum(x, axis=1),
    "slice": lambda x, y: x[:, 1:4],
    "last": lambda x, y: x[:, -1],
    "slice of channels": lambda x, y: x[:, :, 1:],
    "a channel": lambda x, y: x[..., 0],
    "ellipsis": lambda x, y: x[..., :2],
    "split": lambda x, y: ops.concatenate(ops.split(x, 3, axis=1)[::-1], axis=-1),
    "split of channels": lambda x, y: ops.split(x, [1, 2], axis=-1)[2],
    "a new axis": lambda x, y: x[:, None, 1:, :2],
    "mean of rows": lambda x, y: ops.mean(ops.reshape(x, (-1, 2, 3, 3)), axis=1),
    "max of columns": lambda x, y: ops.max(ops.reshape(x, (-1, 2, 3, 3)), axis=2, keepdims=True),
    "identity": lambda x, y: ops.cast(x, "float32"),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_equals_keras(name: str) -> None:
    i, j = keras.Input((6, 3)), keras.Input((6, 3))
    x, y = L.Conv1D(3, 3, padding="same")(i), L.Dense(3)(j)
    check_equal(keras.Model([i, j], L.Dense(2)(L.Flatten()(OPERATORS[name](x, y)))))


REFUSED: dict[str, Callable[[Any], Any]] = {
    "Sort": ops.sort,
    "along the batch": lambda x: ops.mean(x, axis=0),
    "another batch": lambda x: ops.reshape(x, (-1, 9)),
    "divides by a tensor": lambda x: 1.0 / x,
    "Erf": ops.erf,
    "casts to int32": lambda x: ops.cast(x, "int32"),
    "every other": lambda x: x[:, ::2],
    "Unstack": lambda x: ops.unstack(x, axis=1)[2],
    "'a' .* has its state": lambda x: ops.add(*L.LSTM(2, return_state=True, name="a")(x)[:2]),
}


@pytest.mark.parametrize("why", REFUSED)
def test_an_operator_without_a_meaning_is_refused(why: str) -> None:
    i = keras.Input((6, 3))
    with pytest.raises(ModelError, match=why) as caught:
        source_of(keras.Model(i, REFUSED[why](L.Dense(3)(i))))
    assert caught.value.hint


def test_all_that_has_no_kernel_is_told_at_once() -> None:
    i = keras.Input((6, 3))
    inner = keras.Sequential([keras.Input((6, 3)), L.SpectralNormalization(L.Dense(3))], name="inner")
    x = L.UnitNormalization(name="a")(inner(i))
    x = ops.sort(L.UnitNormalization(name="b")(x))
    x = L.Dense(3, activation=lambda v: v, name="own")(x)
    with pytest.raises(ModelError) as caught:
        source_of(keras.Model(i, L.Conv1D(2, 3, data_format="channels_first", name="first")(x)))
    for told in ("'a', 'b' (UnitNormalization, 2 times)", "SpectralNormalization", "Sort"):
        assert told in caught.value.what


def test_where_layers_come_from() -> None:
    origins = check_equal(nested_twice_with_inputs_swapped(), ".keras").origins
    twice = sorted(name for name, origin in origins.items() if origin.calls == (1, 0) and "dense" in origin.path[1])
    assert len(twice) == 2 and all(name.startswith("two_dense") and origins[name].path[0] == "two" for name in twice)
    assert {origin.calls for origin in origins.values() if origin.path[0] != "two"} == {(0,)}


# -- random graphs -----------------------------------------------------------------------------------------------------


@given(models(), st.integers(0, 9))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_graphs_equal_keras(drawn: tuple[Any, str], seed: int) -> None:
    model, how = drawn
    try:
        check_equal(model, how, seed=seed)
    except ValueError as error:  # Keras cannot save every graph to HDF5
        assert "name already exists" in str(error)
