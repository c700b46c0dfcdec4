"""platforms/ (or a user's own TOML file) -> Board, validated. Nothing has to be registered.

`load_board` takes a name from `platforms/boards` or a path to a TOML file, whose `chip` is a name from
`platforms/chips` or a path next to that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcusim.boards.board import Board, RenodePlatform
from mcusim.boards.chip import Chip
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.toml_file import read_toml
from mcusim.system.validation import Place, validate


def board_names() -> tuple[str, ...]:
    """Names of the boards that come with mcusim, sorted."""
    return _stems(PLATFORMS / "boards")


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or from a TOML file when that is what the argument looks like.

    Raises ConfigurationError for an unknown name, a file that is not TOML, an unknown key or a value that cannot be.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        path = Path(text)
    elif text in board_names():
        path = PLATFORMS / "boards" / f"{text}.toml"
    else:
        raise ConfigurationError(f"unknown board {text!r}", hint=suggestion(text, board_names()))
    table, toml = _read(path)
    chip = table.get("chip")
    if not isinstance(chip, str):
        raise ConfigurationError(f"board {path.stem!r} names no chip", where=str(path), hint='chip = "stm32l452re"')
    table["chip"] = _load_chip(chip, path)
    return _with_platform(validate(Board, table, Place(str(path), toml), name=path.stem), path)


def _with_platform(board: Board, path: Path) -> Board:
    """The board with an absolute path of its Renode platform. Raises ConfigurationError when that is no file."""
    if board.renode is None:
        return board
    platform = path.absolute().parent / board.renode.platform
    if not platform.is_file():
        what, where = f"there is no platform file {board.renode.platform!r}", f"{path}, renode.platform"
        raise ConfigurationError(what, where=where, hint=f"looked for {platform}")
    return board.model_copy(update={"renode": RenodePlatform(platform=str(platform))})


def load_chip(name: str) -> Chip:
    """A chip of `platforms/chips`, for which no board is needed. Raises ConfigurationError for an unknown name."""
    return _load_chip(name, PLATFORMS / "chips")


def _load_chip(name: str, board_path: Path) -> Chip:
    if name.endswith(".toml") or "/" in name:
        path = board_path.parent / name
    elif name in _stems(PLATFORMS / "chips"):
        path = PLATFORMS / "chips" / f"{name}.toml"
    else:
        known = suggestion(name, _stems(PLATFORMS / "chips"))
        raise ConfigurationError(f"unknown chip {name!r}", where=str(board_path), hint=known)
    table, toml = _read(path)
    return validate(Chip, table, Place(str(path), toml), name=path.stem)


def _stems(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    table, text = read_toml(path)
    if "name" in table:
        raise ConfigurationError("unknown key 'name'", where=str(path), hint="a board or chip is named by its file")
    return table, text
