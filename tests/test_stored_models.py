"""Models that are quantized in their files: through the whole line as they are, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.datasets.dataset import Dataset
from mcusim.datasets.digits import load
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.read import read_experiment
from mcusim.graph import Graph
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.line import float_proof
from mcusim.line.front import quantized_graph
from mcusim.line.optimize import drop_softmax, optimize
from mcusim.line.stored import with_types
from mcusim.models.source import Origin, Source
from mcusim.numbers.affine import Affine
from mcusim.reports.report import Report, Run
from mcusim.system.errors import ModelError
from tests.stored_models import StoredFormat, digits_graph, float_digits_graph, numbers, registered

EXPERIMENT = """
[experiment]
name = "stored"
[dataset]
name = "digits"
[[model]]
file = "digits.ints"
proof = false
[target]
engine = "host"
samples = 60
"""


@pytest.fixture(scope="module")
def digits() -> Dataset:
    pytest.importorskip("sklearn")
    return load()


@pytest.fixture(scope="module")
def graph(digits: Dataset) -> Graph:
    assert digits.x_train is not None and digits.y_train is not None
    return digits_graph(digits.x_train, digits.y_train)


@pytest.fixture
def stored(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> StoredFormat:
    return registered(Source(graph), monkeypatch)


def ran(folder: Path, text: str = EXPERIMENT, *words: str, code: int = 0) -> tuple[Run, ...]:
    (folder / "digits.ints").write_bytes(b"")
    (folder / "experiment.toml").write_text(text)
    arguments = ["run", str(folder / "experiment.toml"), "--out", str(folder / "out"), *words]
    assert cli.execute(arguments) == code
    return Report.read(folder / "out" / "report.json").runs


def test_it_runs_without_quantization(stored: StoredFormat, tmp_path: Path) -> None:
    (run,) = ran(tmp_path)
    assert run.error is None and run.mismatches == 0 and run.accuracy and run.accuracy > 0.95
    assert (run.data_type, run.scheme, run.rounding) == ("int8", "affine, as in the file", "")
    assert run.calibration_samples is None and run.accuracy_float is None and run.scores_float == {}
    assert [layer.kind for layer in run.layers][-1] == "Softmax", "it may tie where its inputs do not"
    assert run.id == "digits-as-stored-host" and run.type_label == "int8 as-stored"


@pytest.mark.arm
def test_boards_compute_the_same(stored: StoredFormat, tmp_path: Path) -> None:
    words = ("--engine", "qemu", "--samples", "all")
    runs = ran(tmp_path, EXPERIMENT.replace("samples = 60", 'boards = ["nucleo_l452re_p", "sparkfun_edge"]'), *words)
    assert [(run.error, run.mismatches, run.samples) for run in runs] == [(None, 0, 360)] * 2
    assert all(run.accuracy and run.accuracy > 0.98 and run.cycles for run in runs)


@pytest.mark.arm
def test_models_that_mcusim_quantizes_alike(monkeypatch: pytest.MonkeyPatch, digits: Dataset, tmp_path: Path) -> None:
    """A float model, per channel and in 16 bits beside 8, on a board."""
    registered(Source(float_digits_graph()), monkeypatch)
    chosen = (("int8", "per-channel"), ("int8", "per-tensor"), ("w8a16", "per-channel"), ("w8a16", "per-layer"))
    entries = [f'[[quantization]]\ndata_type = "{word}"\nscheme = "{scheme}"\n' for word, scheme in chosen]
    text = EXPERIMENT.replace("samples = 60", 'samples = 60\nboards = ["nucleo_l452re_p"]\ntiming_samples = 0')
    runs = ran(tmp_path, text + "".join(entries), "--engine", "qemu")
    assert [(run.error, run.mismatches, run.data_type, run.scheme) for run in runs] == [
        (None, 0, *words) for words in chosen
    ]
    assert all(run.accuracy is not None and run.accuracy_float is not None for run in runs)


def test_behind_a_relu_0_is_stored_as_0(digits: Dataset) -> None:
    chosen = Quantization(data_type="int8", scheme="per-channel")
    made = quantized_graph(Source(optimize(float_digits_graph())), digits.x_train, chosen)
    assert sum(layer.numbers.minimum == 0 for layer in made if layer.numbers) >= 3
    signed = quantized_graph(
        Source(optimize(float_digits_graph())), digits.x_train, chosen, unsigned=False
    )  # for other tools, which have int8 alone
    assert all(layer.numbers.minimum == -128 for layer in signed if layer.numbers)
    assert np.array_equal(signed.run(digits.x_test), made.run(digits.x_test))


ACCEPTED = ("as-stored", "int8")
REFUSED = {
    'data_type = "float32"': "it cannot be float32",
    'data_type = "int16"': "it cannot be int16",
    'data_type = "int8"\nscheme = "per-layer"': "'scheme' has no use",
    'data_type = "int8"\ncalibration_samples = 10': "'calibration_samples' has no use",
}


@pytest.mark.parametrize("word", ACCEPTED)
def test_what_it_is_may_be_said(word: str, stored: StoredFormat, tmp_path: Path) -> None:
    (run,) = ran(tmp_path, EXPERIMENT + f'[[quantization]]\ndata_type = "{word}"\n')
    assert run.error is None and run.data_type == "int8" and run.scheme == "affine, as in the file"


@pytest.mark.parametrize("written", REFUSED)
def test_anything_else_is_refused(written: str, stored: StoredFormat, tmp_path: Path) -> None:
    (run,) = ran(tmp_path, EXPERIMENT + f"[[quantization]]\n{written}\n", code=2)
    assert run.error and REFUSED[written] in run.error.message and "in its file, as int8" in run.error.message
    assert run.error.hint == "leave [[quantization]] out, or write data_type = 'as-stored'"


def test_as_stored_takes_no_options(stored: StoredFormat, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "digits.ints").write_bytes(b"")
    (tmp_path / "e.toml").write_text(EXPERIMENT + '[[quantization]]\ndata_type = "as-stored"\nrounding = "floor"\n')
    assert cli.execute(["run", str(tmp_path / "e.toml")]) == 2
    assert "'as-stored' changes no numbers: 'rounding' has no use" in " ".join(capsys.readouterr().err.split())


def test_budgets_name_the_data_type_that_is_found(stored: StoredFormat, tmp_path: Path) -> None:
    budgets = '[[expect_for]]\ndata_type = "int8"\naccuracy_min = 0.999\n[expect]\naccuracy_drop_max = 0.1\n'
    ran(tmp_path, EXPERIMENT + budgets, code=7)
    checks = {check.name: check for check in Report.read(tmp_path / "out" / "report.json").checks}
    assert checks["accuracy_min"].limit == 0.999
    assert (
        checks["accuracy_drop_max"].reason
        == "this run has no accuracy to compare with the float model's (quantized in its file)"
    )


def test_keras_files_are_float32_without_quantization(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    (tmp_path / "e.toml").write_text(EXPERIMENT.replace("digits.ints", "m.keras"))
    assert [entry.label for entry in read_experiment(tmp_path / "e.toml").quantizations] == ["float32"]


def test_the_tools_around_it(stored: StoredFormat, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(tmp_path)
    model, experiment, out = (str(tmp_path / name) for name in ("digits.ints", "experiment.toml", "out"))
    assert cli.execute(["generate", model, "--out", str(tmp_path / "lib")]) == 0
    header = (tmp_path / "lib" / "model.h").read_text()
    assert "digits: int8 affine" in header and "INPUT_ZERO_POINT (-128)" in header
    assert cli.execute(["generate", model, "--data-type", "int16", "--out", str(tmp_path / "no")]) == 2
    assert cli.execute(["kernels", experiment, "--out", out]) == 0
    capsys.readouterr()
    assert cli.execute(["train", experiment, "--out", out]) == 0
    assert "on 60 of 360 samples of the test set" in " ".join(capsys.readouterr().out.split())
    assert cli.execute(["evaluate", "--explain", experiment, "--out", out]) == 2
    assert "there is no float model to compare it with" in " ".join(capsys.readouterr().err.split())


def test_a_draft_leaves_its_numbers_alone(
    stored: StoredFormat, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "d.npz", x_test=digits.x_test, y_test=digits.y_test)
    (tmp_path / "digits.ints").write_bytes(b"")
    draft = ["init", str(tmp_path / "digits.ints"), str(tmp_path / "d.npz"), "--out", str(tmp_path / "e.toml")]
    assert cli.execute(draft) == 0
    text = (tmp_path / "e.toml").read_text()
    assert "the file holds int8, which runs as it is" in text and "accuracy of the model: 99" in text
    (chosen,) = read_experiment(tmp_path / "e.toml").quantizations
    assert chosen.data_type == "as-stored"
    capsys.readouterr()


def test_passes_change_no_bit(graph: Graph, digits: Dataset) -> None:
    made = optimize(graph)
    assert [layer.kind for layer in made] == ["Input", "Conv2D", "MaxPooling2D", "Reshape", "Dense", "Softmax"]
    assert np.array_equal(made.run(digits.x_test), graph.run(digits.x_test))
    assert drop_softmax(made).layers == made.layers


def test_a_merge_that_would_change_bits_is_left_out(graph: Graph) -> None:
    """Padding with another number than the convolution's 0, a ReLU that rescales."""
    pad, relu = graph["pad"], graph["relu"]
    assert isinstance(pad, ZeroPadding)
    layers = {layer.name: layer for layer in graph}
    layers["pad"] = replace(pad, numbers=Affine(8, 16 / 255, 0))
    layers["relu"] = replace(relu, numbers=numbers(-1.0, 3.0))
    kinds = [layer.kind for layer in optimize(replace(graph, layers=tuple(layers.values())))]
    assert "ZeroPadding2D" in kinds and "ReLU" in kinds


def test_integers_are_proved_to_the_last_bit(stored: StoredFormat, digits: Dataset) -> None:
    graph = stored.source.graph
    origins = {layer.name: Origin((layer.name,), (0,)) for layer in graph.layers[1:]}
    stored.source = replace(stored.source, origins=origins)
    source, x = with_types(replace(stored.source, graph=optimize(graph), unoptimized=graph)), digits.x_test[:8]
    assert source.graph.data_type == "int8" and source.graph.scheme == "affine"

    def compared() -> float:
        path = Path("m.ints")
        return float_proof.compare(
            source, x, stored.values(path, [graph.encode(x)], list(origins.values())), "ints", path
        )

    assert compared() == 0.0
    stored.wrong = {"pool": 1}
    with pytest.raises(ModelError, match="layer 'pool'"):
        compared()


def test_a_run_whose_data_are_wrong_tells_the_type_of_its_file(stored: StoredFormat, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"")
    np.savez(tmp_path / "bad.npz", x_test=np.zeros((4, 3), np.float32))
    (run,) = ran(tmp_path, EXPERIMENT.replace('name = "digits"', 'file = "bad.npz"'), code=3)
    assert run.error and (run.data_type, run.id) == ("int8", "digits-as-stored-host")
    assert run.scheme == "affine, as in the file"
