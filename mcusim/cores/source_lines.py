"""Address in an image -> function, file and line."""

from collections.abc import Callable
from pathlib import PurePosixPath

from mcusim.system.command import run
from mcusim.system.errors import McusimError
from mcusim.system.image import Image

CODE_SECTIONS = (".model", ".libraries", ".harness", ".code_ram")


def locate(image: Image, address: int, find_tool: Callable[[str], str]) -> str:
    """``nn_dense (nn_dense.h:12) in cnn (model.c:40)`` for an address in the code, innermost inlined function first.

    `find_tool`: name of a GNU tool -> path of the one that reads this image.
    """
    symbol = function_at(image, address)
    if symbol is None:
        return f"0x{address:08x}, where there is no code"
    try:
        command = [find_tool("addr2line"), "-f", "-i", "-e", str(image.elf), hex(address)]
        answer = run(command, timeout_s=20).stdout.splitlines()
    except McusimError:
        return symbol
    frames = []
    for function, line in zip(answer[::2], answer[1::2], strict=False):
        path, _, number = line.split(" (")[0].rpartition(":")
        frames.append(f"{function} ({PurePosixPath(path).name}:{number})" if number.isdigit() else symbol)
    return " in ".join(frames) or symbol


def function_at(image: Image, address: int) -> str | None:
    """Name of the function that `address` lies in."""
    symbols = image.symbols.items()
    code = ((s.address, name, s) for name, s in symbols if s.kind == "function" and s.section in CODE_SECTIONS)
    before = max((one for one in code if one[0] <= address), key=lambda one: one[:2], default=None)
    if before is None:
        return None
    start, name, symbol = before
    return name if address < start + max(symbol.size, 1) else None
