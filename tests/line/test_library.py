"""The C library of a model file, without an experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.line import library
from mcusim.line.library import library_of_model
from mcusim.models.source import Source
from mcusim.system.errors import ConfigurationError, DataError
from tests.lines import graph


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(library, "read_model", lambda path: Source(graph(path.stem)))
    return tmp_path / "mine.keras"


def samples(folder: Path, **arrays: object) -> Path:
    path = folder / "samples.npz"
    np.savez(path, **(arrays or {"x_train": np.ones((5, 4), np.float32)}))
    return path


def test_float_and_a_format_need_no_samples(model: Path) -> None:
    assert "model.c" in library_of_model(model, None, data_type="float32").library.files
    chosen = library_of_model(model, None, data_type="int16", scheme="per-network", format="Q7.9").library
    assert "int16" in chosen.files["model.h"] or "16" in chosen.files["number_config.h"]


def test_scales_need_samples(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="int8 per-channel needs calibration samples"):
        library_of_model(model, None, data_type="int8")
    assert library_of_model(model, samples(tmp_path), data_type="int8").library.files


def test_both_names_of_the_array(model: Path, tmp_path: Path) -> None:
    by_x = library_of_model(model, samples(tmp_path, x=np.ones((5, 4), np.float32)), data_type="int8")
    assert by_x.library.digest == library_of_model(model, samples(tmp_path), data_type="int8").library.digest


def test_samples_of_another_model(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shape \(7,\)"):
        library_of_model(model, samples(tmp_path, x=np.ones((5, 7), np.float32)), data_type="int8")
    with pytest.raises(DataError, match="no array 'x_train'"):
        library_of_model(model, samples(tmp_path, y=np.ones(5)), data_type="int8")
    with pytest.raises(DataError, match="no data file"):
        library_of_model(model, tmp_path / "none.npz", data_type="int8")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"data_type": "int99"}, "unknown data type 'int99'"),
        ({"data_type": "int8", "scheme": "global"}, "unknown quantization scheme 'global'"),
        ({"data_type": "int8", "scheme": "per-network"}, "needs a format"),
        ({"data_type": "int8", "scheme": "per-network", "format": "Q7.9"}, "has 16 bits"),
        ({"data_type": "int8", "rounding": "up"}, "--rounding is 'up'"),
        ({"data_type": "float32", "scheme": "per-layer"}, "float32 is not quantized"),
    ],
)
def test_words_that_cannot_be(model: Path, words: dict[str, str], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        library_of_model(model, None, **words)
