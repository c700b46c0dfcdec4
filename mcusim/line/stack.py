"""A library for a board -> the same, whose model.h tells how deep the stack gets, as the compiler counts it."""

from __future__ import annotations

import re
from dataclasses import replace

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.line.build import frames_of
from mcusim.line.front import Generated
from mcusim.line.sources import Sources
from mcusim.system.errors import MissingToolError

LIBRARY_BYTES = 64  # for memcpy, memset and divisions of 64 bits, of newlib-nano and libgcc: they take 40 at most


def with_stack(generated: Generated, board: Board | None) -> Generated:
    """As it is without a board, or without its compiler: model.h tells how to find out."""
    try:
        toolchain = core_of(board.chip).toolchain() if board else None
    except MissingToolError:
        toolchain = None
    if toolchain is None:
        return generated
    frames, files = frames_of(generated.library, toolchain), generated.library.files
    deepest = 0
    for step in generated.program.steps:
        routines = max((routine.stack_bytes for routine in step.code.routines), default=0)
        deepest = max(deepest, frames.pop(step.function) + routines)
    most = deepest + sum(frames.values()) + LIBRARY_BYTES
    how = f"{LIBRARY_BYTES} of them for the C library;\n * by -fstack-usage of {toolchain.version}, -O2."
    text = re.sub(r"Stack: .*", lambda _: f"Stack: at most {most} bytes, {how}", files["model.h"])
    return replace(generated, library=Sources({**files, "model.h": text}))
