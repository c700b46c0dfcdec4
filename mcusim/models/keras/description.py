"""Description of a model (JSON of any Keras from 2.0 on) -> its layers and how they call each other.

Only `config` and the calls (`inbound_nodes`) are looked at: what a model was compiled or built with stays unread. A
Sequential becomes the same thing as a Functional model: each layer calls the one before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mcusim.models.keras.hdf5 import broken, reading
from mcusim.system.errors import ModelError
from mcusim.system.names import printable

SEQUENTIAL = "Sequential"
MODELS = (SEQUENTIAL, "Functional", "Model", "Network")
INPUT = "InputLayer"
# Layers whose settings do not tell whether they are trained.
UNTRAINED = (INPUT, "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
SHAPES = ("batch_shape", "batch_input_shape")
# Modules of Keras itself, under all the names that it had.
KERAS_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
}
CONSTANT = "_CONSTANT_VALUE"  # what Keras 2 writes for the layer of a first argument that is no tensor
MOST_LAYERS = 4096
MOST_NESTED = 8
LONGEST_NAME = 100


@dataclass(frozen=True)
class Ref:
    """A tensor: the layer (by its place in the model), which of its calls, which output of the call."""

    layer: int
    call: int = 0
    output: int = 0


@dataclass(frozen=True)
class Call:
    """What a layer is called with: Refs, and constants as JSON has them, in lists and dicts as the user wrote them."""

    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_keras_2: bool = True

    @property
    def refs(self) -> Iterator[Ref]:
        """In order of the arguments."""
        return refs_in([self.arguments, self.keywords])


def refs_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        value = list(value.values())
    for item in value if isinstance(value, (list, tuple)) else ():
        yield from refs_in(item)


@dataclass(frozen=True)
class Described:
    """A layer, or a model of `layers`; then `inputs` and `outputs` are Refs to those, with names that the user gave.

    `shared`: equal for places of the description that are one object. `numbers`: those of `calls`.
    """

    name: str
    kind: str
    module: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...] = ()
    shared: int | None = None
    numbers: tuple[int, ...] = ()
    layers: "tuple[Described, ...]" = ()
    inputs: tuple[tuple[str | None, Ref], ...] = ()
    outputs: tuple[tuple[str | None, Ref], ...] = ()

    @property
    def is_model(self) -> bool:
        return bool(self.layers)

    @property
    def is_operation(self) -> bool:
        """A function that was called on tensors, and no layer. `.h5` files do not tell, but layers can be trained."""
        if not self.module:
            in_keras_3 = any(not call.is_keras_2 for call in self.calls)
            return in_keras_3 and not self.is_model and self.kind not in UNTRAINED and "trainable" not in self.config
        return ".ops." in self.module or ".activations" in self.module


def described(description: Any) -> Described:
    """Raises ModelError unless it is a Sequential or Functional model."""
    if not isinstance(description, dict) or _kind(description) not in MODELS:
        kind = _kind(description) if isinstance(description, dict) else type(description).__name__
        hint = "use keras.Sequential or keras.Model (functional)"
        raise ModelError(f"a model of class {printable(kind)!r} is not supported", hint=hint)
    with reading():
        return _model(description, (), 0)


def _kind(entry: Mapping[str, Any]) -> str:
    """The class, called as Keras' own only when it is."""
    kind, module, registered = str(entry.get("class_name")), entry.get("module"), entry.get("registered_name")
    package, _, name = kind.rpartition(">")
    if package and _is_keras(package):
        kind = name
    foreign = isinstance(registered, str) and ">" in registered and not _is_keras(registered.partition(">")[0])
    if foreign or not (module is None or _is_keras(str(module))):
        return str(registered if foreign else f"{module}>{kind}")
    return RENAMED.get(kind, kind)


def _is_keras(module: str) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in KERAS_MODULES)


def _layer(entry: Any, calls: tuple[Call, ...], depth: int) -> Described:
    if not isinstance(entry, dict):
        raise broken("its description lists something that is no layer")
    kind, config = _kind(entry), entry.get("config")
    if kind in MODELS:
        return _model(entry, calls, depth + 1)
    if not isinstance(config, dict):
        raise broken(f"a layer ({printable(kind)!r}) has no configuration")
    module = str(entry.get("module") or "")
    return Described(_name(entry), printable(kind), module, config, calls, _shared(entry))


def _name(entry: Mapping[str, Any]) -> str:
    config = entry.get("config")
    name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
    if not isinstance(name, str) or not name:
        name = str(entry.get("class_name")).lower()
    return name


def shown(name: str) -> str:
    """What a layer is called in the graph: without control characters, and not without end."""
    return printable(name.encode("utf-8", "replace").decode("utf-8"))[:LONGEST_NAME] or "layer"


def _shared(entry: Mapping[str, Any]) -> int | None:
    number = entry.get("shared_object_id")
    return number if type(number) is int else None


def _model(entry: Mapping[str, Any], calls: tuple[Call, ...], depth: int) -> Described:
    config = entry.get("config")
    if isinstance(config, list):  # Sequential before Keras 2.2
        config = {"layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list) or not config["layers"]:
        raise broken("its description lists no layers")
    if depth > MOST_NESTED:
        raise ModelError("models are nested too deeply", hint="flatten the model")
    if len(config["layers"]) > MOST_LAYERS:
        raise ModelError(f"the model has more than {MOST_LAYERS} layers", hint="use a smaller model")
    make = _sequential if "input_layers" not in config else _functional
    layers, inputs, outputs = make(config, depth)
    name = str(config.get("name") or entry.get("name") or "model")
    module = str(entry.get("module") or "")
    return Described(
        name, _kind(entry), module, config, calls, _shared(entry), layers=layers, inputs=inputs, outputs=outputs
    )


Ends = tuple[tuple["str | None", Ref], ...]
Parts = tuple[tuple[Described, ...], Ends, Ends]


def _sequential(config: Mapping[str, Any], depth: int) -> Parts:
    layers = [_layer(entry, (), depth) for entry in config["layers"]]
    if layers[0].kind != INPUT:
        layers.insert(0, Described("input", INPUT, "", _first_shape(layers[0], config)))
    called = (replace(layer, calls=(Call((Ref(place),)),), numbers=(0,)) for place, layer in enumerate(layers[1:]))
    return (layers[0], *called), ((None, Ref(0)),), ((None, Ref(len(layers) - 1)),)


def _first_shape(first: Described, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The input of a Sequential that has no InputLayer: its first layer tells, or what it was built for."""
    while first.is_model:
        first = first.layers[first.inputs[0][1].layer]
    told = {key: first.config[key] for key in SHAPES if first.config.get(key)}
    return told or {SHAPES[0]: config.get("build_input_shape")}


def _functional(config: Mapping[str, Any], depth: int) -> Parts:
    entries = config["layers"]
    if not all(isinstance(entry, dict) for entry in entries):
        raise broken("its description lists something that is no layer")
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        name = _name(entry)
        if name in places:
            hint = "give each layer a name of its own, and save the model again"
            raise ModelError(f"two layers are called {name[:LONGEST_NAME]!r}", hint=hint)
        places[name] = place
    refs = _Refs(places)
    layers = [_layer(entry, refs.calls(entry), depth) for entry in entries]
    outputs = _from_0(layers, refs.ends(config, "output_layers"))
    return tuple(_numbered(layers, outputs)), refs.ends(config, "input_layers"), outputs


def _numbered(layers: list[Described], outputs: Ends) -> Iterator[Described]:
    """Calls are numbered as others read them: the making of a nested model is a call, too, and so is any call that has
    nothing to do with this model, but neither is listed.
    """
    read: dict[int, set[int]] = {}
    for ref in (*(ref for layer in layers for call in layer.calls for ref in call.refs), *(ref for _, ref in outputs)):
        read.setdefault(ref.layer, set()).add(ref.call)
    for place, layer in enumerate(layers):
        numbers = sorted(read.get(place, ()))
        yield replace(layer, numbers=tuple(numbers if len(numbers) == len(layer.calls) else range(len(layer.calls))))


def _from_0(layers: list[Described], outputs: Ends) -> Ends:
    """Keras 3 counts the making of a nested model where it tells outputs, and nowhere else."""
    if all(call.is_keras_2 for layer in layers for call in layer.calls if list(call.refs)):
        return outputs
    made = {place for place, layer in enumerate(layers) if layer.is_model and layer.kind != SEQUENTIAL}
    return tuple(
        (name, replace(ref, call=ref.call - 1) if ref.layer in made and ref.call else ref) for name, ref in outputs
    )


class _Refs:
    """Turns names of layers into their places, in every spelling that Keras had."""

    def __init__(self, places: Mapping[str, int]) -> None:
        self._places = places

    def calls(self, entry: Mapping[str, Any]) -> tuple[Call, ...]:
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list):
            raise broken(f"layer {_name(entry)!r} has no list of calls")
        if not nodes:
            return (Call(),) if _kind(entry) == INPUT else ()
        return tuple(self._call(node) for node in nodes)

    def _call(self, node: Any) -> Call:
        if isinstance(node, dict) and "args" in node:
            keywords = node.get("kwargs") or {}
            named = {key: self._value(value) for key, value in keywords.items()}
            return Call(tuple(map(self._value, node["args"])), named, is_keras_2=False)
        return self._keras_2(node)

    def _value(self, value: Any) -> Any:
        """Keras 3: tensors are objects in JSON."""
        if isinstance(value, dict):
            kind = value.get("class_name")
            if kind == "__keras_tensor__":
                return self._ref(*value["config"]["keras_history"])
            if kind in ("__tensor__", "__numpy__"):
                return value["config"]["value"]
            if kind == "__tuple__":
                return [self._value(item) for item in value["items"]]
            return {key: self._value(item) for key, item in value.items()}
        return [self._value(item) for item in value] if isinstance(value, list) else value

    def _keras_2(self, node: Any) -> Call:
        """[layer, call, output, keywords], a list of those, or a dict of them."""
        if isinstance(node, dict):
            return Call(({key: self._entry(entry)[0] for key, entry in node.items()},))
        if not isinstance(node, list) or not node:
            raise broken("a layer is called in a way that cannot be understood")
        if isinstance(node[0], str):
            argument, keywords = self._entry(node)
            return Call((argument,), keywords)
        entries = [self._entry(entry) for entry in node]
        keywords = entries[0][1]
        return Call((entries[0][0] if len(entries) == 1 else [argument for argument, _ in entries],), keywords)

    def _entry(self, entry: Any) -> tuple[Any, dict[str, Any]]:
        if not isinstance(entry, list) or len(entry) not in (3, 4):
            raise broken("a layer is called in a way that cannot be understood")
        given = entry[3] if len(entry) == 4 else None
        keywords = {key: self._keyword(value) for key, value in (given or {}).items()}
        return (entry[2] if entry[0] == CONSTANT else self._ref(*entry[:3])), keywords

    def _keyword(self, value: Any) -> Any:
        """Keras 2: a list that begins with the name of a layer is a tensor."""
        if isinstance(value, list):
            if len(value) == 3 and isinstance(value[0], str) and value[0] in self._places:
                return self._ref(*value)
            return [self._keyword(item) for item in value]
        return {key: self._keyword(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _ref(self, name: Any, call: Any, output: Any) -> Ref:
        if name not in self._places or type(call) is not int or type(output) is not int:
            raise broken(f"a layer reads {str(name)[:LONGEST_NAME]!r}, which is not there")
        return Ref(self._places[name], call, output)

    def ends(self, config: Mapping[str, Any], key: str) -> tuple[tuple[str | None, Ref], ...]:
        return tuple(self._ends(config.get(key), None))

    def _ends(self, value: Any, name: str | None) -> Iterator[tuple[str | None, Ref]]:
        """[name, call, output], a list of those, or a dict of either, whose items Keras numbers by sorted keys."""
        if isinstance(value, dict):
            for key in sorted(value):
                yield from self._ends(value[key], key)
        elif isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            yield name, self._ref(*value)
        elif isinstance(value, list):
            for item in value:
                yield from self._ends(item, name)
        else:
            raise broken("it does not tell its inputs and outputs")
