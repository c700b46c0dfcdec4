"""What a converter may see of a node, and what it makes its layers with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.constant import Constant
from mcusim.models.onnx.layers_made import LayersMade
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.models.settings import Settings
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

# What makes one number of several along an axis, or puts them side by side there.
MIXING = ("Concat", "Gather", "LayerNormalization", "ReduceMax", "ReduceMean", "ReduceSum", "Softmax", "Split")
Value = Tensor | Array  # an activation, or a constant


class Attributes(Settings):
    """Of a node."""

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(key for key in self._values if key not in self._asked)


@dataclass(frozen=True)
class OnnxNode:
    """`values`: of the inputs, None for one that is left out. `used`: is that output read by anybody?"""

    name: str
    kind: str
    attributes: Attributes
    values: tuple[Value | None, ...]
    used: tuple[bool, ...]
    opset: int
    made: LayersMade
    batch: int = 1  # of the file; all that is computed is of one sample

    # -- inputs --------------------------------------------------------------------------------------------------------

    def has(self, index: int) -> bool:
        return index < len(self.values) and self.values[index] is not None

    def is_constant(self, index: int) -> bool:
        return self.has(index) and not isinstance(self.values[index], Tensor)

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.tensor(0)

    def tensor(self, index: int) -> Tensor:
        """Raises ModelError where it is a constant, or absent."""
        value = self.values[index] if index < len(self.values) else None
        if not isinstance(value, Tensor):
            raise self.refused("works on a constant" if self.has(index) else f"lacks input {index}", EXPORT)
        return value

    def constant(self, index: int) -> Array:
        """Raises ModelError where it is computed, or absent."""
        value = self.values[index] if index < len(self.values) else None
        if value is None:
            raise self.refused(f"lacks input {index}", EXPORT)
        if isinstance(value, Tensor):
            raise self.refused(f"has an input {index} that is computed", "only a constant can be there")
        return value

    def weights(self, index: int, rank: int | None = None) -> Array:
        """A constant as float32. Raises ModelError when it is NaN, infinite, or has another number of axes."""
        with np.errstate(over="ignore"):
            array = self.constant(index)
            if array.dtype.kind in "iu" and array.dtype.itemsize == 1:
                raise self.refused(f"has weights of {array.dtype} that no scale is told of", SCALES)
            array = np.asarray(array).astype(np.float32)
        if rank is not None and array.ndim != rank:
            raise self.refused(f"has weights of shape {array.shape}", EXPORT)
        if not np.isfinite(array).all():
            raise self.refused("holds NaN or infinite weights", "train again with a lower learning rate")
        return array

    def listed(self, index: int, key: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        """Whole numbers that newer versions have as an input, and older ones as an attribute."""
        if self.has(index):
            array = self.constant(index)
            if array.dtype.kind not in "iu" or array.size > 64:
                raise self.refused(f"has no whole numbers as input {index}", EXPORT)
            return tuple(int(value) for value in array.reshape(-1))
        return self.wholes(key, default)

    # -- attributes ----------------------------------------------------------------------------------------------------

    def _attribute(self, key: str, default: Any, kinds: tuple[type, ...]) -> Any:
        value = self.attributes.get(key, default)
        if value is not default and not isinstance(value, kinds):
            raise self.refused(f"has {key} = {value!r:.40}", EXPORT)
        return value

    def whole(self, key: str, default: int) -> int:
        return int(self._attribute(key, default, (int,)))

    def real(self, key: str, default: float) -> float:
        value = float(self._attribute(key, default, (int, float)))
        if not np.isfinite(value):
            raise self.refused(f"has {key} = {value}", EXPORT)
        return value

    def text(self, key: str, default: str) -> str:
        return str(self._attribute(key, default, (str,)))

    def wholes(self, key: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        value = self._attribute(key, default, (tuple,))
        if value is None:
            return None
        if any(type(one) is not int for one in value):
            raise self.refused(f"has {key} = {value!r:.40}", EXPORT)
        return tuple(value)

    def axis(self, value: int, rank: int) -> int:
        """Counted from the front."""
        if not -rank <= value < rank:
            raise self.refused(f"works on axis {value} of {rank}", EXPORT)
        if value % rank == 0 and self.batch > 1 and self.kind in MIXING and self._has_samples(rank):
            raise self.refused(f"works along the batch of {self.batch}", "export the model for a batch of 1")
        return value % rank

    def _has_samples(self, rank: int) -> bool:
        """Is the first of so many axes the batch, as far as one sample tells?"""
        x = self.values[0] if self.values else None
        return isinstance(x, Tensor) and len(x.shape) == rank and x.shape[0] == 1

    def axes(self, values: Sequence[int], rank: int) -> tuple[int, ...]:
        """Counted from the front, and sorted."""
        found = sorted(self.axis(value, rank) for value in values)
        if len(set(found)) < len(found):
            raise self.refused(f"works on the axes {tuple(values)}", EXPORT)
        return tuple(found)

    # -- what it makes -------------------------------------------------------------------------------------------------

    def named(self, role: str) -> str:
        """A name for a layer that is a step to the output."""
        return self.made.unique(f"{self.name}_{role}")

    def planes(self) -> tuple[str, Shape]:
        """The first input (N, channels, ..) with its channels last: the layer, and its shape without the batch."""
        x = self.x
        rank = len(x.shape)
        if rank not in (3, 4) or x.shape[0] != 1:
            raise self.refused(f"gets {x.shape}", "give it (1, channels, samples) or (1, channels, height, width)")
        moved = self.made.moved(x, channels_last(rank))
        shape = tuple(x.shape[axis] for axis in channels_last(rank)[1:])
        return self.made.seen(moved, shape), shape

    def spread(self, layer: Layer) -> Tensor:
        """Add a layer whose output is (.., channels); -> what ONNX calls (1, channels, ..)."""
        self.made.add(layer)
        shape = (1, layer.shape[-1], *layer.shape[:-1])
        return tensor(layer.name, shape, channels_last(len(shape)))

    def like(self, x: Tensor, kind: type[Layer], name: str | None = None, **own: Any) -> Tensor:
        """Add a layer of one input that works on each number; it lies as `x` does."""
        name = name or self.name
        shape = own.pop("shape", self.made.shapes[x.layer])
        layer = kind(name=name, inputs=(self.made.seen(x, shape),), shape=shape, **own)
        return x.at(self.made.add(layer))

    def of_constant(self, array: Array, beside: Tensor) -> Tensor:
        """A constant as a tensor of its own, for what reads it `beside` another one."""
        values = np.asarray(array, np.float32)
        if values.ndim < 1 or not np.isfinite(values).all():
            raise self.refused(f"has a constant of shape {values.shape}, or NaN in it", EXPORT)
        shape = tuple(size for size in values.shape if size != 1) or (1,)
        name = self.named("constant")
        layer = Constant(name=name, inputs=(beside.layer,), shape=shape, values=values.reshape(shape))
        return tensor(self.made.add(layer), values.shape)

    # -- errors --------------------------------------------------------------------------------------------------------

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}) {why}", hint=hint)


EXPORT = "export the model again"
SCALES = "quantize it with quantize_static of onnxruntime, whose files hold the scales"


def channels_last(rank: int) -> tuple[int, ...]:
    """(N, C, H, W) -> (N, H, W, C)"""
    return (0, *range(2, rank), 1)
