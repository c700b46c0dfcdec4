"""What an exported folder needs to stand alone: platform, plug-in, scripts and sources, every path relative to it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.renode.process import overlay
from mcusim.line.sources import Sources
from mcusim.system.assets import RENODE_SCRIPTS
from mcusim.system.errors import ConfigurationError

SCRIPTS = "renode_scripts"
_PLATFORMS = "platforms"
_USING = re.compile(r'^\s*using\s+"((?:[^"\\]|\\.)+)"', re.MULTILINE)
_BOARD = """:name: {title}
:description: {description}

using sysbus
mach create
machine LoadPlatformDescription $ORIGIN/board.repl
sysbus LoadELF $ORIGIN/{image}
sysbus.cpu VectorTableOffset {vectors:#010x}
emulation SetGlobalAdvanceImmediately true
emulation SetGlobalQuantum "0.01"
"""
_MAILBOX = """include $ORIGIN/{scripts}/mcusim_mailbox.cs
machine AddMailbox
"""
_RUN = """:name: {title}
:description: All samples of input.bin, answered by firmware.elf and compared with expected.bin, byte for byte.

# renode --console --disable-gui run.resc -e quit
include $ORIGIN/mailbox.resc
sysbus.mailbox Check $ORIGIN/input.bin $ORIGIN/expected.bin
"""
_CONSOLE = """
# renode console.resc
showAnalyzer {uart}
start
"""
_SUITE = """*** Settings ***
Documentation                 renode-test all_samples.robot

*** Test Cases ***
All Samples Are Answered As Expected
    Execute Command           include @${{CURDIR}}/mailbox.resc
    ${{told}}=                  Execute Command  sysbus.mailbox Check @${{CURDIR}}/input.bin @${{CURDIR}}/expected.bin
    Should Contain            ${{told}}  samples={samples} mismatches=0
"""


def write_surroundings(
    folder: Path, board: Board, platform: Path, cycles_per_instruction: float | None, sources: Sources, samples: int
) -> None:
    """Beside the images and samples. Raises ConfigurationError for a platform that uses a file by its absolute path."""
    described = _copy_platform(platform, folder / _PLATFORMS)
    text = overlay(f"./{_PLATFORMS}/{described}", cycles_per_instruction)
    (folder / "board.repl").write_text(text, encoding="utf-8")
    _anew(folder / SCRIPTS)
    for source in sorted(RENODE_SCRIPTS.iterdir()):
        if source.suffix in (".cs", ".resc"):
            shutil.copyfile(source, folder / SCRIPTS / source.name)
    _anew(folder / "sources")
    sources.write(folder / "sources")
    _write_scripts(folder, board, samples)


def _write_scripts(folder: Path, board: Board, samples: int) -> None:
    assert board.console is not None  # make_console has seen it
    title, vectors = " ".join(board.title.split()), board.memory.flash.origin
    takes = "Firmware that takes samples through sysbus.mailbox."
    mailbox = _BOARD.format(title=title, description=takes, image="firmware.elf", vectors=vectors)
    shows = "Firmware that prints what the model makes of a few samples."
    console = _BOARD.format(title=title, description=shows, image="console.elf", vectors=vectors)
    files = {
        "mailbox.resc": mailbox + _MAILBOX.format(scripts=SCRIPTS),
        "run.resc": _RUN.format(title=title),
        "console.resc": console + _CONSOLE.format(uart=board.console.uart),
        "all_samples.robot": _SUITE.format(samples=samples),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _copy_platform(platform: Path, goal: Path) -> Path:
    """With all that it uses, where they lie to each other as they did. -> the path of `platform` below `goal`."""
    files = _used_by(platform.resolve())
    top = Path(os.path.commonpath([file.parent for file in files]))
    _anew(goal)
    for file in files:
        copy = goal / file.relative_to(top)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return platform.resolve().relative_to(top)


def _used_by(platform: Path) -> list[Path]:
    found, left = list[Path](), [platform]
    while left:
        file = left.pop()
        if file in found:
            continue
        found.append(file)
        try:
            names = _USING.findall(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            what, hint = f"cannot read a platform description: {error}", "correct [renode] platform, or `using` in it"
            raise ConfigurationError(what, where=str(file), hint=hint) from None
        for name in names:
            if os.path.isabs(name):
                hint = "name it relative to the file that uses it"
                raise ConfigurationError(f"the platform uses {name!r} by its absolute path", where=str(file), hint=hint)
            left.append((file.parent / name).resolve())
    return found
