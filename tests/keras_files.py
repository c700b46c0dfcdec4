"""Files as Keras writes them, made by hand: without Keras, and as no Keras of today writes them any more."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mcusim.system.arrays import Array

Entry = dict[str, Any]


def layer(kind: str, name: str, **config: Any) -> Entry:
    return {"class_name": kind, "config": {"name": name, **config}}


def start(*shape: int | None, name: str = "start") -> Entry:
    return layer("InputLayer", name, batch_input_shape=[None, *shape], dtype="float32")


def dense(name: str, units: int, **config: Any) -> Entry:
    return layer("Dense", name, units=units, use_bias=True, activation="linear", **config)


def sequential(*layers: Entry, name: str = "model") -> Entry:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(layers: Sequence[Entry], inputs: Any, outputs: Any, name: str = "model") -> Entry:
    config = {"name": name, "layers": list(layers), "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def called(entry: Entry, *nodes: Any) -> Entry:
    """In a Functional model."""
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": list(nodes)}


def tensor(name: str, call: int = 0, output: int = 0) -> Entry:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, output]}}


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def write_keras(path: Path, description: Any, weights: Mapping[str, Sequence[Array]]) -> Path:
    """A `.keras` file; `weights` by folder."""
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        write_folders(file, weights)
    return write_archive(path, description, stored.getvalue())


def write_folders(file: h5py.Group, weights: Mapping[str, Sequence[Array]]) -> None:
    for folder, arrays in weights.items():
        group = file.require_group(folder).create_group("vars")
        for number, array in enumerate(arrays):
            group[str(number)] = array


def write_archive(path: Path, description: Any, weights: bytes) -> Path:
    text = description if isinstance(description, (bytes, str)) else json.dumps(description)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights)
    return path


Groups = Mapping[str, Mapping[str, Array]]


def write_legacy(path: Path, description: Any, groups: Groups, *, cut: bool = False, **attributes: Any) -> Path:
    """An `.h5` file; a description of None for weights alone. `cut`: long lists of names in pieces."""
    with h5py.File(path, "w") as file:
        if description is not None:
            file.attrs["model_config"] = json.dumps(description)
        root = file if description is None else file.create_group("model_weights")
        root.attrs.update(attributes)
        _names(root, "layer_names", list(groups), cut)
        for layer_name, arrays in groups.items():
            group = root.create_group(layer_name)
            _names(group, "weight_names", list(arrays), cut)
            for name, array in arrays.items():
                group[name] = array
    return path


def _names(group: h5py.Group, key: str, names: list[str], cut: bool) -> None:
    encoded = [name.encode() for name in names]
    if not cut:
        group.attrs[key] = encoded
        return
    for number, name in enumerate(encoded):
        group.attrs[f"{key}{number}"] = [name]
