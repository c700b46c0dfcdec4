"""Keras file -> what Keras computes, layer by layer. Only files that our own reader has accepted whole get here."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.models.keras.file import weights_beside
from mcusim.models.reference import Values
from mcusim.models.source import Origin
from mcusim.system.arrays import Array
from mcusim.system.tool import installed

# Packages that Keras runs on, as they may be called.
BACKENDS = {"tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly"), "jax": ("jax",), "torch": ("torch",)}
UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
# Settings that change nothing in what our reader accepts.
OF_KERAS_2 = {"DepthwiseConv2D": "groups", **dict.fromkeys(("GRU", "LSTM", "SimpleRNN"), "time_major")}


def version() -> str | None:
    keras, backend = installed("keras"), _backend()
    return f"keras {keras} ({backend[0]} {backend[1]})" if keras and backend else None


def install() -> str:
    absent = "TensorFlow, on which Keras runs," if installed("keras") else "Keras"
    return f"{absent} is not installed: pip install mcusim[train]"


def values(path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the same sums on every machine
    if backend := _backend():
        os.environ["KERAS_BACKEND"] = backend[0]
    _keep_home_clean()
    model = _load(path)
    size = model.inputs[0].shape[0] or len(samples[0])
    outputs: list[list[Array]] = []
    layers: dict[Origin, list[Array]] = {}
    for batch in _batches(samples, size):
        outputs.append([_array(output) for output in _called(model, batch)])
        for origin, value in _looked_into(model, batch).items():
            layers.setdefault(origin, []).append(value)
    count, asked = len(samples[0]), set(wanted)
    kept = {origin: np.concatenate(parts)[:count] for origin, parts in layers.items() if origin in asked}
    return Values([np.concatenate(parts)[:count] for parts in zip(*outputs, strict=True)], kept, _unit(model))


def _keep_home_clean() -> None:
    """Where Keras finds no settings it writes some: then into the folder of this process, which is temporary."""
    home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    if not (home / "keras.json").is_file():
        os.environ["KERAS_HOME"] = os.getcwd()


def _backend() -> tuple[str, str] | None:
    """Its name and version: the one that the user has chosen, else the first that is there."""
    chosen = os.environ.get("KERAS_BACKEND")
    for name in (chosen,) if chosen in BACKENDS else BACKENDS:
        found = next(filter(None, map(installed, BACKENDS[name])), None)
        if found:
            return name, found
    return None


def _load(path: Path) -> Any:
    import keras

    known = {kind: _without(setting, getattr(keras.layers, kind)) for kind, setting in OF_KERAS_2.items()}
    with keras.saving.custom_object_scope(known):  # of layers inside of layers, too
        if path.suffix != ".json":
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        model = keras.models.model_from_json(path.read_text(encoding="utf-8"))
    model.load_weights(weights_beside(path))
    return model


def _without(setting: str, kind: type) -> type:
    """A layer that takes a setting of Keras 2 which Keras 3 does not read, and which our reader has looked at."""

    def __init__(self: Any, *given: Any, **settings: Any) -> None:
        settings.pop(setting, None)
        kind.__init__(self, *given, **settings)  # type: ignore[misc]

    return type(kind.__name__, (kind,), {"__init__": __init__})


def _batches(samples: Sequence[Array], size: int) -> Iterator[list[Array]]:
    """As many samples as the model takes at once; the last ones again where there are too few."""
    for start in range(0, len(samples[0]), size):
        positions = np.minimum(np.arange(start, start + size), len(samples[0]) - 1)
        yield [field[positions] for field in samples]


def _called(model: Any, batch: Sequence[Array]) -> list[Any]:
    import keras

    functional = getattr(model, "_functional", None) or model
    structure = getattr(functional, "_inputs_struct", None)
    given = batch[0] if len(batch) == 1 and not isinstance(structure, (dict, list)) else list(batch)
    if isinstance(structure, (dict, tuple)):
        given = keras.tree.pack_sequence_as(structure, list(batch))
    return list(keras.tree.flatten(model(given, training=False)))


def _array(tensor: Any) -> Array:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")), np.float32)


def _unit(model: Any) -> float:
    types = {str(getattr(layer, "compute_dtype", "")) for layer in model._flatten_layers()}
    return max([UNITS[name] for name in types if name in UNITS], default=float(np.finfo(np.float32).eps))


def _looked_into(model: Any, batch: Sequence[Array]) -> dict[Origin, Array]:
    """Empty where this Keras does not let itself be looked into: it is another one than we know."""
    import keras

    found: dict[Origin, Any] = {}
    try:
        _walk(model, [keras.ops.convert_to_tensor(field) for field in batch], Origin(), found)
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
    return {origin: _array(value) for origin, value in found.items()}


def _walk(model: Any, tensors: Sequence[Any], inside: Origin, found: dict[Origin, Any]) -> list[Any]:
    """Call the layers of a model one by one, those of models in it, too; -> its outputs.

    What Keras does in `Function._run_through_graph`; layers are numbered as a file numbers their calls.
    """
    from keras import tree

    function = getattr(model, "_functional", None) or model
    nodes = [
        node for depth in sorted(function._nodes_by_depth, reverse=True) for node in function._nodes_by_depth[depth]
    ]
    own = {id(node) for node in nodes}
    made = {id(symbol): tensor for symbol, tensor in zip(function.inputs, tensors, strict=True)}
    for node in nodes:
        operation = node.operation
        if not operation or node.is_input:
            continue
        number = [id(one) for one in operation._inbound_nodes if id(one) in own].index(id(node))
        origin = Origin((*inside.path, operation.name), (*inside.calls, number))
        arguments, keywords = node.arguments.fill_in(made)
        if getattr(operation, "_call_has_training_arg", False):
            keywords = {**keywords, "training": False}  # augmentation trains when it is not told
        if hasattr(operation, "layers"):
            given = [value for value in tree.flatten((arguments, keywords)) if hasattr(value, "shape")]
            outputs = _walk(operation, given, origin, found)
        else:
            outputs = tree.flatten(operation(*arguments, **keywords))
            found[origin] = outputs[0]
        made |= {id(symbol): tensor for symbol, tensor in zip(node.outputs, outputs, strict=True)}
    return [made[id(symbol)] for symbol in function.outputs]
