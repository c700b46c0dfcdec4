"""Modules of PyTorch, exported and read without it: the graph computes what PyTorch does. (MCUSIM needs no PyTorch.)"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.line.float_proof import compare
from mcusim.line.from_torch import from_torch
from mcusim.line.front import read_model
from mcusim.models.pytorch import reference
from mcusim.models.pytorch.reader import read_whole
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of
from tests.onnx_files import graph_of
from tests.pytorch_graphs import PROGRAMS, assert_program_equal

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'mcusim[pytorch]'")
nn, functional = torch.nn, torch.nn.functional
EXAMPLES = int(os.environ.get("MCUSIM_GRAPHS", "15"))


class Of(nn.Module):  # type: ignore[name-defined,misc]
    """A module of a function, and of parts that it may use."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def residual(self: Any, x: Any) -> Any:
    x = torch.relu(self.norm(self.first(x)))
    x = functional.relu6(x + self.second(x))
    x = self.pool(x).mean((2, 3))
    return self.last(self.drop(x))


def series(self: Any, x: Any) -> Any:
    x, _ = self.lstm(self.conv(x).transpose(1, 2))
    x, state = self.gru(x)
    return self.last(self.norm(x)[:, -1] + state[0])


PLANE, SERIES, VECTOR = (1, 3, 8, 6), (1, 6, 12), (1, 10)
MODULES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "residual": (
        Of(
            residual,
            first=nn.Conv2d(3, 8, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(8),
            second=nn.Conv2d(8, 8, 3, padding="same", groups=8),
            pool=nn.MaxPool2d(2),
            drop=nn.Dropout(),
            last=nn.Linear(8, 4),
        ),
        PLANE,
    ),
    "series": (
        Of(
            series,
            conv=nn.Conv1d(6, 5, 3, stride=2, padding=1),
            lstm=nn.LSTM(5, 4, num_layers=2, batch_first=True, bidirectional=True),
            gru=nn.GRU(8, 3, batch_first=True),
            norm=nn.LayerNorm(3),
            last=nn.Linear(3, 2),
        ),
        SERIES,
    ),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), nn.ConvTranspose2d(4, 2, 2, 2)), PLANE),
    "normalizations": (nn.Sequential(nn.GroupNorm(1, 3), nn.InstanceNorm2d(3, affine=True), nn.Softmax(1)), PLANE),
    "dense": (nn.Sequential(nn.Linear(10, 6), nn.ReLU(), nn.Linear(6, 6, bias=False), nn.PReLU(6), nn.Tanh()), VECTOR),
    "rnn": (Of(lambda self, x: self.rnn(x)[0], rnn=nn.RNN(12, 4, nonlinearity="relu")), (6, 1, 12)),
    **{
        type(module).__name__: (module, PLANE)
        for module in (
            *(nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.5), nn.SELU(), nn.CELU(0.7), nn.GELU(), nn.SiLU(), nn.Sigmoid()),
            *(nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(-0.5, 2.0), nn.Softplus(), nn.Mish(), nn.PReLU()),
            *(nn.AvgPool2d(3, 2, 1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AdaptiveAvgPool2d((2, 3))),
            *(nn.AdaptiveMaxPool2d(1), nn.Upsample(scale_factor=2)),
            *(nn.ZeroPad2d((1, 2, 0, 1)), nn.ReflectionPad2d(2), nn.ReplicationPad2d((1, 0, 2, 1)), nn.Flatten()),
        )
        if isinstance(module, nn.Module)
    },
    **{
        name: (Of(function), PLANE)
        for name, function in {
            "bilinear": lambda self, x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
            "arithmetic": lambda self, x: (2 - x) * 3 / 4 + x**2 - x.abs() + torch.maximum(x, -x) * 0.5,
            "alpha": lambda self, x: torch.add(x, x * 2, alpha=0.5),
            "clamp": lambda self, x: torch.clamp(x, -0.5, 1) + x.clamp(min=0.1) + x.clamp(max=0.2),
            "parts": lambda self, x: torch.cat([*x.chunk(3, 1), *x.split([2, 1], 1), x[:, :1], x[:, 1:2]], 1),
            "moving": lambda self, x: x.permute(0, 2, 3, 1).reshape(1, 8, -1).unsqueeze(1).transpose(2, 3).squeeze(1),
            "stack": lambda self, x: torch.stack([x, x + 1], 2).flatten(1, 2),
            "expand": lambda self, x: x[:, :1].expand(-1, 3, -1, -1) + x.mean(1, keepdim=True).repeat(1, 3, 1, 1),
            "steps": lambda self, x: x[:, :, ::2, 1:-1] + x[..., 1::2, :4],
            "shuffle": lambda self, x: functional.pixel_shuffle(x.repeat(1, 4, 1, 1), 2),
            "reductions": lambda self, x: x.sum((2, 3)) + x.amax((2, 3)) + x.mean((2, 3)),
            "corners": lambda self, x: functional.interpolate(x, (5, 9), mode="bilinear", align_corners=True),
            "broken": lambda self, x: functional.interpolate(x, scale_factor=1.7, mode="bilinear"),
            "smaller": lambda self, x: functional.interpolate(x, (5, 4), mode="bilinear"),
            "nearest": lambda self, x: (
                functional.interpolate(x, (13, 10)) + functional.interpolate(x, (13, 10), mode="nearest-exact")
            ),
            "factor": lambda self, x: functional.interpolate(x, scale_factor=(1.4, 2.3)),
            "series": lambda self, x: functional.interpolate(x[:, 0], 9, mode="linear"),
            "adaptive": lambda self, x: (
                functional.adaptive_avg_pool2d(x, (3, 4)) + functional.adaptive_max_pool2d(x, (3, 4))
            ),
            "adaptive 1": lambda self, x: functional.adaptive_avg_pool1d(x[:, 0], 5),
            "gaps": lambda self, x: functional.max_pool2d(x, 2, stride=1, padding=1, dilation=2),
            "gelu": lambda self, x: functional.gelu(x, approximate="tanh"),
            "turns": lambda self, x: x.flip((1, 3)).movedim(1, 3) + x.narrow(1, 1, 1).movedim((1, 2), (3, 1)),
            "unbind": lambda self, x: sum(part * (n + 1) for n, part in enumerate(x.unbind(1))),
            "groups": lambda self, x: functional.channel_shuffle(torch.cat([x, x * 2], 1), 3),
        }.items()
    },
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_computes_what_pytorch_does(name: str, tmp_path: Path) -> None:
    """And so does each of its layers, as far as the reference sees into it."""
    torch.manual_seed(1)
    module, shape = MODULES[name]
    path = tmp_path / "model.pt2"
    source = from_torch(module.eval(), torch.randn(shape), path)
    made, x = read_whole(path, "model"), torch.randn(4, *shape)
    with torch.no_grad():
        theirs = np.stack([module(one).numpy() for one in x])
    inputs = [x[:, 0].numpy() if shape[0] == 1 else x.numpy()]
    if shape[0] == 1:
        np.testing.assert_allclose(graph_of(made, inputs)[0], theirs, atol=1e-4, rtol=1e-4)
    elif name == "rnn":  # an input of (steps, 1, features) is one sample
        ours = source.graph.run(x[:, :, 0].numpy()).reshape(theirs.shape)
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    samples = np.asarray(np.random.default_rng(0).normal(size=(3, *source.graph.inputs[0].shape)), np.float32)
    values = reference.values(path, list(fields_of(samples).values()), list(source.origins.values()))
    assert compare(source, samples, values, "pytorch", path) < 1e-4


def test_an_open_batch_and_several_inputs(tmp_path: Path) -> None:
    module = Of(lambda self, x, y: (self.f(torch.cat([x, y], 1)).view(x.size(0), -1), x * y), f=nn.Linear(8, 3)).eval()
    batch, path = torch.export.Dim("batch"), tmp_path / "model.pt2"
    shapes = {"inputs": ({0: batch}, {0: batch})}
    torch.export.save(torch.export.export(module, (torch.randn(2, 4), torch.randn(2, 4)), dynamic_shapes=shapes), path)
    source = read_model(path)
    assert len(source.graph.inputs) == len(source.graph.outputs) == 2
    samples = {layer.name: np.ones((2, *layer.shape), np.float32) for layer in source.graph.inputs}
    values = reference.values(path, list(samples.values()), list(source.origins.values()))
    assert [value.shape for value in values.outputs] == [(2, 3), (2, 4)]


@pytest.mark.parametrize("end", [lambda x: functional.log_softmax(x, dim=1), lambda x: x.argmax(1)])
def test_what_only_decides_at_the_end_is_left_out(end: Any, tmp_path: Path) -> None:
    """As classifiers that learned with nn.NLLLoss end."""
    path, module = tmp_path / "model.pt2", Of(lambda self, x: end(self.last(x)), last=nn.Linear(6, 3))
    source = from_torch(module, torch.randn(1, 6), path)
    assert [layer.kind for layer in source.graph] == ["Input", "Dense"] and "left out" in source.graph.notes[0]
    x = np.ones((2, 6), np.float32)
    assert compare(source, x, reference.values(path, [x], list(source.origins.values())), "pytorch", path) < 1e-5


def test_a_module_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    assert module.training and from_torch(module, torch.randn(1, 4)).graph.outputs and module.training


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda self, x: torch.log_softmax(x, 1) + 1, "only at the end"),
        (lambda self, x: x @ x.transpose(2, 3), "weights"),
        (lambda self, x: torch.fft.rfft(x).real, "layers"),
        (lambda self, x: functional.embedding(x.long(), torch.ones(9, 2)), "look its rows up outside"),
    ],
)
def test_what_cannot_be_read_is_told(function: Any, why: str) -> None:
    with pytest.raises(ModelError) as caught:
        from_torch(Of(function), torch.randn(PLANE))
    assert why in str(caught.value.hint)


def test_what_cannot_be_exported_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"torch\.export cannot export"):
        from_torch(Of(lambda self, x: x if x.sum() > 0 else -x), torch.randn(PLANE))
    with pytest.raises(ModelError, match="no name"):
        from_torch(nn.ReLU(), torch.randn(PLANE), tmp_path / "model.onnx")


# -- random programs ---------------------------------------------------------------------------------------------------


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**16), steps=PROGRAMS)
def test_random_programs(seed: int, steps: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    assert_program_equal(seed, steps, tmp_path_factory.mktemp("random") / "model.pt2")
