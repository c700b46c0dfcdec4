"""What real servers have to be told, so that they look for a played chip where it is and else do as always."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mcusim.boards.board import Board


def openocd_scripts(folder: Path, board: Board, port: int) -> None:
    """OPENOCD_SCRIPTS: the chip's file is found here first. As OpenOCD's own of the Nucleo, but for the second line."""
    assert board.chip.debug is not None
    file = folder / board.chip.debug.servers["openocd"]
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        "source [find interface/stlink.cfg]",
        f"hla_stlink_backend tcp {port}",
        "transport select hla_swd",
        "source [find target/stm32l4x.cfg]",
        "reset_config srst_only srst_nogate",
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pyocd_project(folder: Path, board: Board) -> None:
    """PYOCD_PROJECT_DIR: a pack of the chip, if pyOCD has it not built in, with a flash algorithm of our own."""
    assert board.chip.debug is not None
    name = board.chip.debug.servers["pyocd"]
    if not name.startswith("stm32l452"):
        return
    pack = folder / "pack"
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "mcusim.test.pdsc").write_text(_PDSC.format(name=name), encoding="utf-8")
    script = pack / "loader.ld"
    script.write_text("SECTIONS { PrgCode 0 : { *(.text*) } DevDscr : { *(DevDscr) } }\n", encoding="utf-8")
    flags = [
        "-mcpu=cortex-m4",
        "-mthumb",
        "-Os",
        "-ffreestanding",
        "-nostdlib",
        "-Wl,--build-id=none,-e,0",
        "-T",
        script,
    ]
    subprocess.run(["arm-none-eabi-gcc", *flags, "-o", pack / "loader.FLM", _LOADER], check=True)
    (folder / "pyocd.yaml").write_text(f"pack: {pack}\n", encoding="utf-8")


_LOADER = Path(__file__).parent / "loader.c"
_PDSC = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.0">
  <vendor>mcusim</vendor><name>test</name>
  <devices><family Dfamily="STM32L4" Dvendor="STMicroelectronics:13">
    <processor Dcore="Cortex-M4" DcoreVersion="r0p1" Dfpu="1" Dmpu="1" Dendian="Little-endian"/>
    <device Dname="{name}">
      <debug/>
      <memory id="IROM1" start="0x08000000" size="0x80000" startup="1" default="1"/>
      <memory id="IRAM1" start="0x20000000" size="0x20000" init="0" default="1"/>
      <algorithm name="loader.FLM" start="0x08000000" size="0x80000" default="1"
                 RAMstart="0x20000000" RAMsize="0x4000"/>
    </device>
  </family></devices>
</package>
"""
