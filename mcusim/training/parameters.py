"""Parameters of an architecture as TOML gives them -> checked values. Mistakes are named before Keras is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mcusim.system.errors import ConfigurationError, suggestion

# A microcontroller holds nothing near these; they only keep a slip of the keyboard from filling the memory.
LARGEST_WIDTH = 4096
MOST_LAYERS = 64
GLOBAL_POOLS = ("none", "max", "average")


@dataclass(frozen=True)
class MlpParameters:
    """Hidden layers of `units` each; dropout (training only) after each."""

    units: tuple[int, ...] = (64,)
    batch_norm: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class CnnParameters:
    """One convolution a stage. `kernel_size` and `pool_size` are one number or one a stage; pool 1 is none."""

    filters: tuple[int, ...] = (16, 32)
    kernel_size: tuple[int, ...] = (3,)
    pool_size: tuple[int, ...] = (2,)
    units: tuple[int, ...] = ()
    global_pool: str = "none"
    batch_norm: bool = False
    dropout: float = 0.0

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """(filters, kernel size, pool size) of each stage."""
        count = len(self.filters)
        sizes = _for_each(self.kernel_size, count, "kernel_size", "each of 'filters'")
        return tuple(zip(self.filters, sizes, _for_each(self.pool_size, count, "pool_size", "each"), strict=True))


@dataclass(frozen=True)
class ResNetV1Parameters:
    """First convolution, then `blocks[i]` residual blocks for stage i.

    `filters`, `kernel_size` and `strides` are one number for all or one for the first convolution and one for each
    stage. A stride is a max-pool: it follows the convolution (first one, or first of the stage).
    """

    filters: tuple[int, ...] = (16,)
    kernel_size: tuple[int, ...] = (3,)
    strides: tuple[int, ...] = (1, 2)
    blocks: tuple[int, ...] = (2,)
    global_pool: str = "max"
    batch_norm: bool = False

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """(filters, kernel size, stride) of the first convolution, then of each stage."""
        count = 1 + len(self.blocks)
        what = "the first convolution and each of 'blocks'"
        filters = _for_each(self.filters, count, "filters", what)
        sizes = _for_each(self.kernel_size, count, "kernel_size", what)
        return tuple(zip(filters, sizes, _for_each(self.strides, count, "strides", what), strict=True))


Parameters = TypeVar("Parameters", MlpParameters, CnnParameters, ResNetV1Parameters)


def read_parameters(kind: type[Parameters], given: Mapping[str, Any], architecture: str) -> Parameters:
    """Checked parameters, defaults for what is not given. ConfigurationError names the wrong one."""
    where = f"parameters of architecture {architecture!r}"
    known = {field.name: str(field.type) for field in fields(kind)}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"there is no parameter {name!r}", where=where, hint=suggestion(name, known))
        checked[name] = _checked(name, value, known[name], where)
    return kind(**checked)


def _checked(name: str, value: Any, kind: str, where: str) -> Any:
    if kind == "bool":
        return _expect(isinstance(value, bool), name, value, "true or false", where)
    if kind == "float":
        is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
        return float(_expect(is_share, name, value, "a number from 0 to below 1", where))
    if kind == "str":
        return _expect(value in GLOBAL_POOLS, name, value, "one of " + ", ".join(GLOBAL_POOLS), where)
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    usable = len(values) <= MOST_LAYERS and all(_is_size(size) for size in values) and (len(values) or name == "units")
    _expect(usable, name, value, f"a whole number from 1 to {LARGEST_WIDTH}, or a list of up to {MOST_LAYERS}", where)
    return tuple(values)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_WIDTH


def _expect(usable: object, name: str, value: Any, wanted: str, where: str) -> Any:
    if not usable:
        raise ConfigurationError(f"{name!r} is {value!r}", where=where, hint=f"give {wanted}")
    return value


def _for_each(values: tuple[int, ...], count: int, name: str, what: str) -> tuple[int, ...]:
    """One number stands for all; a list must have one for each."""
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ConfigurationError(
            f"{name!r} has {len(values)} entries, {count} are needed", hint=f"give one number, or one for {what}"
        )
    return values
