"""`.tflite` file -> Model: a plain description of which every size, index and scale was looked at.

A file is hostile until proved otherwise. Offsets are checked where they are followed (flatbuffer.py); here it is seen
to that tensors and their buffers agree, that each tensor is written before it is read, and that nothing is too large.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.tflite.description import ABSENT, Model, Operation, Tensor
from mcusim.models.tflite.flatbuffer import Table, broken, root
from mcusim.models.tflite.schema import DTYPES, IDENTIFIER, OPERATORS, OPTIONS, TYPES
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened

LARGEST_FILE_BYTES = 2**28
LARGEST_WEIGHTS_ELEMENTS = 2**26  # that all operations read
MOST_ELEMENTS = 2**31 - 1
MOST_AXES = 8
OF_VELA = "CUSTOM:ethos-u"
MOST_OPERATIONS = 4096
MOST_SUBGRAPHS = 64
MOST_TENSORS_OF_AN_OPERATION = 128
MOST_SCALES = 2**14
MOST_INTEGERS = 2**12  # of a list
LONGEST_SHOWN = 60
INT32, FLOAT32, INT64 = np.dtype("<i4"), np.dtype("<f4"), np.dtype("<i8")


def read_file(path: Path) -> Model:
    """Raises ModelError for what is no TFLite model, or a damaged one."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ModelError("the model does not fit into memory", hint="use a smaller model")
        data = path.read_bytes()
    except OSError as error:
        raise broken(str(error.strerror or error)) from None
    return described(data)


def described(data: bytes) -> Model:
    """Raises ModelError likewise."""
    table = root(data, IDENTIFIER)
    graphs = list(table.tables(2))
    if not graphs:
        raise broken("it has no subgraph")
    if len(graphs) > MOST_SUBGRAPHS:
        raise ModelError(f"the model has {len(graphs)} subgraphs", hint="convert it without loops and conditions")
    buffers, codes = list(table.tables(4)), [_operator(code) for code in table.tables(1)]
    first, *others = (_subgraph(graph, buffers, codes) for graph in graphs)
    return replace(first, names=_names(table.tables(7)), inner=tuple(others))


def _subgraph(graph: Table, buffers: Sequence[Table], codes: Sequence[tuple[str, int]]) -> Model:
    tensors = tuple(_tensor(index, entry, buffers) for index, entry in enumerate(graph.tables(0)))
    operations = tuple(_operation(index, entry, codes) for index, entry in enumerate(graph.tables(3)))
    model = Model(tensors, operations, inputs=_integers(graph, 1), outputs=_integers(graph, 2))
    _check_order(model)
    return model


def shown(name: str) -> str:
    """A name of the file as people are told it."""
    return shortened(printable(name), LONGEST_SHOWN)


# -- tensors -----------------------------------------------------------------------------------------------------------


def _tensor(index: int, table: Table, buffers: Sequence[Table]) -> Tensor:
    name, shape = table.text(3), _integers(table, 0)
    number = table.whole(1, "i8")
    dtype = TYPES[number] if 0 <= number < len(TYPES) else f"type {number}"
    if len(shape) > MOST_AXES or min(shape, default=0) < 0 or math.prod(shape) > MOST_ELEMENTS:
        raise broken(f"tensor {shown(name)!r} has the shape {shown(str(shape))}")
    sparse, signature = table.table(6) is not None, _integers(table, 7)
    made = Tensor(
        index,
        name,
        shape,
        signature if len(signature) == len(shape) else shape,
        dtype,
        data=_constant(name, shape, "sparse" if sparse else dtype, _stored(table, buffers)),
        variable=bool(table.whole(5, "bool")),
        sparse=sparse,
        **_scales(table.table(4), shape, name),
    )
    _check_numbers(made)
    return made


def _stored(table: Table, buffers: Sequence[Table]) -> Array | None:
    """The bytes of a tensor's buffer; None where there are none. Of large models they lie behind the flatbuffer."""
    number = table.whole(2, "u32")
    if number >= len(buffers):
        raise broken(f"there is no buffer {number}")
    buffer = buffers[number]
    start, size = buffer.whole(1, "u64"), buffer.whole(2, "u64")
    if start > 1:
        if start + size > len(table.data):
            raise broken("a buffer ends outside of the file")
        return np.frombuffer(table.data, np.uint8, size, start) if size else None
    stored = buffer.vector(0, np.dtype(np.uint8))
    return stored if stored is not None and len(stored) else None


def _constant(name: str, shape: Shape, dtype: str, stored: Array | None) -> Array | None:
    """Numbers of that shape; the bytes as they are of a type that NumPy lacks. A view, whatever lengths are told."""
    if stored is None:
        return None
    if dtype in DTYPES:
        needed = math.prod(shape) * DTYPES[dtype].itemsize
    else:
        needed = (math.prod(shape) + 1) // 2 if dtype == "int4" else len(stored)
    if len(stored) != needed:
        raise broken(f"tensor {shown(name)!r} of shape {shape} has a buffer of {len(stored)} bytes")
    return stored.view(DTYPES[dtype]).reshape(shape) if dtype in DTYPES else stored


def _scales(table: Table | None, shape: Shape, name: str) -> dict[str, Any]:
    if table is None:
        return {}
    scales, points = table.vector(2, FLOAT32), table.vector(3, INT64)
    if scales is None or len(scales) == 0:
        return {}
    if len(scales) > MOST_SCALES:
        raise broken(f"tensor {shown(name)!r} has {len(scales)} scales")
    points = np.broadcast_to(np.int64(0), len(scales)) if points is None or len(points) == 0 else points
    axis = table.whole(6, "i32") if len(shape) > 1 else 0  # person_detect tells the axis 3 of vectors
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise broken(f"tensor {shown(name)!r} of shape {shape} has {len(scales)} scales along axis {axis}")
    if len(points) != len(scales):
        raise broken(f"tensor {shown(name)!r} has {len(scales)} scales and {len(points)} zero points")
    return {"scales": scales, "zero_points": points, "axis": axis}


def _check_numbers(tensor: Tensor) -> None:
    """Scales of what stands for reals are finite and above 0; that of a bias, a product of two, may have become 0."""
    if not tensor.quantized or tensor.dtype not in (*DTYPES, "int4"):
        return
    wide = tensor.dtype in ("int32", "int64")
    with np.errstate(invalid="ignore"):
        wrong = ~np.isfinite(tensor.scales) | (tensor.scales < 0) | ((tensor.scales == 0) & (not wide))
    if wrong.any():
        raise broken(f"tensor {shown(tensor.name)!r} has a scale of {tensor.scales[wrong][0]}")
    lowest, highest = (-8, 7) if tensor.dtype == "int4" else _limits(DTYPES[tensor.dtype])
    if tensor.zero_points.min() < lowest or tensor.zero_points.max() > highest:
        raise broken(f"tensor {shown(tensor.name)!r} ({tensor.dtype}) has a zero point outside of its type")


def _limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    about = np.iinfo(dtype.newbyteorder("="))  # type: ignore[type-var]
    return int(about.min), int(about.max)


# -- operations --------------------------------------------------------------------------------------------------------


def _operator(code: Table) -> tuple[str, int]:
    """Name and version. Numbers from 127 on have a field of their own, which old files lack."""
    number = max(code.whole(0, "i8"), code.whole(3, "i32"))
    kind = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"operator {number}"
    if kind == "CUSTOM":
        kind = f"CUSTOM:{shown(code.text(1)) or 'unnamed'}"
    return kind, code.whole(2, "i32", 1)


def _operation(index: int, table: Table, codes: Sequence[tuple[str, int]]) -> Operation:
    number = table.whole(0, "u32")
    if number >= len(codes):
        raise broken(f"operation {index} has the operator code {number} of {len(codes)}")
    kind, version = codes[number]
    inputs, outputs = _integers(table, 1), _integers(table, 2)
    if max(len(inputs), len(outputs)) > MOST_TENSORS_OF_AN_OPERATION:
        raise broken(f"operation {index} ({kind}) has {len(inputs)} inputs and {len(outputs)} outputs")
    told = table.table(4) if kind == "VAR_HANDLE" else None
    variable = None if told is None else told.text(1)
    return Operation(index, kind, version, inputs, outputs, _options(kind, table, index), variable)


def _options(kind: str, table: Table, index: int) -> dict[str, float]:
    known, told = OPTIONS.get(kind), table.table(4)
    if known is None:
        return {}
    number = table.whole(3, "u8")
    if told is None or number == 0:
        return {name: default for name, (_, _, default) in known.fields.items()}
    if number != known.number:
        raise broken(f"operation {index} ({kind}) has the options of another operator")
    return {name: told.scalar(slot, form, default) for name, (slot, form, default) in known.fields.items()}


# -- what holds for the whole ------------------------------------------------------------------------------------------


def _integers(table: Table, slot: int) -> tuple[int, ...]:
    found = table.vector(slot, INT32)
    if found is None:
        return ()
    if len(found) > MOST_INTEGERS:
        raise broken(f"it has a list of {len(found)} numbers")
    return tuple(found.tolist())


def _names(signatures: Iterable[Table]) -> Mapping[int, str]:
    """Of tensors, by the first signature."""
    for signature in signatures:
        if signature.whole(4, "u32") == 0:
            return {pair.whole(1, "u32"): pair.text(0) for slot in (0, 1) for pair in signature.tables(slot)}
    return {}


def _check_order(model: Model) -> None:
    """What is read was written before, and nothing is written twice: no circle, and no order to look for."""
    if len(model.operations) > MOST_OPERATIONS:
        raise ModelError(f"the model has more than {MOST_OPERATIONS} layers", hint="use a smaller model")
    count = len(model.tensors)
    _check_indices((*model.inputs, *model.outputs), count, "the model")
    weights = 0
    known = {tensor.index for tensor in model.tensors if tensor.data is not None or tensor.variable}
    _write(model.inputs, known, "an input of the model")
    for operation in model.operations:
        what = f"operation {operation.index} ({operation.kind})"
        if operation.kind == OF_VELA:
            raise ModelError(f"{what} is a program for an Ethos-U", hint="give the file that Vela made this one of")
        read = [index for index in operation.inputs if index != ABSENT]
        _check_indices((*read, *operation.outputs), count, what)
        empty = {index for index in read if model.tensors[index].elements == 0}
        if missing := set(read) - known - empty:
            raise broken(f"{what} reads tensor {min(missing)} before it is written")
        weights += sum(data.size for index in read if (data := model.tensors[index].data) is not None)
        if weights > LARGEST_WEIGHTS_ELEMENTS:
            raise ModelError("the model has too many weights", hint="use a smaller model")
        _write(operation.outputs, known, what)
    if missing := set(model.outputs) - known:
        raise broken(f"tensor {min(missing)} is an output of the model, and nothing writes it")


def _check_indices(indices: Iterable[int], count: int, what: str) -> None:
    for index in indices:
        if not 0 <= index < count:
            raise broken(f"{what} names the tensor {index}, and there are {count}")


def _write(outputs: Sequence[int], known: set[int], what: str) -> None:
    for index in outputs:
        if index in known:
            raise broken(f"{what} writes tensor {index}, which is written already")
        known.add(index)
