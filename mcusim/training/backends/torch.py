"""A step as PyTorch does it: a layer at a time."""

from collections.abc import Callable
from typing import Any

from mcusim.system.arrays import Array
from mcusim.training.goals import Goal


def make_repeatable() -> None:
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)


def step(real: Any, optimizer: Any, goal: Goal, weight_decay: float) -> Callable[[Array, Array], tuple[Any, Any]]:
    import keras
    import torch

    def learn(x: Array, targets: Array) -> tuple[Any, Any]:
        wanted = keras.ops.convert_to_tensor(targets)
        real.zero_grad()
        answers = real(x, training=True)
        loss = goal.loss(answers, wanted)
        loss.backward()
        variables = real.trainable_variables
        with torch.no_grad():
            optimizer.apply([each.value.grad + weight_decay * each.value for each in variables], variables)
        return loss.detach(), goal.right(answers, wanted)

    return learn


def has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def out_of_memory() -> type[BaseException]:
    import torch

    return torch.cuda.OutOfMemoryError  # type: ignore[no-any-return,unused-ignore]


def of_device() -> type[BaseException]:
    return RuntimeError
