"""TensorFlow Lite Micro's interpreter proves `.tflite` models, of reals and of integers, layer by layer."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.line.float_proof import Proved, start_proof
from mcusim.line.front import read_model
from mcusim.models.source import Source
from mcusim.models.tflite import reference
from mcusim.models.tflite.reader import HYBRID
from mcusim.numbers.numbers import Activation
from mcusim.reports.report import Report
from mcusim.system.errors import ModelError
from tests.tflite_files import File, dense_file, quantized_file, reals

LIMITED = Activation(relu=True, ceiling=0.25)
FILES = {"float32": dense_file, "int8": quantized_file}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))


def proved(path: Path, source: Source) -> Proved:
    shape = source.graph.inputs[0].shape
    with ExitStack() as stack:
        return start_proof(path, source, reals((4, *shape)), stack)()


@pytest.mark.parametrize("name", FILES)
def test_a_model_is_proved(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(FILES[name]())
    found = proved(path, read_model(path))
    assert found.proof and found.proof.samples == 4 and found.proof.against == reference.version()
    assert found.proof.max_difference <= (0 if name == "int8" else 1e-6)


def test_a_model_is_run_as_tflm_computes_that_rounds_once(tmp_path: Path) -> None:
    """Beside the usual one; it is read again, and the file is proved as its framework is installed."""
    (tmp_path / "m.tflite").write_bytes(quantized_file())
    ways = "".join(f'[[quantization]]\ndata_type = "as-stored"\nrescale = "{how}"\n' for how in ("double", "single"))
    text = f'[experiment]\nname = "e"\n[[model]]\nfile = "m.tflite"\n[target]\nengine = "host"\n{ways}'
    (tmp_path / "e.toml").write_text(text)
    assert cli.execute(["run", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 0
    runs = Report.read(tmp_path / "out" / "report.json").runs
    assert [run.type_label for run in runs] == ["int8 as-stored", "int8 as-stored single"]
    assert [(run.mismatches, run.float_proof is not None) for run in runs] == [(0, True)] * 2
    assert runs[0].elf_sha256 != runs[1].elf_sha256
    sources = [(tmp_path / "out" / run.id).rglob("model.c") for run in runs]
    assert ["NN_ONCE" in next(found).read_text() for found in sources] == [False, True]


@pytest.mark.parametrize("name", FILES)
def test_a_layer_that_is_read_wrongly_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(FILES[name]())
    source = read_model(path)
    wrong = [replace(layer, activation=LIMITED) if layer.macs else layer for layer in source.graph]
    source = replace(source, graph=replace(source.graph, layers=tuple(wrong)), unoptimized=None)
    with pytest.raises(ModelError, match="computes"):
        proved(path, source)


@pytest.mark.parametrize("kind", ["LOG_SOFTMAX", "ARG_MAX"])
def test_what_only_decides_at_the_end_is_left_out(kind: str, tmp_path: Path) -> None:
    """The model's outputs are the scores then, and so are those that prove it."""
    file, path = File(), tmp_path / "m.tflite"
    start, scores = file.tensor((1, 4)), file.tensor((1, 3))
    file.op("FULLY_CONNECTED", (start, file.constant(reals((3, 4)), "float32")), (scores,))
    if kind == "ARG_MAX":
        end = file.tensor((1,), "int32")
        file.op(kind, (scores, file.constant(1)), (end,), outputType=2)
    else:
        end = file.tensor((1, 3))
        file.op(kind, (scores,), (end,))
    path.write_bytes(file.written((start,), (end,)))
    source = read_model(path)
    assert [layer.kind for layer in source.graph] == ["Input", "Dense"] and "left out" in source.graph.notes[0]
    found = proved(path, source)
    assert found.proof is not None and found.proof.max_difference <= 1e-6


def test_what_the_interpreter_does_not_run_is_no_proof(tmp_path: Path) -> None:
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 8))
    file.op("TILE", (start, file.constant((1, 2))), (end,))
    path = tmp_path / "m.tflite"
    path.write_bytes(file.written((start,), (end,)))
    found = proved(path, read_model(path))
    assert found.proof is None and "TensorFlow Lite Micro" in str(found.reason)


def test_integer_weights_among_reals_are_no_proof(tmp_path: Path) -> None:
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 3))
    kernel = file.constant(np.ones((3, 4)), "int8", scale=0.1)
    file.op("FULLY_CONNECTED", (start, kernel), (end,))
    path = tmp_path / "m.tflite"
    path.write_bytes(file.written((start,), (end,)))
    assert proved(path, read_model(path)).reason == HYBRID
