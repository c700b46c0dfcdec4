"""platforms/ (or a user's own TOML file) -> Board, validated. Nothing has to be registered.

`load_board` takes a name from `platforms/boards` or `platforms/variants`, or a path to a TOML file. Its `chip` is one
of `platforms/chips`, or a path next to that file. A file may say only how a board differs from another one: `like`.
"""

from pathlib import Path
from typing import Any

from mcusim.boards.board import Board, RenodePlatform
from mcusim.boards.chip import Chip
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.toml_file import read_toml
from mcusim.system.validation import Place, validate

_VARIANTS = PLATFORMS / "variants"  # of boards: to be named, and nobody runs on them unasked


def board_names() -> tuple[str, ...]:
    """Names of the boards that come with mcusim, sorted."""
    return _stems(PLATFORMS / "boards")


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or from a TOML file when that is what the argument looks like.

    Raises ConfigurationError for an unknown name, a file that is not TOML, an unknown key or a value that cannot be.
    """
    path = _path_of("board", str(name_or_path))
    table, toml = _read(path)
    if "like" in table:
        table = _over(_model(table.pop("like"), path), table)
    chip = table.get("chip")
    if isinstance(chip, str):
        table["chip"] = load_chip(chip, path)
    elif not isinstance(chip, Chip):
        raise ConfigurationError(f"board {path.stem!r} names no chip", where=str(path), hint='chip = "stm32l452re"')
    return _with_platform(validate(Board, table, Place(str(path), toml), name=path.stem), path)


def _model(like: object, path: Path) -> dict[str, Any]:
    """All of the board that `path` is like, its chip read, its platform where that lies. Raises ConfigurationError."""
    if not isinstance(like, str):
        raise ConfigurationError("like is no text", where=str(path), hint='name a board: like = "sparkfun_edge"')
    model = _path_of("board", like, path)
    table, _ = _read(model)
    if "like" in table:
        what = f"{path.stem!r} is like {model.stem!r}, which is like another one"
        raise ConfigurationError(what, where=str(path), hint="name the board that both are like")
    if isinstance(table.get("chip"), str):
        table["chip"] = load_chip(table["chip"], model)
    renode = table.get("renode")
    if isinstance(renode, dict) and isinstance(renode.get("platform"), str):
        renode["platform"] = str(model.absolute().parent / renode["platform"])
    return table


def _over(below: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """`table`, and of `below` what it does not say. Lists are said as a whole."""
    merged = dict(below)
    for key, value in table.items():
        under = below.get(key)
        merged[key] = _over(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged


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
    for place in (folder, _VARIANTS) if kind == "board" else (folder,):
        if text in _stems(place):
            return place / f"{text}.toml"
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
