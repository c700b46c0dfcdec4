"""Firmware of others, and what it takes to run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.system.errors import BuildError, ConfigurationError, EngineError
from mcusim.workloads import WORKLOADS
from mcusim.workloads.foreign import ForeignElf
from tests.tiny_library import build_library, library

NUCLEO = load_board("nucleo_l452re_p")
QEMU = ENGINES["qemu"].FACTS


def test_every_workload_has_a_name() -> None:
    assert len({workload.NAME for workload in WORKLOADS}) == len(WORKLOADS)


@pytest.mark.arm
def test_an_image_of_a_file(tmp_path: Path) -> None:
    elf = build_library(library(), NUCLEO, tmp_path, "qemu").elf
    image = ForeignElf(elf, "cnn", "mcusim_infer_return").image(QEMU, NUCLEO, tmp_path)
    assert (image.elf, image.board, image.native) == (elf, NUCLEO.name, False)
    assert image.entry == image.symbols["cnn"].address and image.leave == image.symbols["mcusim_infer_return"].address
    assert (image.input_bytes, image.output_bytes) == (0, 0)
    assert ForeignElf(elf, "cnn").image(QEMU, NUCLEO, tmp_path).leave is None
    with pytest.raises(ConfigurationError, match="no symbol 'mcusim_infr'") as caught:
        ForeignElf(elf, "mcusim_infr").image(QEMU, NUCLEO, tmp_path)
    assert caught.value.hint == "did you mean 'mcusim_infer'?"


def test_what_is_no_firmware(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELF")
    with pytest.raises(BuildError, match="not a readable ELF"):
        ForeignElf(tmp_path / "x.elf", "cnn").image(QEMU, NUCLEO, tmp_path)


@pytest.mark.parametrize("name", [name for name, engine in ENGINES.items() if not engine.FACTS.foreign])
def test_engines_that_run_only_ours(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"engine '{name}' runs no firmware but that of mcusim"):
        ForeignElf(tmp_path / "x.elf", "cnn").image(ENGINES[name].FACTS, NUCLEO, tmp_path)
