"""A function called on tensors, and the steps that it becomes: what `arithmetic.py` and `reshaping.py` share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcusim.graph import Shape
from mcusim.models.keras.description import Ref, shown
from mcusim.system.errors import ModelError


@dataclass(frozen=True)
class Step:
    """A Keras layer. `inputs`: tensors that it reads, or numbers of steps, from 0 on; none for the step before.

    `is_output`: of a function with several; of the others the last step is.
    """

    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Ref | int, ...] = ()
    is_output: bool = False


@dataclass(frozen=True)
class Operation:
    """`given`: arguments by position, then by name."""

    name: str
    function: str
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    shapes: Mapping[Ref, Shape]
    batch: int | None

    def get(self, position: int, *names: str, default: Any = None) -> Any:
        if position < len(self.arguments):
            return self.arguments[position]
        return next((self.keywords[name] for name in names if name in self.keywords), default)

    @property
    def x(self) -> Ref:
        x = self.get(0, "x", "x1", "a", "input", "inputs", "features", "tensor", "logits", "input_tensor", "value")
        if not isinstance(x, Ref):
            raise self.wrong("it is not called on a tensor")
        return x

    @property
    def shape(self) -> Shape:
        return self.shapes[self.x]

    def axes(self, value: Any, rank: int | None = None) -> tuple[int, ...]:
        """Axes of the tensor with its batch, from 0 on; all but the batch for None."""
        rank = rank or len(self.shape) + 1
        if value is None:
            return tuple(range(1, rank))
        axes = [value] if type(value) is int else value
        if not isinstance(axes, (list, tuple)) or any(type(a) is not int or not -rank <= a < rank for a in axes):
            raise self.wrong(f"axis is {value!r:.40}")
        found = tuple(sorted(axis % rank for axis in axes))
        if 0 in found:
            raise self.wrong("works along the batch")
        return found

    def wrong(self, why: str) -> ModelError:
        hint = "use a layer of Keras in its place"
        return ModelError(f"layer {shown(self.name)!r} ({self.function}): {why}", hint=hint)


Make = Callable[[Operation], list[Step]]
