"""Platforms, mailbox and scripts in the hands of people, with Monitor commands alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.system.assets import RENODE_SCRIPTS
from mcusim.workloads.generated import make_console
from tests.engines.renode.monitor import monitor
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.renode
INT8 = np.dtype("int8")
# As FreeRTOS starts SysTick: the counter, its period, then on. -> what the counter says then.
START_TICK = [
    *(f"sysbus WriteDoubleWord {at} {value}" for at, value in ((0xE000E018, 0), (0xE000E014, 47999), (0xE000E010, 7))),
    "sysbus ReadDoubleWord 0xE000E018",
]
# Counters of a chip whose scripts have functions, which `Save` cannot keep: STIMER at 3 MHz that is to interrupt after
# half a millisecond, CTIMER A0 after a sixteenth of a second, and the watchdog, which barks then, too. What is seen of
# them after a millisecond, and after a tenth of a second.
STIMER = {0x40008300: 1, 0x40008140: 0x101, 0x40008150: 1500}
CTIMER, WATCHDOG = {0x40008004: 64, 0x4000800C: 1 << 9 | 13 << 1 | 1}, {0x40024000: 0x1000000 | 8 << 16 | 3}
STARTED = [f"sysbus WriteDoubleWord {at:#x} {value:#x}" for at, value in {**STIMER, **CTIMER, **WATCHDOG}.items()]
SEEN = [f"sysbus ReadDoubleWord {at:#x}" for at in (0x40008144, 0x40008304, 0x40008204, 0x40024204)]
COUNTERS = {"apollo3": (STARTED, SEEN, ("BB8", "1", "0", "0", "493E0", "1", "1", "1"))}


def lines_of(board: Board, folder: Path, build: Path) -> list[str]:
    """Saved in the middle of a firmware that waits for samples, loaded, reset, saved and loaded; `folder` is new."""
    assert board.renode is not None
    folder.mkdir()
    (folder / "board.repl").write_text(f'using "{board.renode.platform}"\n')
    (folder / "firmware.elf").symlink_to(build_library(library(), board, build, "renode").elf)
    samples(9).tofile(folder / "input.bin")
    load = [f"sysbus LoadELF @{folder}/firmware.elf", f"sysbus.cpu VectorTableOffset {board.memory.flash.origin}"]
    replay = f'sysbus.mailbox Replay "{folder}/input.bin" "{folder}/{{}}.bin"'
    again = ["Clear", f"Load @{folder}/saved", 'mach set "board"']
    started, seen, _ = COUNTERS.get(board.chip.name, ([], [], ()))
    return [
        "Clear",
        'mach create "board"',
        f"machine LoadPlatformDescription @{folder}/board.repl",
        "machine AddMailbox",
        *load,
        "emulation SetGlobalAdvanceImmediately true",
        'emulation RunFor "0.01"',
        f"Save @{folder}/saved",
        *again,
        'emulation RunFor "0.01"',
        *START_TICK,
        replay.format("first"),
        "machine Reset",
        *load,
        *started,
        f"Save @{folder}/saved",
        *again,
        'emulation RunFor "0.001"',
        *seen,
        'emulation RunFor "0.099"',
        *seen,
        *START_TICK,
        replay.format("second"),
    ]


@pytest.mark.arm
def test_save_load_and_go_on(tmp_path: Path) -> None:
    """Every board, with the mailbox. SysTick begins with its period, and a counter that runs goes on."""
    boards = [board for name in board_names() if (board := load_board(name)).renode]
    with plain_folder() as folder:
        (folder / "scripts").symlink_to(RENODE_SCRIPTS)
        lines = [f"include @{folder}/scripts/mcusim_mailbox.cs"]
        for board in boards:
            lines += lines_of(board, folder / board.name, tmp_path)
        said = monitor([*lines, lines[-1].replace("second", "third")], folder)
        for board in boards:
            wanted = COUNTERS.get(board.chip.name, ((), (), ()))[2]
            assert "".join(f"0x{number:0>8}" for number in wanted) in "".join(said.split()), said
            answers = [np.fromfile(folder / board.name / f"{name}.bin", INT8) for name in ("first", "second")]
            assert np.array_equal([one.reshape(9, -1) for one in answers], [expected(samples(9))] * 2)
    assert said.count("samples=9 ") == said.count("0x0000BB7F") == 2 * len(boards) >= 4, said
    assert "sample 0: error: the firmware has had its last sample: machine Reset" in said, said


@pytest.mark.arm
def test_boards_share_an_emulation(tmp_path: Path) -> None:
    """Two of one kind and one of another, each with the image that was named before its script: all print."""
    nucleo, edge = load_board("nucleo_l452re_p"), load_board("sparkfun_edge")
    images = [
        make_console(library(), board, samples(number + 1), "tiny", tmp_path / str(number)).elf
        for number, board in enumerate((nucleo, edge, nucleo))
    ]
    names = ["nucleo_l452re_p", "sparkfun_edge", "nucleo_l452re_p_2"]
    uarts = ["usart2", "uart0", "usart2"]
    with plain_folder() as folder:
        (folder / "renode_scripts").symlink_to(RENODE_SCRIPTS)
        (folder / "platforms").symlink_to(RENODE_SCRIPTS.parent / "platforms")
        lines = []
        for number, (image, name, uart) in enumerate(zip(images, names, uarts, strict=True)):
            (folder / f"{number}.elf").symlink_to(image)
            lines += [
                f"$elf=@{folder}/{number}.elf",
                f"include @{folder}/renode_scripts/{name.removesuffix('_2')}.resc",
            ]
            lines += [f"{uart} CreateFileBackend @{folder}/{number}.txt true"]
        lines += ["emulation SetGlobalAdvanceImmediately true", 'emulation RunFor "0.5"', "mach set 0", "machine Reset"]
        said = monitor([*lines, 'emulation RunFor "0.5"'], folder)
        printed = [(folder / f"{number}.txt").read_text() for number in range(3)]
    for number, text in enumerate(printed):
        assert f"mcusim: {number + 1} samples" in text, said
    assert printed[0].count("mcusim: 1 samples") == 2  # loaded again after its reset
