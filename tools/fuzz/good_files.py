"""Files of all kinds that mcusim reads, as they should be, and the commands that read them."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mcusim.system.assets import PLATFORMS
from tools.fuzz.kind import NotHere

FLOAT = ("generate", "{file}", "--data-type", "float32", "--out", "out")
INT8 = ("generate", "{file}", "--data-type", "int8", "--calibration", "data.npz", "--out", "out")
START = ("init", "{file}", "--out", "out/experiment.toml")
CONVERT = ("convert", "{file}", "--data-type", "float32", "--out", "out/m.tflite")
ON_HOST = ("evaluate", "experiment.toml", "--engine", "host", "--samples", "3", "--out", "out")
MODELS = (FLOAT, FLOAT, INT8, START, CONVERT)
BOARD = "nucleo_l452re_p"
PROFILE = ("--board", BOARD, "--engine", "qemu", "--from", "cnn", "--calls", "1", "--stall", "5")
RECORD, STAND_IN = "kept.csv", "stand-in-for-qemu"
VALIDATE = ("validate", "rows.csv", "--engine", "qemu", "--stall", "5")

EXPERIMENT = """
[experiment]
name = "fuzz"
seed = 3
[dataset]
file = "data.npz"
normalize = "z-score"
[[model]]
name = "one"
file = "model.onnx"
[[quantization]]
data_type = "int8"
scheme = "per-channel"
[[quantization]]
data_type = "int16"
scheme = "per-network"
format = "Q7.9"
rounding = "floor"
[target]
boards = ["nucleo_l452re_p"]
samples = 3
timing_samples = 1
kernels = "plain"
flash_max = "60 KiB"
ram_max = 20000
code_in_ram = "auto"
[expect]
accuracy_min = 0.0
rom_bytes_max = 400_000
"""


@dataclass(frozen=True)
class Subject:
    """`name`: of the file, below its folder. `contents`: good ones. `beside`: other files that its commands read.

    `before`: a folder of what an earlier command wrote into `out`.
    """

    kind: str
    name: str
    contents: tuple[bytes, ...]
    commands: tuple[tuple[str, ...], ...]
    beside: tuple[str, ...] = ()
    before: str = ""


@cache
def folder() -> Path:
    """Where they lie, for as long as this process; made when somebody asks for the first time."""
    made = Path(_kept().name)
    _write_models(made)
    random = np.random.default_rng(0)
    x = random.normal(size=(24, 6, 5, 2)).astype(np.float32)
    y = random.integers(0, 3, 24)
    np.savez(made / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y, classes=np.array(["a", "b", "c"]))
    np.savez_compressed(made / "more.npz", x_train=x, y_train=np.eye(3)[y], x_test=x.astype(np.float64), y_test=y)
    (made / "experiment.toml").write_text(EXPERIMENT)
    return made


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mcusim-fuzz-good-")


def _write_models(made: Path) -> None:
    from tests.keras_files import (
        called,
        dense,
        functional,
        layer,
        numbers,
        sequential,
        start,
        write_keras,
        write_legacy,
    )
    from tests.onnx_files import File as OnnxFile
    from tests.pt2_files import network
    from tests.tflite_files import dense_file, quantized_file

    conv = layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="same", use_bias=True)
    conv["config"] |= {"activation": "relu", "dilation_rate": [1, 1], "groups": 1, "data_format": "channels_last"}
    entries = [conv, layer("GlobalAveragePooling2D", "pool"), dense("dense", 3)]
    kernel, bias, last, end = numbers(3, 3, 2, 4), numbers(4), numbers(4, 3), numbers(3)
    arrays = {"layers/conv2d": (kernel, bias), "layers/dense": (last, end)}
    write_keras(made / "model.keras", sequential(start(6, 5, 2), *entries), arrays)
    nodes = [called(entry, [[name, 0, 0, {}]]) for entry, name in zip(entries, ("i", "conv", "pool"), strict=True)]
    drawn = functional([called(start(6, 5, 2, name="i")), *nodes], [["i", 0, 0]], [["dense", 0, 0]])
    write_keras(made / "functional.keras", drawn, arrays)
    groups = {
        "conv": {"conv/kernel:0": kernel, "conv/bias:0": bias},
        "pool": {},
        "dense": {"dense/kernel:0": last, "dense/bias:0": end},
    }
    write_legacy(made / "model.h5", sequential(start(6, 5, 2), *entries), groups)
    (made / "dense.tflite").write_bytes(dense_file())
    (made / "conv.tflite").write_bytes(quantized_file())
    network().write(made / "model.pt2")
    file = OnnxFile((1, 2, 6, 5), 13)
    file.add("Conv", ..., file.numbers(4, 2, 3, 3), file.numbers(4), pads=[1, 1, 1, 1])
    file.add("Relu")
    file.add("GlobalAveragePool")
    file.add("Flatten")
    file.add("Gemm", ..., file.numbers(3, 4), file.numbers(3), transB=1)
    file.write(made / "model.onnx")
    from tests.onnx_graphs import quantized

    for spelling in ("QDQ", "QOperator"):
        (made / f"{spelling}.onnx").write_bytes(quantized(file, made, spelling))


@cache
def ran() -> Path:
    """The folder of a run on QEMU, with its report, recording and firmware. Raises NotHere."""
    from mcusim.commands.cli import execute
    from mcusim.engines.qemu import engine as qemu
    from mcusim.system.toolchain import find_arm_tool

    try:
        find_arm_tool("gcc")
    except Exception as error:
        raise NotHere(str(error)) from None
    if qemu.missing():
        raise NotHere("there is no QEMU")
    text = EXPERIMENT.replace('kernels = "plain"\n', "")
    (folder() / "quick.toml").write_text(text)
    if execute(["run", str(folder() / "quick.toml"), "--out", str(folder() / "run"), "--jobs", "1"]):
        raise NotHere("a run of a good model does not end well: mcusim doctor tells more")
    return folder() / "run"


def _rows(name: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "from", "to", "calls", "board", "clock", "measured"])
    writer.writerow([name, "cnn", "", 1, BOARD, "48MHz", 30_000])
    writer.writerow([name, "cnn", "", "", BOARD, "", 31_000])
    return text.getvalue().encode()


def _bytes(*names: str) -> tuple[bytes, ...]:
    return tuple((folder() / name).read_bytes() for name in names)


def _first(pattern: str) -> Path:
    return next(path for path in sorted(ran().rglob(pattern)))


def _model(kind: str, name: str, *others: str, commands: tuple[tuple[str, ...], ...] = MODELS) -> Subject:
    return Subject(kind, name, _bytes(name, *others), commands, ("data.npz",))


def _firmware(kind: str, name: str, content: Callable[[bytes], bytes]) -> Subject:
    elf = _first("*.elf").read_bytes()
    (folder() / "rows.csv").write_bytes(_rows(name))
    made = content(elf)
    commands = (("profile", "{file}", *PROFILE),) if kind == "firmware" else (VALIDATE,)
    (folder() / name).write_bytes(made)
    return Subject(kind, name, (made,), commands, ("rows.csv",))


def _table() -> Subject:
    _firmware("firmware", "firmware.elf", bytes)
    return Subject("rows.csv", "rows.csv", (_rows("firmware.elf"),), (VALIDATE,), ("firmware.elf",))


def _record() -> Subject:
    table = _table()
    content = (PLATFORMS / "measured.csv").read_bytes()[:4000].rpartition(b"\n")[0] + b"\n"
    (folder() / "rows.csv").write_bytes(table.contents[0])
    return Subject("record", RECORD, (content,), ((*VALIDATE, "--record", RECORD),), ("rows.csv", "firmware.elf"))


def _report() -> Subject:
    shown = ("report", "{file}", "--console", "--junit", "out/j.xml", "--markdown", "out/m.md")
    golden = Path(__file__).parents[2] / "tests" / "golden" / "report" / "report.json"
    contents = ((ran() / "report.json").read_bytes(), golden.read_bytes())
    return Subject("report", "report.json", contents, (shown, shown, ("profile", ".")))


def _recording() -> Subject:
    found = _first("profile.json")
    name = str(found.relative_to(ran()))
    (folder() / "report.json").write_bytes((ran() / "report.json").read_bytes())
    return Subject("recording", name, (found.read_bytes(),), (("profile", "."),), ("report.json",))


def _answers() -> Subject:
    """What QEMU writes, which a script in its place changes then. Its file is none, and only says by whom."""
    from mcusim.engines.qemu.installation import find_qemu

    ran()
    root, script = Path(__file__).parents[2], folder() / STAND_IN
    script.write_text(
        f"""#!/bin/sh
'{find_qemu()}' "$@"
PYTHONPATH='{root}' exec '{sys.executable}' -m tools.fuzz.damage "$FUZZ_SEED" $?
"""
    )
    script.chmod(0o755)
    command = ("evaluate", "quick.toml", "--data-type", "int8", "--jobs", "1", "--out", "out")
    return Subject("answers", "unread", (b"",), (command,), ("quick.toml", "model.onnx", "data.npz", STAND_IN), "run")


SUBJECTS: tuple[Callable[[], Subject], ...] = (
    lambda: _model("keras", "model.keras", "functional.keras"),
    lambda: _model("h5", "model.h5"),
    lambda: _model("tflite", "dense.tflite", "conv.tflite"),
    lambda: _model("tflite", "conv.tflite", "dense.tflite", commands=(("generate", "{file}", "--out", "out"), START)),
    lambda: _model("onnx", "model.onnx"),
    lambda: _model("onnx", "QDQ.onnx", "QOperator.onnx", commands=(("generate", "{file}", "--out", "out"), START)),
    lambda: _model("pt2", "model.pt2"),
    lambda: Subject(
        "data set",
        "data.npz",
        _bytes("data.npz", "more.npz"),
        (
            ("init", "model.keras", "data.npz", "--out", "out/experiment.toml"),
            ("generate", "model.keras", "--data-type", "int8", "--calibration", "data.npz", "--out", "out"),
            ON_HOST,
        ),
        ("model.keras", "model.onnx", "experiment.toml"),
    ),
    lambda: Subject(
        "experiment",
        "experiment.toml",
        _bytes("experiment.toml"),
        (("kernels", "{file}", "--out", "out"), ("generate", "{file}", "--out", "out"), ("schema",), ON_HOST),
        ("model.onnx", "data.npz"),
    ),
    lambda: Subject(
        "board",
        "board.toml",
        tuple(path.read_bytes() for path in sorted((PLATFORMS / "boards").glob("*.toml"))),
        (("generate", "model.keras", "--data-type", "float32", "--board", "./board.toml", "--out", "out"),),
        ("model.keras",),
    ),
    _answers,
    _answers,
    _report,
    _recording,
    lambda: _firmware("firmware", "firmware.elf", bytes),
    _table,
    _record,
)
