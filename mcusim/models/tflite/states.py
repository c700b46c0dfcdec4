"""Model -> Model without variables: what is kept from call to call is an input, what becomes of it an output.

Models that stream are made so: each call gets a few steps of a series, and finds those before them in variables. A
sample knows nothing of another here, so the caller hands on what was kept; where a call begins anew it is 0.
"""

from collections.abc import Mapping
from dataclasses import replace

from mcusim.models.tflite.description import Model, Tensor
from mcusim.system.errors import ModelError

HANDLE, READ, WRITE, ONCE = "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"
UNPROVED = "TensorFlow Lite Micro keeps the variables of a model itself, so that no sample can be given any"
NEXT = "_next"


def with_states(model: Model) -> tuple[Model, tuple[str, ...]]:
    """And a note, where it has variables. What is never written in a call is a constant, set when all begins."""
    handles = {one.outputs[0]: str(one.extra) for one in model.operations if one.kind == HANDLE and one.outputs}
    if not handles:
        return model, ()
    written = {one.inputs[0] for one in model.operations if one.kind == WRITE and len(one.inputs) == 2}
    tensors, names = [*model.tensors], dict(model.names)
    now: dict[int, int] = {}  # of variables, by handle: the tensor that has its value
    places: dict[int, int] = {}  # what was read again, or is a constant -> that tensor
    states, operations = [], []
    begun = _begun(model, handles)
    for operation in model.operations:
        inputs = tuple(places.get(index, index) for index in operation.inputs)
        if operation.kind == READ and inputs and inputs[0] in handles:
            handle, output = inputs[0], operation.outputs[0]
            if handle not in now and handle in written:
                states.append((handle, output))
                names[output] = handles[handle] or model.tensors[output].name
            elif handle not in now:
                tensors[output] = _constant(tensors[output], begun.get(handles[handle]))
            places[output] = now.setdefault(handle, output)
        elif operation.kind == WRITE and len(inputs) == 2 and inputs[0] in handles:
            now[inputs[0]] = inputs[1]
        elif operation.kind not in (HANDLE, ONCE):
            operations.append(replace(operation, inputs=inputs))
    ends = [now[handle] for handle, _ in states]
    made = replace(
        model,
        tensors=tuple(tensors),
        operations=tuple(operations),
        inputs=(*model.inputs, *(state for _, state in states)),
        outputs=(*(places.get(index, index) for index in model.outputs), *ends),
        names=names,
        kept=tuple(names[state] + NEXT for _, state in states),
        inner=() if all(one.kind != "WHILE" for one in operations) else model.inner,
    )
    return made, (_told(len(states)),) if states else ()


def _told(count: int) -> str:
    what = f"{count} variables, which the file keeps" if count > 1 else "a variable, which the file keeps"
    return f"{what} from call to call, are inputs and outputs (..{NEXT}) here: hand them on, and begin with 0"


def _begun(model: Model, handles: Mapping[int, str]) -> Mapping[str, Tensor]:
    """What variables are set to when all begins, by name."""
    found = {}
    for inner in model.inner:
        named = {one.outputs[0]: str(one.extra) for one in inner.operations if one.kind == HANDLE and one.outputs}
        for operation in inner.operations:
            if operation.kind == WRITE and len(operation.inputs) == 2 and operation.inputs[0] in named:
                found[named[operation.inputs[0]]] = inner.tensors[operation.inputs[1]]
    return found


def _constant(tensor: Tensor, begun: Tensor | None) -> Tensor:
    if begun is None or begun.data is None or begun.shape != tensor.shape or begun.dtype != tensor.dtype:
        what = "the model reads a variable that nothing has written"
        raise ModelError(what, hint="convert it from the Keras model, so that its weights are in it")
    return replace(tensor, data=begun.data)
