"""platforms/ (or a user's own TOML file) -> Board, validated. Nothing has to be registered.

`load_board` takes a name from `platforms/boards` or a path to a TOML file, whose `chip` is a name from
`platforms/chips` or a path next to that file.
"""

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
    path = _path_of("board", str(name_or_path))
    table, toml = _read(path)
    chip = table.get("chip")
    if not isinstance(chip, str):
        raise ConfigurationError(f"board {path.stem!r} names no chip", where=str(path), hint='chip = "stm32l452re"')
    table["chip"] = load_chip(chip, path)
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


def load_chip(name: str, board_path: Path = PLATFORMS / "chips") -> Chip:
    """A chip, as the file of a board names it; none is needed. Raises ConfigurationError for an unknown name."""
    path = _path_of("chip", name, board_path)
    table, toml = _read(path)
    return validate(Chip, table, Place(str(path), toml), name=path.stem)


def _path_of(kind: str, text: str, named_in: Path | None = None) -> Path:
    """`text` itself when it looks like a path, which is beside the file that it is `named_in`; else by its name."""
    folder = PLATFORMS / f"{kind}s"
    if text.endswith(".toml") or "/" in text:
        return named_in.parent / text if named_in else Path(text)
    if text in _stems(folder):
        return folder / f"{text}.toml"
    where = str(named_in) if named_in else None
    beside = "chip = 'own.toml' takes a file beside the board's"
    hint = board_hint(text) if kind == "board" else f"{suggestion(text, _stems(folder))} ({beside})"
    raise ConfigurationError(f"unknown {kind} {text!r}", where=where, hint=hint)


def board_hint(text: str) -> str:
    """For the name of no board: those whose title or chip it is a part of, else the nearest name, else all."""
    wanted = _letters(text)
    boards = {name: load_board(name) for name in board_names()}
    meant = [
        name
        for name, board in boards.items()
        if wanted and any(wanted in _letters(words) for words in (name, board.title, board.chip.name, board.chip.title))
    ]
    return f"did you mean {' or '.join(map(repr, meant))}?" if meant else suggestion(text, boards)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _stems(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    table, text = read_toml(path)
    if "name" in table:
        raise ConfigurationError("unknown key 'name'", where=str(path), hint="a board or chip is named by its file")
    return table, text
