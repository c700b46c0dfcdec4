"""A process of its own: ORDER.json -> a firmware in Unicorn, in this process, with the hooks that count.

    python -m mcusim.engines.unicorn.worker ORDER.json      exit code: that of the firmware; 20: it faulted

Devices do not exist: devices.py. `touched.txt` says which registers were used. Where the order has serial input, time
passes between measured calls: SysTick and the port call their handlers, as functions, and none of them nests.
"""

import ctypes
import json
import os
import resource
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from elftools.elf.elffile import ELFFile

from mcusim.engines.unicorn.devices import Registers, Serial
from mcusim.engines.unicorn.semihosting import Semihosting
from mcusim.system.orphan import end_with

_DEVICES, _SYSTEM = (0x40000000, 0x20000000), (0xE0000000, 0x00100000)  # origin, bytes
_BREAKPOINT, _CALL_HOST = 7, b"\xab\xbe"  # exception of QEMU's core; BKPT 0xAB
_PAGE, _NOWHERE = 0x1000, 0xFFFFFFFE
_BLOCKS_A_TICK = 300  # of the code between measured calls
_RETURN = 0x1F000000  # where handlers return to: no chip has anything there, and code may run there
_NOP = b"\x00\xbf"
_VECTORS_AT, _FRAME = 0xE000ED08, 0x68  # VTOR; bytes of a frame with floats
_STACKED = ("R0", "R1", "R2", "R3", "R12", "LR", "SP", "PC", "APSR", *(f"S{n}" for n in range(16)))


def between(taken: Iterable[tuple[int, int]], origin: int, size: int) -> Iterator[tuple[int, int]]:
    """Origins and sizes of what these ranges leave of that one, in whole pages: memory may lie among devices."""
    at = origin
    for begin, end in sorted((*taken, (origin + size, origin + size))):
        begin, end = begin // _PAGE * _PAGE, -(-end // _PAGE) * _PAGE
        if at < begin <= origin + size:
            yield at, begin - at
        at = max(at, end)


class Machine:
    """The core with its memory, as an order describes it, and a firmware in it."""

    def __init__(self, order: dict[str, Any]) -> None:
        import unicorn
        from unicorn import arm_const

        self._arm, self._order, self._error = arm_const, order, unicorn.UcError
        serial = Serial(bytes.fromhex(order["serial"]), bytes.fromhex(order["after"]), order["ports"])
        self.registers = Registers(order["random"], order["registers"], serial)
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._memory: dict[str, Any] = {}
        for name, origin, size, original in order["memory"]:
            self._map(name, origin, size, original)
        taken = [(origin, origin + size) for _, origin, size, _ in order["memory"]]
        for origin, size in (*between(taken, *_DEVICES), _SYSTEM):
            self.engine.mmio_map(origin, size, self.registers.read, origin, self.registers.write, origin)
        self._load(Path(order["elf"]))
        self.host = Semihosting(self._read, self.engine.mem_write, order["nonce"])
        self.engine.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self.engine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._missed)
        self.problem, self._stopped_by, self._nothing_at = "", 0, 0
        self._every = _BLOCKS_A_TICK if order["serial"] else 0
        if self._every:
            self.engine.mem_map(_RETURN, _PAGE)
            self.engine.mem_write(_RETURN, _NOP + _NOP)

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

    def _missed(self, _engine: Any, _kind: int, address: int, *_: Any) -> bool:
        """The fault follows: nothing is mapped there."""
        self._nothing_at = address
        return False

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
        self._hooks = hooks
        hooks.mcusim_tick_every(ctypes.c_uint64(self._every))

    def _ticked(self) -> int:
        """Some time has passed. Where the firmware goes on; 0: it does not."""
        at = self._register("PC")
        waiting = [] if self._register("PRIMASK") else self.registers.exceptions()
        return at if all(self._handle(number) for number in waiting) else self._call_host()

    def _handle(self, number: int) -> bool:
        """As the core enters an exception and leaves it (Armv7-M, B1.5), seen by the code around it. Did it return?"""
        vectors = self.registers.values.get(_VECTORS_AT, 0) or self._order["vectors"]
        handler = int.from_bytes(self._read(vectors + 4 * number, 4), "little")
        kept = {name: self.engine.reg_read(getattr(self._arm, f"UC_ARM_REG_{name}")) for name in _STACKED}
        self.engine.reg_write(self._arm.UC_ARM_REG_SP, kept["SP"] - _FRAME & ~7)
        self.engine.reg_write(self._arm.UC_ARM_REG_LR, _RETURN | 1)
        self._hooks.mcusim_tick_every(ctypes.c_uint64(0))
        self.engine.emu_start(handler | 1, _RETURN + len(_NOP))  # the first one runs: a call of the handler ends there
        if self._register("PC") != _RETURN + len(_NOP):
            return False
        self._hooks.mcusim_tick_every(ctypes.c_uint64(self._every))
        for name, value in kept.items():
            self.engine.reg_write(getattr(self._arm, f"UC_ARM_REG_{name}"), value)
        return True

    def run(self) -> int:
        """From the reset to the end."""
        stack, reset = struct.unpack("<II", self._read(self._order["vectors"], 8))
        self.engine.reg_write(self._arm.UC_ARM_REG_SP, stack & ~3)
        self.engine.reg_write(self._arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        at = reset & ~1
        try:
            while at:
                self.engine.emu_start(at | 1, _NOWHERE)
                at = self._ticked() if self._hooks.mcusim_ticked() else self._call_host()
        except self._error as error:
            there = f"{error} of 0x{self._nothing_at:08x}" if self._nothing_at else str(error)
            self.problem = f"{there} at 0x{self._register('PC'):08x}, called from 0x{self._register('LR') & ~1:08x}"
        if self.problem:
            print(f"fault: {self.problem}", file=sys.stderr)
            return int(self._order["fault"])
        return self.host.exit_code or 0


def main(arguments: list[str]) -> NoReturn:
    order = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    end_with(order["parent"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["longest"], order["longest"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(order["library"], mode=ctypes.RTLD_GLOBAL)
    hooks = ctypes.CDLL(order["hooks"])
    hooks.mcusim_watch.restype = hooks.mcusim_finish.restype = hooks.mcusim_ticked.restype = ctypes.c_bool
    machine = Machine(order)
    machine.watch(hooks)
    code = machine.run()
    touched = "".join(f"0x{at:08X} {times}\n" for at, times in machine.registers.touched.most_common())
    Path("touched.txt").write_text(touched, encoding="ascii")
    Path("sent.bin").write_bytes(machine.registers.serial.sent)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if hooks.mcusim_finish() or code else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
