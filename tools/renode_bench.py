"""Firmware -> what the renode engine costs: the same image in it and in a Renode without our plug-in, in turns.

    python -m tools.renode_bench build/export/cnn-int8-nucleo_l452re_p/firmware.elf nucleo_l452re_p

In plain Renode a few lines of Python answer the mailbox, and take no outputs. Nothing else looks at the core. The
platform is the board's own. Both are timed from the start of the emulation to the last answer.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Job
from mcusim.engines.renode.engine import place_of
from mcusim.engines.renode.installation import find_installation
from mcusim.engines.renode.process import Options, RenodeProcess
from mcusim.engines.renode.turn import Outcome
from mcusim.engines.renode.workers import shared
from mcusim.line.build import read_firmware
from mcusim.system.errors import EngineError
from tools.qemu_bench import parser_of, random_inputs, run

LIMIT_S = 3600.0
LARGEST_DIFFERENCE = 1.0  # instructions of a sample: the last doorbell ends the run here and goes on there

# Words of the mailbox (codegen/harness/mailbox.h): state is the 4th, input the 5th, stack_bytes the 12th. RAM is
# reached where the host keeps it, because a write over the bus looks for translated code.
_ANSWERS = """
if request.IsInit:
    from System import Array, Byte, IntPtr
    from System.Diagnostics import Stopwatch
    from System.IO import File
    from System.Runtime.InteropServices import Marshal
    from System.Threading import Thread, ThreadStart

    def host(address):
        ram = self.GetMachine().SystemBus.FindMemory(address)
        offset = address - int(ram.RegistrationPoint.Range.StartAddress)
        size = int(ram.Peripheral.SegmentSize)
        return IntPtr(ram.Peripheral.GetSegment(offset // size).ToInt64() + offset % size)

    def end():  # results come last: who reads them gives this Renode its next job
        self.GetMachine().Pause()
        File.WriteAllText("{result}", chr(10).join(lines))

    watch, box = Stopwatch.StartNew(), None
    samples = File.OpenRead("{input}")
    sample = Array.CreateInstance(Byte, {input_bytes})
elif request.IsWrite and request.Offset == 0:
    if box is None:
        box = host({mailbox})
        input = host(Marshal.ReadInt32(box, 16))
    if Marshal.ReadInt32(box, 12) == 1:
        more = samples.Read(sample, 0, {input_bytes}) == {input_bytes}
        if more:
            Marshal.Copy(sample, 0, input, {input_bytes})
        Marshal.WriteInt32(box, 12, 2 if more else 3)
    else:
        instructions = self.GetMachine()["sysbus.cpu"].ExecutedInstructions
        lines = ["outcome done", "detail ", "samples {samples}", "pc 0", "address 0", "instructions %d" % instructions]
        lines += ["stack_bytes %d" % Marshal.ReadInt32(box, 44)]
        lines += ["run_us %d" % int(watch.Elapsed.TotalMilliseconds * 1000), "end {nonce}"]
        Thread(ThreadStart(end)).Start()  # it waits for the core, which waits for this one
elif request.IsRead:
    request.Value = 1
"""


@dataclass(frozen=True)
class PlainProcess(RenodeProcess):
    """Renode as it is, with something that answers."""

    def script(self, own: Path) -> list[str]:
        job = dict(line.partition(" ")[::2] for line in (own / "job.txt").read_text(encoding="utf-8").splitlines())
        samples = (own / "share" / "input.bin").stat().st_size // self.image.input_bytes
        (own / "answers.py").write_text(_ANSWERS.format_map(job | {"samples": samples}), encoding="utf-8")
        peripheral = f"""answers: Python.PythonPeripheral @ sysbus 0xE0000000
    size: 0x1000
    initable: true
    filename: "{own / "answers.py"}"
"""
        (own / "answers.repl").write_text(peripheral, encoding="utf-8")
        lines = [line for line in super().script(own) if not line.startswith("sysbus.mailbox")]
        at = lines.index("machine AddMailbox")
        lines[at : at + 1] = ["sysbus Unregister sysbus.itm", f"machine LoadPlatformDescription @{own}/answers.repl"]
        return [*lines, "start"]


@dataclass(frozen=True)
class Speed:
    """Of all processes: `us` of one sample in each, and how many instructions all execute in a second."""

    us: float
    instructions: float
    mips: float


def main(arguments: Sequence[str] | None = None) -> int:
    return run(compare, parser_of("renode").parse_args(arguments))


def compare(elf: Path, board_name: str, samples: int, jobs: int, rounds: int) -> None:
    """Prints both speeds of each round, and their ratio."""
    chosen, image = load_board(board_name), read_firmware(elf, board_name).image
    inputs = random_inputs(samples, image)
    board, memory, platform = place_of(Job(image, inputs, elf.parent, chosen))
    core, installation = core_of(board.chip), replace(find_installation(), worker=None)
    if installation.program is None:
        raise EngineError("the bench starts the program renode, and there is none", hint="set RENODE_ROOT")

    def timed(kind: type[RenodeProcess]) -> Speed:
        with tempfile.TemporaryDirectory(prefix="mcusim-bench-") as folder, shared() as workers:
            shares = sharing.lay_out(inputs, image.output_bytes, Path(folder), jobs)
            links = workers.new_folder()
            process = kind(workers, installation, image, memory, core, platform, links, Options(LIMIT_S))
            process.prepare()
            outcomes = process.run(shares, stall_s=LIMIT_S, progress=None)
            if outcomes is None:
                raise KeyboardInterrupt
            return _speed(outcomes)

    print(f"Renode {installation.version}, {board.name}, {samples} samples, {jobs} processes")
    print(f"{'round':>5} {'plain us':>10} {'engine us':>10} {'plain MIPS':>11} {'engine MIPS':>12} {'ratio':>7}")
    ratios = []
    for number in range(1, rounds + 1):
        order = (PlainProcess, RenodeProcess) if number % 2 else (RenodeProcess, PlainProcess)
        speeds = {kind: timed(kind) for kind in order}
        plain, engine = speeds[PlainProcess], speeds[RenodeProcess]
        if abs(plain.instructions - engine.instructions) > LARGEST_DIFFERENCE:
            both = f"{plain.instructions:,.0f} instructions in plain Renode, {engine.instructions:,.0f} here"
            raise EngineError(both)
        ratios.append(engine.mips / plain.mips)
        row = f"{plain.us:>10.1f} {engine.us:>10.1f} {plain.mips:>11.0f} {engine.mips:>12.0f}"
        print(f"{number:>5} {row} {ratios[-1]:>7.1%}", flush=True)
    print(f"a sample executes {engine.instructions:,.0f} instructions, harness included")
    print(f"median ratio of MIPS {statistics.median(ratios):.1%}")


def _speed(outcomes: list[Outcome]) -> Speed:
    samples, instructions = sum(one.samples for one in outcomes), sum(one.instructions for one in outcomes)
    longest_us = max(one.run_us for one in outcomes)
    return Speed(longest_us * len(outcomes) / samples, instructions / samples, instructions / longest_us)


if __name__ == "__main__":
    sys.exit(main())
