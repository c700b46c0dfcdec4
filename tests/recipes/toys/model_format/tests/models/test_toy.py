import json
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.reports.report import Report

KERNEL, BIAS = [[1, -2, 0.5], [0, 1, 1]], [0.25, -1]
EXPERIMENT = """\
[experiment]
name = "toy"
[dataset]
file = "data.npz"
[[model]]
name = "one"
file = "model.toy"
[[quantization]]
data_type = "float32"
[[quantization]]
data_type = "int8"
[target]
engine = "host"
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("model.toy").write_text(json.dumps({"kernel": KERNEL, "bias": BIAS}))
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    y = np.arange(20) % 2
    np.savez("data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return "model.toy"


def test_the_library_of_a_file(model: str) -> None:
    assert cli.execute(["generate", model, "--data-type", "float32", "--out", "lib"]) == 0
    assert "cnn(" in Path("lib/model.h").read_text() and "0.25" in Path("lib/weights.h").read_text()
    assert cli.execute(["generate", model, "--data-type", "int8", "--calibration", "data.npz", "--out", "lib8"]) == 0


def test_an_experiment_of_a_file(model: str) -> None:
    Path("toy.toml").write_text(EXPERIMENT)
    assert cli.execute(["run", "toy.toml", "--out", "out"]) == 0
    runs = Report.read(Path("out/report.json")).runs
    assert [(run.error, run.mismatches, run.samples) for run in runs] == [(None, 0, 20)] * 2
    assert runs[0].float_proof and (runs[0].float_proof.against, runs[0].float_proof.samples) == ("toy 1", 16)


def test_what_is_no_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(model).write_text('{"kernel": [1]}')
    assert cli.execute(["generate", model, "--data-type", "float32", "--out", "lib"]) == 3
    assert "layer 'dense' is no dense layer" in capsys.readouterr().err
