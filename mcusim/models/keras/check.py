"""Is this file a model that Keras may build? Decided from its description, before Keras sees it.

Keras' safe mode alone is not enough: a description names Python modules and classes, and a layer of a billion units
fills the memory while it is built. So: only layers with a kernel, only classes of Keras itself, and no size that the
stored weights do not have.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcusim.models.keras.layers import KERAS_NAMES
from mcusim.system.errors import ModelError, suggestion

LARGEST_DESCRIPTION_BYTES = 16 * 2**20
LARGEST_ARRAY_ELEMENTS = 2**26
LARGEST_TENSOR_ELEMENTS = 2**24
CONTAINERS = ("Sequential", "Functional", "Model")
SIZES = ("units", "filters")
# What a description may name beside layers: values that Keras rebuilds from its own code.
PLAIN_MODULES = ("keras.initializers", "keras.regularizers", "keras.constraints", "keras.dtype_policies")
PLAIN_CLASSES = ("DTypePolicy", "__keras_tensor__", "__tensor__", "__tuple__", "TensorShape")


def check(path: Path) -> None:
    """Raise ModelError unless the file describes a model of known layers with weights of believable size."""
    try:
        is_zip = zipfile.is_zipfile(path)
        description, sizes = _read_keras(path) if is_zip else _read_h5(path)
        _check_description(description, sizes)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
    except RecursionError:
        raise ModelError("the model's description is nested too deeply", where=str(path), hint="flatten it") from None


def no_kernel(name: str, kind: str) -> ModelError:
    """The error for a layer that mcusim does not know."""
    near = suggestion(kind, KERAS_NAMES)
    supported = "supported layers: " + ", ".join(KERAS_NAMES)
    return ModelError(f"layer {name!r} ({kind}) has no kernel", hint=near if near.startswith("did") else supported)


def _broken(reason: object) -> ModelError:
    return ModelError(f"this is no readable Keras model: {reason}", hint="save it again with model.save('model.keras')")


def _read_keras(path: Path) -> tuple[Any, set[int]]:
    """The description of a .keras archive and the axis lengths of its weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in ("config.json", "model.weights.h5"):
                if name not in archive.namelist():
                    raise _broken(f"it has no {name!r}")
            if archive.getinfo("config.json").file_size > LARGEST_DESCRIPTION_BYTES:
                raise _broken("its description is too large")
            if archive.testzip() is not None:
                raise _broken("its checksum is wrong")
            description = json.loads(archive.read("config.json"))
            with archive.open("model.weights.h5") as file:
                return description, _axis_lengths(file)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _broken(error) from None


def _read_h5(path: Path) -> tuple[Any, set[int]]:
    """The same of a legacy .h5 file."""
    import h5py

    try:
        with path.open("rb") as file:
            lengths = _axis_lengths(file)
            file.seek(0)
            with h5py.File(file, "r") as archive:
                if "model_config" not in archive.attrs:
                    raise _broken("it holds no 'model_config' (weights alone are not a model)")
                return json.loads(archive.attrs["model_config"]), lengths
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _broken(error) from None


def _axis_lengths(file: Any) -> set[int]:
    """Lengths of all axes of all arrays in an HDF5 file."""
    import h5py

    lengths: set[int] = set()

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.size is None or item.size > LARGEST_ARRAY_ELEMENTS:
                raise _broken(f"array {name!r} has {item.size} elements")
            lengths.update(item.shape)

    with h5py.File(file, "r") as archive:
        archive.visititems(visit)
    return lengths


def _check_description(description: Any, sizes: set[int]) -> None:
    if not isinstance(description, dict) or description.get("class_name") not in CONTAINERS:
        kind = description.get("class_name") if isinstance(description, dict) else type(description).__name__
        hint = "use keras.Sequential or keras.Model (functional)"
        raise ModelError(f"a model of class {kind!r} is not supported", hint=hint)
    for layer in _layers(description):
        _check_layer(layer, sizes)
    for value in _objects(description):
        _check_object(value)


def _layers(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Layers of a model's description, those of nested models too."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise _broken("its description lists no layers")
    for layer in layers:
        if layer.get("class_name") in CONTAINERS:
            yield from _layers(layer)
        else:
            yield layer


def _check_layer(layer: dict[str, Any], sizes: set[int]) -> None:
    kind, config = layer.get("class_name"), layer.get("config")
    if not isinstance(config, dict):
        raise _broken(f"a layer ({kind!r}) has no configuration")
    name = str(config.get("name"))
    if kind not in KERAS_NAMES:
        raise no_kernel(name, str(kind))
    for key in SIZES:
        value = config.get(key)
        if value is not None and (not isinstance(value, int) or value not in sizes):
            raise _broken(f"layer {name!r} ({kind}) says {key} = {value}, which none of the stored weights has")
    shape = config.get("batch_shape") or config.get("batch_input_shape") or []
    elements = math.prod(axis for axis in shape[1:] if isinstance(axis, int))
    if elements > LARGEST_TENSOR_ELEMENTS:
        raise ModelError(f"layer {name!r} ({kind}) takes {elements} numbers", hint="use a smaller input")
    _check_extent(name, kind, config)


def _check_extent(name: str, kind: Any, config: dict[str, Any]) -> None:
    """No padding, window, multiplier or target shape beyond what a microcontroller could hold."""
    for key in ("padding", "pool_size", "kernel_size", "strides", "target_shape", "depth_multiplier", "groups"):
        for number in _numbers(config.get(key)):
            if abs(number) > LARGEST_TENSOR_ELEMENTS // 2**8:
                raise ModelError(f"layer {name!r} ({kind}) says {key} = {number}", hint="use a smaller one")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)):
        yield value
    for item in value if isinstance(value, (list, tuple)) else ():
        yield from _numbers(item)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All serialized objects in a description."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _objects(item)


def _check_object(value: dict[str, Any]) -> None:
    """Refuse whatever would make Keras import or rebuild code that is not its own."""
    kind, module = value["class_name"], value.get("module")
    known = kind in KERAS_NAMES or kind in CONTAINERS or kind in PLAIN_CLASSES
    foreign = module is not None and not str(module).startswith(("keras.", "tensorflow.keras.")) and module != "keras"
    plain = module in PLAIN_MODULES or module is None
    if foreign or value.get("registered_name") not in (None, kind, module, "Functional") or not (known or plain):
        what = f"the model names {module or 'a class'}.{kind}, which is not a plain Keras object"
        raise ModelError(what, hint="save a model made of Keras' own layers only")
