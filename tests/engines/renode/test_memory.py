"""A worker takes one job after the other: nothing of a machine stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.engines.renode.installation import find_installation
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.engines.renode.workers import shared
from tests.processes import wait_for

pytestmark = [pytest.mark.renode, pytest.mark.usefixtures("warm")]
JOBS = 4
COUNTER = """
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Antmicro.Renode.Core;

public static class LeftMachines
{
    public static void CountLeft(this Emulation emulation, string file)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        File.WriteAllText(file + ".new", machines.Count(one => one.IsAlive).ToString());
        File.Move(file + ".new", file);
        machines.AddRange(emulation.Machines.Select(one => new WeakReference(one)));
    }

    private static readonly List<WeakReference> machines = new List<WeakReference>();
}
"""
PLATFORM = """
nvic: IRQControllers.NVIC @ sysbus 0xE000E000
    -> cpu@0
cpu: CPU.CortexM @ sysbus
    cpuType: "cortex-m4f"
    nvic: nvic
ram: Memory.MappedMemory @ sysbus 0x0
    size: 0x1000
"""
ENDLESS = {0: 0x1000, 4: 9, 8: 0xE7FEE7FE}  # stack pointer, entry, `b .`


def test_a_machine_that_ran_goes(tmp_path: Path) -> None:
    """How many are left of those before, when the garbage was collected: one may still be on a stack."""
    with plain_folder() as folder, shared() as workers:
        (folder / "left.cs").write_text(COUNTER)
        (folder / "board.repl").write_text(PLATFORM)
        job = [
            'mach create "board"',
            f"machine LoadPlatformDescription @{folder / 'board.repl'}",
            *(f"sysbus WriteDoubleWord {address:#x} {value:#x}" for address, value in ENDLESS.items()),
            "sysbus.cpu VectorTableOffset 0x0",
            'emulation RunFor "0.0001"',
        ]
        worker = workers.take(find_installation())
        for number in range(JOBS):
            lines = [f"include @{folder / 'left.cs'}"] * (number == 0) + job
            script, left = folder / f"{number}.resc", folder / str(number)
            lines.append(f'emulation CountLeft "{left}"')
            script.write_text("\n".join(lines) + "\n")
            worker.give(script)
            wait_for(lambda left=left: left.exists() or worker.failed)
            assert not worker.failed, worker.log.read_text()
        workers.give_back(worker)
        assert int(left.read_text()) <= 1
