"""The shipped digits example as a user runs it: trained, quantized, built, run, reported."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.datasets import load_dataset
from mcusim.line import bench
from mcusim.line.float_proof import Proved
from mcusim.line.hand_over import MANIFEST
from mcusim.reports.report import Report, Run

ROOT = Path(__file__).parents[1]
DIGITS = str(ROOT / "examples" / "digits" / "experiment.toml")
pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def unproved(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One start of TensorFlow is enough: that of `digits`."""
    stages = replace(bench.STAGES, start_proof=lambda *_: lambda: Proved(reason="a stand-in"))
    monkeypatch.setattr(bench, "STAGES", stages)


@pytest.fixture(scope="module")
def out(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example on the host engine, all of it."""
    return shutil.copytree(digits, tmp_path_factory.mktemp("digits") / "out")


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
    (proof,) = {run.float_proof for run in on_host}
    assert proof and proof.against.startswith("keras 3") and proof.samples == 16 and proof.max_difference < 1e-5


def test_the_model_is_kept_and_used_again(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = out / "models" / "cnn_last.keras"
    before = model.read_bytes()
    assert cli.execute(["evaluate", DIGITS, "--engine", "host", "--out", str(out), "--samples", "60"]) == 0
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
    assert "note: dropped the softmax" in capsys.readouterr().out
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
def test_what_is_generated_is_what_was_measured(out: Path, tmp_path: Path) -> None:
    """From the experiment, and from the model's file with the same settings: the C that ran on the board."""
    digits = load_dataset("digits")
    np.savez(tmp_path / "data.npz", x_train=digits.x_train, y_train=digits.y_train)
    choice = ["--data-type", "int8", "--board", "nucleo_l452re_p", "--out", str(tmp_path)]
    shutil.copytree(out / "models", tmp_path / "models")
    assert cli.execute(["evaluate", DIGITS, "--samples", "60", *choice]) == 0
    (built,) = (tmp_path / "cnn-int8-nucleo_l452re_p").glob("nucleo_l452re_p-*")
    assert cli.execute(["generate", DIGITS, *choice]) == 0
    shutil.copy(tmp_path / "models" / "cnn_last.keras", tmp_path / "cnn.keras")
    file = [str(tmp_path / "cnn.keras"), "--calibration", str(tmp_path / "data.npz")]
    choice[-1] = str(tmp_path / "of-file")
    assert cli.execute(["generate", *file, "--seed", "1", *choice]) == 0
    for folder in (tmp_path / "library" / "cnn-int8", tmp_path / "of-file"):
        generated = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
        assert "model.c" in generated and "weights.h" in generated
        same, other, none = filecmp.cmpfiles(folder, built, generated, shallow=False)
        assert sorted(same + other) == generated and other == ["model.h"] and not none
        told, plain = ((place / "model.h").read_text() for place in (folder, built))
        assert told[: told.index("Stack:")] == plain[: plain.index("Stack:")]


@pytest.mark.arm
def test_a_second_run_is_the_same_but_for_time(tmp_path: Path, out: Path) -> None:
    def figures() -> list[dict[str, object]]:
        assert cli.execute(["run", DIGITS, "--out", str(out), "--data-type", "int8", "--samples", "40"]) == 0
        timing = ("wall_s", "emulated_mips")
        runs = json.loads((out / "report.json").read_text())["runs"]
        return [{key: value for key, value in run.items() if key not in timing} for run in runs]

    assert figures() == figures()


@pytest.fixture(scope="module")
def timed(out: Path) -> Path:
    """One run on one board, with a few samples timed; code stays in flash, where the model's error is known."""
    text = Path(DIGITS).read_text(encoding="utf-8")
    experiment = out / "in_flash.toml"
    experiment.write_text(text.replace("[target]", "[target]\ncode_in_ram = false"), encoding="utf-8")
    line = ["run", str(experiment), "--out", str(out), "--data-type", "int8", "--samples", "60"]
    assert cli.execute([*line, "--board", "nucleo_l452re_p"]) == 0
    return out


@pytest.mark.arm
def test_cycles_are_modelled_and_shared_out_among_the_layers(timed: Path) -> None:
    (run,) = Report.read(timed / "report.json").runs
    assert run.cycles and run.instructions and run.latency_ms and run.energy_uwh
    assert run.cycles.how == "modelled" and run.cycles.samples == 50
    assert run.cycles.kind == "integer" and run.cycles.error_pct and "of integer code" in run.cycles.error_pct["from"]
    assert run.cycles.min <= run.cycles.mean <= run.cycles.max
    assert run.cycles.mean > run.instructions.mean
    assert run.latency_ms == pytest.approx(run.cycles.mean / 48e3, rel=1e-4)
    assert run.energy_uwh == pytest.approx(run.latency_ms * 4.80e-3 * 3.3 / 3600 * 1e3, rel=1e-4)
    assert all(layer.cycles for layer in run.layers)
    assert 0.98 < sum(layer.share or 0 for layer in run.layers) <= 1


@pytest.mark.arm
def test_profile_prices_a_run_for_another_clock(timed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stacks = timed / "stacks.txt"
    assert cli.execute(["profile", str(timed), "--stacks", str(stacks)]) == 0
    at_48 = capsys.readouterr().out
    assert "at 48 MHz" in at_48 and "modelled" in at_48 and "layer_conv1" in at_48
    assert "cnn;layer_conv1 " in stacks.read_text()
    assert cli.execute(["profile", str(timed / "report.json"), "--clock", "80MHz"]) == 0
    assert "at 80 MHz" in capsys.readouterr().out
    assert re.search(r"latency +[0-9.]+ ms ±[0-9.]+ % at 48 MHz", at_48) and "code       integer\n" in at_48
    memory = []
    for states in ("0", "2", "9"):
        assert cli.execute(["profile", str(timed), "--wait-states", states]) == 0
        memory.append(int(re.search(r"([0-9,]+) memory", capsys.readouterr().out)[1].replace(",", "")))  # type: ignore[index]
    assert memory[0] < memory[1] < memory[2] and f"{memory[1]:,} memory" in at_48
    assert cli.execute(["profile", str(timed), "--model", "none"]) == 2
    err = capsys.readouterr().err
    assert "no run of model 'none'" in err and f"hint: it has {Report.read(timed / 'report.json').runs[0].label}" in err
    for wrong, code in ((["--clock", "80 parsecs"], 2), (["--clock", "200MHz"], 2), (["--model", "none"], 2)):
        assert cli.execute(["profile", str(timed), *wrong]) == code
        assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.arm
def test_profile_of_any_firmware(timed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = next(timed.rglob("firmware.elf"))
    board = ["--board", "nucleo_l452re_p"]
    assert cli.execute(["profile", str(elf), *board, "--from", "mcusim_reset", "--to", "main"]) == 0
    assert "startup.c" in capsys.readouterr().out
    assert cli.execute(["profile", str(elf), *board]) == 6, "without its input it never gets to cnn"
    err = capsys.readouterr().err
    assert "'cnn' was never called" in err and "it is the firmware of a run" in err and "mcusim profile RUN" in err
    assert cli.execute(["profile", str(elf)]) == 2
    assert "for which board?" in capsys.readouterr().err
    assert cli.execute(["profile", str(elf), *board, "--from", "cnm"]) == 2
    assert "did you mean 'cnn'?" in capsys.readouterr().err


SEVERAL = """\
[experiment]
name = "several"
[dataset]
file = "data.npz"
[[model]]
name = "both"
file = "both.keras"
[[quantization]]
data_type = "int8"
[[quantization]]
data_type = "int8"
layers = {{ who = "int16" }}
[[quantization]]
data_type = "float32"
[target]
engine = "{engine}"
boards = ["nucleo_l452re_p", "sparkfun_edge"]
samples = 20
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two inputs and two outputs as Keras saves it, and data for it, of no use but to run."""
    from keras import Model, layers

    folder = tmp_path_factory.mktemp("several")
    sound, image = layers.Input((16, 2), name="sound"), layers.Input((6, 6, 1), name="image")
    heard = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3, activation="relu")(sound))
    seen = layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(3, 3)(image)))
    joined = layers.Concatenate()([heard, seen])
    who, where = layers.Dense(3, name="who")(joined), layers.Dense(5, name="where")(joined)
    Model([sound, image], {"who": who, "where": where}).save(folder / "both.keras")
    random = np.random.default_rng(3)
    arrays = {}
    for split, count in (("train", 60), ("test", 30)):
        arrays |= {f"x_{split}_sound": random.normal(5, 2, (count, 16, 2)).astype(np.float32)}
        arrays |= {f"x_{split}_image": random.normal(-1, 9, (count, 6, 6, 1)).astype(np.float32)}
        arrays |= {f"y_{split}_who": np.arange(count) % 3, f"y_{split}_where": np.arange(count) % 5}
    np.savez(folder / "data.npz", **arrays)
    return folder


@pytest.mark.parametrize("engine", ["host", pytest.param("qemu", marks=pytest.mark.arm)])
def test_several_inputs_and_outputs(several: Path, tmp_path: Path, engine: str) -> None:
    (several / "test.toml").write_text(SEVERAL.format(engine=engine))
    assert cli.execute(["run", str(several / "test.toml"), "--out", str(tmp_path)]) == 0
    runs = Report.read(tmp_path / "report.json").runs
    assert [run.scheme for run in runs][:: len(runs) // 3] == ["per-channel", "mixed", ""]
    for run in runs:
        assert (run.error, run.mismatches, run.samples) == (None, 0, 20)
        assert {output.name for output in run.outputs} == {"who", "where"}
        assert run.accuracy == min(output.accuracy or 0 for output in run.outputs)
        assert run.confusion is None and {len(output.confusion or ()) for output in run.outputs} == {3, 5}


@pytest.mark.arm
def test_several_inputs_and_outputs_are_exported(several: Path, tmp_path: Path) -> None:
    (several / "test.toml").write_text(SEVERAL.format(engine="qemu"))
    choice = ["--board", "nucleo_l452re_p", "--data-type", "int8", "--shown", "2", "--out", str(tmp_path)]
    assert cli.execute(["export", str(several / "test.toml"), *choice]) == 0
    (folder,) = (tmp_path / "export").glob("both-int8_who_int16*")
    told = json.loads((folder / "case.json").read_text())
    answers = list(struct.iter_unpack(told["answer"], (folder / "expected.bin").read_bytes()))
    assert {len(answer) for answer in answers} == {3 + 5} and len(answers) == 20
    assert told["number"] == "int8" and told["answer"] == "<5bx3h", (
        "outputs of a dict in the order of their sorted names"
    )
    decided = np.array([answer[: told["outputs"]] for answer in answers]).argmax(axis=1)
    assert decided[told["console"]["samples"]].tolist() == told["console"]["classes"]


def test_the_library_of_several_inputs(several: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice = ["--data-type", "int8", "--out", str(tmp_path / "lib")]
    model = str(several / "both.keras")
    assert cli.execute(["generate", model, "--calibration", str(several / "data.npz"), *choice]) == 0
    assert "model_input_t" in (tmp_path / "lib" / "model.h").read_text()
    np.savez(tmp_path / "other.npz", x_train=np.zeros((3, 16, 2), np.float32))
    assert cli.execute(["generate", model, "--calibration", str(tmp_path / "other.npz"), *choice]) == 3
    assert "x_train_image" in " ".join(capsys.readouterr().err.split())


def test_explaining_ranks_layers_and_runs_nothing(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(out / "models", tmp_path / "models")
    choice = ["--explain", "--samples", "50", "--out", str(tmp_path)]
    assert cli.execute(["evaluate", DIGITS, *choice]) == 0
    told = json.loads((tmp_path / "explain.json").read_text())
    assert list(told["cases"]) == ["cnn, int16", "cnn, int8"] and not (tmp_path / "report.json").exists()
    for rows in told["cases"].values():
        assert [row["share"] for row in rows] == sorted((row["share"] for row in rows), reverse=True)
        assert {row["name"] for row in rows} > {"conv1", "conv2", "logits"}
    shown = capsys.readouterr().out
    assert "cnn, int8: share of the error" in shown and max(map(len, shown.splitlines())) < 120
    assert cli.execute(["evaluate", DIGITS, "--data-type", "float32", *choice]) == 2
    assert cli.execute(["evaluate", DIGITS, "--junit", str(tmp_path / "x.xml"), *choice]) == 2
    assert "--junit writes a report" in capsys.readouterr().err and not (tmp_path / "x.xml").exists()
