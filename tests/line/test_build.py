"""Build: reproducible, cached, honest about ROM and RAM, and clear when it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines.qemu.facts import memory_map
from mcusim.line import build as build_module
from mcusim.line.build import Firmware, read_firmware
from mcusim.line.objects import Objects
from mcusim.line.sources import Sources
from mcusim.system.errors import BuildError, MissingToolError, TooBigError
from mcusim.system.toolchain import find_arm_tool
from tests.small_disk import leave_free, small_disk
from tests.tiny_library import build_library, library, library_of_files

pytestmark = pytest.mark.arm


@pytest.fixture(autouse=True)
def compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests say, they say of the compiler."""
    monkeypatch.setattr(build_module, "OBJECTS", Objects(0))


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return load_board(request.param)


@pytest.fixture
def nucleo() -> Board:
    return load_board("nucleo_l452re_p")


def test_the_same_bytes_in_any_folder(board: Board, tmp_path: Path) -> None:
    for engine in ("qemu", "host"):
        one = build_library(library(), board, tmp_path / "one", engine)
        other = build_library(library(), board, tmp_path / "a much longer, 'other' folder" / "deep", engine)
        assert one.elf.read_bytes() == other.elf.read_bytes() and one.elf_sha256 == other.elf_sha256
        assert str(tmp_path).encode() not in one.elf.read_bytes()


def test_relative_folders_and_links(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build_library(library(), nucleo, tmp_path / "plain", "qemu")
    (tmp_path / "link").symlink_to(tmp_path / "plain", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain" / plain.elf.parent.name).rename(tmp_path / "away")
    for folder in (Path("relative"), Path("link/deeper"), Path()):
        other = build_library(library(), nucleo, folder, "qemu")
        assert other.elf.is_absolute() and other.elf.read_bytes() == (tmp_path / "away/firmware.elf").read_bytes()


def test_the_model_is_the_same_object_at_the_same_place(tmp_path: Path) -> None:
    """On every board with the same core, on silicon and in an emulator; and always right after the vectors."""
    firmwares = []
    for name in board_names():
        board = load_board(name)
        for engine in ("qemu", "renode"):
            firmwares.append((board, build_library(library(), board, tmp_path / engine, engine)))
    objects = {(board.chip.core, (firmware.elf.parent / "model.o").read_bytes()) for board, firmware in firmwares}
    assert len(objects) == len({board.chip.core for board, _ in firmwares})
    for board, firmware in firmwares:
        assert firmware.image.symbols["cnn"].address == board.memory.flash.origin + 64
        assert firmware.image.symbols["mcusim_stack_start"].address % 0x10000000 == 0  # the bottom of RAM


def test_built_once(nucleo: Board, tmp_path: Path) -> None:
    first = build_library(library(), nucleo, tmp_path, "qemu")
    stamp = first.elf.stat().st_mtime_ns
    again = build_library(library(), nucleo, tmp_path, "qemu")
    assert again == first and again.elf.stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir()] == [first.elf.parent.name]
    assert build_library(library("output[0] = 1;"), nucleo, tmp_path, "qemu").elf != first.elf


@pytest.mark.parametrize("damage", ["truncate", "remove", "stamp"])
def test_a_damaged_build_is_not_used(damage: str, nucleo: Board, tmp_path: Path) -> None:
    first = build_library(library(), nucleo, tmp_path, "qemu")
    content = first.elf.read_bytes()
    if damage == "truncate":
        first.elf.write_bytes(content[:100])
    elif damage == "remove":
        first.elf.unlink()
    else:
        (first.elf.parent / "build.json").write_text("{}")
    assert build_library(library(), nucleo, tmp_path, "qemu").elf.read_bytes() == content


def flashed_bytes(firmware: Firmware) -> int:
    """What a programmer writes: the image that objcopy makes."""
    image = firmware.elf.with_suffix(".bin")
    command = [find_arm_tool("objcopy"), "-O", "binary", "--remove-section", ".reset", str(firmware.elf), str(image)]
    subprocess.run(command, check=True)
    return image.stat().st_size


@pytest.mark.parametrize("engine", ["qemu", "renode"])
def test_rom_and_ram(engine: str, board: Board, tmp_path: Path) -> None:
    initialized = "static volatile int32_t counters[3] = {1, 2, 3};"
    firmware = build_library(library("counters[0]++;", initialized), board, tmp_path, engine)
    rom = firmware.rom_bytes
    assert rom is not None
    assert rom.weights == 4 * 16 and rom.code + rom.weights == rom.total
    assert rom.total == flashed_bytes(firmware)  # initial values of .data and padding included
    assert firmware.arena_bytes == 4 * 4
    assert firmware.ram_static_bytes == firmware.image.sections[".data"] + firmware.image.sections[".bss"] - 4 * 4
    of_harness = 4 if engine == "qemu" else 4 + 84  # where the cycle counter is, and the mailbox
    assert firmware.image.sections[".data"] == 12 + of_harness and firmware.image.sections[".stack"] == 4096
    assert (firmware.image.input_bytes, firmware.image.output_bytes) == (16, 4)
    assert firmware.image.sections[".harness"] < 1100  # what a user pays for being told what went wrong


@pytest.mark.parametrize("engine", ["qemu", "renode"])
def test_a_model_of_several_files(engine: str, board: Board, tmp_path: Path) -> None:
    """All of its code is .model and all of its constants are .weights, whatever they are written in."""
    firmware = build_library(library_of_files(), board, tmp_path, engine)
    symbols, rom = firmware.image.symbols, firmware.rom_bytes
    assert {symbols[name].section for name in ("cnn", "nn_sum", "nn_dense_assembly")} == {".model"}
    assert {symbols[name].section for name in ("offsets", "weights")} == {".weights"}
    assert symbols["nn_dense_assembly"].size == 30 and symbols["nn_dense_assembly"].kind == "function"
    assert {symbols[name].section for name in ("main", "mcusim_infer", "mcusim_reset")} == {".harness"}
    assert symbols["cnn"].address == symbols["mcusim_vectors"].address + 64  # model.c comes first
    assert rom is not None and rom.weights == firmware.image.sections[".weights"] == 4
    assert rom.total == flashed_bytes(firmware)


def test_assembly_is_the_same_bytes_in_any_folder(nucleo: Board, tmp_path: Path) -> None:
    one, other = (build_library(library_of_files(), nucleo, tmp_path / name, "qemu") for name in ("one", "the other"))
    assert one.elf.read_bytes() == other.elf.read_bytes() and str(tmp_path).encode() not in one.elf.read_bytes()


def test_assembler_errors_are_shown(nucleo: Board, tmp_path: Path) -> None:
    files = {**library_of_files().files, "nn_dense.S": "    nonsense r0\n"}
    with pytest.raises(BuildError, match=r"assembler refused 'nn_dense.S': nn_dense.S:1: Error: bad instr") as caught:
        build_library(Sources(files), nucleo, tmp_path, "qemu")
    assert caught.value.hint and 'kernels = "plain"' in caught.value.hint


def test_a_compiler_without_its_assembler_is_told(
    nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcc = find_arm_tool("gcc")
    alone = tmp_path / "arm-gcc"
    says = "arm-none-eabi-gcc: fatal error: cannot execute 'as': execvp: No such file or directory"
    alone.write_text(f'#!/bin/sh\ncase "$*" in *-c*) echo "{says}" >&2; exit 1;; esac\nexec {gcc} "$@"\n')
    alone.chmod(0o755)
    monkeypatch.setenv("MCUSIM_ARM_GCC_PREFIX", str(tmp_path / "arm-"))
    with pytest.raises(MissingToolError, match="the assembler of the compiler is missing") as caught:
        build_library(library(), nucleo, tmp_path / "build", "qemu")
    assert caught.value.hint and "binutils" in caught.value.hint


def test_host_program_claims_no_rom(nucleo: Board, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, tmp_path, "host")
    assert firmware.image.native and firmware.image.board is None
    assert firmware.rom_bytes is None and firmware.ram_static_bytes is None and firmware.arena_bytes is None


def too_big(flash: int, ram: int) -> Sources:
    declarations = f"static const number_t dense_9_kernel[{flash}] = {{1}};\nstatic number_t workspace[{ram}];"
    return library("output[1] = workspace[input[0] & 1] += dense_9_kernel[input[0] & 3];", declarations)


def test_too_much_flash(board: Board, tmp_path: Path) -> None:
    size = memory_map(board).flash.size_bytes  # the machine that stands in may have less
    with pytest.raises(TooBigError) as caught:
        build_library(too_big(size, 1), board, tmp_path, "qemu")
    assert caught.value.what.startswith("the firmware overflows flash by 1,")
    assert f"{size:,} there" in caught.value.what and "RAM" not in caught.value.what
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"largest in flash: dense_9_kernel {size:,} bytes; ")


def test_too_much_of_everything(board: Board, tmp_path: Path) -> None:
    with pytest.raises(TooBigError) as caught:
        build_library(too_big(3 << 20, 5 << 20), board, tmp_path, "qemu")
    assert "overflows flash by 2," in caught.value.what and " and RAM by " in caught.value.what
    assert caught.value.hint is not None and f"workspace {5 << 20:,} bytes" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_exact_fit(nucleo: Board, tmp_path: Path) -> None:
    """What just fits does; a byte and a word of alignment more are said to be too much."""
    small = build_library(too_big(4, 8), nucleo, tmp_path, "qemu")
    free = nucleo.memory.ram.end - small.image.symbols["mcusim_bss_end"].address
    build_library(too_big(4, 8 + free - 4), nucleo, tmp_path, "qemu")
    with pytest.raises(TooBigError, match=r"overflows RAM by [48] bytes"):
        build_library(too_big(4, 8 + free + 1), nucleo, tmp_path, "qemu")


def test_full_disk(nucleo: Board, tmp_path: Path) -> None:
    """Whatever does not fit any more, sources, objects or the ELF: an error that says so, and nothing left behind."""
    seen = set()
    with small_disk(tmp_path) as disk:
        for free_pages in (0, 2, 8, 16, 20, 24, 30, 120):
            leave_free(disk, free_pages)
            try:
                build_library(library(), nucleo, disk / "build", "qemu")
            except BuildError as error:
                seen.add(error.what.partition(" ")[0])
                assert error.hint is not None and "make room" in error.hint
                assert error.where is not None and ".build-" not in error.where
                assert list(disk.glob("build/*")) == []
            else:
                seen.add("built")
    assert {"cannot", "the", "built"} <= seen


def test_compiler_errors_are_shown(nucleo: Board, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"the compiler refused 'model.c': model.c:\d+:\d+: error: 'nonsense' undecl"):
        build_library(library("nonsense = 1;"), nucleo, tmp_path, "qemu")
    with pytest.raises(BuildError, match=r"the linker refused the firmware: .*undefined reference to .elsewhere"):
        build_library(library("elsewhere();", "void elsewhere(void);"), nucleo, tmp_path, "qemu")
    assert list(tmp_path.iterdir()) == []


def test_missing_compiler(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_ARM_GCC_PREFIX", "/nowhere/arm-")
    with pytest.raises(MissingToolError) as caught:
        build_library(library(), nucleo, tmp_path, "qemu")
    assert "'/nowhere/arm-gcc'" in caught.value.what
    assert caught.value.hint == "correct MCUSIM_ARM_GCC_PREFIX, or unset it"
    monkeypatch.setenv("MCUSIM_CC", "no-such-compiler")
    with pytest.raises(MissingToolError, match="no-such-compiler"):
        build_library(library(), nucleo, tmp_path, "host")


def test_missing_newlib(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arm-gcc").write_text('#!/bin/sh\n[ "$1" = --version ] && echo "gcc 12" || echo nano.specs\n')
    (tmp_path / "arm-gcc").chmod(0o755)
    monkeypatch.setenv("MCUSIM_ARM_GCC_PREFIX", str(tmp_path / "arm-"))
    with pytest.raises(MissingToolError, match="newlib-nano for Arm is not installed"):
        build_library(library(), nucleo, tmp_path, "qemu")


def test_not_our_elf(tmp_path: Path, nucleo: Board) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "cut").write_bytes(build_library(library(), nucleo, tmp_path, "qemu").elf.read_bytes()[:300])
    for path in (tmp_path / "text", tmp_path / "cut", tmp_path / "nothing", tmp_path):
        with pytest.raises(BuildError, match=r"is not a readable ELF file|there is no .nothing"):
            read_firmware(path, "x")
    with pytest.raises(BuildError, match="was not built by mcusim"):
        read_firmware(Path("/bin/true"), "x")
