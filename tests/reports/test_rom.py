"""What lies in flash: all of it, and not a byte more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.line.build import RomBytes
from mcusim.reports.html import rom
from mcusim.reports.html.rom import Part, Rom, contents, rom_of
from mcusim.reports.report import Run
from mcusim.system.elf import ElfFile, Symbol
from mcusim.system.files import sha256_of
from tests.reports.reports import good_run

SECTIONS = {".vectors": 64, ".model": 600, ".weights": 300, ".libraries": 40, ".harness": 100, ".data": 4, ".bss": 999}
SYMBOLS = {
    "mcusim_vectors": Symbol(0, 64, "object", ".vectors"),
    "layer_conv": Symbol(64, 100, "function", ".model"),
    "layer_conv_1": Symbol(164, 100, "function", ".model"),
    "cnn": Symbol(264, 36, "function", ".model"),
    "nn_tile": Symbol(320, 300, "function", ".model"),
    "layer_conv_kernel": Symbol(672, 200, "object", ".weights"),
    "layer_conv_1_bias": Symbol(872, 80, "object", ".weights"),
    "table": Symbol(952, 16, "object", ".weights"),
    "__aeabi_ldiv0": Symbol(972, 4, "function", ".libraries"),
    "__aeabi_idiv0": Symbol(972, 4, "function", ".libraries"),
    "main": Symbol(1012, 90, "function", ".harness"),
    "after": Symbol(1102, 0, "label", ".harness"),
    "arena": Symbol(1 << 29, 900, "object", ".bss"),
}
ELF, TOTAL = ElfFile(SECTIONS, SYMBOLS, (), ""), 1120


def test_all_of_it_is_told_once() -> None:
    held = contents(ELF, TOTAL)
    assert held is not None
    sums = {kind.word: sum(part.size_bytes for part in parts) for kind, parts in held.items()}
    assert sums == {
        "code of the model": 600,
        "weights": 300,
        "runtime library": 40,
        "harness": 164,
        "initial values": 4,
        "between sections": 12,
    }
    [weights] = [parts for kind, parts in held.items() if kind.word == "weights"]
    assert weights == [
        Part("conv", "kernel", 200),
        Part("conv_1", "bias", 80),
        Part("", "table", 16),
        Part("", "padding, and what has no name", 4),
    ]
    [library] = [parts for kind, parts in held.items() if kind.word == "runtime library"]
    assert [part.size_bytes for part in library] == [4, 36], "two names of one routine"


@pytest.mark.parametrize("total", [0, 1107, 1])
def test_sizes_that_cannot_be_are_none(total: int) -> None:
    assert contents(ELF, total) is None


def test_a_thing_larger_than_its_section_is_none() -> None:
    assert contents(replace(ELF, symbols={**SYMBOLS, "cnn": Symbol(264, 1 << 40, "function", ".model")}), TOTAL) is None


def built(folder: Path, monkeypatch: pytest.MonkeyPatch, elf: ElfFile = ELF) -> Run:
    """A run whose folder has two firmwares; the other one is older."""
    for name in ("board-1", "board-2"):
        (folder / "r" / name).mkdir(parents=True)
        (folder / "r" / name / "firmware.elf").write_text(name)
    monkeypatch.setattr(rom, "read_elf", lambda path: elf)
    sha256 = sha256_of(folder / "r" / "board-2" / "firmware.elf")
    return replace(good_run(), id="r", elf_sha256=sha256, rom_bytes=RomBytes(TOTAL - 300, 300, TOTAL))


@pytest.mark.usefixtures("drawn")
def test_sums_are_those_of_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rom_of(built(tmp_path, monkeypatch), tmp_path)
    assert sum(size for _, size, _ in found.sums) == TOTAL
    assert sum(share for _, _, share in found.sums) == pytest.approx(1)
    for told in ("ROM: 1,120 bytes", "conv kernel: 200 bytes, 17.9%", "main: 90 bytes, 8.0%", "conv_1: 80 bytes, 7.1%"):
        assert f"<title>{told}</title>" in found.svg


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(tmp_path, monkeypatch)
    nowhere = Rom(missing="its firmware is in no folder of that run beside the report")
    for one, folder in (
        (run, None),
        (replace(run, elf_sha256="ab"), tmp_path),
        (replace(run, id=".."), tmp_path / "r"),
    ):
        assert rom_of(one, folder) == nowhere
    assert "build machine" in rom_of(replace(run, rom_bytes=None), tmp_path).missing
    assert "other sizes" in rom_of(replace(run, rom_bytes=RomBytes(1, 2, 3)), tmp_path).missing


def test_a_file_that_is_no_elf_is_told(tmp_path: Path) -> None:
    (tmp_path / "r" / "b").mkdir(parents=True)
    path = tmp_path / "r" / "b" / "firmware.elf"
    path.write_text("no")
    found = rom_of(replace(good_run(), id="r", elf_sha256=sha256_of(path)), tmp_path)
    assert "'firmware.elf' is not a readable ELF file" in found.missing
