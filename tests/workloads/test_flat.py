""".bin and .hex files as ELF files: the same bytes at the same addresses, and damaged ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.system.elf import read_elf
from mcusim.system.elf_code import read_bytes, read_vectors
from mcusim.system.errors import BuildError, ConfigurationError
from mcusim.workloads.flat import to_elf

VECTORS = b"\x00\x00\x02\x20\x09\x00\x00\x08" + b"\xfe\xe7"  # stack, reset, a branch to itself
# The same, in two records with a gap behind, from 0x08000000 on; then the end.
HEX = ":020000040800F2\n:0A0000000000022009000008FEE7DE\n:0200200000BF1F\n:00000001FF\n"


def test_a_memory_image(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(VECTORS)
    elf = to_elf(tmp_path / "a.bin", 0x08004000, tmp_path / "goal")
    assert read_elf(elf).loaded == ((0x08004000, len(VECTORS)),)
    assert read_vectors(elf, 0x08004000, 2).stack == 0x20020000 and read_bytes(elf, 0x08004008, 8) == VECTORS[8:]


@pytest.mark.parametrize(("address", "first"), [(None, 0x08000000), (0x20000000, 0x20000000)])
def test_intel_hex(address: int | None, first: int, tmp_path: Path) -> None:
    (tmp_path / "a.hex").write_text(HEX.replace("\n", "\r\n"))
    elf = to_elf(tmp_path / "a.hex", address, tmp_path / "goal")
    assert read_elf(elf).loaded == ((first, 10), (first + 32, 2))
    assert read_bytes(elf, first, 99) == VECTORS and read_bytes(elf, first + 32, 99) == b"\x00\xbf"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n", "it has no data"),
        (":00000001FF\n", "it has no data"),
        (HEX.replace("1F\n", "1E\n"), "its sum is wrong"),
        (HEX[:20], "no record"),
        ("0A0000000000022009000008FEE7DE", "no record"),
        (":00000009F7\n" + HEX, "no records of type 9"),
    ],
)
def test_damaged_hex(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.hex").write_text(text)
    with pytest.raises(BuildError) as caught:
        to_elf(tmp_path / "a.hex", None, tmp_path / "goal")
    assert words in caught.value.what and caught.value.hint and not (tmp_path / "goal").exists()


def test_no_address_and_none_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(VECTORS)
    with pytest.raises(ConfigurationError, match="without addresses") as caught:
        to_elf(tmp_path / "a.bin", None, tmp_path / "goal")
    assert "--load-address" in (caught.value.hint or "")
    with pytest.raises(ConfigurationError, match="0xFFFFFFFF: they end beyond"):
        to_elf(tmp_path / "a.bin", 0xFFFFFFFF, tmp_path / "goal")
    with pytest.raises(BuildError, match="no such file"):
        to_elf(tmp_path / "b.bin", 0, tmp_path / "goal")
