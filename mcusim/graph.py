"""The intermediate representation: layers in the order they run. Knows no particular layer.

A Graph has two states and one type. Fresh from Keras its layers hold float32 weights; after `quantize` they hold
integers, and every tensor has a `Format`. `run` interprets either: the result of a quantized Graph is, bit for bit,
what the generated C computes on a board.

    Graph     layers (topological order), name
    Layer     name, inputs (names of layers), shape (of its output, without the batch), format (None while float32)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mcusim.numbers.power_of_two import Array, Format, Rounding, encode
from mcusim.system.errors import DataError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer

Shape = tuple[int, ...]
CHUNK_BYTES = 2**25  # memory for the largest intermediate array while interpreting


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer. Subclasses live one to a file in `mcusim/layers/` and are listed there in `LAYERS`."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape
    format: Format | None = None

    KERAS: ClassVar[tuple[str, ...]] = ()
    VIEW: ClassVar[bool] = False  # the output is the input's memory, seen with another shape
    IN_PLACE: ClassVar[bool] = False  # the output may overwrite an input of the same size

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        """The layers that a Keras layer stands for, the last one being its output. Raises ModelError."""
        raise NotImplementedError

    def run(self, *inputs: Array) -> Array:
        """Output for a batch: float32 before quantization, integers of `format` after."""
        raise NotImplementedError

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        """The same layer on integers. `peak` is the largest magnitude of its output on the calibration samples."""
        raise NotImplementedError

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        """The layer as kernel calls and constant arrays."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape))

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


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers in an order in which they can run; the first is the Input, the last one the output."""

    layers: tuple[Layer, ...]
    name: str = "model"
    data_type: str = "float32"
    scheme: str = ""
    rounding: Rounding = "nearest"
    notes: tuple[str, ...] = field(default=())

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> Layer:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def inputs_of(self, layer: Layer) -> tuple[Layer, ...]:
        return tuple(self[name] for name in layer.inputs)

    def consumers(self, name: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if name in layer.inputs)

    @property
    def input(self) -> Layer:
        return self.layers[0]

    @property
    def output(self) -> Layer:
        return self.layers[-1]

    @property
    def input_shape(self) -> Shape:
        return self.input.shape

    @property
    def output_shape(self) -> Shape:
        return self.output.shape

    @property
    def number_dtype(self) -> np.dtype[Any]:
        """Type of the numbers that the generated C reads and writes."""
        fmt = self.input.format
        return np.dtype(np.float32) if fmt is None else fmt.dtype

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        return sum(array.size for layer in self.layers for array in layer.weights.values())

    @property
    def accumulator_peak(self) -> int:
        return max(layer.accumulator_peak for layer in self.layers)

    def encode(self, x: Array) -> Array:
        """Real inputs (samples, *input_shape) -> the numbers that the firmware reads.

        Raises DataError for a wrong shape, NaN or infinity.
        """
        x = np.asarray(x, np.float32)
        if x.shape[1:] != self.input_shape:
            raise DataError(
                f"samples of shape {x.shape[1:]} do not fit the model {self.name!r}, which takes {self.input_shape}",
                hint="check the data set and its normalization, or choose the model trained for it",
            )
        if not np.isfinite(x).all():
            index = int(np.argwhere(~np.isfinite(x))[0][0])
            raise DataError(f"sample {index} holds NaN or infinity", hint="clean the data set")
        fmt = self.input.format
        return x if fmt is None else encode(x, fmt, self.rounding)

    def run(self, x: Array) -> Array:
        """Real inputs (samples, *input_shape) -> outputs (samples, elements): float32, or integers once quantized."""
        numbers = self.encode(x)
        out = np.zeros((len(numbers), self.output.elements), self.number_dtype)
        for start, values in self._chunks(numbers):
            part = values[self.output.name]
            out[start : start + len(part)] = part.reshape(len(part), -1)
        return out

    def peaks(self, x: Array) -> dict[str, float]:
        """Largest magnitude of each layer's output over the samples: what calibration needs."""
        peaks = dict.fromkeys(self._by_name, 0.0)
        for _, values in self._chunks(self.encode(x)):
            for name, value in values.items():
                peaks[name] = max(peaks[name], float(np.abs(value).max(initial=0.0)))
        return peaks

    def _chunks(self, numbers: Array) -> Iterator[tuple[int, dict[str, Array]]]:
        """Values of all layers for a few samples at a time, so that memory stays bounded."""
        size = max(1, CHUNK_BYTES // max(layer.run_bytes for layer in self.layers))
        for start in range(0, len(numbers), size):
            values = {self.input.name: numbers[start : start + size]}
            with np.errstate(over="ignore", invalid="ignore"):
                for layer in self.layers[1:]:
                    values[layer.name] = layer.run(*(values[name] for name in layer.inputs))
            yield start, values
