"""Platforms of boards -> does this Renode load them? Else what it says: the file, the line, the type that it lacks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mcusim.boards.load import board_names, load_board
from mcusim.engines.renode.installation import INSTALL, Installation, find_installation, start_script
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.engines.renode.process import first_trouble, overlay, shortened
from mcusim.system.errors import McusimError
from mcusim.system.tool import Tool

# Renode goes on after a command of a platform's `init` that fails: what it writes then is all there is.
_LOAD = '''python
"""
from System.IO import File
from Antmicro.Renode.UserInterface import CommandInteractionEater

usual = monitor.Interaction
for path in {paths}:
    heard = monitor.Interaction = CommandInteractionEater()
    monitor.Parse("mach create")
    monitor.Parse("machine LoadPlatformDescription @" + path)
    File.WriteAllText(path + ".told", heard.GetError())
monitor.Interaction = usual
"""
'''


def tools() -> Iterable[Tool]:
    """For each board with a platform; nothing where there is no Renode that is used."""
    try:
        found, known = find_installation(), platforms()
        problems = refused(found, list(known.values()))
    except (McusimError, OSError):
        return
    for name, problem in zip(known, problems, strict=True):
        title, needed_for = f"platform {name}", f"engine renode, board {name}"
        yield Tool(title, needed_for, False, None if problem else f"loads in Renode {found.version}", problem, INSTALL)


def platforms() -> dict[str, Path]:
    """Of each board that has one."""
    return {board.name: Path(board.renode.platform) for board in map(load_board, board_names()) if board.renode}


def refused(renode: Installation, described: Sequence[Path]) -> list[str | None]:
    """Why each platform is not loaded, None for one that is. One Renode is started for all."""
    with plain_folder() as folder:
        paths = [folder / f"{number}.repl" for number in range(len(described))]
        for path, platform in zip(paths, described, strict=True):
            path.write_text(overlay(str(platform), None), encoding="utf-8")
        (folder / "load.resc").write_text(_LOAD.format(paths=[str(path) for path in paths]), encoding="utf-8")
        (folder / "run.resc").write_text(f"include @{folder / 'load.resc'}\n", encoding="utf-8")
        (folder / "tmp").mkdir()
        ended = start_script(renode, folder / "run.resc", folder)
        said = ended.stdout + ended.stderr
        silence = first_trouble(said) or f"Renode ended with exit code {ended.returncode}: {shortened(said)}"
        return [_told(path, silence) for path in paths]


def _told(platform: Path, silence: str) -> str | None:
    try:
        text = Path(f"{platform}.told").read_text(encoding="utf-8-sig")
    except OSError:
        return silence
    return first_trouble(text) or shortened(" ".join(text.split())) or None
