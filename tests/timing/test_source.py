"""Names and lines of damaged files: none, and told; never a crash, never without end."""

from __future__ import annotations

import random
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from mcusim.engines.counts import Block, Counts, Edge
from mcusim.system.elf_code import CodeSymbol
from mcusim.system.errors import McusimError
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing import source
from mcusim.timing.recording import record
from mcusim.timing.source import lines_of

pytestmark = pytest.mark.arm
FLASH = 0x08000000
SOURCE = "int one(int n) { return n + 1; }\nint two(int n) { return one(n) * n; }\n"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text(SOURCE)
    options = ["-mcpu=cortex-m4", "-mthumb", "-O1", "-g", "-nostdlib", "-Wl,-e,one", f"-Wl,-Ttext={FLASH:#x}"]
    subprocess.run([find_arm_tool("gcc"), *options, "a.c", "-o", "a.elf"], cwd=folder, check=True)
    return folder / "a.elf"


def blocks() -> tuple[Block, ...]:
    return Block(FLASH, FLASH + 4, 2), Block(FLASH + 4, FLASH + 8, 2), Block(2**32 - 1, 2**32 - 1, 0)


def section(elf: Path, name: str) -> tuple[int, int]:
    with elf.open("rb") as file:
        found = ELFFile(file).get_section_by_name(name)
        return int(found["sh_offset"]), int(found["sh_size"])


def test_good_lines(elf: Path) -> None:
    found = lines_of(elf, blocks())
    assert {line for _, file, line in found.rows if file == "a.c" and line} == {1, 2} and not found.problem


def test_damaged_lines_are_none_and_told(elf: Path, tmp_path: Path) -> None:
    at, size = section(elf, ".debug_line")
    data = bytearray(elf.read_bytes())
    data[at : at + size] = b"\xff" * size
    (tmp_path / "b.elf").write_bytes(data)
    found = lines_of(tmp_path / "b.elf", blocks())
    assert found.rows == () and found.problem


def test_a_bomb_is_not_unpacked(elf: Path, tmp_path: Path) -> None:
    """2 GiB of nothing in 2 MiB, in the way of before (.zdebug), which tells no length that could be believed."""
    bomb = zlib.compress(b"\0" * (1 << 26), 9)
    (tmp_path / "bomb").write_bytes(b"ZLIB" + (1 << 10).to_bytes(8, "big") + bomb)
    command = [find_arm_tool("objcopy"), "--remove-section=.debug_line", "--add-section=.zdebug_line=bomb"]
    subprocess.run([*command, elf, "b.elf"], cwd=tmp_path, check=True)
    found = lines_of(tmp_path / "b.elf", blocks())
    assert found.rows == () and "MiB unpacked" in found.problem


def test_a_line_too_many(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with elf.open("rb") as file:
        dwarf = ELFFile(file).get_dwarf_info()
        lines = sum(len(dwarf.line_program_for_CU(unit).get_entries()) for unit in dwarf.iter_CUs())
    for most, told in ((lines, ""), (lines - 1, f"it has more than {lines - 1} lines")):
        monkeypatch.setattr(source, "_MOST_LINES", most)
        found = lines_of(elf, blocks())
        assert found.problem == told and bool(found.rows) == (not told)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["", ""], ["f (0x08000000)", "f (0x08000010)"]),
        (["a.c", "b.c"], ["f (a.c)", "f (b.c)"]),
        (["a.c", ""], ["f (a.c)", "f"]),
        (["a.c", "a.c"], ["f (a.c) (0x08000000)", "f (a.c) (0x08000010)"]),
    ],
)
def test_functions_of_one_name_are_told_apart(files: list[str], names: list[str]) -> None:
    symbols = [CodeSymbol("f", FLASH + 16 * n, FLASH + 16 * n + 16, file) for n, file in enumerate(files)]
    assert source._told_apart([*symbols, CodeSymbol("g", 0, 2, "a.c")]) == [*names, "g"]


def test_bytes_that_are_wrong_anywhere(elf: Path, tmp_path: Path) -> None:
    chance, data = random.Random(4), elf.read_bytes()
    counts = Counts(blocks(), (Edge(2, 0),), np.ones((1, 1), np.uint64), (), np.zeros((1, 0), np.uint64))
    for number in range(60):
        damaged = bytearray(data)
        for _ in range(1 + number % 7):
            damaged[chance.randrange(64 if number % 2 else len(data))] = chance.choice((0, 0xFF, chance.randrange(256)))
        (tmp_path / "b.elf").write_bytes(damaged if number % 5 else damaged[: chance.randrange(len(data))])
        try:
            record(counts, tmp_path / "b.elf", "nucleo_l452re_p")
        except McusimError as error:
            assert error.hint and error.where
