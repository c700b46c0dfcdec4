"""A float model is proved against its framework once, in a process of its own; without one the report says why."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.input import Input
from mcusim.line import float_proof
from mcusim.line.float_proof import Proved, samples_of, start_proof
from mcusim.line.optimize import optimize
from mcusim.line.watcher import Silent
from mcusim.models import reference
from mcusim.models.reference import Values
from mcusim.models.source import Origin, Source
from mcusim.pipeline import run
from mcusim.reports.report import FloatProof
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import records_of
from tests.graphs import Builder
from tests.lines import FakeStages, experiment
from tests.lines import stages as stages  # noqa: PLC0414  (a fixture)


@dataclass
class Framework:
    """Computes what its graph does; `wrong` is added to the outputs of layers by name. A format of files `.fake`."""

    source: Source
    told_version: str | None = "fake 1.0"
    wrong: dict[str, float] = field(default_factory=dict)
    trouble: Exception | None = None
    started: int = 0
    NAME: str = "fake"

    @property
    def REFERENCE(self) -> Framework:
        return self

    def version(self) -> str | None:
        return self.told_version

    def install(self) -> str:
        return "Fake is not installed: pip install fake"

    def values(self, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
        if self.trouble:
            raise self.trouble
        assert path.read_bytes() == b"a model"
        graph = self.source.as_read
        made = {graph.inputs[0].name: samples[0]}
        for layer in graph.layers[1:]:
            made[layer.name] = layer.run(*(made[name] for name in layer.inputs)) + self.wrong.get(layer.name, 0.0)
        layers = {origin: made[name] for name, origin in self.source.origins.items()}
        return Values([made[end.name] for end in graph.ends], layers)


@pytest.fixture
def source() -> Source:
    builder = Builder((6, 6, 2), seed=4)
    builder.conv(4)
    builder.normalization()
    builder.add("ReLU")
    builder.add("Flatten")
    builder.dense(3)
    builder.add("Softmax", axis=-1)
    graph = builder.graph()
    origins = {layer.name: Origin(("inner", layer.name), (0, 0)) for layer in graph.layers[1:]}
    return Source(optimize(graph), origins=origins, unoptimized=graph)


@pytest.fixture
def framework(source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Framework:
    """It answers at once: its process is `true`, and this one has answered before."""
    made = Framework(source)

    def start(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        made.started += 1
        assert words[:3] == [sys.executable, "-m", "mcusim.models.reference_process"]
        assert Path(words[3]) == folder and environment["PYTHONPATH"]
        request = json.loads((folder / reference.REQUEST).read_text())
        assert request["format"] == "fake"
        wanted = [Origin(tuple(path), tuple(calls)) for path, calls in request["wanted"]]
        reference.serve(folder, made, Path(request["path"]), wanted)
        return subprocess.Popen(["true"], start_new_session=True)

    monkeypatch.setattr(float_proof, "format_of", lambda path: made)
    monkeypatch.setattr(float_proof.command, "start", start)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "model.fake").write_bytes(b"a model")
    return made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def prove(framework: Framework, folder: Path, stack: ExitStack, x: Array | None = None) -> Proved:
    samples = np.random.default_rng(5).normal(size=(16, 6, 6, 2)).astype(np.float32) if x is None else x
    return start_proof(folder / "model.fake", framework.source, samples, stack)()


def test_a_proof(framework: Framework, tmp_path: Path, stack: ExitStack) -> None:
    proved = prove(framework, tmp_path, stack)
    assert proved == Proved(FloatProof("fake 1.0", 16, 0.0))


def test_it_is_kept_for_the_same_file_samples_graph_and_versions(
    framework: Framework, tmp_path: Path, stack: ExitStack
) -> None:
    first = prove(framework, tmp_path, stack)
    assert prove(framework, tmp_path, stack) == first and framework.started == 1
    prove(framework, tmp_path, stack, np.ones((3, 6, 6, 2), np.float32))
    assert framework.started == 2
    framework.told_version = "fake 1.1"
    prove(framework, tmp_path, stack)
    assert framework.started == 3
    graph = framework.source.as_read
    changed = tuple(replace(layer, name=layer.name) for layer in graph.layers)
    kernel = next(layer for layer in changed if layer.kind == "Dense")
    object.__setattr__(kernel, "bias", kernel.weights["bias"] + np.arange(3, dtype=np.float32))
    framework.source = replace(framework.source, unoptimized=replace(graph, layers=changed))
    with pytest.raises(ModelError):  # of the optimized graph, which is the old one
        prove(framework, tmp_path, stack)
    assert framework.started == 4


@pytest.mark.parametrize("layer", ["conv2d_1", "batchnormalization_2", "relu_3", "flatten_4", "dense_5", "softmax_6"])
def test_the_first_layer_that_differs_is_named(
    framework: Framework, tmp_path: Path, stack: ExitStack, layer: str
) -> None:
    framework.wrong = {layer: 0.01}
    with pytest.raises(
        ModelError, match=rf"layer 'inner/{layer}' \(\w+\) computes .* where fake 1.0 computes"
    ) as caught:
        prove(framework, tmp_path, stack)
    assert caught.value.exit_code == 3 and "proof = false" in (caught.value.hint or "")
    assert str(tmp_path / "model.fake") == caught.value.where
    with pytest.raises(ModelError):
        prove(framework, tmp_path, stack)  # what is wrong is not kept
    assert framework.started == 2


def test_outputs_are_compared_when_no_layer_can_be_looked_into(
    framework: Framework, tmp_path: Path, stack: ExitStack
) -> None:
    framework.source = replace(framework.source, origins={})
    assert prove(framework, tmp_path, stack).proof
    framework.wrong, framework.told_version = {"conv2d_1": 0.01}, "fake 2"
    with pytest.raises(ModelError, match="layer 'softmax_6'"):
        prove(framework, tmp_path, stack)


def test_what_optimizing_breaks_is_told(framework: Framework, tmp_path: Path, stack: ExitStack) -> None:
    graph = framework.source.graph
    broken = tuple(replace(layer, bias=layer.bias * 1.01) if layer.kind == "Dense" else layer for layer in graph)  # type: ignore[attr-defined]
    framework.source = replace(framework.source, graph=replace(graph, layers=broken))
    with pytest.raises(ModelError, match=r"output 'output' changes by .* when the graph is optimized"):
        prove(framework, tmp_path, stack)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (
            ValueError("Unknown layer: 'Foo'\nmore\x1b[31m"),
            "fake 1.0 does not run this model: ValueError: Unknown layer: 'Foo'",
        ),
        (KeyError(), "fake 1.0 does not run this model: KeyError"),
    ],
)
def test_a_framework_that_cannot_is_no_error(
    framework: Framework, tmp_path: Path, stack: ExitStack, trouble: Exception, reason: str
) -> None:
    framework.trouble = trouble
    proved = prove(framework, tmp_path, stack)
    assert proved.proof is None and (proved.reason or "").startswith(reason) and "\x1b" not in (proved.reason or "")


def test_one_that_dies_or_is_not_there(
    framework: Framework, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(float_proof.command, "start", lambda *_: subprocess.Popen(["false"], start_new_session=True))
    assert "ended without an answer" in (prove(framework, tmp_path, stack).reason or "")
    framework.told_version = None
    assert prove(framework, tmp_path, stack) == Proved(reason="Fake is not installed: pip install fake")


def test_its_process_ends_with_the_run(framework: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return started[-1]

    monkeypatch.setattr(float_proof.command, "start", start)
    with pytest.raises(KeyboardInterrupt), ExitStack() as stack:
        start_proof(tmp_path / "model.fake", framework.source, np.ones((2, 6, 6, 2), np.float32), stack)
        raise KeyboardInterrupt
    assert started[0].poll() is not None
    with ExitStack() as stack:
        monkeypatch.setattr(float_proof, "WAIT_S", 0.1)
        join = start_proof(tmp_path / "model.fake", framework.source, np.ones((2, 6, 6, 2), np.float32), stack)
        assert "no answer within" in (join().reason or "") and started[1].poll() is not None


def test_inputs_are_told_in_the_order_of_the_model(
    framework: Framework, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the samples is the order of the names in a data file."""
    first, second = (Input(name=name, inputs=(), shape=(3,)) for name in ("z", "a"))
    joined = Concatenate(name="both", inputs=("z", "a"), shape=(6,))
    graph = Graph((first, second, joined))
    framework.source = Source(graph)
    x = records_of({"a": np.full((2, 3), 1, np.float32), "z": np.full((2, 3), 2, np.float32)})

    def values(self: Framework, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
        return Values([np.concatenate(samples, axis=1)])

    monkeypatch.setattr(Framework, "values", values)
    assert prove(framework, tmp_path, stack, x).proof == FloatProof("fake 1.0", 2, 0.0)


def test_outputs_are_counted(framework: Framework, tmp_path: Path, stack: ExitStack) -> None:
    whole = Framework.values

    class Twice(Framework):
        def values(self, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
            told = whole(self, path, samples, wanted)
            return Values([*told.outputs, *told.outputs], told.layers)

    framework.__class__ = Twice
    with pytest.raises(ModelError, match=r"fake 1.0 finds 2 outputs, mcusim 1"):
        prove(framework, tmp_path, stack)


def test_large_models_are_proved_on_fewer_samples(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    elements = sum(layer.elements for layer in source.as_read)
    assert samples_of(source.as_read) == 16
    monkeypatch.setattr(float_proof, "LARGEST_ELEMENTS", 3 * elements)
    assert samples_of(source.as_read) == 3
    monkeypatch.setattr(float_proof, "LARGEST_ELEMENTS", 1)
    assert samples_of(source.as_read) == 1


def test_a_run_is_proved_once_for_each_model(stages: FakeStages, tmp_path: Path) -> None:
    started: list[Any] = []
    proof = FloatProof("fake 1.0", 16, 1e-7)

    def begin(path: Path, source: Source, x: Array, stack: ExitStack) -> float_proof.Proving:
        started.append((path.name, len(x), time.monotonic()))
        return lambda: Proved(proof)

    stages.start_proof = begin
    report = run(experiment(tmp_path, "a", "b"), tmp_path / "out", Silent())
    assert [(name, count) for name, count, _ in started] == [("a.keras", 16), ("b.keras", 16)]
    assert {(run.float_proof, run.no_float_proof) for run in report.runs} == {(proof, None)} and len(report.runs) == 4


def test_a_difference_fails_the_cases_of_the_model(stages: FakeStages, tmp_path: Path) -> None:
    def refuse() -> Proved:
        raise ModelError("layer 'x' differs", where="a.keras", hint="proof = false")

    stages.start_proof = lambda path, *_: refuse if path.name == "a.keras" else (lambda: Proved(reason="none"))
    report = run(experiment(tmp_path, "a", "b"), tmp_path / "out", Silent())
    assert [bool(run.error) for run in report.runs] == [True, True, False, False] and report.exit_code == 3


def test_it_can_be_switched_off(stages: FakeStages, tmp_path: Path) -> None:
    stages.start_proof = lambda *_: pytest.fail("started")
    made = experiment(tmp_path, "a")
    off = made.model_copy(update={"models": tuple(model.model_copy(update={"proof": False}) for model in made.models)})
    report = run(off, tmp_path / "out", Silent())
    assert {run.no_float_proof for run in report.runs} == {"proof = false in the experiment"}
