"""What Keras computes with: one file for each framework that networks are trained in."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from mcusim.system.arrays import Array
from mcusim.training.backends import tensorflow, torch
from mcusim.training.goals import Goal

Step = Callable[[Array, Array], tuple[Any, Any]]


class Backend(Protocol):
    """What a module of this package is. Nothing of the framework is imported before a function is called."""

    def make_repeatable(self) -> None:
        """Only kernels that do not depend on the timing of threads, where there is a choice."""

    def step(self, real: Any, optimizer: Any, goal: Goal, weight_decay: float) -> Step:
        """(batch, targets) -> (mean loss, number of right answers), after it has learned from them."""

    def has_gpu(self) -> bool: ...

    def out_of_memory(self) -> type[BaseException]:
        """What it raises."""

    def of_device(self) -> type[BaseException]:
        """What it raises for a device that it cannot use, among other reasons."""


BACKENDS: Mapping[str, Backend] = MappingProxyType({"tensorflow": tensorflow, "torch": torch})
