"""A process of its own: ORDER.json -> a firmware in Unicorn, in this process, with the hooks that count.

    python -m mcusim.engines.unicorn.worker ORDER.json      exit code: that of the firmware; 20: it faulted

Devices do not exist. A register reads as it was last written; one that is polled without end changes its mind, so
that a firmware gets past the set-up of its clocks. `touched.txt` says which were used. The source of random numbers
that the chip's file names is there, and gives the same numbers in every process.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from elftools.elf.elffile import ELFFile

from mcusim.engines.unicorn.semihosting import Semihosting

_DEVICES, _SYSTEM = (0x40000000, 0x20000000), (0xE0000000, 0x00100000)  # origin, bytes
_PATIENCE = 64  # reads of a register in a row before it reads as all ones, as nothing, and so on
_BREAKPOINT, _CALL_HOST = 7, b"\xab\xbe"  # exception of QEMU's core; BKPT 0xAB
_PAGE, _NOWHERE = 0x1000, 0xFFFFFFFE


_MASK = 0xFFFFFFFF


class Random:
    """Words of splitmix32, which any state is good for; always the same ones, so that a run can be repeated."""

    def __init__(self) -> None:
        self._state = 1

    def word(self) -> int:
        self._state = self._state + 0x9E3779B9 & _MASK
        word = (self._state ^ self._state >> 16) * 0x21F0AAAD & _MASK
        word = (word ^ word >> 15) * 0x735A2D97 & _MASK
        return word ^ word >> 15


class Registers:
    """Of devices that there are not. `random`: address of the data, of the status and its value; empty: none."""

    def __init__(self, random: Sequence[int]) -> None:
        self.values: dict[int, int] = {}
        self._data, self._status, self._ready = random or (-1, -1, 0)
        self._random = Random()
        self.touched: Counter[int] = Counter()
        self._last, self._again = -1, 0

    def read(self, _engine: Any, offset: int, size: int, origin: int) -> int:
        at = origin + offset
        word = at & ~3
        if word in (self._data, self._status):
            value = self._random.word() if word == self._data else self._ready
            return value >> 8 * (at & 3) & (1 << 8 * size) - 1
        self.touched[word] += 1
        self._again = self._again + 1 if word == self._last else 0
        self._last = word
        value = self.values.get(word, 0)
        if self._again >= _PATIENCE:
            value = (_MASK, 0, value)[self._again // _PATIENCE % 3 - 1]
        return value >> 8 * (at & 3) & (1 << 8 * size) - 1

    def write(self, _engine: Any, offset: int, size: int, value: int, origin: int) -> None:
        at = origin + offset
        word, shift = at & ~3, 8 * (at & 3)
        mask = ((1 << 8 * size) - 1) << shift
        self.touched[word] += 1
        self._last = -1
        self.values[word] = self.values.get(word, 0) & ~mask | value << shift & mask


class Machine:
    """The core with its memory, as an order describes it, and a firmware in it."""

    def __init__(self, order: dict[str, Any]) -> None:
        import unicorn
        from unicorn import arm_const

        self._arm, self._order, self._error = arm_const, order, unicorn.UcError
        self.registers = Registers(order["random"])
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._memory: dict[str, Any] = {}
        for name, origin, size, original in order["memory"]:
            self._map(name, origin, size, original)
        for origin, size in (_DEVICES, _SYSTEM):
            self.engine.mmio_map(origin, size, self.registers.read, origin, self.registers.write, origin)
        self._load(Path(order["elf"]))
        self.host = Semihosting(self._read, self.engine.mem_write, order["nonce"])
        self.engine.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self.problem, self._stopped_by = "", 0

    def _map(self, name: str, origin: int, size: int, original: str) -> None:
        """An alias has the same bytes as its original."""
        room = -(-size // _PAGE) * _PAGE
        if original not in self._memory:
            self._memory[original] = ctypes.create_string_buffer(room + _PAGE)
        buffer = self._memory[name] = self._memory[original]
        self.engine.mem_map_ptr(origin, room, 7, -(-ctypes.addressof(buffer) // _PAGE) * _PAGE)

    def _load(self, path: Path) -> None:
        with path.open("rb") as file:
            for segment in ELFFile(file).iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self.engine.mem_write(segment["p_paddr"], bytes(segment.data()))

    def _read(self, at: int, size: int) -> bytes:
        return bytes(self.engine.mem_read(at, size)) if size else b""

    def _register(self, name: str) -> int:
        return int(self.engine.reg_read(getattr(self._arm, f"UC_ARM_REG_{name}")))

    def _exception(self, engine: Any, number: int, _data: Any) -> None:
        """What it is, is seen when the engine has stopped: Unicorn 2.1 that is told to go on elsewhere from in here
        never again knows where an access to memory was.
        """
        self._stopped_by = number
        engine.emu_stop()

    def _call_host(self) -> int:
        """Where the firmware goes on; 0: it does not."""
        number, self._stopped_by = self._stopped_by, 0
        pc = self._register("PC")
        if number == _BREAKPOINT and self._read(pc, 2) == _CALL_HOST:
            answer = self.host.call(self._register("R0"), self._register("R1"))
            self.engine.reg_write(self._arm.UC_ARM_REG_R0, answer)
            return 0 if self.host.exit_code is not None else pc + 2
        if number:
            self.problem = f"exception {number} at 0x{pc:08x}: Unicorn has no handlers of exceptions"
        return 0

    def watch(self, hooks: Any) -> None:
        """Counts in the working folder."""
        order = self._order
        regions = [place for region in order["regions"] for place in region]
        watching = hooks.mcusim_watch(
            ctypes.c_void_p(self.engine._uch.value),
            *(ctypes.c_uint32(order[key]) for key in ("from", "to")),
            ctypes.c_uint64(order["calls"]),
            ctypes.c_bool(order["profile"]),
            *(order[key].encode() for key in ("icache", "dcache")),
            (ctypes.c_uint32 * 2)(*order["flash"]),
            (ctypes.c_uint32 * max(1, len(regions)))(*regions),
            ctypes.c_uint32(len(order["regions"])),
        )
        if not watching:
            raise OSError("the hooks cannot be set")

    def run(self) -> int:
        """From the reset to the end."""
        stack, reset = struct.unpack("<II", self._read(self._order["vectors"], 8))
        self.engine.reg_write(self._arm.UC_ARM_REG_SP, stack & ~3)
        self.engine.reg_write(self._arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        at = reset & ~1
        try:
            while at:
                self.engine.emu_start(at | 1, _NOWHERE)
                at = self._call_host()
        except self._error as error:
            self.problem = f"{error} at 0x{self._register('PC'):08x}, called from 0x{self._register('LR') & ~1:08x}"
        if self.problem:
            print(f"fault: {self.problem}", file=sys.stderr)
            return int(self._order["fault"])
        return self.host.exit_code or 0


def main(arguments: list[str]) -> NoReturn:
    order = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["longest"], order["longest"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(order["library"], mode=ctypes.RTLD_GLOBAL)
    hooks = ctypes.CDLL(order["hooks"])
    hooks.mcusim_watch.restype = hooks.mcusim_finish.restype = ctypes.c_bool
    machine = Machine(order)
    machine.watch(hooks)
    code = machine.run()
    touched = "".join(f"0x{at:08X} {times}\n" for at, times in machine.registers.touched.most_common())
    Path("touched.txt").write_text(touched, encoding="ascii")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if hooks.mcusim_finish() or code else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
