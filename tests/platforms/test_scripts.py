"""Python inside .repl and .resc files: Renode runs it with IronPython 2.7, so it must not speak Python 3."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.system.assets import PLATFORMS, RENODE_SCRIPTS
from tests.platforms.devices import Device, descriptions
from tests.platforms.repl import load, parse

NEWER_SYNTAX = (
    *(ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Nonlocal, ast.YieldFrom, ast.Starred, ast.MatMult, ast.Await),
    *(ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Match),
)
SCRIPTS = {
    f"{path.stem} {entry.name}": str(entry.attributes["script"])
    for path in descriptions()
    for entry in parse(path.read_text(encoding="utf-8")).entries
    if "script" in entry.attributes
}


def blocks(path: Path) -> list[str]:
    """What stands between the quotes of `python` commands."""
    return re.findall(r'^python\n"""\n(.*?)^"""$', path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


SCRIPTS |= {
    f"{path.name} {n}": text for path in sorted(RENODE_SCRIPTS.glob("*.resc")) for n, text in enumerate(blocks(path))
}


def newer_than_2_7(text: str) -> Iterator[str]:
    """Everything that is an error in Python 2.7, or means another thing there."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}: {type(node).__name__}"
        if isinstance(node, NEWER_SYNTAX):
            yield where
        if isinstance(node, ast.FunctionDef | ast.Lambda) and (node.args.kwonlyargs or node.args.posonlyargs):
            yield where
        if (isinstance(node, ast.arg) and node.annotation) or (isinstance(node, ast.Raise) and node.cause):
            yield where
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not isinstance(node.left, ast.Constant):
            yield f"{where}, of whole numbers?"
        if isinstance(node, ast.Name) and node.id in ("print", "super", "bytes", "input"):
            yield f"{where} {node.id}"
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if (token.type == tokenize.NUMBER and "_" in token.string) or not token.string.isascii():
            yield f"line {token.start[0]}: {token.string}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_python_2(name: str) -> None:
    assert not list(newer_than_2_7(SCRIPTS[name]))


@pytest.mark.parametrize(
    "text",
    ["f'{x}'", "x = 1_000", "def f(x: int): pass", "raise A from b", "x = y / 2", "(x := 1)", "a = 'ä'", "print(1)"],
)
def test_python_3_is_found(text: str) -> None:
    assert list(newer_than_2_7(text))


def scripted() -> list[tuple[str, str]]:
    names = []
    for path in sorted((PLATFORMS / "chips").glob("*.repl")):
        names += [(path.stem, name) for name, entry in load(path).items() if "script" in entry.attributes]
    return names


@pytest.mark.parametrize(("chip", "name"), scripted())
def test_any_access_is_answered(chip: str, name: str) -> None:
    """No offset of any of them raises, whatever is written; `Device` demands values of 32 bits."""
    entry = load(PLATFORMS / "chips" / f"{chip}.repl")[name]
    device = Device(entry)
    size = entry.attributes["size"]
    assert isinstance(size, int)
    for offset in range(0, min(size, 0x400), 4):
        device.read(offset)
        for value in (0, 0xFFFFFFFF, 0x12345678):
            device.write(offset, value)
        device.read(offset)
    device.reset()


@pytest.mark.parametrize("path", sorted(RENODE_SCRIPTS.glob("*.resc")), ids=lambda path: path.stem)
def test_what_renode_scripts_name_is_there(path: Path) -> None:
    """Relative to the script; in a wheel platforms/ and renode_scripts/ lie side by side, too."""
    for name in re.findall(r"\$ORIGIN/(\S+)", path.read_text(encoding="utf-8")):
        assert (path.parent / name).is_file(), name


OF_BOARDS = [path for path in (PLATFORMS / "boards").glob("*.repl") if (RENODE_SCRIPTS / f"{path.stem}.resc").is_file()]


@pytest.mark.parametrize("path", sorted(OF_BOARDS), ids=lambda path: path.stem)
def test_scripts_of_boards_start_a_firmware(path: Path) -> None:
    script = (RENODE_SCRIPTS / f"{path.stem}.resc").read_text(encoding="utf-8")
    created = f'create_board "{path.stem}" $ORIGIN/../platforms/boards/{path.name}'
    for line in (created, "include $ORIGIN/firmware.resc\n", "firmware_on_start\n", "macro reset\n"):
        assert line in script
    assert script.index("firmware.resc") < script.index(created) < script.index("firmware_on_start\n")
