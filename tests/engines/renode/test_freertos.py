"""A program of FreeRTOS keeps time on the Nucleo's platform, from its first tick on."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.renode.plain_folder import plain_folder
from tests.engines.freertos_firmware import build_freertos
from tests.engines.renode.monitor import monitor

pytestmark = [pytest.mark.renode, pytest.mark.arm]
TICK = 48_000  # cycles
FIGURES = ("done", "first_tick", "delayed", "ticks", "rung", "received", "alone", "disturbed", "heard")


def floats(word: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", word))[0]
    return value


def test_time_and_floats_of_tasks(tmp_path: Path) -> None:
    """Also after a reset."""
    elf = build_freertos(tmp_path)
    board = load_board("nucleo_l452re_p")
    assert board.renode is not None
    with plain_folder() as folder:
        (folder / "board.repl").write_text(f'using "{board.renode.platform}"\n')
        (folder / "firmware.elf").symlink_to(elf)
        run = [
            f"sysbus LoadELF @{folder}/firmware.elf",
            "sysbus.cpu VectorTableOffset 0x08000000",
            'emulation RunFor "0.1"',
            *(f'sysbus ReadDoubleWord `sysbus GetSymbolAddress "{name}"`' for name in FIGURES),
        ]
        said = monitor(
            [
                "logLevel 3",  # else the log writes into the middle of what is printed
                'mach create "board"',
                f"machine LoadPlatformDescription @{folder}/board.repl",
                "emulation SetGlobalAdvanceImmediately true",
                *run,
                "machine Reset",
                *run,
            ],
            folder,
        )
    words = [int(word, 16) for word in re.findall(r"^0x([0-9A-F]{8})\s*$", said, re.MULTILINE)]
    assert len(words) == 2 * len(FIGURES), said
    for at in (0, len(FIGURES)):
        seen = dict(zip(FIGURES, words[at:], strict=False))
        assert seen["done"] == 1, said
        assert abs(seen["first_tick"] - TICK) < TICK / 4
        assert 4 * TICK < seen["delayed"] <= 5 * TICK + 2000
        assert seen["received"] == 4 and abs(seen["rung"] - seen["ticks"] // 3) <= 1
        assert floats(seen["alone"]) == floats(seen["disturbed"]) == floats(seen["heard"])
