"""Sources + target -> Firmware: compiled, linked, and what its ELF says about ROM and RAM."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.line.objects import OBJECTS, key_of
from mcusim.line.sources import Sources
from mcusim.system.command import Completed, run
from mcusim.system.disk import WRITE_HINT, full_disk_hint
from mcusim.system.elf import ElfFile, read_elf
from mcusim.system.errors import BuildError, McusimError, MissingToolError, TooBigError
from mcusim.system.files import sha256_of
from mcusim.system.image import Image
from mcusim.system.toolchain import Toolchain

HARNESS, SCRIPT = "harness", "linker.ld"
_ENTRY, _LEAVE = "cnn", "mcusim_infer_return"
_ELF, _STAMP = "firmware.elf", "build.json"
# Code that runs from RAM, and initial values of .data, are copied there.
_CODE_IN_RAM = ".code_ram"
_IN_FLASH = (".vectors", ".model", ".weights", ".libraries", ".harness", _CODE_IN_RAM, ".data")
_IN_RAM = (".stack", ".data", ".bss")
_LARGEST_SHOWN = 5
_UNITED = "united.S"
_OF_A_ROUTINE = re.compile(r'^#include "assembly\.h"\n+#if (\w+)$', re.MULTILINE)
_ALIAS = re.compile(r"^\s*(\w+)\s+\.req\b", re.MULTILINE)


@dataclass(frozen=True)
class RomBytes:
    """What flash holds: `weights` are the constant arrays of the model, `code` is everything else, padding included."""

    code: int
    weights: int
    total: int


@dataclass(frozen=True)
class Target:
    """What a program is built for: the board of that name, or this machine when it has none."""

    toolchain: Toolchain
    board: str | None

    @property
    def name(self) -> str:
        return self.board or "host"


@dataclass(frozen=True)
class Firmware:
    """A linked program. `flags` are those of the model's C; ROM and RAM are None for a native one.

    The sections of its image tell what ROM is made of: ``.model`` (code), ``.weights``, ``.libraries``, ``.harness``,
    ``.vectors``. `ram_static_bytes` is all of RAM, code that runs there included, but the stack and the model's arena.
    `frames`: bytes of the stack that functions of the model take, as far as the compiler says.
    """

    image: Image
    compiler: str
    flags: tuple[str, ...]
    elf_sha256: str
    rom_bytes: RomBytes | None
    ram_static_bytes: int | None
    arena_bytes: int | None
    frames: Mapping[str, int] = field(default_factory=dict)

    @property
    def elf(self) -> Path:
        return self.image.elf


def build(sources: Sources, target: Target, folder: Path) -> Firmware:
    """Compiles and links below `folder`; what was built from the same sources, compiler and flags is used again.

    Files below ``harness/`` are the harness; all other C and assembly is the model. With a linker script among the
    sources that script decides about memory. The ELF is the same byte for byte wherever `folder` is. Raises BuildError
    when compiler or linker refuse, when the firmware does not fit the board (by how many bytes, and what is largest),
    or when `folder` cannot be written.
    """
    goal = folder / f"{target.name}-{_key(sources, target.toolchain)[:16]}"
    if not _is_built(goal):
        _build_aside(sources, target, goal)
    toolchain = target.toolchain
    return read_firmware(goal / _ELF, target.board, compiler=toolchain.version, flags=toolchain.flags)


def _key(sources: Sources, toolchain: Toolchain) -> str:
    flags = (toolchain.flags, toolchain.assembly_flags, toolchain.harness_flags, toolchain.link_flags)
    parts = (sources.digest, toolchain.version, *flags)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is_built(goal: Path) -> bool:
    """True when the ELF in `goal` is the one its stamp was written for: not cut short by a full disk, not edited."""
    try:
        stamp = json.loads((goal / _STAMP).read_text(encoding="utf-8"))
        return bool(stamp["elf_sha256"] == sha256_of(goal / _ELF))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _build_aside(sources: Sources, target: Target, goal: Path) -> None:
    """Builds in a folder of its own and renames it: two runs in one tree never see each other's half."""
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".build-", dir=goal.parent)).resolve()  # as compilers know it
    except OSError as error:
        raise _unwritable(goal.parent, error) from error
    try:
        _write(sources, aside, goal.parent)
        _link(_compile(sources, target.toolchain, aside), sources.files.get(SCRIPT), target, aside)
        stamp = {"elf_sha256": sha256_of(aside / _ELF), "compiler": target.toolchain.version}
        (aside / _STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        _move(aside, goal)
    except OSError as error:
        raise _unwritable(goal.parent, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(sources: Sources, aside: Path, folder: Path) -> None:
    try:
        sources.write(aside)
    except BuildError as error:
        error.where = str(folder)  # the one that the user knows
        raise


def _move(aside: Path, goal: Path) -> None:
    aside.chmod(0o755)  # mkdtemp made it private
    if goal.exists() and not _is_built(goal):
        shutil.rmtree(goal)
    try:
        aside.rename(goal)
    except OSError:
        if not _is_built(goal):  # else another run was faster, with the same bytes
            raise


def _unwritable(folder: Path, error: OSError) -> BuildError:
    return BuildError(f"cannot build in {folder.name!r}: {error.strerror}", where=str(folder), hint=WRITE_HINT)


def _compile(sources: Sources, toolchain: Toolchain, folder: Path) -> list[str]:
    """Object files of all C and assembly, each beside its source in `folder`."""
    united = _united(sources.files)
    for name, text in united.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = {**sources.files, **united}
    names = [name for name in files if name.rpartition(".")[2] in ("c", "S") and not _is_united(name, files)]
    for name in names:
        key = key_of(name, files, (toolchain.gcc, toolchain.version, *_flags(name, toolchain)))
        if key is None or not OBJECTS.lay(key, folder):
            _compile_one(name, toolchain, folder)
            if key is not None:
                OBJECTS.keep(key, folder, (_beside(name, "o"), _beside(name, "su")))
    return [_beside(name, "o") for name in names]


def _is_united(name: str, files: Mapping[str, str]) -> bool:
    return name.endswith(".S") and not name.endswith(_UNITED) and _OF_A_ROUTINE.search(files[name]) is not None


def _united(files: Mapping[str, str]) -> dict[str, str]:
    """Of each folder a file of its routines: to start the assembler for each takes 20 times as long as its work.

    Their labels begin with their names, which libraries in other folders may have, too; the names of registers hold in
    one routine only. Those that run from RAM stay apart: they share a section, in which the linker lays them.
    """
    lines: dict[str, list[str]] = {}
    for name in filter(lambda name: _is_united(name, files), files):
        (guard,) = _OF_A_ROUTINE.findall(files[name])
        folder, slash, _ = name.rpartition("/")
        ended = [f"    .unreq {alias}" for alias in dict.fromkeys(_ALIAS.findall(files[name]))]
        own = [f'#include "{name}"', f"#if {guard}", *ended, "#endif"]
        lines.setdefault(f"{folder}{slash}{_UNITED}", []).extend(own)
    return {name: "\n".join([*own, ""]) for name, own in lines.items()}


def _beside(name: str, suffix: str) -> str:
    return f"{name.rpartition('.')[0]}.{suffix}"


def _compile_one(name: str, toolchain: Toolchain, folder: Path) -> None:
    # No path of this machine may reach the ELF, or it would differ from one folder to the next.
    flags = ("-I.", f"-ffile-prefix-map={folder}=.", f"-fdebug-prefix-map={folder}=.")
    compiled = run(
        [toolchain.gcc, *flags, "-fstack-usage", *_flags(name, toolchain), "-c", name, "-o", _beside(name, "o")],
        folder=folder,
    )
    if compiled.returncode != 0:
        raise _no_assembler(name, compiled, toolchain) or _refused(
            f"the compiler refused {name!r}", compiled, toolchain, folder
        )


def _flags(name: str, toolchain: Toolchain) -> tuple[str, ...]:
    if name.endswith(".S"):
        return toolchain.assembly_flags
    return toolchain.flags if not name.startswith(f"{HARNESS}/") else (*toolchain.flags, *toolchain.harness_flags)


def _link(objects: list[str], script: str | None, target: Target, folder: Path) -> None:
    toolchain = target.toolchain
    command = [toolchain.gcc, *toolchain.flags, *toolchain.link_flags, *objects, "-lm", "-o"]
    linked = run([*command, _ELF, *(() if script is None else ("-T", SCRIPT))], folder=folder)
    if linked.returncode == 0:
        return
    if script and ("overflowed by" in linked.stderr or "will not fit in region" in linked.stderr):
        # Once more with all the room there is, to learn what is needed and by what.
        roomy = re.sub(r"^(\s*(?:flash|ram) .*LENGTH = )\d+", r"\g<1>128M", script, flags=re.MULTILINE)
        (folder / "roomy.ld").write_text(roomy, encoding="utf-8")
        if run([*command, "roomy.elf", "-T", "roomy.ld"], folder=folder).returncode == 0:
            raise _too_big(read_elf(folder / "roomy.elf"), script, target)
    raise _refused("the linker refused the firmware", linked, toolchain, folder)


def _no_assembler(name: str, completed: Completed, toolchain: Toolchain) -> McusimError | None:
    """When it is missing, or when it does not know what our assembly says: that one can do without."""
    if re.search(r"cannot (execute|exec|find) .?(\S*/)?as\b", completed.stderr):
        hint = "sudo apt-get install binutils-arm-none-eabi: it comes with the compiler, as arm-none-eabi-as"
        return MissingToolError("the assembler of the compiler is missing", where=toolchain.gcc, hint=hint)
    first = re.search(r"^.*\.S:\d+: Error: .*$", completed.stderr, re.MULTILINE)
    if not first:
        return None
    what = f"the assembler refused {name!r}: {first[0].strip()}"
    hint = 'it may be too old: install GNU Arm tools 10 or newer, or do without assembly: [target] kernels = "plain"'
    return BuildError(what, where=toolchain.version, hint=hint)


def _refused(what: str, completed: Completed, toolchain: Toolchain, folder: Path) -> BuildError:
    lines = [line for line in completed.stderr.splitlines() if line.strip() and not line.startswith("collect2")]
    lines = lines or [f"no message, exit code {completed.returncode}"]
    first = next((line for line in lines if re.search("error|undefined reference|No space left", line)), lines[-1])
    no_room = "make room for temporary files, or name another folder in TMPDIR" if "No space left" in first else None
    hint = (
        full_disk_hint(folder) or no_room or "it is no fault of the model: please report it, with the model if you can"
    )
    return BuildError(f"{what}: {first.strip()}", where=toolchain.version, hint=hint)


def _too_big(elf: ElfFile, script: str, target: Target) -> TooBigError:
    there = dict(re.findall(r"^\s*(flash|ram) .*LENGTH = (\d+)", script, flags=re.MULTILINE))
    ram_bytes = elf.symbols["mcusim_bss_end"].address - elf.symbols["mcusim_stack_start"].address
    needs = (("flash", "flash", _IN_FLASH, _rom_bytes(elf).total), ("ram", "RAM", _IN_RAM, ram_bytes))
    overflows, hints = [], []
    for region, shown, sections, need in needs:
        have = int(there[region])
        if need > have:
            overflows.append(f"{shown} by {need - have:,} bytes ({need:,} needed, {have:,} there)")
            hints.append(f"largest in {shown}: {_largest(elf, sections)}")
    what = "the firmware overflows " + " and ".join(overflows or ["the memory of the board"])
    hint = "; ".join([*hints, "what is of float32 takes a quarter in int8; `mcusim boards` tells which has more"])
    return TooBigError(what, where=f"board {target.name!r}", hint=hint)


def _largest(elf: ElfFile, sections: tuple[str, ...]) -> str:
    inside = [(symbol.size, name) for name, symbol in elf.symbols.items() if symbol.section in sections and symbol.size]
    return ", ".join(
        f"{name} {size:,} bytes"
        for size, name in sorted(inside, reverse=True)[:_LARGEST_SHOWN]
        if 100 * size > max(inside)[0]
    )


def read_firmware(path: Path, board: str | None, *, compiler: str = "", flags: tuple[str, ...] = ()) -> Firmware:
    """The Firmware that an ELF file of ours is; `board`: the one it is for. Raises BuildError when it is none."""
    elf = read_elf(path)
    native, symbols = board is None, elf.symbols
    if "mcusim_input" not in symbols or "mcusim_output" not in symbols:
        what = f"{path.name!r} was not built by mcusim: it has no mcusim_input"
        raise BuildError(what, where=str(path), hint="build it with mcusim build; mcusim profile takes any firmware")
    arena = symbols["arena"].size if "arena" in symbols else 0
    static_bytes = sum(elf.sections.get(name, 0) for name in (".data", ".bss", _CODE_IN_RAM))
    image = Image(
        elf=path.absolute(),
        board=board,
        entry=symbols[_ENTRY].address,
        leave=symbols[_LEAVE].address if _LEAVE in symbols else None,
        input_bytes=symbols["mcusim_input"].size,
        output_bytes=symbols["mcusim_output"].size,
        sections=elf.sections,
        symbols=symbols,
    )
    return Firmware(
        image=image,
        compiler=compiler,
        flags=flags,
        elf_sha256=elf.sha256,
        rom_bytes=None if native else _rom_bytes(elf),
        ram_static_bytes=None if native else static_bytes - arena,
        arena_bytes=None if native else arena,
        frames=_frames(path.parent),
    )


def _frames(folder: Path) -> dict[str, int]:
    """What -fstack-usage wrote beside the sources of the model: `model.c:12:1:name<tab>48<tab>static`."""
    frames: dict[str, int] = {}
    for path in sorted(folder.glob("*.su")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            place, _, told = line.partition("\t")
            size = told.partition("\t")[0]
            if size.isdecimal():
                frames[place.rpartition(":")[2]] = int(size)
    return frames


def frames_of(sources: Sources, toolchain: Toolchain) -> dict[str, int]:
    """Bytes of the stack that each function of a model takes, as the compiler says. Raises BuildError."""
    with tempfile.TemporaryDirectory() as name:
        sources.write(Path(name))
        _compile(sources, toolchain, Path(name).resolve())
        return _frames(Path(name))


def _rom_bytes(elf: ElfFile) -> RomBytes:
    """As a board has it: where an emulator loads code to where it runs, flash would hold that, too."""
    start = elf.symbols["mcusim_vectors"].address  # what lies before is not the board's (MemoryMap.reset_at)
    code = elf.symbols.get("mcusim_code_start")
    in_place = code is not None and any(address == code.address for address, _ in elf.loaded)
    apart = code.address if code is not None and in_place else None
    total = max(address + size for address, size in elf.loaded if address >= start and address != apart) - start
    total += elf.sections[_CODE_IN_RAM] if in_place else 0
    weights = elf.sections.get(".weights", 0)
    return RomBytes(code=total - weights, weights=weights, total=total)
