"""What a translator may see of a node of a program: arguments by their names in PyTorch, and what it says in ONNX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcusim.models.onnx.model import Node
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

EXPORT = "export it again: torch.export.export(model.eval(), (example,))"


@dataclass
class Constants:
    """Arrays by name, as far as the program has them and translators made them."""

    arrays: dict[str, Array]
    made: int = 0

    def add(self, array: Any, dtype: Any = np.float32) -> str:
        self.made += 1
        name = f"made here {self.made}"
        self.arrays[name] = np.asarray(array, dtype)
        return name


@dataclass(frozen=True)
class Call:
    """`kind`: `aten.conv2d`. `arguments` as JSON has them. `shapes` of tensors, with the batch, by name. `symbols`:
    whole numbers that the program computes, by name.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    symbols: Mapping[str, int]
    constants: Constants
    nodes: list[Node] = field(default_factory=list)

    # -- arguments -----------------------------------------------------------------------------------------------------

    def get(self, *names: str) -> Any:
        """The value of an argument, None where it is left out or told to be nothing."""
        for name in names:
            if name in self.arguments:
                return self.value(self.arguments[name])
        return None

    def value(self, told: Any) -> Any:
        if not isinstance(told, Mapping) or len(told) != 1:
            raise self.refused("has arguments that cannot be understood", EXPORT)
        ((kind, value),) = told.items()
        if kind == "as_none":
            return None
        if kind in ("as_tensor", "as_optional_tensor"):
            return None if value is None else self._tensor(value)
        if kind in ("as_tensors", "as_optional_tensors"):
            return [self._tensor(one.get("as_tensor", one)) for one in value]
        if kind == "as_sym_int":
            return self._whole(value)
        if kind == "as_sym_ints":
            return [self._whole(one) for one in value]
        if kind in ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_scalar_type"):
            return value
        return None  # a device, a layout: without a meaning for the numbers

    def _tensor(self, told: Mapping[str, Any]) -> str:
        name = told["name"]
        if not isinstance(name, str):
            raise self.refused("reads what has no name", EXPORT)
        return name

    def _whole(self, told: Any) -> int:
        if isinstance(told, Mapping) and "as_name" in told:
            if told["as_name"] not in self.symbols:
                raise self.refused("depends on a length that is left open", FIXED)
            return self.symbols[told["as_name"]]
        return int(told["as_int"]) if isinstance(told, Mapping) else int(told)

    def tensor(self, *names: str) -> str:
        value = self.get(*names)
        if not isinstance(value, str):
            raise self.refused(f"lacks {names[0]!r}", EXPORT)
        return value

    @property
    def x(self) -> str:
        return self.tensor("input", "self", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first tensor."""
        return self.shapes[self.x]

    def wholes(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        value = self.get(name)
        value = default if value is None or value == [] else value
        value = [value] if type(value) is int else value
        if not isinstance(value, (list, tuple)) or any(type(one) is not int for one in value):
            raise self.refused(f"has {name} = {value!r:.40}", EXPORT)
        return list(value)

    def each(self, name: str, default: int, rank: int) -> list[int]:
        """One number stands for all axes."""
        found = self.wholes(name, [default])
        return found * rank if len(found) == 1 else found

    def whole(self, name: str, default: int = 0) -> int:
        return int(self._number(name, default, (int,)))

    def real(self, name: str, default: float) -> float:
        return float(self._number(name, default, (int, float)))

    def _number(self, name: str, default: float, types: tuple[type, ...]) -> Any:
        value = self.get(name)
        value = default if value is None else value
        if type(value) not in types:
            raise self.refused(f"has {name} = {value!r:.40}", EXPORT)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.get(name)
        return default if value is None else bool(value)

    def array(self, name: str) -> Array:
        """Raises ModelError for what is computed."""
        if name not in self.constants.arrays:
            raise self.refused("has weights that are computed", "let them be parameters of the module")
        return self.constants.arrays[name]

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def add(self, kind: str, *inputs: str | None, outputs: int = 1, **attributes: Any) -> str:
        """A node on the way; -> its first output, of which others are called `NAME.1`, .."""
        name = f"{self.outputs[0]} {len(self.nodes)}"
        self._append(kind, inputs, (name, *(f"{name}.{number}" for number in range(1, outputs))), attributes)
        return name

    def end(self, kind: str, *inputs: str | None, gives: Any = "", **attributes: Any) -> None:
        """The node that gives the outputs, or one that gives one of them."""
        self._append(kind, inputs, (gives,) if gives else self.outputs, attributes)

    def _append(self, kind: str, inputs: Sequence[str | None], outputs: tuple[str, ...], own: dict[str, Any]) -> None:
        given = tuple(one or "" for one in inputs)
        while given and not given[-1]:
            given = given[:-1]
        attributes = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
        domain, _, kind = kind.rpartition(".")
        self.nodes.append(Node(kind, given, outputs, attributes, self.name, domain))

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        return self.constants.add(value, dtype)

    def wholes_of(self, *values: int) -> str:
        """A constant of whole numbers, as ONNX has shapes and axes."""
        return self.constants.add(values, np.int64)

    def on(self, **arguments: Any) -> "Call":
        """The same with other arguments."""
        return replace(self, arguments={**self.arguments, **arguments})

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}) {why}", hint=hint)


FIXED = "export it with fixed axes, but for the batch"
Translate = Callable[[Call], None]
