"""Files of every Keras since 2.0, made by hand: where weights lie, how calls are spelled. NumPy is the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.models import read_model
from mcusim.models.keras.convert import converted
from mcusim.models.keras.layer import KerasLayer
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from tests.keras_files import (
    Entry,
    called,
    dense,
    functional,
    layer,
    numbers,
    sequential,
    start,
    tensor,
    write_folders,
    write_keras,
    write_legacy,
)

X = numbers(5, 4, seed=9)
K = [numbers(4, 4, seed=seed) for seed in range(6)]
B = [numbers(4, seed=seed) for seed in range(6)]


def read(path: Path) -> Graph:
    return read_model(path, "model").graph


def check(path: Path, expected: Array) -> None:
    np.testing.assert_allclose(read(path).run(X), expected, rtol=1e-5, atol=1e-6)


def through(x: Array, *pairs: int) -> Array:
    for pair in pairs:
        x = x @ K[pair] + B[pair]
    return x


def pair(name: str, number: int, ending: str = ":0") -> dict[str, Array]:
    return {f"{name}/kernel{ending}": K[number], f"{name}/bias{ending}": B[number]}


# -- .h5 ---------------------------------------------------------------------------------------------------------------


def test_keras_2_0_has_a_bare_list_and_no_input_layer(tmp_path: Path) -> None:
    first = layer(
        "Dense", "d1", batch_input_shape=[None, 4], units=4, use_bias=True, activation="relu", dtype="float32"
    )
    model = {"class_name": "Sequential", "config": [first, dense("d2", 4)]}
    path = write_legacy(tmp_path / "m.h5", model, {"d1": pair("d1", 0), "d2": pair("d2_1", 1)}, backend="tensorflow")
    check(path, through(np.maximum(through(X, 0), 0), 1))


def test_long_lists_of_names_are_cut(tmp_path: Path) -> None:
    model = sequential(start(4), dense("d1", 4), dense("d2", 4))
    path = write_legacy(tmp_path / "m.h5", model, {"d1": pair("d1", 0), "d2": pair("d2", 1)}, cut=True)
    check(path, through(X, 0, 1))


def test_a_model_may_be_called_keras_and_lie_in_hdf5(tmp_path: Path) -> None:
    """As Keras before 2.13 saves it."""
    model = sequential(start(4), dense("d1", 4))
    check(write_legacy(tmp_path / "m.keras", model, {"d1": pair("d1", 0)}), through(X, 0))


def test_weights_of_theano_are_refused(tmp_path: Path) -> None:
    model = sequential(start(4), dense("d1", 4))
    with pytest.raises(ModelError, match="Theano"):
        read(write_legacy(tmp_path / "m.h5", model, {"d1": pair("d1", 0)}, backend="theano"))


def normalized(x: Array, arrays: list[Array]) -> Array:
    gamma, beta, mean, variance = arrays
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


N = [
    [numbers(4, seed=20 + 4 * i + j) if j < 3 else np.abs(numbers(4, seed=40 + i)) + 0.1 for j in range(4)]
    for i in range(2)
]
PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


def frozen(trainable: bool, names: tuple[str, str] = ("n1", "n2")) -> tuple[Entry, dict[str, Array]]:
    """dense, normalization, dense, normalization in a model, and its one list of weights as Keras orders it."""
    norms = [layer("BatchNormalization", f"n{i}", axis=[1], epsilon=1e-3, scale=True, center=True) for i in (1, 2)]
    inner = sequential(start(4), dense("d1", 4), norms[0], dense("d2", 4, trainable=trainable), norms[1], name="inner")
    weights = {
        "first": {**pair("d1", 0), **{f"{names[0]}/{part}:0": N[0][i] for i, part in enumerate(PARTS[:2])}},
        "second": pair("d2", 1),
        "third": {f"{names[1]}/{part}:0": N[1][i] for i, part in enumerate(PARTS[:2])},
        "rest": {f"{names[0]}/{part}:0": N[0][2 + i] for i, part in enumerate(PARTS[2:])},
        "rest2": {f"{names[1]}/{part}:0": N[1][2 + i] for i, part in enumerate(PARTS[2:])},
    }
    order = (
        ["first", "second", "third", "rest", "rest2"] if trainable else ["first", "third", "rest", "second", "rest2"]
    )
    return inner, {name: array for part in order for name, array in weights[part].items()}


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("names", [("n1", "n2"), ("other", "again")])
def test_a_nested_model_is_one_list(tmp_path: Path, trainable: bool, names: tuple[str, str]) -> None:
    """Told apart by names; where layers were renamed, by Keras' order: what is trained first, then what is not."""
    inner, weights = frozen(trainable, names)
    path = write_legacy(
        tmp_path / "m.h5", sequential(start(4), inner, dense("d3", 4)), {"inner": weights, "d3": pair("d3", 2)}
    )
    x = normalized(through(normalized(through(X, 0), N[0]), 1), N[1])
    check(path, through(x, 2))


def test_a_list_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    inner, weights = frozen(True)
    weights.popitem()
    with pytest.raises(ModelError, match="'inner' has 12 arrays, and 11 are stored"):
        read(write_legacy(tmp_path / "m.h5", sequential(start(4), inner), {"inner": weights}))


# -- .keras ------------------------------------------------------------------------------------------------------------


def nested() -> Entry:
    inner = sequential(start(4), dense("a", 4), dense("b", 4), name="inner")
    return sequential(start(4), dense("one", 4), layer("ReLU", "r"), inner, dense("two", 4))


def test_folders_are_counted_by_class(tmp_path: Path) -> None:
    folders = {"layers/dense": 0, "layers/sequential/layers/dense": 1, "layers/sequential/layers/dense_1": 2}
    folders |= {"layers/dense_1": 3}
    path = write_keras(tmp_path / "m.keras", nested(), {name: (K[i], B[i]) for name, i in folders.items()})
    check(path, through(np.maximum(through(X, 0), 0), 1, 2, 3))


def test_folders_of_keras_2_12_count_twice(tmp_path: Path) -> None:
    top = "_layer_checkpoint_dependencies"
    folders = {f"{top}/dense": 0, f"{top}/sequential/{top}/dense": 1, f"{top}/sequential/{top}/dense_2": 2}
    folders |= {f"{top}/dense_2": 3}
    path = write_keras(tmp_path / "m.keras", nested(), {name: (K[i], B[i]) for name, i in folders.items()})
    check(path, through(np.maximum(through(X, 0), 0), 1, 2, 3))


def test_folders_of_windows(tmp_path: Path) -> None:
    folders = {"layers\\dense": 0, "layers\\sequential\\layers\\dense": 1, "layers\\sequential\\layers\\dense_1": 2}
    folders |= {"layers\\dense_1": 3}
    path = write_keras(tmp_path / "m.keras", nested(), {name: (K[i], B[i]) for name, i in folders.items()})
    check(path, through(np.maximum(through(X, 0), 0), 1, 2, 3))


def test_what_is_shared_is_stored_once(tmp_path: Path) -> None:
    one = {**dense("d", 4), "shared_object_id": 7}
    model = sequential(start(4), sequential(start(4), one, name="inner"), one)
    path = write_keras(tmp_path / "m.keras", model, {"layers/sequential/layers/dense": (K[0], B[0])})
    check(path, through(X, 0, 0))


def test_seeds_optimizers_and_metrics_are_no_weights(tmp_path: Path) -> None:
    model = sequential(start(4), layer("Dropout", "drop", rate=0.5), dense("d", 4))
    weights = {"layers/dense": (K[0], B[0]), "layers/dropout/seed_generator": (np.zeros(2, np.uint32),)}
    weights |= {"optimizer": (K[1], B[1]), "metrics/mean": (B[2],)}
    check(write_keras(tmp_path / "m.keras", model, weights), through(X, 0))


@pytest.mark.parametrize("compiled", [{"compile_config": {"loss": {"module": "mine", "class_name": "Loss"}}}, {}])
def test_what_a_model_was_compiled_with_is_not_looked_at(tmp_path: Path, compiled: Entry) -> None:
    model = {**sequential(start(4), dense("d", 4)), **compiled, "build_config": {"input_shape": "evil"}}
    check(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}), through(X, 0))


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "bfloat16"}, "registered_name": None}
    model = sequential(start(4), dense("d", 4, dtype=policy))
    path = write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0].astype(np.float16), B[0])})
    with h5py.File(tmp_path / "weights", "w") as file:
        upper = (K[0].view(np.uint32) >> 16).astype(np.uint16)
        write_folders(file, {"layers/dense": (upper, B[0])})
        file["layers/dense/vars/0"].attrs["dtype"] = "bfloat16"
    np.testing.assert_allclose(read(path).run(X), through(X, 0), atol=0.01)
    (tmp_path / "weights").rename(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(json.dumps(model))
    np.testing.assert_allclose(read(tmp_path / "m.json").run(X), through(X, 0), atol=0.1)


@pytest.mark.parametrize(
    "policy",
    [
        "int8_from_float32",
        {"class_name": "QuantizedDTypePolicy", "config": {"name": "int4"}},
        {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}},
    ],
)
def test_what_keras_quantized_is_refused(tmp_path: Path, policy: Any) -> None:
    model = sequential(start(4), dense("d", 4, dtype=policy))
    with pytest.raises(ModelError, match="'d' \\(Dense\\) is quantized"):
        read(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}))


@pytest.mark.parametrize("dtype", ["float32", "f", {"class_name": "Policy", "config": {"name": "float32"}}, None])
def test_dtypes_in_every_spelling(tmp_path: Path, dtype: Any) -> None:
    model = sequential(start(4), dense("d", 4, dtype=dtype))
    check(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}), through(X, 0))


# -- .json with weights beside it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("model.json", "model.weights.h5"),
        ("model.json", "model.h5"),
        ("model.json", "model_weights.h5"),
        ("model_architecture.json", "model_weights.h5"),
        ("my_config.json", "my.hdf5"),
        ("architecture_7.json", "weights_7.h5"),
        ("model.json", "whatever.h5"),
    ],
)
def test_the_weights_lie_beside_the_json(tmp_path: Path, name: str, weights: str) -> None:
    model = sequential(start(4), dense("d", 4))
    if "." in weights.removesuffix(".h5"):
        with h5py.File(tmp_path / weights, "w") as file:
            write_folders(file, {"layers/dense": (K[0], B[0])})
    else:
        write_legacy(tmp_path / weights, None, {"d": pair("d", 0)})
    (tmp_path / name).write_text(json.dumps(model))
    check(tmp_path / name, through(X, 0))
    if weights == "whatever.h5":
        write_legacy(tmp_path / "other.h5", None, {"d": pair("d", 0)})
        with pytest.raises(ModelError, match="2 HDF5 files") as caught:
            read(tmp_path / name)
        assert "'model.weights.h5'" in str(caught.value.hint)


def test_no_weights_and_no_description(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps(sequential(start(4), dense("d", 4))))
    with pytest.raises(ModelError, match="no weights beside"):
        read(tmp_path / "model.json")
    write_legacy(tmp_path / "weights.h5", None, {"d": pair("d", 0)})
    with pytest.raises(ModelError, match="weights alone"):
        read(tmp_path / "weights.h5")


# -- calls -------------------------------------------------------------------------------------------------------------


def graph_of(tmp_path: Path, *layers: Entry, end: str, call: int = 0) -> Path:
    model = functional([called(start(4, name="x")), *layers], [["x", 0, 0]], [[end, call, 0]])
    folders = [f"layers/dense{f'_{i}' if i else ''}" for i in range(3)]
    return write_keras(tmp_path / "m.keras", model, {name: (K[i], B[i]) for i, name in enumerate(folders)})


ADD = layer("Add", "sum")
CALLS: dict[str, Any] = {
    "Keras 2.0": [["d", 0, 0], ["x", 0, 0]],
    "Keras 2": [["d", 0, 0, {}], ["x", 0, 0, {}]],
    "in inference": [["d", 0, 0, {"training": False}], ["x", 0, 0, {"training": False}]],
    "Keras 3": {"args": [[tensor("d"), tensor("x")]], "kwargs": {}},
    "by name": {"args": [], "kwargs": {"inputs": [tensor("d"), tensor("x")]}},
}


@pytest.mark.parametrize("spelling", CALLS)
def test_calls_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    path = graph_of(
        tmp_path,
        called(dense("d", 4), [["x", 0, 0]]),
        called({**ADD, "module": "keras.layers"}, CALLS[spelling]),
        end="sum",
    )
    check(path, through(X, 0) + X)


def lambda_of(function: str, node: Any, kind: str = "TFOpLambda") -> Entry:
    return called(layer(kind, "end", function=function, trainable=True, dtype="float32"), node)


def node_of(op: str, constants: dict[str, Any], *tensors: str, **attributes: Any) -> Entry:
    config = {"node_def": {"name": "end", "op": op, "input": [], "attr": attributes}, "constants": constants}
    return called(layer("TensorFlowOpLayer", "end", **config), [[name, 0, 0, {}] for name in tensors])


FUNCTIONS: dict[str, tuple[Entry, Callable[[Array], Array]]] = {
    "x + y": (lambda_of("__operators__.add", ["d", 0, 0, {"y": ["x", 0, 0], "name": None}]), lambda d: d + X),
    "x * c": (lambda_of("math.multiply", ["d", 0, 0, {"y": 0.5, "name": None}]), lambda d: d * 0.5),
    "c - x": (lambda_of("math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["d", 0, 0]}]), lambda d: 1 - d),
    "relu": (lambda_of("nn.relu", ["d", 0, 0, {"name": None}]), lambda d: np.maximum(d, 0)),
    "concat": (
        lambda_of("concat", [["d", 0, 0, {"axis": -1}], ["x", 0, 0, {"axis": -1}]]),
        lambda d: np.concatenate([d, X], -1),
    ),
    "clip": (
        lambda_of("clip_by_value", ["d", 0, 0, {"clip_value_min": 0.0, "clip_value_max": 0.5}]),
        lambda d: np.clip(d, 0, 0.5),
    ),
    "getitem": (
        lambda_of(
            "__operators__.getitem",
            [
                "d",
                0,
                0,
                {"slice_spec": [{"start": None, "stop": None, "step": None}, {"start": 1, "stop": 3, "step": None}]},
            ],
            "SlicingOpLambda",
        ),
        lambda d: d[:, 1:3],
    ),
    "AddV2": (node_of("AddV2", {}, "d", "x"), lambda d: d + X),
    "Mul": (node_of("Mul", {"1": 2.0}, "d"), lambda d: 2 * d),
    "Sub": (node_of("Sub", {"0": 1.0}, "d"), lambda d: 1 - d),
    "ConcatV2": (node_of("ConcatV2", {"2": 1}, "d", "x"), lambda d: np.concatenate([d, X], -1)),
    "Relu6": (node_of("Relu6", {}, "d"), lambda d: np.clip(d, 0, 6)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_tensorflow(tmp_path: Path, name: str) -> None:
    entry, expected = FUNCTIONS[name]
    check(graph_of(tmp_path, called(dense("d", 4), [["x", 0, 0]]), entry, end="end"), expected(through(X, 0)))


def test_the_calls_of_a_nested_model_begin_at_1_in_keras_2(tmp_path: Path) -> None:
    inner = functional(
        [called(start(4, name="i")), called(dense("in", 4), [["i", 0, 0]])], [["i", 0, 0]], [["in", 0, 0]], "inner"
    )
    twice = called(inner, [["x", 0, 0, {}]], [["inner", 1, 0, {}]])
    model = functional([called(start(4, name="x")), twice], [["x", 0, 0]], [["inner", 2, 0]])
    path = write_keras(tmp_path / "m.keras", model, {"layers/functional/layers/dense": (K[0], B[0])})
    check(path, through(X, 0, 0))


# -- names of classes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "own", [{"module": "keras.src.layers.core.dense"}, {"registered_name": None}, {"class_name": "keras.layers>Dense"}]
)
def test_classes_of_keras(tmp_path: Path, own: Entry) -> None:
    model = sequential(start(4), {**dense("d", 4), **own})
    check(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}), through(X, 0))


@pytest.mark.parametrize(
    "foreign",
    [
        {"module": "mine.layers"},
        {"registered_name": "Custom>Dense"},
        {"class_name": "Custom>Dense"},
        {"module": "keras_nlp.layers"},
    ],
)
def test_classes_of_others_are_refused_whatever_they_are_called(tmp_path: Path, foreign: Entry) -> None:
    model = sequential(start(4), {**dense("d", 4), **foreign})
    with pytest.raises(ModelError, match=r"'d' \(.*Dense\) has no kernel"):
        read(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}))


def test_keras_2_depthwise_has_groups(tmp_path: Path) -> None:
    config = {
        "kernel_size": [2],
        "strides": [1],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1],
    }
    depthwise = layer(
        "DepthwiseConv1D", "dw", **config, groups=1, depth_multiplier=1, use_bias=False, activation="linear"
    )
    path = write_keras(
        tmp_path / "m.keras", sequential(start(4, 1), depthwise), {"layers/depthwise_conv1d": (numbers(2, 1, 1),)}
    )
    kernel = numbers(2, 1, 1).reshape(2)
    np.testing.assert_allclose(read(path).run(X[..., None]), X[:, :-1] * kernel[0] + X[:, 1:] * kernel[1], rtol=1e-5)


def test_a_setting_that_nobody_asks_for_is_refused(tmp_path: Path) -> None:
    for name, value in (("renorm", True), ("sparse_output", 3), ("mask", [1])):
        model = sequential(start(4), dense("d", 4, **{name: value}))
        with pytest.raises(ModelError, match=rf"'d' \(Dense\): {name} = .* has no meaning here"):
            read(write_keras(tmp_path / "m.keras", model, {"layers/dense": (K[0], B[0])}))
    inner = {"class_name": "Dense", "config": dense("d", 4, evil=1)["config"]}
    model = sequential(start(2, 4), layer("TimeDistributed", "t", layer=inner))
    with pytest.raises(ModelError, match=r"evil = 1 has no meaning"):
        read(write_keras(tmp_path / "m.keras", model, {"layers/time_distributed/layer": (K[0], B[0])}))


def test_a_setting_of_the_layer_that_runs_backwards_is_not_ignored() -> None:
    def recurrent(**settings: Any) -> Entry:
        return layer("SimpleRNN", "r", units=4, activation="tanh", **settings)

    def both(**settings: Any) -> KerasLayer:
        config = {"layer": recurrent(), "backward_layer": recurrent(go_backwards=True, **settings)}
        return KerasLayer("b", "Bidirectional", config, (K[0], K[1], B[0]) * 2, ("start",), ((5, 4),))

    assert converted(both())[-1].shape == (8,)
    with pytest.raises(ModelError, match=r"'b' \(Bidirectional\): surprise = 1 has no meaning here"):
        converted(both(surprise=1))
