"""The firmware of a run -> what its flash holds: a treemap of functions and arrays, and the sums of its sections."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from mcusim.reports.beside import folder_of
from mcusim.reports.html.drawing import FIRST, KEPT, MAIN, MUTED, WRONG
from mcusim.reports.html.trees import Hatch, Node, treemap
from mcusim.reports.report import Run
from mcusim.system.elf import ElfFile, read_elf
from mcusim.system.errors import McusimError
from mcusim.system.files import sha256_of

WIDTH, HEIGHT = 720, 400
LEAST = 0.002  # of all: what is less is put together
LAYER = "layer_"  # how functions of layers begin, and names of their arrays
FIRMWARE, MOST_BUILDS, LARGEST_BYTES = "*/firmware.elf", 100, 2**26


@dataclass(frozen=True)
class Kind:
    """Sections of a firmware that hold one kind of thing, and how they are drawn."""

    word: str
    sections: tuple[str, ...]
    colour: str
    hatch: Hatch


WEIGHTS = Kind("weights", (".weights",), MAIN, "")
KINDS = (
    Kind("code of the model", (".model", ".code_ram"), FIRST, "across"),
    WEIGHTS,
    Kind("runtime library", (".libraries",), WRONG, "down"),
    Kind("harness", (".vectors", ".harness"), KEPT, "grid"),
    Kind("initial values", (".data",), MUTED, "across"),
)
_BETWEEN = Kind("between sections", (), MUTED, "down")
_UNNAMED = "padding, and what has no name"


@dataclass(frozen=True)
class Part:
    """A function or an array; `owner`: the layer whose weights it is, else empty."""

    owner: str
    name: str
    size_bytes: int


@dataclass(frozen=True)
class Rom:
    """`sums`: (kind, bytes, share), which are together what the report says. `missing`: why there is none."""

    svg: str = ""
    sums: Sequence[tuple[str, int, float]] = ()
    missing: str = ""


def rom_of(run: Run, folder: Path | None) -> Rom:
    if run.rom_bytes is None:
        return Rom(missing="this engine runs a program of the build machine")
    try:
        elf = next(_firmware(folder, run), None) if folder else None
        if elf is None:
            return Rom(missing="its firmware is in no folder of that run beside the report")
        held = contents(elf, run.rom_bytes.total)
    except (McusimError, OSError, ValueError) as error:  # ValueError: a zero in the name
        return Rom(missing=error.what if isinstance(error, McusimError) else f"its firmware cannot be read: {error}")
    if held is None:
        return Rom(missing="its firmware has other sizes than the report says")
    total = run.rom_bytes.total
    sums = [(kind.word, sum(part.size_bytes for part in parts)) for kind, parts in held.items()]
    return Rom(treemap(_nodes(held, total), WIDTH, HEIGHT), [(word, size, size / total) for word, size in sums if size])


def _firmware(folder: Path, run: Run) -> Iterator[ElfFile]:
    """The one that ran: there may be others of other kernels."""
    own = folder_of(folder, run.id)
    for path in islice(own.glob(FIRMWARE), MOST_BUILDS) if own else ():
        if path.is_file() and path.stat().st_size <= LARGEST_BYTES and sha256_of(path) == run.elf_sha256:
            yield read_elf(path)


def contents(elf: ElfFile, total_bytes: int) -> Mapping[Kind, Sequence[Part]] | None:
    """What makes up so many bytes of flash; None when they cannot be these."""
    held: dict[Kind, list[Part]] = {}
    for kind in KINDS:
        held[kind] = []
        for section in kind.sections:
            named = list(_named(elf, section, kind is WEIGHTS))
            rest = elf.sections.get(section, 0) - sum(part.size_bytes for part in named)
            held[kind] += [*named, Part("", _UNNAMED, rest)]
    between = total_bytes - sum(part.size_bytes for parts in held.values() for part in parts)
    held[_BETWEEN] = [Part("", "alignment", between)]
    held = {kind: [part for part in parts if part.size_bytes] for kind, parts in held.items()}
    return held if all(part.size_bytes > 0 for parts in held.values() for part in parts) and total_bytes else None


def _named(elf: ElfFile, section: str, weights: bool) -> Iterator[Part]:
    """Two names of one thing are one."""
    layers = [name for name, symbol in elf.symbols.items() if symbol.kind == "function" and name.startswith(LAYER)]
    inside = [(name, symbol) for name, symbol in elf.symbols.items() if symbol.section == section and symbol.size]
    end = 0
    for name, symbol in sorted(inside, key=lambda one: (one[1].address, -one[1].size)):
        if symbol.address >= end:
            owner = max((one for one in layers if name.startswith(f"{one}_")), key=len, default="") if weights else ""
            yield Part(owner.removeprefix(LAYER), name.removeprefix(f"{owner}_" if owner else LAYER), symbol.size)
            end = symbol.address + symbol.size


def _nodes(held: Mapping[Kind, Sequence[Part]], total: int) -> list[Node]:
    nodes = [Node(None, f"ROM {total:,} bytes", 0, f"ROM: {total:,} bytes", MUTED)]
    for kind, parts in held.items():
        if parts:
            at = _add(nodes, 0, kind, kind.word, parts, total)
            for owner, own in groupby(sorted(parts, key=lambda part: part.owner), key=lambda part: part.owner):
                of_owner = list(own)
                _add_parts(nodes, _add(nodes, at, kind, owner, of_owner, total) if owner else at, kind, of_owner, total)
    return nodes


def _add(nodes: list[Node], parent: int, kind: Kind, name: str, parts: Sequence[Part], total: int) -> int:
    told = _told(name, sum(part.size_bytes for part in parts), total)
    nodes.append(Node(parent, told, 0, told, kind.colour))
    return len(nodes) - 1


def _add_parts(nodes: list[Node], at: int, kind: Kind, parts: Sequence[Part], total: int) -> None:
    large = [part for part in parts if part.size_bytes >= LEAST * total]
    few = [part.size_bytes for part in parts if part.size_bytes < LEAST * total]
    for part in [*large, *([Part("", f"{len(few)} smaller", sum(few))] if few else [])]:
        told = _told(" ".join(filter(None, (part.owner, part.name))), part.size_bytes, total)
        nodes.append(Node(at, part.name, part.size_bytes, told, kind.colour, kind.hatch))


def _told(name: str, size_bytes: int, total: int) -> str:
    return f"{name}: {size_bytes:,} bytes, {size_bytes / total:.1%}"
