"""`.onnx` file -> Model: which field of protobuf means what (onnx.proto of github.com/onnx/onnx).

What is not needed is not looked at: texts for people, training, quantization hints, shapes of inner tensors. Graphs
inside of nodes are not read.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcusim.models.onnx.model import STANDARD, Declared, Model, Node
from mcusim.models.onnx.tensors import DTYPES, LARGEST_FILE_BYTES, TensorReader
from mcusim.models.onnx.wire import Message, broken
from mcusim.system.errors import ModelError
from mcusim.system.files import read_file

OLDEST_OPSET, NEWEST_OPSET = 1, 25
MOST_NODES = 20_000
INSIDE = "a graph inside"  # what stands for an attribute that is one


def model_in(path: Path) -> Model:
    """Raises ModelError whatever is wrong with the file."""
    data = read_file(path, LARGEST_FILE_BYTES, hint="export the model again", kind=ModelError)
    return model_of(memoryview(data), TensorReader(path.parent))


def model_of(data: memoryview, tensors: TensorReader) -> Model:
    """Raises ModelError for what is no such file."""
    message = Message(data)
    opsets = {one.text(1): one.whole(2) for one in message.messages(8)}
    graph = message.message(7)
    if graph is None or not opsets:
        raise broken("it holds no graph")
    for name in STANDARD:
        if name in opsets:
            opsets[""] = opsets[name]
    if all(one.text(7) not in STANDARD for one in graph.messages(1)):  # whose operators it has none of
        opsets.setdefault("", NEWEST_OPSET)
    _check_opset(opsets)
    constants = {one.text(8): tensors.array(one) for one in graph.messages(5)}
    if 15 in graph:
        raise ModelError("the model has sparse weights", hint="export it with dense ones")
    if len(graph.parts(1)) > MOST_NODES:
        raise ModelError(f"the model has more than {MOST_NODES} nodes", hint="use a smaller model")
    return Model(
        nodes=tuple(_node(one, tensors) for one in graph.messages(1)),
        # Before version 4 of the format weights were listed among the inputs, too.
        inputs=tuple(one for one in map(_declared, graph.messages(11)) if one.name not in constants),
        outputs=tuple(map(_declared, graph.messages(12))),
        constants=constants,
        opsets=opsets,
    )


def _check_opset(opsets: Mapping[str, int]) -> None:
    version = opsets.get("")
    if version is None:
        raise ModelError("the model uses no operators of ONNX itself", hint="export it as standard ONNX")
    if not OLDEST_OPSET <= version <= NEWEST_OPSET:
        hint = "export it again, for example torch.onnx.export(model, example, 'model.onnx', opset_version=17)"
        what = f"the model is of opset {version}, known are {OLDEST_OPSET} to {NEWEST_OPSET}"
        raise ModelError(what, hint=hint)


def _node(message: Message, tensors: TensorReader) -> Node:
    return Node(
        kind=message.text(4),
        inputs=tuple(message.texts(1)),
        outputs=tuple(message.texts(2)),
        attributes={one.text(1): _attribute(one, tensors) for one in message.messages(5)},
        name=message.text(3),
        domain="" if message.text(7) in STANDARD else message.text(7),
    )


def _attribute(message: Message, tensors: TensorReader) -> Any:
    """By its type; files of before 2017 do not tell it, and have but one field."""
    kind = message.whole(20) or next((kind for kind, (number, _) in ATTRIBUTES.items() if number in message), 0)
    number, read = ATTRIBUTES.get(kind, (0, lambda *_: INSIDE))
    return read(message, number, tensors)


def _tensor(message: Message, number: int, tensors: TensorReader) -> Any:
    inner = message.message(number)
    if inner is None:
        raise broken("an attribute has no value")
    return tensors.array(inner)


# Type of an attribute -> number of the field that holds it, and how it is read.
ATTRIBUTES: Mapping[int, tuple[int, Callable[[Message, int, TensorReader], Any]]] = {
    1: (2, lambda message, number, tensors: message.real(number)),
    2: (3, lambda message, number, tensors: message.whole(number)),
    3: (4, lambda message, number, tensors: message.text(number)),
    4: (5, _tensor),
    6: (7, lambda message, number, tensors: tuple(message.reals(number).tolist())),
    7: (8, lambda message, number, tensors: tuple(message.wholes(number).tolist())),
    8: (9, lambda message, number, tensors: tuple(message.texts(number))),
}


def _declared(message: Message) -> Declared:
    """ValueInfoProto."""
    outer = message.message(2)
    tensor = outer.message(1) if outer else None
    if tensor is None:
        return Declared(message.text(1), None, "")
    shape = tensor.message(2)
    # What is open has a name, or nothing; some exporters write 0 or -1.
    axes = None if shape is None else tuple(max(0, one.whole(1)) or None for one in shape.messages(1))
    return Declared(message.text(1), axes, DTYPES.get(tensor.whole(1), ("", ""))[0])
