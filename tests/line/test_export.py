"""What `mcusim export` writes is complete, and true."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.commands import cli
from mcusim.datasets.dataset import Dataset
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.read import read_experiment
from mcusim.graph import Tensor
from mcusim.line.build import read_firmware
from mcusim.line.emit import emit_library
from mcusim.line.export import threshold_of
from mcusim.line.fit import Fitted
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format
from mcusim.tasks import judge_of
from mcusim.workloads.generated import make_console
from tests.graphs import Builder
from tests.jobs import run
from tests.tasks.asking import asked

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / "examples" / "digits")
BOARDS = read_experiment(Path(DIGITS) / "experiment.toml").target.boards
DATA = Dataset("mine", None, None, np.zeros((1, 2), np.float32), None)
pytestmark = [pytest.mark.train, pytest.mark.arm]


@pytest.fixture(scope="module")
def out(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(digits, tmp_path_factory.mktemp("digits") / "out")
    choice = ["--data-type", "int8", "--data-type", "float32", "--samples", "40", "--shown", "4"]
    assert cli.execute(["export", DIGITS, *choice, "--out", str(folder)]) == 0
    return folder


def told(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("data_type", ["int8", "float32"])
@pytest.mark.parametrize("board", BOARDS)
def test_files_and_figures(board: str, data_type: str, out: Path) -> None:
    folder = out / "export" / f"cnn-{data_type}-{board}"
    files = {"board.repl", "case.json", "console.elf", "expected.bin", "firmware.elf", "input.bin"}
    alone = {"all_samples.robot", "console.resc", "mailbox.resc", "platforms", "renode_scripts", "run.resc", "sources"}
    assert {path.name for path in folder.iterdir()} == files | alone
    assert (folder / "sources" / "model.c").is_file()
    for path in (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".elf"):
        assert str(ROOT).encode() not in path.read_bytes(), path
    case = told(folder)
    assert (case["board"], case["data_type"], case["samples"], case["number"]) == (board, data_type, 40, data_type)
    assert (folder / "input.bin").stat().st_size == 40 * case["input_bytes"]
    expected = np.fromfile(folder / "expected.bin", dtype=case["number"]).reshape(40, case["outputs"])
    decided = expected.argmax(axis=1)
    assert case["console"]["classes"] == decided[case["console"]["samples"]].tolist()
    assert len(case["console"]["samples"]) == 4
    assert case["accuracy"] == np.mean(decided == case["labels"]) > 0.9
    hertz = round(case["cycles_per_instruction"] * 100e6)
    platform = (folder / "board.repl").read_text()
    assert f"platforms/boards/{board}.repl" in platform
    assert abs(int(platform.split("systickFrequency: ")[1].split()[0]) - hertz) <= 50


@pytest.mark.parametrize("board", BOARDS)
def test_both_images_are_for_the_board_itself(board: str, out: Path) -> None:
    folder = out / "export" / f"cnn-int8-{board}"
    origin = load_board(board).memory.flash.origin
    for name, has_mailbox in (("firmware.elf", True), ("console.elf", False)):
        symbols = read_firmware(folder / name, board).image.symbols
        assert symbols["mcusim_vectors"].address == origin
        assert ("mcusim_mailbox" in symbols) == has_mailbox


def test_expected_answers_are_those_of_the_firmware(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the same model in QEMU."""
    folder = out / "export" / "cnn-int8-nucleo_l452re_p"
    assert cli.execute(["build", DIGITS, "--data-type", "int8", "--board", BOARDS[0], "--out", str(out)]) == 0
    elf = Path(capsys.readouterr().out.splitlines()[-1].strip())
    inputs = np.fromfile(folder / "input.bin", dtype=np.int8).reshape(40, -1)
    execution = run(qemu, read_firmware(elf, BOARDS[0]), load_board(BOARDS[0]), inputs, tmp_path)
    assert execution.answers.tobytes() == (folder / "expected.bin").read_bytes()


def test_again_is_the_same_byte_for_byte(out: Path) -> None:
    folder = out / "export" / "cnn-int8-nucleo_l452re_p"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    choice = ["--data-type", "int8", "--board", BOARDS[0], "--samples", "40", "--shown", "4"]
    assert cli.execute(["export", DIGITS, *choice, "--out", str(out)]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_cannot_be_exported(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["export", DIGITS, "--engine", "host", "--out", str(out)]) == 2
    assert "engine 'host' knows no cycles" in capsys.readouterr().err
    board = tmp_path / "mine.toml"
    text = (ROOT / "platforms" / "boards" / "nucleo_l452re_p.toml").read_text(encoding="utf-8")
    board.write_text(re.sub(r"\[renode\]\n.*\n", "", text), encoding="utf-8")
    assert cli.execute(["export", DIGITS, "--board", str(board), "--out", str(out)]) == 2
    assert "board 'mine' names no Renode platform" in capsys.readouterr().err


def test_boards_that_cannot_be_exported_are_left_out_and_told(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever of them comes first."""
    folder = shutil.copytree(digits, tmp_path / "out")
    choice = ["--data-type", "int8", "--samples", "3", "--board", f"nucleo_l4r5zi,{BOARDS[0]}"]
    assert cli.execute(["export", DIGITS, *choice, "--out", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{folder / 'export' / f'cnn-int8-{BOARDS[0]}'}\n"
    told = "note: not exported: cnn, int8, nucleo_l4r5zi in qemu: board 'nucleo_l4r5zi' names no Renode platform"
    assert err.splitlines()[-1].startswith(told)


@pytest.mark.parametrize("limit", [-1e9, -0.7, 0.0, 0.3, 0.5, 1e9])
@pytest.mark.parametrize("data_type", ["float32", "int8", "int16"])
def test_the_firmware_decides_by_raw_numbers_as_the_task_by_real_ones(limit: float, data_type: str) -> None:
    numbers = {"float32": None, "int8": Format(8, 6), "int16": Format(16, 9)}[data_type]
    output = Tensor(name="", shape=(1,), numbers=numbers)
    judge = judge_of(asked(1, [0, 1], threshold=limit))
    found = threshold_of(Fitted(DATA, {"": judge}), output)
    span = np.iinfo(output.dtype) if numbers else None
    raw = np.arange(span.min, span.max + 1).astype(output.dtype) if span else np.float32([-1, -0.7, 0, 0.3, 0.5, 2])
    real = numbers.decode(raw) if numbers else raw
    assert found is not None and (raw > found).tolist() == (real > np.float32(limit)).tolist()
    assert threshold_of(Fitted(DATA, {"": judge}), Tensor(name="", shape=(2,), numbers=numbers)) is None


def test_the_console_of_a_binary_classifier_shows_its_decisions(tmp_path: Path) -> None:
    """Built without a warning; and the number that it compares with is that of case.json."""
    builder = Builder((2,))
    builder.add("Dense", units=1, arrays=(builder.weights(2, 1, fan_in=2), np.zeros(1, np.float32)))
    samples = builder.random.normal(size=(20, 2)).astype(np.float32)
    program = lower(quantize(builder.graph(), samples, "int8"))
    board = load_board(BOARDS[0])
    raw = program.inputs[0].numbers.encode(samples, "nearest")  # type: ignore[union-attr]
    make_console(emit_library(program, {}), board, raw[:3], "three", tmp_path, threshold=-3.0)
    assert "#define THRESHOLD (-3.0f)" in next(tmp_path.rglob("samples.h")).read_text()
