"""Library + engine + board -> Firmware: the model's C with the harness around it, built for where it will run."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcusim.boards.board import Board, MemoryMap
from mcusim.cores import core_of
from mcusim.engines.engine import Facts
from mcusim.line.build import HARNESS, SCRIPT, Firmware, Target, build
from mcusim.line.c_text import floating, number_lines, plain_comment
from mcusim.line.emit import CODE_RAM, LAYER_MARKS
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import ConfigurationError
from mcusim.system.image import Image
from mcusim.system.records import fields_of
from mcusim.system.templates import render
from mcusim.system.toolchain import host_toolchain

_EVERYWHERE = ("main.c", "harness.h", "sample.h", "transport.h")
_NATIVE = "native"  # the folder in place of a core's
_CONSOLE = "console"  # the transport that needs nobody


@dataclass(frozen=True)
class GeneratedCode:
    """The C of a model, in the harness of whatever runs it."""

    NAME: ClassVar[str] = "generated"
    library: Sources

    def image(self, facts: Facts, board: Board | None, folder: Path) -> Image:
        return make_firmware(self.library, facts, board, folder).image


def make_firmware(
    library: Sources, facts: Facts, board: Board | None, folder: Path, *, sanitize: bool = False
) -> Firmware:
    """What the engine of `facts` runs, built below `folder`. `board`: None for an engine that needs none.

    `sanitize`: undefined behaviour in a kernel ends the (native) program. Raises as `build` and `target_for` do.
    """
    return build(emit_firmware(library, facts, board), target_for(facts, board, sanitize=sanitize), folder)


def target_for(facts: Facts, board: Board | None, *, sanitize: bool = False) -> Target:
    """Raises MissingToolError without the compiler, ConfigurationError for a core that nobody knows."""
    place = _place(facts, board)
    return _target(place[0]) if place else Target(host_toolchain(sanitize=sanitize), None)


def emit_firmware(library: Sources, facts: Facts, board: Board | None) -> Sources:
    """`library` (the model's C) with everything around it that makes it a program."""
    place = _place(facts, board)
    if place is None:
        return library.merged(_harness(_NATIVE, facts.transport))
    return _on_board(library, *place, facts.transport, registers=facts.has_registers)


def _place(facts: Facts, board: Board | None) -> tuple[Board, MemoryMap] | None:
    """Where on which board; None: on this machine."""
    if facts.memory_map is None:
        return None
    if board is None:
        raise ConfigurationError(f"engine {facts.name!r} needs a board", hint="mcusim boards lists them")
    return board, facts.memory_map(board)


def _target(board: Board) -> Target:
    return Target(core_of(board.chip).toolchain(), board.name)


def make_console(
    library: Sources,
    board: Board,
    samples: Array,
    what: str,
    folder: Path,
    deciding: str = "",
    threshold: float | None = None,
) -> Firmware:
    """A firmware for `board` that shows on its console what the model makes of `samples`, raw numbers.

    `what` names them in a comment. `deciding`: the member of model_output_t that decides the class, where there is one;
    `threshold`: of an output of one number, which decides class 1 above it. Raises ConfigurationError for a board
    without a console.
    """
    if board.console is None:
        raise ConfigurationError(f"board {board.name!r} names no console", hint="add [console] to its file")
    columns = fields_of(samples).values()
    told = {"deciding": deciding, "threshold": None if threshold is None else floating(threshold)}
    lines = [[number_lines(column[index]) for column in columns] for index in range(len(samples))]
    text = render("samples.h.j2", count=len(samples), what=plain_comment(what), samples=lines, **told)
    sources = _on_board(library, board, board.memory, _CONSOLE).merged(Sources({f"{HARNESS}/samples.h": text}))
    return build(sources, _target(board), folder)


def _on_board(library: Sources, board: Board, memory: MemoryMap, transport: str, *, registers: bool = True) -> Sources:
    """`registers`: are those of the board there? Else another machine takes its place, and none of them is set."""
    core = core_of(board.chip)
    if CODE_RAM not in library.files:
        memory = memory.model_copy(update={"code_ram": None})
    loaded = memory.code_ram != board.memory.code_ram  # by an emulator, to where it has such memory
    told = {
        "start_up": board.start_up if registers else (),
        "console": board.console if registers else None,
        "identity": board.chip.identity,
        "name_bytes": ", ".join(map(str, board.told_name)),
        "clock_hz": board.clock_hz,
    }
    headers = {"board.h": render("board.h.j2", board=board.name, code_in_ram=memory.code_ram is not None, **told)}
    headers |= core.memory_protection(memory, board.name)
    generated = {f"{HARNESS}/{name}": text for name, text in headers.items()}
    generated[SCRIPT] = render("linker.ld.j2", board=board.name, memory=memory, code_is_loaded=loaded)
    marks = ("layers.c", "layers.h") if LAYER_MARKS in library.files else ()
    return library.merged(_harness(core.HARNESS, transport, "mailbox.h", "energy.h", *marks)).merged(Sources(generated))


def _harness(core: str, transport: str, *more: str) -> Sources:
    """What is the same everywhere, what is the core's, and a transport: the core's own, where that has one."""
    folder = CODEGEN / "harness"
    paths = {name: folder / name for name in (*_EVERYWHERE, *more, f"transport_{transport}.c")}
    paths |= {path.name: path for path in (folder / core).iterdir() if path.suffix in (".c", ".h", ".S")}
    return Sources({f"{HARNESS}/{name}": path.read_text(encoding="utf-8") for name, path in paths.items()})
