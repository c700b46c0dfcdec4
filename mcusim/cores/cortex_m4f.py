"""Cortex-M4 with its single precision FPU."""

from mcusim.cores.armv7m.calls import locate, program_counter
from mcusim.cores.armv7m.faults import explain_fault
from mcusim.cores.armv7m.memory_protection import memory_protection
from mcusim.system.toolchain import Toolchain, arm_toolchain
from mcusim.timing.parameters import CORTEX_M4F, CoreParameters

__all__ = ["CHIPS", "COMPILER", "HARNESS", "NAME", "TIMING"]
__all__ += ["explain_fault", "locate", "memory_protection", "program_counter", "toolchain"]

NAME = "Cortex-M4F"
COMPILER = "Arm compiler with newlib-nano"
CHIPS: tuple[tuple[str, str | None], ...] = (("cortex-m4", "fpv4-sp-d16"),)
HARNESS = "armv7m"
TIMING: CoreParameters | None = CORTEX_M4F


def toolchain() -> Toolchain:
    return arm_toolchain(("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"))
