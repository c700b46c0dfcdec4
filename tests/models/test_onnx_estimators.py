"""Estimators of scikit-learn as skl2onnx writes them: linear models, perceptrons, scalers; their labels fall away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.line.float_proof import compare
from mcusim.line.front import read_model
from mcusim.models.onnx import reference
from mcusim.models.onnx.estimators import DOMAIN
from mcusim.system.errors import ModelError
from tests.onnx_files import File, onnx, read, w


@dataclass
class Estimator(File):
    """With operators of ai.onnx.ml."""

    def model(self, *outputs: str) -> Any:
        made = super().model(*outputs)
        made.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
        return made

    def ml(self, kind: str, *inputs: Any, **own: Any) -> str:
        return self.add(kind, *inputs, domain=DOMAIN, **own)

    def linear(self, labels: int, transform: str) -> list[str]:
        own: dict[str, Any] = {"coefficients": w(labels, 6).reshape(-1).tolist(), "intercepts": w(labels).tolist()}
        told = {"classlabels_ints": list(range(labels)), "post_transform": transform}
        self.ml("LinearClassifier", ..., outputs=2, **own, **told)
        return list(self.nodes[-1].output)


def regressor(file: Estimator) -> list[str]:
    file.ml("Scaler", offset=w(6).tolist(), scale=(1 + np.abs(w(6))).tolist())
    own: dict[str, Any] = {"coefficients": w(2, 6).reshape(-1).tolist(), "intercepts": w(2).tolist(), "targets": 2}
    return [file.ml("LinearRegressor", ..., **own)]


def softmax(file: Estimator) -> list[str]:
    label, scores = file.linear(3, "SOFTMAX")
    file.ml("Normalizer", scores, norm="L1")
    probabilities = file.last
    return [file.add("Cast", label, to=7), file.ml("ZipMap", probabilities, classlabels_int64s=[0, 1, 2])]


def logistic(file: Estimator) -> list[str]:
    return file.linear(2, "LOGISTIC")


def perceptron(file: Estimator) -> list[str]:
    file.add("MatMul", ..., w(6, 3))
    file.add("Add", ..., w(3))
    scores = file.add("Softmax")
    label = file.add("ArgMax", axis=1)
    taken = file.ml("ArrayFeatureExtractor", np.arange(3), label)
    shaped = file.add("Reshape", taken, np.array([-1], np.int64))
    return [file.add("Cast", shaped, to=7), file.ml("ZipMap", scores, classlabels_int64s=[0, 1, 2])]


ESTIMATORS = {"regressor": regressor, "softmax": softmax, "logistic": logistic, "perceptron": perceptron}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_it_computes_what_onnxruntime_does(name: str, tmp_path: Path) -> None:
    file, path = Estimator((None, 6)), tmp_path / "m.onnx"
    file.write(path, *ESTIMATORS[name](file))
    source = read_model(path)
    assert len(source.graph.outputs) == 1
    assert any("left out the labels" in note for note in source.graph.notes) == (name != "regressor")
    x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    values = reference.values(path, [x], list(source.origins.values()))
    assert compare(source, x, values, "onnxruntime", path) < 1e-5


@pytest.mark.parametrize(
    ("kind", "own", "why"),
    [
        ("LinearRegressor", {"coefficients": ["a", "b"]}, "cannot be understood"),
        ("LinearRegressor", {"coefficients": [1.0] * 6, "post_transform": "PROBIT"}, "no kernel"),
        ("LinearClassifier", {"coefficients": [1.0] * 6, "intercepts": [0.0]}, "no kernel"),
        ("TreeEnsembleRegressor", {}, "no kernel"),
        ("Normalizer", {"norm": "L2"}, "no kernel"),
        ("Scaler", {"offset": [float("inf")]}, "NaN or infinity"),
    ],
)
def test_what_is_no_sum_is_refused(kind: str, own: dict[str, Any], why: str) -> None:
    file = Estimator((1, 6))
    file.ml(kind, ..., **own)
    with pytest.raises(ModelError, match=why) as caught:
        read(file.data())
    assert caught.value.hint
