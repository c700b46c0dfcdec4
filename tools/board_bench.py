"""What a real board's protocols cost a sample beside the model's own time, and what a bad cable costs: nothing.

python -m tools.board_bench [--rounds 5] [--samples 200] [--bad 10000]

No board is here. A GDB client speaks to QEMU's stub, frames go over a pseudo terminal that is as slow as 921600 baud.
Each round runs both ways, few samples and many: a sample is what many take longer, all else is the start. What else the
machine does meanwhile is in these times; rounds that were disturbed least are the figures that are judged.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.engine import Execution
from mcusim.engines.probe.servers import _free_ports
from mcusim.line.build import Firmware
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.errors import EngineError
from mcusim.workloads.generated import make_firmware
from tests.engines.probe.stubs import qemu, without_its_registers
from tests.engines.serial.cable import Cable
from tests.engines.serial.standin import StandIn, build_native
from tests.jobs import run
from tests.tiny_library import expected, library, samples
from tools import networks
from tools.command import end

BOARD, NETWORK, FEW = "nucleo_l452re_p", "uci_har_f16", 20
FAULTS = {"drop": 1e-4, "flip": 1.5e-4, "unplug": 1.5e-5, "stall": 1e-4}  # of bytes; the last one of pieces
STALL_S = 60.0  # the longest that one sample may take with all that a cable does

Run = Callable[[Array], Execution]


@dataclass
class Beside:
    """Milliseconds of each round: a sample, both ways; our CPU for one, of this process; all else; flashing, if any."""

    model: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    flash: list[float] = field(default_factory=list)

    @property
    def sample(self) -> float:
        """Of the least disturbed rounds."""
        return min(self.ours) - min(self.model)

    def told(self, name: str) -> list[str]:
        pairs = [ours - model for ours, model in zip(self.ours, self.model, strict=True)]
        rows = {"model": self.model, "with it": self.ours, "of a pair": pairs, "our CPU": self.cpu}
        rows |= {"start": self.start, "flash": self.flash}
        each = [
            f"  {what:<10} min {min(ms):9.2f}  median {statistics.median(ms):9.2f} ms"
            for what, ms in rows.items()
            if ms
        ]
        return [f"{name}: {self.sample:.2f} ms a sample beside the model", *each]


class _Timed(NamedTuple):
    """Milliseconds of a sample, by the clock and of our CPU, and of all else."""

    each: float
    cpu: float
    start: float
    answers: Array


def _timed(way: Run, inputs: Array) -> _Timed:
    took = []
    for count in (FEW, len(inputs)):
        began = np.array((time.monotonic(), time.process_time()))
        answers = way(inputs[:count]).answers
        took.append((np.array((time.monotonic(), time.process_time())) - began) * 1e3)
    each, cpu = (float(ms) for ms in (took[1] - took[0]) / (len(inputs) - FEW))
    return _Timed(each, cpu, float(took[0][0]) - FEW * each, answers)


def _round(found: Beside, ours: Run, model: Run, inputs: Array, *, turned: bool) -> None:
    """`turned`: ours goes first. Raises EngineError where the two ways differ."""
    timed = {way: _timed(way, inputs) for way in ((ours, model) if turned else (model, ours))}
    if not np.array_equal(timed[ours].answers, timed[model].answers):
        raise EngineError("both ways have other answers", hint="mcusim run --engine names both: it tells the samples")
    found.ours.append(timed[ours].each)
    found.cpu.append(timed[ours].cpu)
    found.start.append(timed[ours].start)
    found.model.append(timed[model].each)


def probe(rounds: int, count: int, folder: Path) -> Beside:
    """The GDB client on QEMU's stub, beside engine `qemu`. Code stays in flash: that machine has no RAM for it."""
    board = without_its_registers(load_board(BOARD))
    sources, inputs = _model(count)
    of = {name: make_firmware(sources, ENGINES[name].FACTS, board, folder / name) for name in ("qemu", "probe")}
    found = Beside()
    for number in range(rounds):
        [port] = _free_ports(1)
        told = _map(folder, board, f'server = "127.0.0.1:{port}"')
        ours, model = _way("probe", of["probe"], board, folder, hardware=told), _way("qemu", of["qemu"], board, folder)
        with qemu(port):
            began = time.monotonic()
            ours(inputs[:FEW])
            with_flash = (time.monotonic() - began) * 1e3
            _round(found, ours, model, inputs, turned=bool(number % 2))
        found.flash.append(with_flash - found.start[-1] - FEW * found.ours[-1])
    return found


def serial(rounds: int, count: int, folder: Path) -> Beside:
    """Frames over a paced cable to a native program, beside engine `host`, which runs the same C."""
    board = load_board(BOARD)
    sources, inputs = _model(count)
    firmware = make_firmware(sources, ENGINES["serial"].FACTS, board, folder / "serial")
    native = make_firmware(sources, ENGINES["host"].FACTS, None, folder / "host")
    found = Beside()
    with _desk(sources, firmware, board, folder, paced=True) as (told, _, _):
        ours, model = _way("serial", firmware, board, folder, hardware=told), _way("host", native, None, folder)
        for number in range(rounds):
            _round(found, ours, model, inputs, turned=bool(number % 2))
    return found


@dataclass(frozen=True)
class Survived:
    """`wrong`: samples without the right answer. `seen`: how often the cable did what. `notes`: of the run."""

    wrong: int
    seen: Mapping[str, int]
    notes: tuple[str, ...]


def bad_cable(count: int, folder: Path) -> Survived:
    """A small model over a cable with all faults, and one reset in the midst.

    A board that counts otherwise than its answers were counted ends its connection, which is a note.
    """
    board, inputs = load_board(BOARD), samples(count)
    firmware = make_firmware(library(), ENGINES["serial"].FACTS, board, folder / "serial")
    with _desk(library(), firmware, board, folder, paced=True, **FAULTS) as (told, cable, standin):

        def reset(done: int, total: int) -> None:
            if 2 * done > total and not cable.seen["reset"]:
                cable.seen["reset"] += 1
                standin.reset()

        execution = _way("serial", firmware, board, folder, hardware=told, stall_s=STALL_S, progress=reset)(inputs)
    right = execution.answers.view(np.int8) == expected(inputs)[execution.indices]
    return Survived(count - int(right.all(axis=1).sum()), cable.seen, execution.notes)


def _model(count: int) -> tuple[Sources, Array]:
    """The network of UCI-HAR in int8 as plain C, and samples: 1,152 bytes up and 6 down."""
    network = networks.network(NETWORK)
    graph = network.quantized("int8")
    x = np.resize(network.x, (count, *network.x.shape[1:]))
    return emit_library(lower(graph)), graph.encode(x)


def _way(name: str, firmware: Firmware, board: Board | None, folder: Path, **options: Any) -> Run:
    """Runs samples on the engine of that name, in a folder of its own each time."""

    def way(inputs: Array) -> Execution:
        execution = run(ENGINES[name], firmware, board, inputs, Path(tempfile.mkdtemp(dir=folder)), **options)
        if execution.trouble:
            raise execution.trouble
        return execution

    return way


def _map(folder: Path, board: Board, place: str) -> Path:
    path = folder / "map.toml"
    path.write_text(f'[[board]]\nid = "bench-{os.getpid()}"\ntype = "{board.name}"\n{place}\n', encoding="utf-8")
    return path


@contextmanager
def _desk(
    sources: Sources, firmware: Firmware, board: Board, folder: Path, **faults: Any
) -> Iterator[tuple[Path, Cable, StandIn]]:
    """A stand-in at the end of a cable: the map that names it, and both."""
    program = build_native(sources, board, firmware, folder / "native")
    cable = Cable(folder / "tty", **faults)
    cable.start()
    standin = StandIn([str(program)], cable)
    try:
        yield _map(folder, board, f'port = "{cable.link}"'), cable, standin
    finally:
        standin.end()
        cable.end()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.board_bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="each runs both ways (%(default)s)")
    parser.add_argument("--samples", type=int, default=200, help="of a round, more than 20 (%(default)s)")
    parser.add_argument("--bad", type=int, default=10_000, help="samples over the bad cable (%(default)s)")
    options = parser.parse_args(arguments)
    if options.samples <= FEW:
        parser.error(f"--samples: more than {FEW}")
    for name, measure in (("probe on QEMU's stub", probe), ("serial at 921600 baud", serial)):
        with tempfile.TemporaryDirectory(prefix="mcusim-bench-") as folder:
            print("\n".join(measure(options.rounds, options.samples, Path(folder)).told(name)), flush=True)
    with tempfile.TemporaryDirectory(prefix="mcusim-bench-") as folder:
        survived = bad_cable(options.bad, Path(folder))
    print(f"bad cable: {survived.wrong} of {options.bad} samples wrong or lost; {dict(survived.seen)}")
    print("\n".join(f"  note: {note}" for note in survived.notes))
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    end(main)
