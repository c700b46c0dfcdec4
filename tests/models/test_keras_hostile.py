"""A model file is hostile until proved otherwise: without Keras, and within a bound of time and memory."""

from __future__ import annotations

import io
import json
import os
import resource
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.line.front import read_model
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
    write_archive,
    write_keras,
)

KERNEL, BIAS = numbers(4, 3), numbers(3)
GOOD = {"layers/dense": (KERNEL, BIAS)}
MOST_BYTES = 2**30  # beyond what the tests had before


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No case takes memory that is not there; linux counts in KiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_BYTES


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert caught.value.hint and caught.value.exit_code == 3 and len(caught.value.what) < 1000
    assert caught.value.what.isprintable()
    return caught.value


def one_dense() -> Entry:
    return sequential(start(4), dense("dense", 3))


# -- descriptions ------------------------------------------------------------------------------------------------------

NAN, INFINITY = float("nan"), float("inf")


def with_input(shape: Any) -> Entry:
    return sequential(layer("InputLayer", "i", batch_shape=shape), dense("dense", 3))


def with_target(shape: Any) -> Entry:
    return sequential(start(4), layer("Reshape", "r", target_shape=shape))


def nested(depth: int) -> Entry:
    model = one_dense()
    for number in range(depth):
        model = sequential(start(4), model, name=f"m{number}")
    return model


def called_with(node: Any) -> Entry:
    entries = [called(start(4, name="i")), {**dense("dense", 3), "name": "dense", "inbound_nodes": node}]
    return functional(entries, [["i", 0, 0]], [["dense", 0, 0]])


def ending_in(outputs: Any) -> Entry:
    entries = [called(start(4, name="i")), called(dense("dense", 3), [["i", 0, 0, {}]])]
    return functional(entries, [["i", 0, 0]], outputs)


def circle() -> Entry:
    entries = [called(layer("Add", "a"), [["i", 0, 0], ["b", 0, 0]]), called(layer("ReLU", "b"), [["a", 0, 0]])]
    return functional([called(start(4, name="i")), *entries], [["i", 0, 0]], [["b", 0, 0]])


def doubled(depth: int, times: int) -> Entry:
    """A model that calls a model that calls a model.., each many times."""
    model = sequential(start(4), layer("ReLU", "r"), name="m0")
    for number in range(depth):
        name = f"m{number}"
        nodes = [[["i", 0, 0, {}]], *([[name, call, 0, {}]] for call in range(1, times))]
        entries = [called(start(4, name="i")), called(model, *nodes)]
        model = functional(entries, [["i", 0, 0]], [[name, times, 0]], name=f"m{number + 1}")
    return model


DESCRIPTIONS: dict[str, Any] = {
    **{
        f"input {shape!r:.20}": with_input(shape)
        for shape in (5, "abc", [None, True, 4], [None, 4.0], [None, -4], [], None)
    },
    "huge input": with_input([None, 10**6, 10**6]),
    **{
        f"target {shape!r:.20}": with_target(shape)
        for shape in ("34", [3.5], [True, 4], [-1, -1], [0], [10**9], 4, [[4]])
    },
    "units": sequential(start(4), dense("dense", 10**9)),
    "units of text": sequential(start(4), dense("dense", 3) | {"config": {"name": "d", "units": "3"}}),
    "a name twice": functional(
        [called(start(4, name="i")), *[called(dense("d", 3), [["i", 0, 0]])] * 2], [["i", 0, 0]], [["d", 0, 0]]
    ),
    "nested deeply": nested(200),
    "a circle": circle(),
    "many calls": doubled(7, 20),
    "many layers": sequential(start(4), *[layer("ReLU", f"r{i}") for i in range(30_000)]),
    **{f"called {node!r:.30}": called_with(node) for node in ("abc", [5], [None], [[5]], [[["zz", 0, 0, {}]]])},
    **{
        f"call {i}": called_with([[["i", *numbers, {}]]])
        for i, numbers in enumerate(((9, 0), (0, 9), (0.5, 0), (0, -1)))
    },
    "itself": called_with([[["dense", 0, 0, {}]]]),
    "a list as name": called_with([[[["i"], 0, 0, {}]]]),
    "arguments": called_with([{"args": 5, "kwargs": {}}]),
    "no history": called_with([{"args": [{"class_name": "__keras_tensor__", "config": {}}], "kwargs": {}}]),
    "two tensors": called_with([[["i", 0, 0, {}], ["i", 0, 0, {}]]]),
    "training": called_with([[["i", 0, 0, {"training": True}]]]),
    "a number": called_with([{"args": [tensor("i"), 7], "kwargs": {}}]),
    **{
        f"outputs {end!r:.20}": ending_in(end)
        for end in (None, 5, "dense", [["zz", 0, 0]], [], [["i", 0, 0]], [["dense", 3]])
    },
    **{
        f"no model {value!r:.30}": value
        for value in (None, [], 5, {}, {"class_name": 5, "config": {}}, {"class_name": "Model"})
    },
    **{
        f"layers {value!r:.30}": {"class_name": "Sequential", "config": {"layers": value}}
        for value in ({}, [5], [{}], [])
    },
    "a Popen": {"class_name": "subprocess.Popen", "config": {"layers": []}},
    "settings of another kind": sequential(start(4), dense("d", 3) | {"config": "x"}),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_is_refused(tmp_path: Path, name: str) -> None:
    refused(write_keras(tmp_path / "m.keras", DESCRIPTIONS[name], GOOD))


@pytest.mark.parametrize("epsilon", [NAN, INFINITY, -5.0, "x", [1], 1e308, True])
def test_numbers_that_no_layer_can_have(tmp_path: Path, epsilon: Any) -> None:
    norm = layer("BatchNormalization", "bn", axis=-1, epsilon=epsilon, scale=True, center=True)
    arrays = (BIAS, BIAS, BIAS, np.abs(BIAS))
    told = refused(
        write_keras(tmp_path / "m.keras", sequential(start(3), norm), {"layers/batch_normalization": arrays})
    )
    assert "'bn' (BatchNormalization)" in told.what


ODD_VALUES = (
    "x",
    -1,
    0,
    1.5,
    NAN,
    [1, 2, 3, 4],
    {"class_name": "x", "config": {"a": [NAN]}},
    10**7,
    [[[[1]]]],
    [True, True],
)
SETTINGS = {
    "Conv2D": ("strides", "kernel_size", "dilation_rate", "groups", "padding", "filters", "data_format"),
    "MaxPooling2D": ("pool_size", "padding"),
    "ZeroPadding2D": ("padding",),
    "Cropping2D": ("cropping",),
    "UpSampling2D": ("size",),
    "Permute": ("dims",),
    "Rescaling": ("scale",),
    "ReLU": ("max_value", "negative_slope"),
    "Softmax": ("axis",),
    "Concatenate": ("axis",),
    "TimeDistributed": ("layer",),
    "Activation": ("activation",),
}
COMMON = {"strides": [1, 1], "padding": "valid", "use_bias": True, "activation": "linear", "offset": 0.0, "scale": 1.0}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in SETTINGS.items() for key in keys])
def test_odd_settings_never_escape_as_another_exception(tmp_path: Path, kind: str, key: str) -> None:
    weights = {"layers/conv2d": (numbers(3, 3, 2, 3), BIAS)}
    for value in ODD_VALUES:
        config = {**(COMMON if kind in ("Conv2D", "MaxPooling2D") else {}), "scale": 1.0, "offset": 0.0, key: value}
        config = {
            name: setting for name, setting in config.items() if name == key or kind == "Rescaling" or name in COMMON
        }
        model = sequential(start(8, 8, 2), layer(kind, "x", **config))
        try:
            read_model(write_keras(tmp_path / "m.keras", model, weights))
        except ModelError as error:
            assert error.hint and "'x'" in error.what


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"class_name":"Sequential","config":{"layers":' + "[" * 5_000 + "]" * 5_000 + "}}",
        '{"class_name":"Sequential","config":{"layers":[' + "[]," * 200_000 + "[]]}}",
        "",
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
    ids=["deep", "deep layers", "many lists", "nothing", "no text"],
)
def test_json_that_is_no_model(tmp_path: Path, text: str | bytes) -> None:
    stored = io.BytesIO()
    h5py.File(stored, "w").close()
    refused(write_archive(tmp_path / "m.keras", text, stored.getvalue()))


def test_json_of_others_is_called_so(tmp_path: Path) -> None:
    for told, what in (({"modelTopology": {}, "weightsManifest": []}, "TensorFlow.js"), ({"a": 1}, "no Keras model")):
        path = tmp_path / "m.json"
        path.write_text(json.dumps(told))
        with pytest.raises(ModelError, match=what) as caught:
            read_model(path, "model")
        assert caught.value.hint


def test_thousands_of_layers(tmp_path: Path) -> None:
    flat = sequential(start(4, 4), *[layer("Flatten", f"f{i}") for i in range(3_000)])
    assert len(read_model(write_keras(tmp_path / "flat.keras", flat, {})).graph.layers) == 2


def test_names_that_no_terminal_should_see(tmp_path: Path) -> None:
    for name in ("a\x1b[31m\n\x00b", "a\ud800b", "\u202ex", "a" * 10**6):
        model = sequential(start(4), dense(name, 3))
        last = read_model(write_keras(tmp_path / "m.keras", model, GOOD)).graph.layers[-1].name
        assert last.isprintable() and len(last) <= 100
    told = refused(write_keras(tmp_path / "m.keras", sequential(start(4), layer("Evil\x1b[2J", "e\x1b[31m")), GOOD))
    assert "\x1b" not in str(told)


# -- weights -----------------------------------------------------------------------------------------------------------

FILL: dict[str, Callable[[Any], None]] = {}


def fill(make: Callable[[Any], None]) -> Callable[[Any], None]:
    """Makes kernel `0` of the layer."""
    FILL[make.__name__] = make
    return make


@fill
def sparse(group: Any) -> None:
    group.create_dataset("0", shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))


@fill
def sparse_without_chunks(group: Any) -> None:
    group.create_dataset("0", shape=(8000, 8000), dtype="f4")


@fill
def bomb(group: Any) -> None:
    group.create_dataset("0", data=np.zeros((2000, 2000), "f4"), chunks=(2000, 2000), compression="gzip")


@fill
def pieces_that_are_too_large(group: Any) -> None:
    group.create_dataset("0", shape=(4, 3), maxshape=(None, None), chunks=(30_000, 30_000), dtype="f4")


@fill
def soft_link(group: Any) -> None:
    group.file["elsewhere"] = KERNEL
    group["0"] = h5py.SoftLink("/elsewhere")


@fill
def external_link(group: Any) -> None:
    group["0"] = h5py.ExternalLink("/etc/passwd", "x")


@fill
def external_array(group: Any) -> None:
    group.create_dataset("0", shape=(4, 3), dtype="f4", external=[("/etc/passwd", 0, 48)])


@fill
def virtual_array(group: Any) -> None:
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4, 3))
    group.create_virtual_dataset("0", layout)


@fill
def references(group: Any) -> None:
    group.create_dataset("0", shape=(4, 3), dtype=h5py.ref_dtype)


@fill
def lists(group: Any) -> None:
    group.create_dataset("0", shape=(4, 3), dtype=h5py.vlen_dtype("f4"))


@fill
def records(group: Any) -> None:
    group["0"] = np.zeros((4, 3), [("a", "f4"), ("b", "i4")])


@fill
def complex_numbers(group: Any) -> None:
    group["0"] = KERNEL.astype(complex)


@fill
def texts(group: Any) -> None:
    group["0"] = np.array([[b"a"] * 3] * 4)


@fill
def nan(group: Any) -> None:
    group["0"] = KERNEL * np.float32(NAN)


@fill
def too_large_for_float32(group: Any) -> None:
    group["0"] = np.full((4, 3), 1e300)


@fill
def nothing(group: Any) -> None:
    group["0"] = h5py.Empty("f4")


@fill
def a_group(group: Any) -> None:
    group.create_group("0")


@fill
def itself(group: Any) -> None:
    group["0"] = group.file["layers"]


@fill
def of_another_shape(group: Any) -> None:
    group["0"] = KERNEL.T.copy()


@fill
def many_arrays(group: Any) -> None:
    for number in range(2_000):
        group[str(number + 2)] = np.float32(1)


@pytest.mark.parametrize("name", FILL)
def test_weights_are_refused(tmp_path: Path, name: str) -> None:
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["1"] = BIAS
        FILL[name](group)
    refused(write_archive(tmp_path / "m.keras", one_dense(), stored.getvalue()))


def test_a_setting_that_tells_no_shape_of_weights(tmp_path: Path) -> None:
    model = sequential(start(8, 8, 2), layer("DepthwiseConv2D", "d", kernel_size=[3, 3], depth_multiplier=None))
    path = write_keras(tmp_path / "x.keras", model, {"layers/depthwise_conv2d": (numbers(3, 3, 2, 1), numbers(2))})
    assert "settings cannot be understood" in refused(path).what


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = KERNEL, BIAS
        for name in ("cell", "layer", "layers", "forward_layer"):
            file["layers/dense"][name] = file["layers/dense"]
    refused(write_archive(tmp_path / "m.keras", one_dense(), stored.getvalue()))


@pytest.mark.parametrize("place", ["description", "weights"])
def test_bombs_of_zip(tmp_path: Path, place: str) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, is_bomb in (("config.json", place == "description"), ("model.weights.h5", place == "weights")):
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(80 if is_bomb else 0):
                    file.write(bytes(2**20))
                file.write(json.dumps(one_dense()).encode())
    refused(path)


def test_a_size_that_lies(tmp_path: Path) -> None:
    """The archive promises fewer bytes than it holds."""
    path = write_keras(tmp_path / "m.keras", one_dense(), GOOD)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    for path in (tmp_path / "pipe.keras", tmp_path):
        refused(path)


def test_the_command_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_keras(tmp_path / "m.keras", with_target("34"), GOOD)
    assert cli.execute(["generate", str(path), "--data-type", "float32", "--out", str(tmp_path / "lib")]) == 3
    assert "Traceback" not in capsys.readouterr().err
