"""What follows from a layer's weights and numbers, not from its shape: worked out once, also for bands of a layer."""

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from typing import Concatenate, ParamSpec, TypeVar

from mcusim.layers.weighted_sum import WeightedSum

P = ParamSpec("P")
R = TypeVar("R")
PARTS = "kernel", "bias", "activation", "kernel_numbers", "rescale", "numbers", "wider_numbers"
MOST_KEPT = 128


class _Sum:
    """A layer as far as its sums go. What it holds is compared by identity, which `replace` keeps."""

    def __init__(self, layer: WeightedSum) -> None:
        self.layer = layer
        self.key = (*(id(getattr(layer, name)) for name in PARTS), layer.peak_sum, layer.zero)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sum) and self.key == other.key


def once_by_weights(function: Callable[Concatenate[WeightedSum, P], R]) -> Callable[Concatenate[WeightedSum, P], R]:
    """`function` of a layer must not ask for its shape, or what it reads; other arguments are hashable."""
    kept: Callable[..., R] = lru_cache(maxsize=MOST_KEPT)(
        lambda own, *args, **named: function(own.layer, *args, **named)
    )

    def once(layer: WeightedSum, /, *args: P.args, **named: P.kwargs) -> R:
        return kept(_Sum(layer), *args, **named)

    return update_wrapper(once, function)
