"""What an exported folder needs to stand alone: platform, plug-in, scripts and sources, every path relative to it."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.renode.process import overlay
from mcusim.line.sources import Sources
from mcusim.system.assets import RENODE_SCRIPTS
from mcusim.system.errors import ConfigurationError

SCRIPTS = "renode_scripts"
_PLATFORMS = "platforms"
_USING = re.compile(r'^\s*using\s+"((?:[^"\\]|\\.)+)"', re.MULTILINE)
_OF_BOARD = re.compile(r"\$ORIGIN/\.\./platforms/\S+")  # in the script of a board
_BOARD = """:name: {title}
:description: {description}

using sysbus
include $ORIGIN/{scripts}/firmware.resc
create_board "board" $ORIGIN/board.repl {vectors:#010x} $ORIGIN/{image}
firmware
emulation SetGlobalAdvanceImmediately true
emulation SetGlobalQuantum "0.01"

macro reset
\"\"\"
    firmware
\"\"\"
"""
_MAILBOX = """
include $ORIGIN/{scripts}/mcusim_mailbox.cs
machine AddMailbox
"""
_RUN = """:name: {title}
:description: All samples of input.bin, answered by firmware.elf and compared with expected.bin.

# renode --console --disable-gui run.resc -e quit
include $ORIGIN/mailbox.resc
sysbus.mailbox Check $ORIGIN/input.bin $ORIGIN/expected.bin "{answer}"
"""
_CONSOLE = """
# renode console.resc
showAnalyzer {uart}
start
"""
_SUITE = """*** Settings ***
Documentation                 renode-test all_samples.robot
Library                       String

*** Test Cases ***
All Samples Are Answered As Expected
    ${{here}}=                  Replace String  ${{CURDIR}}  ${{SPACE}}  \\\\${{SPACE}}
    Execute Command           include @${{here}}/mailbox.resc
    ${{told}}=                  Execute Command
    ...                       sysbus.mailbox Check @${{here}}/input.bin @${{here}}/expected.bin "{answer}"
    Should Contain            ${{told}}  samples={samples} mismatches=0
"""


@dataclass(frozen=True)
class Exported:
    """What of a case the files tell. `answer`: its layout, as Python's struct writes it."""

    board: Board
    platform: Path
    cycles_per_instruction: float | None
    sources: Sources
    samples: int
    answer: str


def write_surroundings(folder: Path, case: Exported) -> None:
    """Beside the images and samples. Raises ConfigurationError for a platform that uses a file by its absolute path."""
    described = _copy_platform(case.platform, folder / _PLATFORMS)
    text = overlay(f"./{_PLATFORMS}/{described}", case.cycles_per_instruction)
    (folder / "board.repl").write_text(text, encoding="utf-8")
    _anew(folder / SCRIPTS)
    for source in (*RENODE_SCRIPTS.glob("*.cs"), RENODE_SCRIPTS / "firmware.resc"):
        shutil.copyfile(source, folder / SCRIPTS / source.name)
    _copy_script(case.board, folder / SCRIPTS)
    _anew(folder / "sources")
    case.sources.write(folder / "sources")
    _write_scripts(folder, case)


def _copy_script(board: Board, goal: Path) -> None:
    """That of the board itself, where it has one: with the clocks of this model."""
    script = RENODE_SCRIPTS / f"{board.name}.resc"
    if script.is_file():
        text = _OF_BOARD.sub("$ORIGIN/../board.repl", script.read_text(encoding="utf-8"))
        (goal / script.name).write_text(text, encoding="utf-8")


def _write_scripts(folder: Path, case: Exported) -> None:
    assert case.board.console is not None  # make_console has seen it
    title = " ".join(case.board.title.split())
    common = {"title": title, "scripts": SCRIPTS, "vectors": case.board.memory.flash.origin}
    takes = "Firmware that takes samples through sysbus.mailbox."
    mailbox = _BOARD.format(description=takes, image="firmware.elf", **common)
    shows = "Firmware that prints what the model makes of a few samples."
    console = _BOARD.format(description=shows, image="console.elf", **common)
    files = {
        "mailbox.resc": mailbox + _MAILBOX.format(scripts=SCRIPTS),
        "run.resc": _RUN.format(title=title, answer=case.answer),
        "console.resc": console + _CONSOLE.format(uart=case.board.console.uart),
        "all_samples.robot": _SUITE.format(samples=case.samples, answer=case.answer),
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
