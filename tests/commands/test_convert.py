"""mcusim convert: a model as `.tflite`, which TensorFlow Lite Micro computes as mcusim does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.line.optimize import optimize
from mcusim.models import read_model
from mcusim.models.tflite.file import described
from mcusim.system.arrays import Array
from tests.keras_files import called, dense, functional, layer, numbers, sequential, start, write_keras
from tests.tflite_files import quantized_file
from tests.tflm import TFLM
from tests.tflm_equal import reals_of


def model_file(folder: Path, last: str = "softmax") -> Path:
    """Odd sizes, so that a pool leaves something out."""
    conv = layer(
        "Conv2D",
        "conv",
        filters=4,
        kernel_size=[3, 3],
        strides=[1, 1],
        padding="same",
        activation="relu",
        use_bias=True,
    )
    pool = layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], padding="valid")
    end = [dense("end", 3), layer("Activation", "last", activation=last)]
    description = sequential(start(7, 7, 2), conv, pool, layer("Flatten", "flat"), *end)
    weights = {"layers/conv2d": [numbers(3, 3, 2, 4) / 4, numbers(4)], "layers/dense": [numbers(36, 3) / 6, numbers(3)]}
    return write_keras(folder / "small.keras", description, weights)


def data_file(folder: Path) -> Path:
    np.savez(folder / "data.npz", x_train=samples())
    return folder / "data.npz"


def samples() -> Array:
    return np.random.default_rng(0).normal(size=(50, 7, 7, 2)).astype(np.float32)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join("".join(capsys.readouterr()).split())


def test_a_float_model_becomes_integers_of_tflite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = str(model_file(tmp_path)), tmp_path / "small.tflite"
    words = ["--data-type", "int8", "--calibration", str(data_file(tmp_path)), "--out", str(out)]
    assert cli.execute(["convert", model, "--to", "tflite", *words]) == 0
    assert "TensorFlow Lite Micro" in (said := told(capsys)) and "the same bits on 16 samples" in said
    kinds = [operation.kind for operation in described(out.read_bytes()).operations]
    assert kinds == ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    graph = optimize(read_model(out, "m").graph)
    x = samples()
    theirs = TFLM.run(out.read_bytes(), [graph.encode(x)[:, None]])[0][0]
    np.testing.assert_array_equal(graph.run(x), theirs.reshape(len(x), -1))
    float_graph = read_model(Path(model), "m").graph
    assert np.abs(graph.decode(graph.run(x)) - float_graph.run(x)).max() < 0.06


@pytest.mark.parametrize("words", [["w8a16"], ["int8", "--scheme", "per-tensor"]])
def test_other_scales(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = str(data_file(tmp_path)), tmp_path / "out.tflite"
    given = [str(model_file(tmp_path)), "--data-type", *words, "--calibration", data, "--out", str(out)]
    assert cli.execute(["convert", *given]) == 0
    assert "the same bits on 16 samples" in told(capsys)
    model = described(out.read_bytes())
    assert model.tensors[model.inputs[0]].dtype == ("int16" if words == ["w8a16"] else "int8")
    kernel = model.tensors[model.operations[0].inputs[1]]
    assert kernel.dtype == "int8" and len(kernel.scales) == (4 if words == ["w8a16"] else 1)


def test_sums_of_three_are_two_sums(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TFLite adds two tensors; of integers the order of the roundings is what is written."""
    one, two = (called(dense(name, 5), [["start", 0, 0, {}]]) for name in ("one", "two"))
    add = called(layer("Add", "add"), [["start", 0, 0, {}], ["one", 0, 0, {}], ["two", 0, 0, {}]])
    layers = [called(start(5)), one, two]
    description = functional([*layers, add], [["start", 0, 0]], [["add", 0, 0]])
    weights = {"layers/dense": [numbers(5, 5), numbers(5)], "layers/dense_1": [numbers(5, 5, seed=1), numbers(5)]}
    model, data, out = write_keras(tmp_path / "three.keras", description, weights), tmp_path / "x.npz", tmp_path / "o"
    np.savez(data, x_train=numbers(40, 5))
    words = ["--data-type", "int8", "--calibration", str(data), "--out", str(out)]
    assert cli.execute(["convert", str(model), *words]) == 0
    assert "the same bits" in (said := told(capsys)) and "adds 3 tensors" in said
    kinds = [operation.kind for operation in described(out.read_bytes()).operations]
    assert sorted(kinds) == ["ADD", "ADD", "FULLY_CONNECTED", "FULLY_CONNECTED"]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model, data = str(model_file(tmp_path)), str(data_file(tmp_path))
    for name in ("one", "two"):
        out = str(tmp_path / name)
        assert cli.execute(["convert", model, "--data-type", "int8", "--calibration", data, "--out", out]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_float_model_stays_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small.tflite"
    assert cli.execute(["convert", str(model_file(tmp_path)), "--data-type", "float32", "--out", str(out)]) == 0
    assert "the same" in told(capsys)
    one, other = (read_model(path, "m").graph for path in (out, tmp_path / "small.keras"))
    np.testing.assert_allclose(one.run(samples()), other.run(samples()), 1e-4)


def test_a_quantized_model_keeps_its_integers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tflite").write_bytes(quantized_file())
    model, out = str(tmp_path / "a.tflite"), str(tmp_path / "b.tflite")
    assert cli.execute(["convert", model, "--out", out]) == 0
    assert "the same bits" in told(capsys)
    one, other = (read_model(Path(path), "m").graph for path in (model, out))
    x = reals_of(one.inputs[0], 9)
    np.testing.assert_array_equal(one.run(x), other.run(x))
    assert cli.execute(["convert", model, "--data-type", "int16", "--out", out, "--force"]) == 2
    assert "it cannot be int16" in told(capsys)


def test_a_file_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tflite").write_bytes(quantized_file())
    assert cli.execute(["convert", "a.tflite", "--force"]) == 2
    assert "is the model itself" in told(capsys)
    (tmp_path / "b.tflite").write_bytes(b"mine")
    assert cli.execute(["convert", "a.tflite", "--out", "b.tflite"]) == 2
    assert (tmp_path / "b.tflite").read_bytes() == b"mine" and "--force overwrites it" in told(capsys)
    assert cli.execute(["convert", "a.tflite", "--out", "b.tflite", "--force"]) == 0
    assert (tmp_path / "b.tflite").read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ([], 2, "one data type is needed"),
        (["--data-type", "int8"], 3, "needs calibration samples"),
        (["--data-type", "int8", "--scheme", "per-layer"], 3, "hint: quantize it as TFLite does: --data-type int8"),
        (["--data-type", "int16"], 2, "scheme 'per-channel' is for int8"),
        (["--data-type", "int8", "--data-type", "float32"], 2, "one data type is needed"),
        (["--to", "onnx"], 2, "'onnx' is not"),
    ],
)
def test_what_cannot_be_is_told(
    words: list[str], code: int, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--calibration", str(data_file(tmp_path))] if len(words) != 2 or "int16" in words else []
    out = tmp_path / "out.tflite"
    assert cli.execute(["convert", str(model_file(tmp_path)), *words, *data, "--out", str(out)]) == code
    assert what in told(capsys) and not out.exists()


def test_layers_that_tflite_has_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(model_file(tmp_path, last="mish"))
    out = str(tmp_path / "out.tflite")
    assert cli.execute(["convert", model, "--data-type", "float32", "--out", out]) == 3
    assert "'last' (Mish) is no operator of TFLite" in told(capsys)
    assert cli.execute(["convert", str(tmp_path / "none.keras"), "--data-type", "float32", "--out", out]) == 3
