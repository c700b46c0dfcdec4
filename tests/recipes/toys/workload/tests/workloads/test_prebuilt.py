from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.engine import Job, records
from mcusim.system.errors import BuildError
from mcusim.workloads import WORKLOADS
from mcusim.workloads.prebuilt import Prebuilt
from tests.tiny_library import build_library, expected, library, samples

NUCLEO = load_board("nucleo_l452re_p")


@pytest.mark.parametrize("name", ["host", pytest.param("qemu", marks=pytest.mark.arm)])
def test_it_runs(name: str, tmp_path: Path) -> None:
    elf = build_library(library(), NUCLEO, tmp_path, name).elf
    engine, inputs = ENGINES[name], samples(20)
    board = NUCLEO if engine.FACTS.needs_board else None
    image = Prebuilt(elf).image(engine.FACTS, board, tmp_path)
    with engine.open(1) as ready:
        answers = ready.run(Job(image, records(inputs), tmp_path, board)).answers
    np.testing.assert_array_equal(answers.view(np.int8), expected(inputs))


def test_what_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELF")
    with pytest.raises(BuildError):
        Prebuilt(tmp_path / "x.elf").image(ENGINES["host"].FACTS, None, tmp_path)
    assert Prebuilt in WORKLOADS
