"""The few layers that all architectures share."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcusim.system.errors import ConfigurationError
from mcusim.training.keras_setup import import_keras

Tensor = Any
Body = Callable[[Tensor], Tensor]
Maker = Callable[[Mapping[str, Any], tuple[int, ...]], Body]  # parameters, shape of a sample
LARGEST_LAYER_WEIGHTS = 2**24  # sixteen times what the largest microcontrollers hold


@dataclass(frozen=True)
class Layers:
    """The few layers that all architectures share, one- or two-dimensional after the input."""

    planes: int
    batch_norm: bool
    padding: str = "same"

    def named(self, kind: str) -> Any:
        return getattr(import_keras().layers, f"{kind}{self.planes}D")

    def convolution(
        self, x: Tensor, filters: int, kernel_size: int | tuple[int, ...], name: str, stride: int | tuple[int, ...] = 1
    ) -> Tensor:
        sizes = (kernel_size,) * self.planes if isinstance(kernel_size, int) else kernel_size
        demand_size(math.prod(sizes) * x.shape[-1] * filters, name)
        for size, left in zip(sizes, x.shape[1:-1], strict=True):
            if self.padding == "valid" and size > left:
                hint = "use fewer or smaller stages, or padding = 'same'"
                raise ConfigurationError(f"{name!r} reads {size} values where only {left} are left", hint=hint)
        x = self.named("Conv")(filters, sizes, strides=stride, padding=self.padding, name=name)(x)
        return self.normalize(x, name)

    def depthwise(self, x: Tensor, kernel_size: int, name: str, stride: int) -> Tensor:
        x = self.named("DepthwiseConv")(kernel_size, strides=stride, padding=self.padding, name=name)(x)
        return self.normalize(x, name)

    def normalize(self, x: Tensor, name: str) -> Tensor:
        return import_keras().layers.BatchNormalization(name=f"{name}_norm")(x) if self.batch_norm else x

    def relu(self, x: Tensor, name: str) -> Tensor:
        return import_keras().layers.ReLU(name=name)(x)

    def max_pool(self, x: Tensor, size: int, name: str) -> Tensor:
        """Windows of `size` without overlap; what does not fill a window is dropped."""
        if size == 1:
            return x
        shortest = min(x.shape[1:-1])
        if size > shortest:
            hint = "pool less, or use fewer stages"
            raise ConfigurationError(f"{name!r} pools {size} values where only {shortest} are left", hint=hint)
        return self.named("MaxPooling")(size, name=name)(x)

    def flatten(self, x: Tensor, global_pool: str) -> Tensor:
        """(N, ..., channels) -> (N, features)."""
        if global_pool == "none":
            return import_keras().layers.Flatten(name="flatten")(x)
        return self.named(f"Global{global_pool.capitalize()}Pooling")(name="global_pool")(x)

    def dense_stack(self, x: Tensor, units: tuple[int, ...], dropout: float) -> Tensor:
        for number, width in enumerate(units, start=1):
            demand_size(x.shape[-1] * width, f"dense{number}")
            x = import_keras().layers.Dense(width, name=f"dense{number}")(x)
            x = self.relu(self.normalize(x, f"dense{number}"), f"dense{number}_relu")
            x = self.drop(x, dropout, f"dropout{number}")
        return x

    def drop(self, x: Tensor, share: float, name: str = "dropout") -> Tensor:
        return import_keras().layers.Dropout(share, name=name)(x) if share else x


def demand_size(weights: int, name: str) -> None:
    if weights > LARGEST_LAYER_WEIGHTS:
        hint = f"at most {LARGEST_LAYER_WEIGHTS:,}: make it smaller"
        raise ConfigurationError(f"layer {name!r} would have {weights:,} weights", hint=hint)


def planes_of(input_shape: tuple[int, ...], architecture: str) -> int:
    """1 for (length, channels), 2 for (height, width, channels)."""
    planes = len(input_shape) - 1
    if planes not in (1, 2) or math.prod(input_shape) == 0:
        hint = "give (length, channels) or (height, width, channels), or use 'mlp'"
        raise ConfigurationError(f"architecture {architecture!r} cannot take samples of shape {input_shape}", hint=hint)
    return planes
