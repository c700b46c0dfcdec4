"""A model file is hostile until proved otherwise: nothing in it runs, nothing in it fills the memory."""

from __future__ import annotations

import contextlib
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcusim.models import read_model
from mcusim.system.errors import ModelError
from tests.live_keras import L, keras

pytestmark = pytest.mark.train


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((8, 2)), L.Conv1D(3, 3, name="conv"), L.Flatten(), L.Dense(2, name="head")]).save(
        path
    )
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same archive with another description."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])
    change(config)
    entries["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in config["config"]["layers"] if entry["config"].get("name") == name)
    return found


def test_a_good_file_is_read(model_file: Path) -> None:
    assert read_model(model_file, "model").graph.parameters == 3 * 2 * 3 + 3 + 18 * 2 + 2


def test_no_file_and_no_model(tmp_path: Path) -> None:
    for name, data in {"text.keras": b"hello", "text.h5": b"hello", "zip.keras": b"PK\x05\x06" + bytes(18)}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match="no readable Keras model") as caught:
            read_model(tmp_path / name, "model")
        assert name in str(caught.value)
    with pytest.raises(ModelError, match="there is no model file"):
        read_model(tmp_path / "missing.keras", "model")


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.keras").mkdir()
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("folder.keras", "pipe.h5", "device.json"):
        with pytest.raises(ModelError, match=f"'{name}' is a {name.split('.')[0]}, not a file"):
            read_model(tmp_path / name, "model")


def test_every_truncation_is_an_error(model_file: Path, tmp_path: Path) -> None:
    data = model_file.read_bytes()
    for size in (10, len(data) // 4, len(data) // 2, len(data) - 30, len(data) - 1):
        short = tmp_path / "short.keras"
        short.write_bytes(data[:size])
        with pytest.raises(ModelError):
            read_model(short, "model")


def test_flipped_bytes_never_escape_as_another_exception(model_file: Path, tmp_path: Path) -> None:
    data = bytearray(model_file.read_bytes())
    generator = random.Random(0)
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(generator.choice([1, 4, 32])):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path = tmp_path / "damaged.keras"
        path.write_bytes(damaged)
        with contextlib.suppress(ModelError):
            read_model(path, "model")


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_a_lambda_does_not_run(tmp_path: Path, name: str) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: x * 2, name="evil"), L.Dense(1)])
    model.save(tmp_path / name)
    with pytest.raises(ModelError, match="'evil' \\(Lambda\\) has no kernel"):
        read_model(tmp_path / name, "model")


def _foreign(config: dict[str, Any]) -> None:
    layer(config, "conv")["config"]["kernel_initializer"] = {
        "module": "os", "class_name": "system", "config": {"command": "touch it_ran"}, "registered_name": None,
    }  # fmt: skip


def _foreign_module(config: dict[str, Any]) -> None:
    layer(config, "conv")["module"] = "antigravity"


def _foreign_function(config: dict[str, Any]) -> None:
    layer(config, "head")["config"]["activation"] = {
        "module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function",
    }  # fmt: skip


def _huge(config: dict[str, Any]) -> None:
    layer(config, "head")["config"]["units"] = 10**9


def _huge_window(config: dict[str, Any]) -> None:
    layer(config, "conv")["config"]["kernel_size"] = [10**9]


def _huge_input(config: dict[str, Any]) -> None:
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 10**6, 10**6]


def _no_layers(config: dict[str, Any]) -> None:
    config["config"]["layers"] = "none"


def _other_class(config: dict[str, Any]) -> None:
    config["class_name"] = "subprocess.Popen"


CHANGES = [_foreign_module, _foreign_function, _huge, _huge_window, _huge_input, _no_layers, _other_class]


def test_what_a_layer_began_with_is_not_looked_at(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_model(rewrite(model_file, _foreign), "model").graph.parameters
    assert not (tmp_path / "it_ran").exists()


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_description_is_refused(
    model_file: Path, change: Callable[[dict[str, Any]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        read_model(rewrite(model_file, change), "model")
    assert not (tmp_path / "it_ran").exists()
