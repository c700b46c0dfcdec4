"""The bench of stand-ins runs. Its times are for people: no machine has a steady speed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcusim.engines.serial import connection
from mcusim.system.errors import EngineError
from tests.tiny_library import library, samples
from tools import board_bench as bench


@pytest.mark.arm
def test_all_of_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "_model", lambda count: (library(), samples(count)))
    monkeypatch.setattr(connection, "ENOUGH_S", 0.0)  # nobody asks for the clock
    assert bench.main(["--rounds", "1", "--samples", "22", "--bad", "60"]) == 0
    said = capsys.readouterr().out
    assert said.count("ms a sample beside the model") == 2 and "flash" in said
    assert "bad cable: 0 of 60 samples wrong or lost" in said and "'reset': 1" in said


def test_a_sample_is_what_many_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both ways in turn; the start is no part of it."""
    now, order = [0.0], []

    def way(name: str, start_s: float, each_s: float) -> bench.Run:
        def run(inputs: np.ndarray) -> SimpleNamespace:
            order.append(name)
            now[0] += start_s + each_s * len(inputs)
            return SimpleNamespace(answers=inputs)

        return run  # type: ignore[return-value]

    monkeypatch.setattr(bench.time, "monotonic", lambda: now[0])
    found, inputs = bench.Beside(), np.arange(100)
    ours, model = way("ours", 2.0, 0.005), way("model", 1.0, 0.003)
    for turned in (False, True):
        bench._round(found, ours, model, inputs, turned=turned)
    assert found.sample == pytest.approx(2.0) and found.start == pytest.approx([2000.0, 2000.0])
    assert order == ["model"] * 2 + ["ours"] * 4 + ["model"] * 2
    with pytest.raises(EngineError, match="other answers"):
        bench._round(found, ours, lambda x: SimpleNamespace(answers=-x), inputs, turned=False)  # type: ignore[arg-type,return-value]


def test_few_samples_tell_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--samples", "20"])
    assert "more than 20" in capsys.readouterr().err
