"""Trained model + board -> a folder for Renode scripts and Robot suites: images, samples, answers, platform, figures.

docs/renode.md tells what each file holds. None of them needs mcusim to be used, nor anything outside of the folder.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.boards.board import Board
from mcusim.datasets.sampling import choose
from mcusim.engines.renode.facts import FACTS as RENODE
from mcusim.experiment.case import Case
from mcusim.graph import Tensor
from mcusim.line.bench import Bench
from mcusim.line.case import place_of, ready_model, timing_of
from mcusim.line.emit import is_record, output_members
from mcusim.line.export_files import SCRIPTS, Exported, write_surroundings
from mcusim.line.fit import Fitted
from mcusim.line.ready import ReadyModel, Setting
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.system.records import fields_of
from mcusim.tasks.classification import above, threshold
from mcusim.tasks.classification import decided as decided_by
from mcusim.tasks.task import Answers
from mcusim.timing.timing import Timing
from mcusim.workloads.generated import emit_firmware, make_console

FORMAT = 2  # of case.json, which may gain keys


def export(setting: Setting, case: Case, bench: Bench, shown: int) -> Path:
    """Writes the folder of a case; -> its path. `shown`: samples in the firmware that prints to the board's console.

    Cycles are those that the engine of `case` profiles. Raises ConfigurationError for one that cannot, and for a board
    without a Renode platform or console.
    """
    folder = setting.out / "export" / case.id
    board, platform = _check(case, bench)
    model = ready_model(setting, case, bench)
    timing = timing_of(setting, case, bench)
    chosen = choose(len(model.inputs), shown, model.origin.targets, setting.seed)
    bench.watcher.stage(f"exporting {case.label}")
    what = f"the test set of {setting.experiment.name}, run on {board.name}"
    program, library, built = model.generated.program, model.generated.library, setting.out / case.id
    deciding = output_members(program)[program.outputs[0].name] if is_record(program) else ""
    limit = threshold_of(model.origin.fitted, program.outputs[0])
    console = make_console(library, board, model.inputs[chosen], what, built, deciding, limit)
    firmware = bench.stages.make_firmware(library, RENODE, board, built)
    pace = timing.cycles_per_instruction if timing else None

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(firmware.elf, folder / "firmware.elf")
    shutil.copyfile(console.elf, folder / "console.elf")
    (folder / "input.bin").write_bytes(model.inputs.tobytes())
    (folder / "expected.bin").write_bytes(model.expected.tobytes())
    sources, answer = emit_firmware(library, RENODE, board), layout(program.answer_dtype)
    write_surroundings(folder, Exported(board, platform, pace, sources, len(model.inputs), answer))
    told = json.dumps(_told(case, board, model, timing, chosen), indent=2) + "\n"
    (folder / "case.json").write_text(told, encoding="utf-8")
    return folder


def why_not(case: Case, bench: Bench) -> ConfigurationError | None:
    """None of a case that can be exported."""
    try:
        _check(case, bench)
    except ConfigurationError as error:
        return error
    return None


def _check(case: Case, bench: Bench) -> tuple[Board, Path]:
    """Board and platform of a case that can be exported."""
    facts, board = place_of(case, bench)
    if board is None or not facts.profiles:
        able = [name for name, engine in bench.stages.engines.items() if engine.FACTS.profiles]
        hint = f"--engine {', or '.join(able)}"
        raise ConfigurationError(f"engine {facts.name!r} knows no cycles", where=case.label, hint=hint)
    if board.renode is None:
        hint = "add [renode] with platform = .. to its file"
        raise ConfigurationError(f"board {board.name!r} names no Renode platform", where=case.label, hint=hint)
    return board, Path(board.renode.platform)


def _told(case: Case, board: Board, model: ReadyModel, timing: Timing | None, chosen: Array) -> dict[str, Any]:
    assert board.console is not None  # make_console has seen it
    first, output = next(iter(fields_of(model.expected))), model.generated.program.outputs[0]
    answers = fields_of(model.expected)[first]
    judge, labels = model.origin.fitted.judges[first], model.origin.labels[first]
    real = answers if output.numbers is None else output.numbers.decode(answers)
    decided = decided_by(judge.asked, real)
    return {
        "format": FORMAT,
        "model": case.model.name,
        "data_type": model.generated.graph.data_type,
        "board": case.board_name,
        "clock_hz": board.clock_hz,
        "samples": len(model.inputs),
        "input_bytes": model.inputs[0].nbytes,
        "outputs": output.elements,
        "number": output.dtype.name,
        "threshold": threshold_of(model.origin.fitted, output),
        "answer": layout(model.generated.program.answer_dtype),
        "accuracy": judge.score(Answers(real, labels)).accuracy,
        "labels": None if labels is None else labels.tolist(),
        "cycles": {"mean": timing.cycles.mean, "min": timing.cycles.min, "max": timing.cycles.max} if timing else None,
        "cycles_per_instruction": round(timing.cycles_per_instruction, 6) if timing else None,
        "console": {
            "peripheral": f"sysbus.{board.console.uart}",
            "samples": chosen.tolist(),
            "classes": decided[chosen].tolist(),
        },
        "scripts": SCRIPTS,
    }


def threshold_of(fitted: Fitted, output: Tensor) -> float | None:
    """The largest number of the first output that does not decide class 1, as the firmware computes it.

    None where it has several, of which the largest decides.
    """
    if output.elements > 1:
        return None
    limit = threshold(next(iter(fitted.judges.values())).asked)
    if output.numbers is None:
        return float(np.float32(limit))
    span = np.iinfo(output.dtype)
    every = np.arange(span.min, span.max + 1).astype(output.dtype)
    below = every[above(output.numbers.decode(every)[:, np.newaxis], limit) == 0]
    return float(below[-1]) if len(below) else float(span.min - 1)


def layout(dtype: np.dtype[Any]) -> str:
    """An answer as the module `struct` writes it: the numbers of all outputs, and the gaps between them."""
    if dtype.fields is None:
        return f"<{math.prod(dtype.shape)}{dtype.base.char}"
    parts, end = [], 0
    for name in dtype.names or ():
        member, offset = dtype.fields[name][:2]
        parts.append(("x" * (offset - end)) + layout(member)[1:])
        end = offset + member.itemsize
    return "<" + "".join(parts) + "x" * (dtype.itemsize - end)
