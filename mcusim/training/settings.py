"""The `[training]` table of an experiment, checked."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from mcusim.system.errors import ConfigurationError

OPTIMIZERS = ("sgd",)
MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class TrainingSettings:
    """Defaults are the MicroAI paper's for UCI-HAR (section 6.1.1), except epochs.

    The rate starts at `learning_rate` and is multiplied by `gamma` when `milestones` epochs are done. `weight_decay` is
    coupled, as PyTorch's SGD has it: `weight_decay * weight` is added to every gradient, biases included. `mixup` is
    the alpha of its Beta distribution, 0 is off. `validation` is the share of the training set held out to choose the
    best epoch.
    """

    epochs: int = 30
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = ()
    gamma: float = 0.13
    mixup: float = 0.0
    validation: float = 0.0

    def __post_init__(self) -> None:
        """ConfigurationError names the field that is out of its range."""
        if isinstance(self.milestones, list):
            object.__setattr__(self, "milestones", tuple(self.milestones))
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = _what_is_wrong(field.name, value)
            if wanted:
                raise ConfigurationError(f"{field.name!r} is {value!r}", where="[training]", hint=f"give {wanted}")
            if field.name in _NUMBERS:  # TOML's 1 is no float, and Keras takes nothing else
                object.__setattr__(self, field.name, float(value))

    def rate(self, epoch: int) -> float:
        """Learning rate of epoch 0, 1, ..."""
        return self.learning_rate * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# name: (lowest, is it allowed itself, highest, is it allowed itself)
_NUMBERS = {
    "learning_rate": (0.0, False, 1000.0, True),
    "momentum": (0.0, True, 1.0, False),
    "weight_decay": (0.0, True, 1.0, False),
    "gamma": (0.0, False, 1.0, True),
    "mixup": (0.0, True, 100.0, True),
    "validation": (0.0, True, 0.5, True),
}


def _what_is_wrong(name: str, value: Any) -> str:
    """What would be right, or nothing when it is."""
    if name in ("epochs", "batch_size"):
        return "" if _is_count(value) else f"a whole number from 1 to {MOST_EPOCHS}"
    if name == "optimizer":
        return "" if value in OPTIMIZERS else "one of " + ", ".join(OPTIMIZERS)
    if name == "milestones":
        usable = isinstance(value, tuple) and all(map(_is_count, value)) and list(value) == sorted(set(value))
        return "" if usable else "a rising list of epochs, such as [100, 200, 250]"
    low, low_included, high, high_included = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "a number"
    usable = (low < value or (low_included and value == low)) and (value < high or (high_included and value == high))
    return "" if usable else f"a number from {low:g} to {high:g}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_EPOCHS
