"""Parameters of an architecture as TOML gives them -> checked values. Mistakes are named before Keras is imported."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field

from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Place, Table, validate

# A microcontroller holds nothing near these; they only keep a slip of the keyboard from filling the memory.
LARGEST_WIDTH = 4096
MOST_LAYERS = 64


Size = Annotated[int, Field(ge=1, le=LARGEST_WIDTH)]
Sizes = Annotated[
    tuple[Size, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, (list, tuple)) else (value,)),
    Field(
        max_length=MOST_LAYERS,
        description=f"a whole number from 1 to {LARGEST_WIDTH}, or a list of up to {MOST_LAYERS}",
    ),
]
SomeSizes = Annotated[Sizes, Field(min_length=1)]
Dropout = Annotated[float, Field(ge=0, lt=1, description="a number from 0 to below 1")]
Switch = Annotated[bool, Field(description="true or false")]
GlobalPool = Literal["none", "max", "average"]


class _Parameters(Table):
    UNKNOWN_KEY: ClassVar[str] = "there is no parameter {!r}"


class MlpParameters(_Parameters):
    """Hidden layers of `units` each; dropout (training only) after each."""

    units: Sizes = (64,)
    batch_norm: Switch = False
    dropout: Dropout = 0.0


class CnnParameters(_Parameters):
    """One convolution a stage. `kernel_size` and `pool_size` are one number or one a stage; pool 1 is none."""

    filters: SomeSizes = (16, 32)
    kernel_size: SomeSizes = (3,)
    pool_size: SomeSizes = (2,)
    units: Sizes = ()
    global_pool: GlobalPool = "none"
    padding: Literal["same", "valid"] = "same"
    batch_norm: Switch = False
    dropout: Dropout = 0.0

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """(filters, kernel size, pool size) of each stage."""
        count = len(self.filters)
        sizes = _for_each(self.kernel_size, count, "kernel_size", "each of 'filters'")
        return tuple(zip(self.filters, sizes, _for_each(self.pool_size, count, "pool_size", "each"), strict=True))


class LeNetParameters(CnnParameters):
    """Of images of 32 x 32 x 3 and 10 classes the network of the approximate-kernels paper: 122,570 parameters."""

    filters: SomeSizes = (32, 64, 64)
    pool_size: SomeSizes = (2, 2, 1)
    units: Sizes = (64,)
    padding: Literal["same", "valid"] = "valid"


class AlexNetParameters(LeNetParameters):
    """Five convolutions, whose maps of images of 32 x 32 are 30, 13, 11, 9 and 2 wide."""

    filters: SomeSizes = (32, 64, 64, 64, 64)
    pool_size: SomeSizes = (2, 1, 1, 2, 1)


class ResNet8Parameters(_Parameters):
    """A block of two convolutions for each of `filters`; all but the first halve height and width."""

    filters: SomeSizes = (16, 32, 64)
    batch_norm: Switch = True


class ResNetV1Parameters(_Parameters):
    """First convolution, then `blocks[i]` residual blocks for stage i.

    `filters`, `kernel_size` and `strides` are one number for all or one for the first convolution and one for each
    stage. A stride is a max-pool: it follows the convolution (first one, or first of the stage).
    """

    filters: SomeSizes = (16,)
    kernel_size: SomeSizes = (3,)
    strides: SomeSizes = (1, 2)
    blocks: SomeSizes = (2,)
    global_pool: GlobalPool = "max"
    batch_norm: Switch = False

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """(filters, kernel size, stride) of the first convolution, then of each stage."""
        count = 1 + len(self.blocks)
        what = "the first convolution and each of 'blocks'"
        filters = _for_each(self.filters, count, "filters", what)
        sizes = _for_each(self.kernel_size, count, "kernel_size", what)
        return tuple(zip(filters, sizes, _for_each(self.strides, count, "strides", what), strict=True))


class DsCnnParameters(_Parameters):
    """A convolution of `kernel_size` and `strides` (one number, or one an axis), then `blocks` separable ones."""

    filters: Size = 64
    kernel_size: SomeSizes = (10, 4)
    strides: SomeSizes = (2,)
    blocks: Annotated[int, Field(ge=1, le=MOST_LAYERS)] = 4
    batch_norm: Switch = True
    dropout: Dropout = 0.2

    def first(self, planes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Kernel size and strides by axis. Of signals the default is its first number: what reaches over time."""
        sizes = self.kernel_size if "kernel_size" in self.model_fields_set else self.kernel_size[:planes]
        what = f"each of {planes} axes"
        return _for_each(sizes, planes, "kernel_size", what), _for_each(self.strides, planes, "strides", what)


class MobileNetParameters(_Parameters):
    """`width` multiplies all numbers of filters (at least 8 are left); small images want `first_stride` = 1."""

    width: float = Field(default=0.25, gt=0, le=4, description="a number from 0 to 4")
    first_stride: Size = 2
    batch_norm: Switch = True
    dropout: Dropout = 0.0

    def narrowed(self, filters: int) -> int:
        return max(8, round(filters * self.width))


class RecurrentParameters(_Parameters):
    """A layer for each of `units`; dropout (training only) behind the last."""

    units: SomeSizes = (32,)
    bidirectional: Switch = False
    dropout: Dropout = 0.0


class AutoencoderParameters(_Parameters):
    """Hidden layers of `units` each; the narrowest is what the others must get along with."""

    units: SomeSizes = (128, 128, 128, 128, 8, 128, 128, 128, 128)
    batch_norm: Switch = True


Parameters = TypeVar("Parameters", bound=_Parameters)


def read_parameters(kind: type[Parameters], given: Mapping[str, Any], architecture: str) -> Parameters:
    """Checked parameters, defaults for what is not given. ConfigurationError names the wrong one."""
    return validate(kind, given, Place(f"parameters of architecture {architecture!r}"))


def _for_each(values: tuple[int, ...], count: int, name: str, what: str) -> tuple[int, ...]:
    """One number stands for all; a list must have one for each."""
    if len(values) == 1:
        return values * count
    if len(values) != count:
        hint = f"give one number, or one for {what}"
        raise ConfigurationError(f"{name!r} has {len(values)} entries, {count} are needed", hint=hint)
    return values
