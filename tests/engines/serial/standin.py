"""A board that is none: its firmware's real C as a program of this machine, at the other end of a cable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.flash.image import flash_bytes
from mcusim.engines.serial.facts import FACTS
from mcusim.line.build import Firmware, Target, build
from mcusim.line.emit import LAYER_MARKS
from mcusim.line.sources import Sources
from mcusim.system.assets import CODEGEN
from mcusim.system.toolchain import host_toolchain
from mcusim.workloads.generated import emit_firmware
from tests.engines.serial.cable import Cable

FALLS_BACK_AFTER = 300  # polls of a millisecond
_HERE, _HARNESS = Path(__file__).parent, CODEGEN / "harness"
_OF_ALL = ("main.c", "harness.h", "sample.h", "transport.h", "transport_serial.c", "energy.h")
_MARKED = ("layers.c", "layers.h")
WINDOW = 7  # cycles around an empty model


def build_native(library: Sources, board: Board, firmware: Firmware, folder: Path, *, chip: int | None = None) -> Path:
    """The program. It tells the digest of `firmware`, which is for the board, as if that were in its flash."""
    folder.mkdir(parents=True, exist_ok=True)
    flash = folder / f"{firmware.elf_sha256[:16]}.bin"
    flash.write_bytes(flash_bytes(firmware.image))
    slow = board.model_copy(update={"clock_hz": 20 * FALLS_BACK_AFTER})
    names = (*_OF_ALL, *(_MARKED if LAYER_MARKS in library.files else ()))
    files = {f"harness/{name}": (_HARNESS / name).read_text(encoding="utf-8") for name in names}
    files["harness/fault.h"] = (_HARNESS / "armv7m" / "fault.h").read_text(encoding="utf-8")
    files["harness/standin.c"] = (_HERE / "standin.c").read_text(encoding="utf-8")
    files["harness/standin.h"] = _registers(board, flash, chip)
    header = emit_firmware(library, FACTS, slow).files["harness/board.h"]
    files["harness/board.h"] = f'#include "standin.h"\n{header}'
    return build(library.merged(Sources(files)), Target(host_toolchain(), None), folder).elf


def _registers(board: Board, flash: Path, chip: int | None) -> str:
    console, identity = board.console, board.chip.identity
    assert console and console.receive
    receive = console.receive
    steps = zip(*(rate.steps for rate in console.rates), strict=True)
    divisors = next(row for row in steps if len({step.write for step in row}) > 1)
    rates = [f"{{{row.write}u, B{rate.baud}}}" for row, rate in zip(divisors, console.rates, strict=True)]
    defined = {
        "STATUS": receive.address,
        "STATUS_READY": (console.ready.equals or 0) | (console.idle.equals or 0),
        "STATUS_BYTE": receive.equals or 0,
        "STATUS_NO_BYTE": ~(receive.equals or 0) & receive.mask,
        "DATA_IN": console.data_in or 0,
        "DATA_OUT": console.data,
        "DIVISOR": divisors[0].address,
        "IDENTITY": identity.address if identity else 0,
        "WINDOW": WINDOW,
        **_pin(board),
        "IDENTITY_WORD": chip if chip is not None else identity.equals if identity else 0,
    }
    lines = [f"#define {name} {value:#x}u" for name, value in defined.items()]
    lines += [f"#define RATES {{ {', '.join(rates)} }}", f'#define FLASH_FILE "{flash}"']
    access = "#define REGISTER(address) (*standin_register(address))"
    declared = "volatile uint32_t *standin_register(uint32_t address);"
    return "\n".join(["#include <stdint.h>", *lines, access, declared, ""])


def _pin(board: Board) -> dict[str, int]:
    pin = board.energy_pin
    high, low = (pin.high, pin.low) if pin else (None, None)
    steps = {"HIGH": high, "LOW": low}
    where = {f"PIN_{name}_AT": step.address if step else 1 for name, step in steps.items()}
    return where | {f"PIN_{name}": (step.write or 0) if step else 0 for name, step in steps.items()}


class StandIn:
    """The program, running; a reset starts it anew."""

    def __init__(self, command: Sequence[str], cable: Cable, environment: Mapping[str, str] | None = None) -> None:
        self._command = [word.replace("TTY", cable.tty) for word in command]
        self._environment = {**os.environ, "STANDIN_TTY": cable.tty, **(environment or {})}
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment)

    def reset(self) -> None:
        self.end()
        self._process = self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
