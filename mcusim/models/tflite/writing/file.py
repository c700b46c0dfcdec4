"""Tensors and operators -> the bytes of a `.tflite` file. The same ones give the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np

from mcusim.graph import Shape
from mcusim.models.tflite.schema import IDENTIFIER, OPERATORS, OPTIONS, TYPES
from mcusim.system.arrays import Array

SCHEMA_VERSION = 3
BUFFER_ALIGNMENT = 16  # runtimes read constants where they lie
LARGEST_OLD_OPERATOR = 127  # what the field of old files holds
SIGNATURE = "serving_default"
LEAST_RUNTIME = ("min_runtime_version", b"2.15.0\0")


@dataclass
class Tensor:
    """`shape` with the batch. `scales`, `zeros`: none, one, or one for each place along `axis`. Buffer 0 is empty."""

    name: str
    shape: Shape
    dtype: str
    scales: Sequence[float] = ()
    zeros: Sequence[int] = ()
    axis: int = 0
    buffer: int = 0


@dataclass(frozen=True)
class Operator:
    """`kind` as in schema.OPERATORS, `options` as in schema.OPTIONS."""

    kind: str
    version: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, float]


@dataclass
class File:
    """`inputs` and `outputs`: tensors, in the order in which the model has them, by their names."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    _known: dict[bytes, int] = field(default_factory=dict)

    def tensor(self, tensor: Tensor, data: Array | None = None) -> int:
        """Its index. `data`: of a constant; equal ones are stored once."""
        if data is not None:
            stored = np.ascontiguousarray(data, np.dtype(tensor.dtype).newbyteorder("<")).tobytes()
            tensor.buffer = self._known.setdefault(stored, len(self.buffers))
            if tensor.buffer == len(self.buffers):
                self.buffers.append(stored)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def written(self, name: str, description: str) -> bytes:
        return _Writer(self).written(name, description)


class _Writer:
    """Flatbuffers are written from their end: what is pointed to comes first."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.builder = flatbuffers.Builder(1024)

    def written(self, name: str, description: str) -> bytes:
        file = self.file
        codes = list(dict.fromkeys((operator.kind, operator.version) for operator in file.operators))
        metadata, content = LEAST_RUNTIME
        buffers = self._tables([*file.buffers, content], self._buffer)
        tensors = self._tables(file.tensors, self._tensor)
        operators = self._tables(file.operators, lambda one: self._operator(one, codes.index((one.kind, one.version))))
        ends = [self._integers(list(one.values())) for one in (file.inputs, file.outputs)]
        told = self.builder.CreateString(name)
        graph = self._table({0: tensors, 1: ends[0], 2: ends[1], 3: operators, 4: told})
        parts = {
            1: self._tables(codes, self._code),
            2: self._vector([graph]),
            3: self.builder.CreateString(description),
            4: buffers,
            6: self._tables([(metadata, len(file.buffers))], self._metadata),
            7: self._vector([self._signature()]),
        }
        model = self._table(parts, {0: ("u32", SCHEMA_VERSION)})
        self.builder.Finish(model, IDENTIFIER)
        return bytes(self.builder.Output())

    def _buffer(self, content: bytes) -> int:
        parts = {}
        if content:
            self.builder.StartVector(1, len(content), BUFFER_ALIGNMENT)
            self.builder.head -= len(content)
            self.builder.Bytes[self.builder.head : self.builder.head + len(content)] = content
            parts[0] = self.builder.EndVector()
        return self._table(parts)

    def _tensor(self, tensor: Tensor) -> int:
        parts = {0: self._integers(tensor.shape), 3: self.builder.CreateString(tensor.name)}
        if len(tensor.scales):
            numbers = {
                2: self.builder.CreateNumpyVector(np.array(tensor.scales, np.float32)),
                3: self.builder.CreateNumpyVector(np.array(tensor.zeros, np.int64)),
            }
            parts[4] = self._table(numbers, {6: ("i32", tensor.axis)})
        return self._table(parts, {1: ("i8", TYPES.index(tensor.dtype)), 2: ("u32", tensor.buffer)})

    def _operator(self, operator: Operator, code: int) -> int:
        parts = {1: self._integers(operator.inputs), 2: self._integers(operator.outputs)}
        known = OPTIONS.get(operator.kind)
        if known is not None:
            told = {known.fields[name][0]: (known.fields[name][1], value) for name, value in operator.options.items()}
            parts[4] = self._table({}, told)
        return self._table(parts, {0: ("u32", code), 3: ("u8", known.number if known else 0)})

    def _code(self, code: tuple[str, int]) -> int:
        kind, version = code
        number = OPERATORS.index(kind)
        old = min(number, LARGEST_OLD_OPERATOR)
        return self._table({}, {0: ("i8", old), 2: ("i32", version), 3: ("i32", number)})

    def _metadata(self, entry: tuple[str, int]) -> int:
        name, buffer = entry
        return self._table({0: self.builder.CreateString(name)}, {1: ("u32", buffer)})

    def _signature(self) -> int:
        maps = [self._tables(list(ends.items()), self._pair) for ends in (self.file.inputs, self.file.outputs)]
        return self._table({0: maps[0], 1: maps[1], 2: self.builder.CreateString(SIGNATURE)})

    def _pair(self, pair: tuple[str, int]) -> int:
        return self._table({0: self.builder.CreateString(pair[0])}, {1: ("u32", pair[1])})

    # -- parts of any flatbuffer ---------------------------------------------------------------------------------------

    def _table(self, parts: Mapping[int, int], numbers: Mapping[int, tuple[str, float]] | None = None) -> int:
        """`parts`: offsets by slot. `numbers`: kind and value by slot; what is 0 is written, too: defaults differ."""
        builder = self.builder
        builder.StartObject(1 + max([*parts, *(numbers or {})], default=-1))
        for slot, offset in parts.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, (kind, value) in (numbers or {}).items():
            self._prepend(kind)(float(value) if kind == "f32" else int(value))
            builder.Slot(slot)
        return int(builder.EndObject())

    def _prepend(self, kind: str) -> Callable[[float], None]:
        builder = self.builder
        known: Mapping[str, Callable[[float], None]] = {
            "bool": builder.PrependBool,
            "f32": builder.PrependFloat32,
            "i8": builder.PrependInt8,
            "i32": builder.PrependInt32,
            "u8": builder.PrependUint8,
            "u32": builder.PrependUint32,
        }
        return known[kind]

    def _integers(self, values: Sequence[int]) -> int:
        return int(self.builder.CreateNumpyVector(np.array(values, np.int32)))

    def _tables(self, entries: Sequence[object], write: Callable[..., int]) -> int:
        return self._vector([write(entry) for entry in entries])

    def _vector(self, offsets: Sequence[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())
