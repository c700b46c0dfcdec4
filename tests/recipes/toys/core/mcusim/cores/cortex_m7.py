"""Cortex-M7 with its single precision FPU."""

from __future__ import annotations

from mcusim.cores.armv7m.calls import locate, program_counter
from mcusim.cores.armv7m.faults import explain_fault
from mcusim.cores.armv7m.memory_protection import memory_protection
from mcusim.system.toolchain import Toolchain, arm_toolchain
from mcusim.timing.parameters import CoreParameters

__all__ = ["CHIPS", "COMPILER", "HARNESS", "NAME", "TIMING"]
__all__ += ["explain_fault", "locate", "memory_protection", "program_counter", "toolchain"]

NAME = "Cortex-M7"
COMPILER = "Arm compiler with newlib-nano"
CHIPS: tuple[tuple[str, str | None], ...] = (("cortex-m7", "fpv5-sp-d16"),)
HARNESS = "armv7m"
TIMING: CoreParameters | None = None


def toolchain() -> Toolchain:
    return arm_toolchain(("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"))
