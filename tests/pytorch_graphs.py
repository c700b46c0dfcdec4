"""Random programs of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from mcusim.line.from_torch import from_torch
from mcusim.models.onnx.convert import Converted
from mcusim.models.pytorch.reader import read_whole
from mcusim.system.errors import ModelError
from tests.onnx_files import graph_of

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'mcusim[pytorch]'")
nn, functional = torch.nn, torch.nn.functional

STEPS: dict[str, Callable[[Any, Any], Any]] = {  # of the drawn numbers and a tensor (N, C, H, W)
    "conv": lambda draw, x: functional.conv2d(
        x, torch.randn(draw(1, 5), x.shape[1], draw(1, 3), 1) / 3, padding=(1, 0)
    ),
    "depthwise": lambda draw, x: functional.conv2d(x, torch.randn(x.shape[1], 1, 1, 1), groups=x.shape[1]),
    "pool": lambda draw, x: functional.max_pool2d(x, (1, 2)) if x.shape[3] > 1 else x,
    "mean": lambda draw, x: x + x.mean(draw(1, 3), keepdim=True),
    "relu": lambda draw, x: functional.relu(x),
    "gelu": lambda draw, x: functional.gelu(x),
    "softmax": lambda draw, x: functional.softmax(x, draw(1, 3)),
    "swap": lambda draw, x: x.transpose(draw(1, 3), draw(1, 3)),
    "join": lambda draw, x: torch.cat([x, x * 0.5], draw(1, 3)),
    "slice": lambda draw, x: x.narrow(draw(1, 3), 0, 1) + x,
    "fold": lambda draw, x: x.reshape(x.shape[0], x.shape[1] * x.shape[3], 1, x.shape[2]),
    "linear": lambda draw, x: functional.linear(x, torch.randn(draw(1, 4), x.shape[3]) / 2),
    "square": lambda draw, x: torch.clamp(x * x - 1, -1, 3),
}


class Step(nn.Module):  # type: ignore[name-defined,misc]
    """One of STEPS, whose weights are parameters that the first call makes."""

    def __init__(self, name: str, drawn: list[int], seed: int) -> None:
        super().__init__()
        self.name, self.drawn, self.seed = name, drawn, seed
        self.made = nn.ParameterList()

    def forward(self, x: Any) -> Any:
        numbers, weights = iter(self.drawn), iter(list(self.made))
        real = torch.randn

        def randn(*shape: int) -> Any:
            made = next(weights, None)
            if made is None:
                made = nn.Parameter(real(*shape))
                self.made.append(made)
            return made

        torch.randn = randn
        try:
            return STEPS[self.name](lambda low, high: low + next(numbers) % (high - low + 1), x).detach()
        finally:
            torch.randn = real


PROGRAMS = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=7)
REFUSALS = ("axes in memory", "merges shapes", "computes nothing", "works on one number")


def assert_program_equal(seed: int, steps: list[str], path: Path) -> Converted | None:
    """The file computes what the program does. None where it has no kernels here.

    Each weight is drawn once, so that the program that is exported is the one that runs.
    """
    torch.manual_seed(seed)
    random, drawn = np.random.default_rng(seed), []
    x = y = torch.randn(1, 3, 4, 6)
    for step in steps:
        weights = [int(value) for value in random.integers(0, 2**16, 8)]
        drawn.append(Step(step, weights, seed))
        y = drawn[-1](y)
    try:
        from_torch(nn.Sequential(*drawn), x, path)
    except ModelError as error:
        assert any(word in error.what for word in REFUSALS), error.what
        return None
    made = read_whole(path, "m")
    np.testing.assert_allclose(graph_of(made, [x.numpy()])[0][0], y.numpy(), atol=2e-3, rtol=2e-3)
    return made
