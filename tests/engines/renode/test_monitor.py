"""Platforms and mailbox in the hands of people: the emulation is saved and loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.system.assets import RENODE_SCRIPTS
from tests.engines.renode.monitor import monitor
from tests.tiny_library import build_library, expected, library, samples

pytestmark = [pytest.mark.renode, pytest.mark.arm]
INT8 = np.dtype("int8")


def test_save_load_and_go_on(board: Board, tmp_path: Path) -> None:
    """In the middle of a firmware that waits for samples, with the mailbox."""
    assert board.renode is not None
    firmware = build_library(library(), board, tmp_path, "renode")
    with plain_folder() as folder:
        (folder / "scripts").symlink_to(RENODE_SCRIPTS)
        (folder / "board.repl").write_text(f'using "{board.renode.platform}"\n')
        (folder / "firmware.elf").symlink_to(firmware.elf)
        samples(9).tofile(folder / "input.bin")
        load = ["sysbus LoadELF @firmware.elf", f"sysbus.cpu VectorTableOffset {board.memory.flash.origin}"]
        lines = [
            f"include @{folder}/scripts/mcusim_mailbox.cs",
            'mach create "board"',
            f"machine LoadPlatformDescription @{folder}/board.repl",
            "machine AddMailbox",
            *load,
            "emulation SetGlobalAdvanceImmediately true",
            'emulation RunFor "0.01"',
            f"Save @{folder}/saved",
            "Clear",
            f"Load @{folder}/saved",
            'mach set "board"',
            'emulation RunFor "0.01"',
            "machine Reset",
            *load,
            f'sysbus.mailbox Replay "{folder}/input.bin" "{folder}/output.bin"',
        ]
        said = monitor([line.replace("@firmware", f"@{folder}/firmware") for line in lines], folder)
        assert "samples=9 " in said, said
        answers = np.fromfile(folder / "output.bin", INT8).reshape(9, -1)
    assert np.array_equal(answers, expected(samples(9)))
