"""`mcusim kernels`: a table that can be read, whatever layers are called, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.datasets import Dataset
from mcusim.graph import Graph
from mcusim.kernels import KERNELS
from mcusim.models.source import Source
from tests.graphs import Builder
from tests.lines import FakeStages
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414

EXPERIMENT = """\
[dataset]
name = "digits"
normalize = "none"
[[model]]
file = "a.keras"
[[quantization]]
data_type = "float32"
[[quantization]]
data_type = "int8"
scheme = "per-layer"
[target]
boards = ["nucleo_l452re_p", "sparkfun_edge"]
engine = "qemu,renode"
"""
HOSTILE = "conv\x1b[31m\n::error::" + 60 * "x"


def network(name: str) -> Graph:
    builder = Builder((32, 6), seed=3)
    builder.conv(16, 3)
    builder.conv(16, 3)
    builder.add("GlobalMaxPooling1D")
    builder.dense(5)
    graph = builder.graph(name)
    old = graph.layers[2].name
    renamed = {layer.name: HOSTILE if layer.name == old else layer.name for layer in graph.layers}
    layers = [
        replace(layer, name=renamed[layer.name], inputs=tuple(renamed[entry] for entry in layer.inputs))
        for layer in graph.layers
    ]
    return Graph(**{**vars(graph), "layers": tuple(layers)})


def dataset() -> Dataset:
    x = np.random.default_rng(0).normal(size=(20, 32, 6)).astype(np.float32)
    y = np.arange(20) % 5
    return Dataset("mine", x, y, x, y)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, stages: FakeStages, monkeypatch: pytest.MonkeyPatch) -> Path:
    stages.load_dataset = lambda *_: dataset()
    stages.read_model = lambda path, name: Source(network(name))
    monkeypatch.chdir(tmp_path)
    Path("a.keras").write_bytes(b"")
    Path("e.toml").write_text(EXPERIMENT)
    return tmp_path


def test_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["kernels"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["kernel", *(kernel.NAME for kernel in KERNELS)]


def test_a_table_for_each_case_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["kernels", "e.toml"]) == 0
    out = capsys.readouterr().out
    titles = [line for line in out.splitlines() if line.startswith("a, ")]
    boards = ("nucleo_l452re_p", "sparkfun_edge")
    assert titles == [f"a, {data_type}, {board}" for data_type in ("float32", "int8 per-layer") for board in boards]
    assert max(map(len, out.splitlines())) <= 80 and "\x1b" not in out and "\n::error" not in out
    assert out.count("in all: ") == 4 and " ms at 48 MHz" in out and "bytes of flash" in out
    for table in out.strip().split("\n\n"):
        chosen = [line for line in table.splitlines() if line.startswith("* ")]
        assert len(chosen) == 4 and "  plain " in table
        cycles = sum(int(line[32:44].replace(",", "")) for line in chosen)
        assert abs(cycles - int(table.split("in all: ")[1].split()[0].replace(",", ""))) <= 2


def test_all_has_every_variant_and_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["kernels", "e.toml", "--data-type", "int8", "--board", "sparkfun_edge"]
    assert cli.execute(arguments) == 0
    short = capsys.readouterr().out
    assert cli.execute([*arguments, "--all"]) == 0
    long = capsys.readouterr().out
    assert "stripes)" in long and "rows: it is for dense layers" in long and "points: it is for float32" in long
    assert set(short.splitlines()) <= set(long.splitlines()) and len(long) > 2 * len(short)
    assert max(map(len, long.splitlines())) <= 80


def test_the_same_as_json() -> None:
    assert cli.execute(["kernels", "e.toml", "--json", "k.json"]) == 0
    cases = json.loads(Path("k.json").read_text())["cases"]
    assert [case["board"] for case in cases] == ["nucleo_l452re_p", "sparkfun_edge"] * 2
    for case in cases:
        chosen = [offer for offer in case["offers"] if offer["chosen"]]
        assert len(chosen) == 4 and sum(offer["cycles"] for offer in chosen) == pytest.approx(case["cycles"])
        assert {offer["layer"] for offer in case["offers"]} == {offer["layer"] for offer in chosen}
        assert HOSTILE in {offer["layer"] for offer in chosen}
        assert {offer["kernel"] for offer in case["offers"]} == {kernel.NAME for kernel in KERNELS}


def test_a_model_that_was_not_trained_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.toml").write_text(EXPERIMENT.replace('file = "a.keras"', 'architecture = "cnn"'))
    assert cli.execute(["kernels", "e.toml"]) == 2
    assert "has not been trained" in capsys.readouterr().err
