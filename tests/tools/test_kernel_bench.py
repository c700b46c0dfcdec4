"""The bench of kernels on small networks, and a folder with a library of one function beside it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mcusim.experiment.tables import Target
from mcusim.line.optimize import optimize
from mcusim.system.errors import ConfigurationError
from tests.graphs import Builder
from tools import cmsis_nn, kernel_bench, kernel_tables
from tools.kernel_library import is_in
from tools.kernel_runs import ANY
from tools.networks import NETWORKS, Network, network

LIBRARY_C = """
#include "mynn.h"
int mynn_bytes(int inputs) { return 2 * inputs; }
void mynn_dense(const int8_t *x, const int8_t *w, const int32_t *bias, int inputs, int outputs, int shift,
                int16_t *room, int8_t *y)
{
    for (int i = 0; i < inputs; i++) {
        room[i] = x[i];
    }
    for (int o = 0; o < outputs; o++) {
        int32_t sum = bias[o];
        for (int i = 0; i < inputs; i++) {
            sum += w[o * inputs + i] * room[i];
        }
        sum >>= shift;
        y[o] = (int8_t)((sum > 127 ? 127 : sum < -128 ? -128 : sum) + WRONG_BY);
    }
}
"""
LIBRARY_H = """
#include <stdint.h>
int mynn_bytes(int inputs);
void mynn_dense(const int8_t *, const int8_t *, const int32_t *, int, int, int, int16_t *, int8_t *);
"""
ADAPTER = """
from mcusim.line.quantize import quantize
from mcusim.system.errors import ConfigurationError
from tools.kernel_library import Call, c_array

class Adapter:
    name, sources, without, includes, headers = "MyNN", ["src/*.c"], ["*_test.c"], ["inc"], ["mynn.h"]

    def version(self, folder):
        return "1.2"

    def graph(self, network, data_type):
        return quantize(network.graph, network.x, "int8", output="int8") if data_type == "int8" else None

    def call(self, layer, graph, name):
        if layer.kind != "Dense":
            raise ConfigurationError(f"no {layer.kind} here", hint="leave it out")
        outputs, inputs = layer.kernel.shape
        arrays = [c_array("int8_t", f"{name}_w", layer.kernel), c_array("int32_t", f"{name}_b", layer.bias)]
        numbers = f"{inputs}, {outputs}, {layer.rescale.shift}"
        body = f"    mynn_dense(input0, {name}_w, {name}_b, {numbers}, scratch, output);"
        return Call("\\n".join(arrays), body, f"mynn_bytes({inputs})")
"""


def _dense() -> Network:
    builder = Builder((12,), seed=4)
    builder.dense(9)
    builder.dense(5)
    return Network("tiny dense", optimize(builder.graph()), builder.samples(16))


def _convolution() -> Network:
    builder = Builder((10, 4), seed=5)
    builder.conv(8, 3, padding="same", activation="relu")
    builder.add("GlobalMaxPooling1D")
    return Network("tiny convolution", optimize(builder.graph()), builder.samples(16))


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "dense", _dense)  # type: ignore[arg-type]
    monkeypatch.setitem(NETWORKS, "convolution", _convolution)  # type: ignore[arg-type]


def _library(folder: Path, wrong_by: int) -> list[str]:
    """Options that name a library that was written into the folder."""
    for name, text in {
        "src/mynn.c": LIBRARY_C.replace("WRONG_BY", str(wrong_by)),
        "src/mynn_test.c": "#error",
        "inc/mynn.h": LIBRARY_H,
        "adapter.py": ADAPTER,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return ["--library", str(folder), "--adapter", str(folder / "adapter.py")]


@pytest.mark.arm
def test_a_line_for_each_and_their_layers(capsys: pytest.CaptureFixture[str]) -> None:
    choices = ["--network", "dense", "--network", "convolution", "--type", "int8", "--type", "float32"]
    assert kernel_bench.main([*choices, "--samples", "2", "--layers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    totals = [line for line in lines if line.startswith("tiny")]
    assert [line.split()[1:3] for line in totals] == [
        ["dense", "int8"],
        ["dense", "float32"],
        ["convolution", "int8"],
        ["convolution", "float32"],
    ]
    for line in totals:
        latency, _, speed_up, rom, ram, mismatches = line.partition("|")[0].split()[-6:]
        assert float(latency) > 0 and float(speed_up) > 0.5 and mismatches == "0"
        assert int(rom.replace(",", "")) > int(ram.replace(",", "")) > 300
    layers = [line for line in lines if re.match(r" {4}\w.* expected \([+-]\d+\.\d%\)", line)]
    assert len(layers) == 2 * (2 + 2)


@pytest.mark.arm
def test_a_higher_clock_has_more_wait_states(capsys: pytest.CaptureFixture[str]) -> None:
    boards = ["--board", "nucleo_l452re_p", "--board", "nucleo_l452re_p@80MHz"]
    assert kernel_bench.main(["--network", "dense", "--type", "int8", "--samples", "1", *boards]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    own, faster = (float(line.split("nucleo_l452re_p")[1].split()[1]) for line in lines)  # cycles a MAC
    assert own < faster < 1.5 * own


@pytest.mark.arm
@pytest.mark.parametrize("wrong_by", [0, 1])
def test_a_library_beside_ours(wrong_by: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its answers are held against ours: one that computes something else is seen."""
    choices = ["--network", "dense", "--network", "convolution", "--type", "int8", "--samples", "2"]
    assert kernel_bench.main([*choices, *_library(tmp_path, wrong_by)]) == 0
    head, dense, convolution = capsys.readouterr().out.splitlines()
    assert "library ms" in head
    latency, per_mac, rom, ram, differs = dense.rpartition("|")[2].split()
    assert float(latency) > 0 and float(per_mac) > 1 and int(rom.replace(",", "")) > 1000
    assert int(ram.replace(",", "")) > 300 and (float(differs) > 0) == (wrong_by > 0)
    assert "MyNN: no Conv1D here" in convolution


@pytest.mark.arm
def test_limits_have_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    targets = (("", ANY), ("ram_max = 400", Target(ram_max=400)))
    monkeypatch.setattr(kernel_bench, "LIMITS", [("convolution", "int8", *target) for target in targets])
    options = kernel_bench._parser().parse_args(["--network", "convolution", "--type", "int8", "--samples", "1"])
    _, _, free, limited = kernel_bench._limits(kernel_bench._bench(options, tmp_path))["limits"].splitlines()
    assert "| tiny convolution | int8 |  | **0." in free
    assert "`ram_max = 400`" in limited and "more than there may be |" in limited


@pytest.mark.arm
def test_what_a_library_computes_is_compared_number_by_number(tmp_path: Path) -> None:
    (tmp_path / "docs.md").write_text("<!-- from tools/kernel_bench.py: MLPerf Tiny -->\n\nold\n\n<!-- end -->\n")
    options = ["--network", "dense", "--type", "int8", "--samples", "2", *_library(tmp_path, 0)]
    bench = kernel_bench._bench(kernel_bench._parser().parse_args(options), tmp_path / "work")
    rows = list(bench.rows())
    assert bench.library_title == "MyNN 1.2" and rows[0].library and rows[0].difference == 0
    parts = kernel_bench._parts(rows, bench.library_title)
    kernel_tables.write_tables(parts, tmp_path / "docs.md")
    text = (tmp_path / "docs.md").read_text()
    assert "old" not in text and "| tiny dense | int8 | **0.0** |" in text and "MyNN: ms" in text
    assert "**modelled**" in text and "QEMU" in text and "48 MHz" in text
    kernel_tables.write_tables(parts, tmp_path / "docs.md")
    assert (tmp_path / "docs.md").read_text() == text


def test_docs_have_a_place_for_every_table(tmp_path: Path) -> None:
    path = Path(shutil.copy(kernel_tables.DOCS, tmp_path))
    names = [*kernel_bench.GROUPS.values(), kernel_bench.ELSEWHERE, "limits", "layers"]
    kernel_tables.write_tables(dict.fromkeys(names, "new"), path)
    assert path.read_text().count("\nnew\n") == len(names)
    with pytest.raises(ConfigurationError, match="no markers for 'another'"):
        kernel_tables.write_tables({"another": "x"}, path)


def test_docs_say_where_the_figures_are_from() -> None:
    text = " ".join(kernel_tables.DOCS.read_text(encoding="utf-8").split())
    assert len(re.findall(r"All times are \*\*modelled\*\* for [^|]* QEMU \S+ on \d+ \w+ \d{4}", text)) == 3


def test_a_folder_without_a_library_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernel_bench.main(["--library", str(tmp_path)]) == 2
    assert "no library that is known here" in capsys.readouterr().err


def test_a_file_without_an_adapter_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "adapter.py").write_text("")
    line = ["--library", str(tmp_path), "--adapter", str(tmp_path / "adapter.py")]
    assert kernel_bench.main(line) == 2
    assert "'adapter.py' has no class Adapter" in capsys.readouterr().err


def test_the_adapter_that_comes_along_knows_its_library(tmp_path: Path) -> None:
    adapter = cmsis_nn.Adapter()
    assert not is_in(adapter, tmp_path)
    (tmp_path / "Include").mkdir()
    (tmp_path / "Include" / "arm_nnfunctions.h").touch()
    (tmp_path / "Include" / "arm_nn_types.h").write_text(" * $Date:  1 May 2026\n * $Revision: V.3.6.1\n")
    assert is_in(adapter, tmp_path) and adapter.version(tmp_path) == "V.3.6.1, 1 May 2026"


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_the_adapter_that_comes_along_has_a_call_for_every_layer(data_type: str) -> None:
    """Whether the calls are right is seen where the library is there: its answers are compared."""
    adapter = cmsis_nn.Adapter()
    graph = adapter.graph(network("uci_har_f16"), data_type)
    assert graph is not None
    bits = {"int8": 8, "int16": 16}[data_type]
    calls = {layer.name: adapter.call(layer, graph, layer.name) for layer in graph if not layer.INPUT}
    assert f"arm_convolve_wrapper_s{bits}(&context" in calls["block1_conv1"].body
    assert f"arm_elementwise_add_s{bits}(input0, input1" in calls["block1_add"].body
    weights = calls["conv1"].constants
    stored = np.array(re.findall(r"-?\d+", weights[weights.index("{") : weights.index("}")]), int)
    assert len(stored) == 16 * 27 and np.abs(stored).max() in range(64, 129)


def test_the_adapter_that_comes_along_has_no_float32() -> None:
    assert cmsis_nn.Adapter().graph(network("uci_har_f16"), "float32") is None
