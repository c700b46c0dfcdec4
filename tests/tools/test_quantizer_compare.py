"""Our int8 beside TensorFlow Lite's: who is better, and whether that is chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.reports.decisions import mcnemar
from mcusim.system.errors import MissingToolError
from tools import quantizer_compare
from tools.quantizer_compare import Compared, main


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 7, 18 / 256), (7, 1, 18 / 256), (0, 10, 2 / 1024), (6, 12, 0.2379)],
)
def test_mcnemar(first: int, second: int, wanted: float) -> None:
    assert mcnemar(first, second) == pytest.approx(wanted, abs=1e-4)


def test_who_is_better_by_how_much() -> None:
    rights = [np.array(row, bool) for row in ([1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1])]
    told = str(Compared(*rights))
    assert "mcusim -25.000 (0:1" in told and "TFLite -50.000 (1:3" in told and "both +25.000 (2:1" in told


@pytest.mark.train
def test_a_network_by_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'mcusim[train]'")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'mcusim[train]'")
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 8, 3)).astype(np.float32)
    model = keras.Sequential([keras.Input((8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    y = model(x).numpy().argmax(1)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    words = [str(tmp_path / "m.keras"), str(tmp_path / "d.npz"), "--samples", "60", "--seeds", "2"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4 and said[1].startswith("   60 samples, seed 0   mcusim ") and "2 choices" in said[3]
    for line in said[1:3]:
        assert (
            abs(float(line.split("mcusim ")[1].split()[0])) < 6 and abs(float(line.split("TFLite ")[1].split()[0])) < 6
        )


def test_without_tensorflow_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantizer_compare, "find_spec", lambda _: None)
    with pytest.raises(MissingToolError, match="TensorFlow"):
        main(["m.keras", "d.npz"])
