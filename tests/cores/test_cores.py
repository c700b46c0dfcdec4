"""Cores by the names that chips have for them."""

from __future__ import annotations

import pytest

from mcusim.boards.load import board_names, load_board
from mcusim.cores import CORES, core_of, cortex_m4f
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import ConfigurationError


@pytest.mark.parametrize("board", board_names())
def test_every_board_has_a_core(board: str) -> None:
    assert core_of(load_board(board).chip) in CORES


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.NAME)
def test_a_core_has_a_harness_and_names_of_its_own(core: object) -> None:
    assert core in CORES
    harness = CODEGEN / "harness" / core.HARNESS  # type: ignore[attr-defined]
    assert {"fault.h", "infer.c", "startup.c"} <= {path.name for path in harness.iterdir()}
    spelled = [chip for one in CORES for chip in one.CHIPS]
    assert len(set(spelled)) == len(spelled)


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        ({"core": "cortex-m44"}, "core 'cortex-m44' with fpu 'fpv4-sp-d16'", "did you mean 'cortex-m4'?"),
        ({"fpu": None}, "core 'cortex-m4' with no fpu", "did you mean 'cortex-m4'?"),
    ],
)
def test_a_core_that_nobody_knows(changes: dict[str, str | None], words: str, hint: str) -> None:
    chip = load_board("nucleo_l452re_p").chip
    with pytest.raises(ConfigurationError) as caught:
        core_of(chip.model_copy(update=changes))
    assert words in caught.value.what and caught.value.hint == hint and chip.name in (caught.value.where or "")


@pytest.mark.arm
def test_flags_of_the_first_one() -> None:
    """They stand in every report."""
    assert cortex_m4f.toolchain().flags[:4] == (
        *("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16"),
        "-mfloat-abi=hard",
    )
