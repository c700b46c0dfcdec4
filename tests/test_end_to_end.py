"""The shipped digits example as a user runs it: trained, quantized, built, run, reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim import cli
from mcusim.reports.report import Report, Run

ROOT = Path(__file__).parents[1]
DIGITS = str(ROOT / "examples" / "digits" / "experiment.toml")
pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example on the host engine, all of it."""
    folder = tmp_path_factory.mktemp("digits")
    assert cli.execute(["run", DIGITS, "--engine", "host", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def on_host(out: Path) -> tuple[Run, ...]:
    return Report.read(out / "report.json").runs


def test_all_data_types_on_the_host(on_host: tuple[Run, ...]) -> None:
    assert [run.data_type for run in on_host] == ["float32", "int16", "int8"]
    for run in on_host:
        assert run.error is None and run.complete and run.samples == 360
        assert run.accuracy is not None and run.accuracy > 0.95
        assert run.mismatches == 0, run.first_mismatch
    assert len({run.accuracy_float for run in on_host}) == 1, "one training"


def test_the_model_is_kept_and_used_again(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = out / "models" / "cnn_last.keras"
    before = model.read_bytes()
    assert cli.execute(["evaluate", DIGITS, "--engine", "host", "--out", str(out), "--samples", "10"]) == 0
    assert model.read_bytes() == before and "training" not in capsys.readouterr().err


def test_evaluate_does_not_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["evaluate", DIGITS, "--engine", "host", "--out", str(tmp_path)]) == 2
    assert "has not been trained" in " ".join(capsys.readouterr().out.split())


def test_the_library_of_the_trained_file(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(out / "models" / "cnn_last.keras")
    assert cli.execute(["generate", model, "--data-type", "int8", "--out", str(tmp_path)]) == 3
    assert "needs calibration samples" in capsys.readouterr().err
    network = ["--data-type", "int16", "--scheme", "per-network", "--format", "Q7.9"]
    assert cli.execute(["generate", model, *network, "--out", str(tmp_path / "lib")]) == 0
    assert "cnn(" in (tmp_path / "lib" / "model.h").read_text()


@pytest.mark.arm
def test_both_boards_compute_what_the_host_computes(out: Path, on_host: tuple[Run, ...]) -> None:
    assert cli.execute(["run", DIGITS, "--out", str(out)]) == 0
    report = Report.read(out / "report.json")
    by_type = {run.data_type: run for run in on_host}
    assert len(report.runs) == 6
    for run in report.runs:
        assert run.mismatches == 0, run.first_mismatch
        assert run.accuracy == by_type[run.data_type].accuracy
        assert run.instructions and run.rom_bytes and run.ram_bytes and run.ram_bytes.total
        assert run.rom_bytes.weights < run.rom_bytes.total < 64 * 1024
    digests = {run.elf_sha256 for run in report.runs}
    assert len(digests) == 6


@pytest.mark.arm
def test_a_second_run_is_the_same_but_for_time(tmp_path: Path, out: Path) -> None:
    def figures() -> list[dict[str, object]]:
        assert cli.execute(["run", DIGITS, "--out", str(out), "--data-type", "int8", "--samples", "40"]) == 0
        timing = ("wall_s", "emulated_mips")
        runs = Report.read(out / "report.json").to_dict()["runs"]
        return [{key: value for key, value in run.items() if key not in timing} for run in runs]

    assert figures() == figures()
