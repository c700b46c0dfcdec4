"""The compilers: where they are, what they are called, and the flags each part of a program is compiled with."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mcusim.system.command import find, run
from mcusim.system.errors import MissingToolError

ARM_GCC_HINT = "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
HOST_GCC_HINT = "sudo apt-get install gcc libc6-dev"

# -ffp-contract=off: floats give the same bits on host and board (and VMUL + VADD takes 2 cycles, VFMA 3).
MODEL_FLAGS = (
    *("-std=gnu11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-ffunction-sections", "-fdata-sections"),
    *("-g", "-Wall", "-Wextra", "-Werror"),
)
# Assembly goes through the preprocessor, for the model's headers may say its shapes.
_ASSEMBLY_FLAGS = ("-g", "-x", "assembler-with-cpp")
# The harness is small rather than fast. Its start-up code must not become a call of memset: it paints its own stack.
_HARNESS_FLAGS = ("-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns")
_LINK_FLAGS = ("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--build-id=none")
_SANITIZE_FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


@dataclass(frozen=True)
class Toolchain:
    """`flags` are for the model's C, `assembly_flags` for its assembly; `harness_flags` follow `flags` for the harness.

    `link_flags` follow them for the linker.
    """

    gcc: str
    version: str
    flags: tuple[str, ...]
    assembly_flags: tuple[str, ...]
    harness_flags: tuple[str, ...]
    link_flags: tuple[str, ...]


def arm_toolchain(machine: tuple[str, ...]) -> Toolchain:
    """GCC for an Arm core, `machine` its flags. Raises MissingToolError when it, or its C library, is missing."""
    gcc = find_arm_tool("gcc")
    if not Path(_print_file_name(gcc, "nano.specs")).is_absolute():
        raise MissingToolError("the C library newlib-nano for Arm is not installed", where=gcc, hint=ARM_GCC_HINT)
    flags, assembly_flags = (*machine, *MODEL_FLAGS), (*machine, *_ASSEMBLY_FLAGS)
    return Toolchain(gcc, version_line(gcc), flags, assembly_flags, _HARNESS_FLAGS, _LINK_FLAGS)


def host_toolchain(*, sanitize: bool = False) -> Toolchain:
    """The compiler of this machine; with `sanitize`, undefined behaviour and stray accesses end the program."""
    gcc = find_host_compiler()
    sanitizers = _SANITIZE_FLAGS if sanitize else ()
    return Toolchain(gcc, version_line(gcc), (*MODEL_FLAGS, *sanitizers), _ASSEMBLY_FLAGS, (), ())


def find_arm_tool(name: str) -> str:
    """Path of a GNU Arm tool (``gcc``, ``addr2line``). MCUSIM_ARM_GCC_PREFIX replaces ``arm-none-eabi-``."""
    variable = "MCUSIM_ARM_GCC_PREFIX"
    return find(os.environ.get(variable, "arm-none-eabi-") + name, hint=ARM_GCC_HINT, variable=variable)


def find_host_compiler() -> str:
    """Path of this machine's C compiler: MCUSIM_CC, else gcc."""
    return find(os.environ.get("MCUSIM_CC", "gcc"), hint=HOST_GCC_HINT, variable="MCUSIM_CC")


@cache
def version_line(program: str) -> str:
    """First line of ``program --version``."""
    lines = run([program, "--version"], timeout_s=20).stdout.splitlines()
    if not lines:
        what = f"{program!r} does not answer --version"
        raise MissingToolError(what, hint="name a compiler in MCUSIM_CC or MCUSIM_ARM_GCC_PREFIX, or unset them")
    return lines[0].strip()


@cache
def _print_file_name(gcc: str, name: str) -> str:
    return run([gcc, f"-print-file-name={name}"], timeout_s=20).stdout.strip()
