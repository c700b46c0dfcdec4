"""The intermediate representation: layers in the order they run. Knows no particular layer, kernel or framework.

A Graph has two states and one type. Fresh from a model file its layers hold float32 weights; after `quantize` they hold
integers, and every tensor has its own `Numbers`. `run` interprets either: the result of a quantized Graph is, bit for
bit, what the generated C computes on a board.

    Graph     layers (topological order), name, outputs
    Layer     inputs (names of layers), and its output as a Tensor: name, shape, numbers (None while float32)

A sample is a record of all inputs in order, an answer one of all outputs. With one input a batch of samples is a plain
array (N, *shape), with several a structured one (N,) whose fields are called like the inputs; outputs likewise, flat.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mcusim.numbers.numbers import Numbers, Range, Rounding, Scheme
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError, suggestion
from mcusim.system.records import fields_of, records_of

Shape = tuple[int, ...]
CHUNK_BYTES = 2**25  # memory for the largest intermediate array while interpreting
CHUNK_BYTES_OF_INTEGERS = 2**22  # the same bits whatever the chunks, so as many as stay in the processor's cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """What has a place in memory. `shape` is without the batch."""

    name: str
    shape: Shape
    numbers: Numbers | None = None

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32) if self.numbers is None else self.numbers.dtype


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(Tensor):
    """One layer. Subclasses live one to a file in `mcusim/layers/` and are listed there in `LAYERS`."""

    inputs: tuple[str, ...]

    INPUT: ClassVar[bool] = False  # written by the caller of `cnn()`
    VIEW: ClassVar[bool] = False  # the output is the input's memory, seen with another shape
    IN_PLACE: ClassVar[bool] = False  # the output may overwrite an input of the same size
    KEEPS_NUMBERS: ClassVar[bool] = False  # the output has the input's numbers, whatever they are
    READS_UNSIGNED: ClassVar[bool] = False  # inputs may be stored without a sign, which leaves one bit more
    WRITES_UNSIGNED: ClassVar[bool] = False  # so may the output
    WRITES_WIDE: ClassVar[bool] = False  # the output of narrower numbers may be stored in 16 bits

    def run(self, *inputs: Array) -> Array:
        """Output for a batch: float32 before quantization, integers of `numbers` after."""
        raise NotImplementedError

    def inner_values(self, *inputs: Array) -> Mapping[str, Array]:
        """What is inside and needs a scale of its own, float32: `quantize` finds the ranges in `values.inner`."""
        return {}

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> "Layer":
        """The same layer on integers. `values` are those of its output on the calibration samples."""
        raise NotImplementedError

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        """Is no output negative, where no number is of those `inputs` that are True?"""
        return self.KEEPS_NUMBERS and all(inputs)

    @property
    def overwritable(self) -> tuple[str, ...]:
        """Inputs that the output may lie over, where it has their size."""
        return self.inputs if self.IN_PLACE else ()

    @property
    def arithmetic(self) -> Numbers | None:
        """The numbers it computes with. Not those of its output, where that is wider."""
        return self.numbers

    @property
    def weight_numbers(self) -> Numbers | None:
        """Of what it multiplies with, where it holds such."""
        return None

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def output_bytes(self) -> int:
        return self.elements * self.dtype.itemsize

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample, taps on padding included."""
        return 0

    @property
    def weights(self) -> Mapping[str, Array]:
        """Trained arrays by name (`kernel`, `bias`, ...)."""
        return {}

    @property
    def accumulator_peak(self) -> int:
        """Proved bound of any intermediate sum's magnitude, once quantized."""
        return 0

    @property
    def run_bytes(self) -> int:
        """Memory that `run` takes for one sample, about."""
        return 16 * self.elements


def has_narrow_weights(layer: Layer) -> bool:
    """Are they stored in fewer bytes than what they are multiplied with?"""
    own, weights = layer.arithmetic, layer.weight_numbers
    return own is not None and weights is not None and weights.dtype.itemsize < own.dtype.itemsize


@dataclass(frozen=True)
class Output:
    """An output of the model: what users call it, and the layer that computes it."""

    name: str
    layer: str


@dataclass(frozen=True)
class Skipped:
    """What an approximation leaves out of a layer: `count` of its `total`. `kind`: the approximation's name."""

    kind: str
    layer: str
    count: int
    total: int


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers in an order in which they can run, inputs first. Without `outputs` the last layer is the only one.

    `skipped`: what is not computed of the model as it was read, so that answers are others.
    """

    layers: tuple[Layer, ...]
    name: str = "model"
    data_type: str = "float32"
    scheme: str = ""
    rounding: Rounding = "nearest"
    notes: tuple[str, ...] = field(default=())
    outputs: tuple[Output, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        if not self.outputs:
            object.__setattr__(self, "outputs", (Output("output", self.layers[-1].name),))

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> Layer:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def inputs_of(self, layer: Layer) -> tuple[Layer, ...]:
        return tuple(self[name] for name in layer.inputs)

    def demand_layers(self, names: Iterable[str], where: str) -> None:
        """Raises ConfigurationError for one that is not there. `where`: who names them."""
        for name in names:
            if name not in self._by_name:
                what = f"model {self.name!r} has no layer {name!r}"
                raise ConfigurationError(what, where=where, hint=suggestion(name, self._by_name))

    def consumers(self, name: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if name in layer.inputs)

    @cached_property
    def inputs(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.INPUT)

    @cached_property
    def ends(self) -> tuple[Layer, ...]:
        """The layers of `outputs`."""
        return tuple(self[output.layer] for output in self.outputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The tensors of `outputs`, called like them."""
        named = zip(self.outputs, self.ends, strict=True)
        return tuple(Tensor(name=output.name, shape=end.shape, numbers=end.numbers) for output, end in named)

    @property
    def is_quantized(self) -> bool:
        """Does any tensor hold integers? Its ends may be real."""
        return any(layer.numbers is not None for layer in self.layers)

    @property
    def sample_dtype(self) -> np.dtype[Any]:
        """A sample as the firmware reads it, laid out as C does."""
        return record(self.inputs)

    @property
    def answer_dtype(self) -> np.dtype[Any]:
        """What the firmware answers, likewise; outputs are flat."""
        return record(self.output_tensors, flat=True)

    @property
    def skipped_by_kind(self) -> dict[str, dict[str, int]]:
        """How much of which layer."""
        kinds = dict.fromkeys(one.kind for one in self.skipped)
        return {kind: {one.layer: one.count for one in self.skipped if one.kind == kind} for kind in kinds}

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        return sum(array.size for layer in self.layers for array in layer.weights.values())

    def encode(self, x: Array) -> Array:
        """Real samples -> the numbers that the firmware reads, of `sample_dtype`.

        Raises DataError for a wrong shape, a missing input, NaN or infinity.
        """
        if len(self.inputs) == 1:
            return self._encoded(self.inputs[0], x)
        self._check_names(x)
        samples = np.zeros(len(x), self.sample_dtype)
        for layer in self.inputs:
            samples[layer.name] = self._encoded(layer, x[layer.name])
        return samples

    def _check_names(self, x: Array) -> None:
        wanted = sorted(layer.name for layer in self.inputs)
        if sorted(x.dtype.names or ()) != wanted:
            have = "one array" if x.dtype.names is None else ", ".join(sorted(x.dtype.names))
            hint = f"give an array for each: {', '.join(f'x_train_{name}' for name in wanted)}, .."
            raise DataError(f"model {self.name!r} has the inputs {', '.join(wanted)}, the samples {have}", hint=hint)

    def _encoded(self, layer: Layer, x: Array) -> Array:
        x = np.asarray(x, np.float32)
        if x.shape[1:] != layer.shape:
            which = f"the model {self.name!r}" if len(self.inputs) == 1 else f"input {layer.name!r} of {self.name!r}"
            hint = "check the data set and its normalization, or choose the model trained for it"
            raise DataError(f"samples of shape {x.shape[1:]} do not fit {which}, which takes {layer.shape}", hint=hint)
        if not np.isfinite(x).all():
            index = int(np.argwhere(~np.isfinite(x))[0][0])
            raise DataError(f"sample {index} holds NaN or infinity", hint="clean the data set")
        return x if layer.numbers is None else layer.numbers.encode(x, self.rounding)

    def run(self, x: Array, first: int = 0, end: int | None = None) -> Array:
        """Real samples -> answers of `answer_dtype`: of one output (N, elements), float32 or integers.

        Of samples `first` up to `end` alone these are the same bits as in a run of all: the last one of a float depends
        on the samples that are computed beside it.
        """
        numbers = self.encode(x)
        answers = np.zeros(len(numbers), self.answer_dtype)
        for start, values in self._chunks(numbers, first, end):
            for column, layer in zip(fields_of(answers).values(), self.ends, strict=True):
                part = values[layer.name]
                column[start : start + len(part)] = part.reshape(len(part), -1)
        return answers[first:end]

    def decode(self, answers: Array) -> Array:
        """Answers of `run` as real numbers."""
        columns = zip(fields_of(answers).items(), self.ends, strict=True)
        return records_of({name: q if end.numbers is None else end.numbers.decode(q) for (name, q), end in columns})

    def ranges(
        self, x: Array, *, spread: bool = False, peaks_alone: bool = False, ends_alone: Collection[str] = ()
    ) -> dict[str, Range]:
        """Of each layer's output over the samples: what calibration needs. `spread`, `peaks_alone`: as in Range.

        `ends_alone`: layers of which nothing but `low` and `high` is to be known.
        """
        ranges = dict.fromkeys(self._by_name, Range())
        for _, values in self._chunks(self.encode(x)):
            for name, value in values.items():
                if name in ends_alone:
                    ranges[name] = ranges[name].stretched(value)
                    continue
                ranges[name] = ranges[name].widened(value, spread=spread, peaks_alone=peaks_alone)
                inner = self._inner_values(self[name], values)
                ranges[name] = ranges[name].with_inner(inner) if inner else ranges[name]
        return ranges

    def values(self, x: Array) -> Iterator[Mapping[str, Array]]:
        """Of all layers by name, for as many of the real samples at a time as memory has room for."""
        for _, values in self._chunks(self.encode(x)):
            yield values

    def _inner_values(self, layer: Layer, values: Mapping[str, Array]) -> Mapping[str, Array]:
        with np.errstate(over="ignore", invalid="ignore"):
            return {} if layer.INPUT else layer.inner_values(*(values[name] for name in layer.inputs))

    def _chunks(self, numbers: Array, first: int = 0, end: int | None = None) -> Iterator[tuple[int, dict[str, Array]]]:
        """Values of all layers for a few samples at a time, so that memory is bounded, of `first` to `end` at least."""
        size = samples_at_once(self.layers)
        columns = list(zip(self.inputs, fields_of(numbers).values(), strict=True))
        for start in range(first - first % size, len(numbers) if end is None else end, size):
            values = {layer.name: column[start : start + size] for layer, column in columns}
            with np.errstate(over="ignore", invalid="ignore"):
                for layer in self.layers:
                    if not layer.INPUT:
                        values[layer.name] = layer.run(*(values[name] for name in layer.inputs))
            yield start, values


def samples_at_once(layers: Sequence[Layer]) -> int:
    """That memory has room for while they run."""
    is_exact = all(layer.numbers is not None for layer in layers)
    room = CHUNK_BYTES_OF_INTEGERS if is_exact else CHUNK_BYTES
    return max(1, room // max(1, *(layer.run_bytes for layer in layers)))


def record(tensors: Sequence[Tensor], *, flat: bool = False) -> np.dtype[Any]:
    """Side by side, as C lays out a struct; an only one is no struct. `flat`: each without its dimensions."""
    members = [(tensor.name, tensor.dtype, (tensor.elements,) if flat else tensor.shape) for tensor in tensors]
    return np.dtype(members[0][1:]) if len(members) == 1 else np.dtype(members, align=True)
