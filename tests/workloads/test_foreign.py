"""Firmware of others, and what it takes to run it."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.system.errors import BuildError, ConfigurationError, EngineError
from mcusim.workloads import WORKLOADS
from mcusim.workloads.foreign import ForeignElf
from tests.tiny_library import build_library, library

NUCLEO = load_board("nucleo_l452re_p")
QEMU = ENGINES["qemu"].FACTS


def test_every_workload_has_a_name() -> None:
    assert len({workload.NAME for workload in WORKLOADS}) == len(WORKLOADS)


@pytest.mark.arm
def test_an_image_of_a_file(tmp_path: Path) -> None:
    elf = build_library(library(), NUCLEO, tmp_path, "qemu").elf
    image = ForeignElf(elf, "cnn", "mcusim_infer_return").image(QEMU, NUCLEO, tmp_path)
    assert (image.elf, image.board, image.native) == (elf, NUCLEO.name, False)
    assert image.entry == image.symbols["cnn"].address and image.leave == image.symbols["mcusim_infer_return"].address
    assert (image.input_bytes, image.output_bytes) == (0, 0)
    assert ForeignElf(elf, "cnn").image(QEMU, NUCLEO, tmp_path).leave is None
    with pytest.raises(ConfigurationError, match="no symbol 'mcusim_infr'") as caught:
        ForeignElf(elf, "mcusim_infr").image(QEMU, NUCLEO, tmp_path)
    assert caught.value.hint == "did you mean 'mcusim_infer'?"


def test_what_is_no_firmware(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELF")
    with pytest.raises(BuildError, match="not a readable ELF"):
        ForeignElf(tmp_path / "x.elf", "cnn").image(QEMU, NUCLEO, tmp_path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["gcc", "-c"], "is for X86_64, 64 bit, little-endian"),
        (["arm-none-eabi-gcc", "-c"], "is an object file that was not linked"),
        (["arm-none-eabi-gcc", "-mbig-endian", "-c"], "is for ARM, 32 bit, big-endian"),
        (["arm-none-eabi-gcc", "-shared", "-nostdlib"], "is position independent"),
    ],
    ids=["this machine", "object", "big", "shared"],
)
@pytest.mark.arm
def test_programs_of_other_kinds_are_no_firmware(command: list[str], words: str, tmp_path: Path) -> None:
    if command[0] == "gcc" and platform.machine() != "x86_64":
        pytest.skip("another machine")
    (tmp_path / "f.c").write_text("int twice(int x) { return 2 * x; }\n")
    subprocess.run([*command, "f.c", "-o", "f.elf"], cwd=tmp_path, check=True)
    with pytest.raises(ConfigurationError, match=words) as caught:
        ForeignElf(tmp_path / "f.elf", "twice").image(QEMU, NUCLEO, tmp_path)
    assert caught.value.hint and "no firmware for a Cortex-M4" in caught.value.what


@pytest.mark.parametrize("name", [name for name, engine in ENGINES.items() if not engine.FACTS.foreign])
def test_engines_that_run_only_ours(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"engine '{name}' runs no firmware but that of mcusim"):
        ForeignElf(tmp_path / "x.elf", "cnn").image(ENGINES[name].FACTS, NUCLEO, tmp_path)
